"""Figures for print: sizes in inches and points, and equal files for equal input."""
from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vatrack.files.whole_file import replace_when_done

#: Inches of one column of a paper of two.
COLUMN_WIDTH = 3.4
#: What is left out of files by their suffix, because it changes with the day or the version.
_METADATA = {'.png': ('Software',), '.svg': ('Date', 'Creator'),
             '.pdf': ('CreationDate', 'Creator', 'Producer')}
_SETTINGS = {
    'font.family': 'sans-serif',
    'mathtext.default': 'regular',
    'axes.linewidth': .6, 'xtick.major.width': .6, 'ytick.major.width': .6, 'hatch.linewidth': .5,
    'axes.spines.top': False, 'axes.spines.right': False,
    'legend.frameon': False,
    # Text stays text: it can be searched and edited, and takes on the fonts of the document.
    'svg.fonttype': 'none', 'pdf.fonttype': 42,
    # Names inside of an SVG are random without it.
    'svg.hashsalt': 'vatrack',
    'image.composite_image': False,
}


def print_settings(font_size: float = 8) -> AbstractContextManager:
    """A block in which matplotlib draws for print, whatever its settings outside are.

    Args:
        font_size: Points; ticks and legends are a little smaller.
    """
    small = .875 * font_size
    sizes = {'font.size': font_size, 'xtick.labelsize': small, 'ytick.labelsize': small,
             'legend.fontsize': small}
    return matplotlib.style.context(['default', _SETTINGS | sizes])


def new_figure(width: float, height: float, dpi: float = 300, layout: str | None = None) -> Figure:
    """An empty figure of ``width`` x ``height`` inches."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: str | Path, figure: Figure) -> None:
    """Write a figure; the file appears only when it is complete.

    The suffix picks the format: .png, .svg or .pdf. Call it inside of the
    block of :func:`print_settings` in which the figure was drawn.

    Raises:
        ValueError: Another suffix, or a figure that is too small for its texts.
        OSError: The file cannot be written.
    """
    suffix = check_format(path)
    with replace_when_done(path) as file, warnings.catch_warnings():
        warnings.filterwarnings('error', message='constrained_layout not applied')
        try:
            figure.savefig(file.buffer, format=suffix[1:], dpi=figure.dpi,
                           metadata=dict.fromkeys(_METADATA[suffix]))
        except UserWarning as error:
            width, height = figure.get_size_inches()
            raise ValueError(f'{path}: {width:g}x{height:g} inches have no room for texts of this '
                             'size; make the figure larger or the font smaller') from error


def check_format(path: str | Path) -> str:
    """Suffix of a file that :func:`save_figure` can write.

    Raises:
        ValueError: It has another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _METADATA:
        raise ValueError(f'{path}: figures are written as {", ".join(_METADATA)}; end the name in '
                         'one of these')
    return suffix
