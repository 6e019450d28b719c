"""Curves of training runs as one HTML page that needs nothing else."""
from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from vatrack.files.whole_file import replace_when_done

from .html_page import html_page, scrolling
from .log_curves import Comparison, DrawnCurve, Summary, drawn_curves, number, summary, summary_rows
from .page_style import SERIES
from .run_logs import LogError
from .svg import Line, line_chart, value_axis


def save_log_page(path: str | Path, comparison: Comparison) -> None:
    """Write the page; the file appears only when it is complete.

    Raises:
        LogError: There are more runs than a plot can tell apart.
    """
    page = log_page(comparison)
    with replace_when_done(path) as file:
        file.write(page)


def log_page(comparison: Comparison) -> str:
    """The page as text; see :func:`save_log_page`."""
    check_number(comparison)
    parts = [('Validation', 'val', comparison.val, 'epoch'),
             ('Training', 'train', comparison.train, 'iteration')]
    sections = [_section(comparison, *part) for part in parts if part[2]]
    head, *rows = summary_rows(comparison)
    table = ''.join(f'<tr>{_cells(row)}</tr>' for row in rows)
    names = ''.join(f'<th scope="col">{name}</th>' for name in head)
    sections.append('<section><h2>Last and best values</h2>' + scrolling(
        'last and best values', f'<table class="values"><thead><tr>{names}</tr></thead>'
        f'<tbody>{table}</tbody></table>') + '</section>')
    return html_page('Training curves', _header(comparison), sections, _footer(comparison))


def check_number(comparison: Comparison) -> None:
    """Refuse more runs than a plot can tell apart."""
    if len(comparison.runs) > len(SERIES):
        raise LogError(f'{len(comparison.runs)} runs are too many for one plot; name at most '
                       f'{len(SERIES)}')


def _header(comparison: Comparison) -> str:
    runs = ''.join(
        f'<li><svg viewBox="0 0 34 10" aria-hidden="true"><path class="line s{i}" d="M0 5H34"/>'
        f'</svg>{escape(run.name)} <small>{escape(str(run.path))}</small></li>'
        for i, run in enumerate(comparison.runs))
    notes = ''.join(f'<p class="muted">{escape(text)}</p>' for run in comparison.runs
                    for text in run.warnings)
    return f'<header><h1>Training curves</h1><ul class="runs">{runs}</ul>{notes}</header>'


def _footer(comparison: Comparison) -> str:
    text = (f'Curves of training are smoothed with {comparison.smoothing:g}; the faint ones are '
            'as logged.' if comparison.smoothing else 'Curves are as logged.')
    return f'<footer><p class="muted">{text}</p></footer>'


def _section(comparison: Comparison, title: str, part: str, keys: Sequence[str], unit: str) -> str:
    figures = ''.join(f'<figure class="plot"><figcaption>{escape(key)}</figcaption>'
                      f'{_chart(comparison, part, key, unit)}</figure>' for key in keys)
    return f'<section><h2>{title}</h2><div class="plots">{figures}</div></section>'


def _chart(comparison: Comparison, part: str, key: str, unit: str) -> str:
    runs = comparison.runs
    drawn = drawn_curves(comparison, part, key)
    lines = [_line(each, runs[each.run].name) for each in drawn]
    steps = [step for line in lines for step in line.xs]
    values = [value for line in lines for value in line.ys if value is not None] or [0.0]
    words = '; '.join(_words(run.name, summary(key, getattr(run, part)[key])) for run in runs
                      if key in getattr(run, part))
    return line_chart(key, words, lines, value_axis(unit, min(steps), max(steps), whole=True),
                      value_axis('', min(values), max(values)), legend=False)


def _words(name: str, found: Summary) -> str:
    best = '' if math.isnan(found.best) else f', best {number(found.best)}'
    return f'{name}: last {number(found.last)}{best}'


def _line(drawn: DrawnCurve, name: str) -> Line:
    heights = [value if math.isfinite(value) else None for value in drawn.curve.values]
    return Line(name, drawn.curve.steps, heights, dots=len(heights) < 20 and not drawn.faint,
                tip='{:.4g}', series=drawn.run, faint=drawn.faint)


def _cells(row: Sequence[str]) -> str:
    key, *values = (escape(text) for text in row)
    return f'<th scope="row">{key}</th>' + ''.join(f'<td>{value}</td>' for value in values)
