"""Curves of training runs as one PNG image, for papers and chats."""
from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vatrack.files.whole_file import replace_when_done

from .log_curves import Comparison, drawn_curves
from .log_page import check_number
from .page_style import SERIES
from .run_logs import LogError

_COLUMNS = 3


def save_log_image(path: str | Path, comparison: Comparison) -> None:
    """Write the curves as an image; the file appears only when it is complete.

    Raises:
        LogError: The name does not end in .png, or there are more runs than a
            plot can tell apart.
    """
    if Path(path).suffix.lower() != '.png':
        raise LogError(f'{path}: curves are written as PNG; end the name in .png')
    check_number(comparison)
    panels = [*(('val', key) for key in comparison.val), *(('train', key) for key
                                                           in comparison.train)]
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows + .5), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    for number, (part, key) in enumerate(panels, 1):
        _draw(figure.add_subplot(rows, columns, number), comparison, part, key)
    lines = [figure.axes[0].plot([], [], color=color, label=run.name)[0]
             for run, color in zip(comparison.runs, SERIES, strict=False)]
    figure.legend(handles=lines, loc='outside upper left', ncols=2, frameon=False)
    with replace_when_done(path) as file:
        figure.savefig(file.buffer, format='png')


def _draw(axes: Axes, comparison: Comparison, part: str, key: str) -> None:
    for drawn in drawn_curves(comparison, part, key):
        few = len(drawn.curve.steps) < 20 and not drawn.faint
        axes.plot(drawn.curve.steps, drawn.curve.values, color=SERIES[drawn.run],
                  alpha=.3 if drawn.faint else 1, linewidth=.8 if drawn.faint else 1.6,
                  marker='o' if few else None, markersize=3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_title(key, fontsize=10, loc='left')
    axes.set_xlabel('epoch' if part == 'val' else 'iteration', fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=.3)
    axes.spines[['top', 'right']].set_visible(False)
