"""Rows to Markdown: ``docs/results.md``, and the tables of one study."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vatrack.files.whole_file import replace_when_done

from .provenance import Provenance
from .rows import COLUMNS, FURTHER_COLUMNS, LEVELS, PAPER_TABLES, ResultRow, Values, write_rows
from .systems import DATASETS

#: Where a published row is looked for if there is none of the measured row's own dataset.
_REFERENCE_DATASETS = ('sailvos-cut', 'sailvos')

_LEGEND = """AP (image level) and vAP (video level) in percent. 50: at IoU 0.5, as are P and H
(partially and heavily occluded) and L, M and S (large, medium and small); docs/evaluation.md has
the definitions. Measured with several seeds: mean ± sample standard deviation (n - 1). n/a: there
is no truth to score; -: not predicted, or not measured."""
_FURTHER_LEGEND = """HOTA, MOTA, IDSW (a count) and IDF1 are of masks, all classes in one pool; mIoU
(full masks) and occluded (region) are means over the objects that were found. The
`results.metrics.json` of a run has all numbers."""
_HEAD = f"""# Results

Made from `docs/results.jsonl` by `python tools/tabulate_results.py`; edit that file, not this one.

{_LEGEND}

Rows of the paper hold what is printed in Breitenstein et al., *End-to-end Amodal Video Instance
Segmentation*, and in the README of its [released code](https://github.com/ifnspaml/VATrack).
Measured rows are numbered by the command that made them, see the end of the page.
"""


class _Line(NamedTuple):
    """A line of a table: the numbers of the first of some rows, which all have the same."""

    name: str
    source: str
    rows: Sequence[ResultRow]


def results_page(rows: Iterable[ResultRow]) -> str:
    """Markdown of all rows.

    The tables of the paper come first, with what was measured of the same
    system on the same dataset beneath each row; then all else that was
    measured, by dataset and protocol.
    """
    rows = list(rows)
    paper = [row for row in rows if row.source == 'paper']
    measured = [row for row in rows if row.source == 'measured']
    provenance = Provenance(measured)
    lines = [_HEAD]
    for table in _distinct(row.table for row in paper):
        lines += _paper_section([row for row in paper if row.table == table], measured, provenance)
    published = {(row.dataset, *row.subject) for row in paper}
    other = [row for row in measured if (row.dataset, *row.subject) not in published]
    for title, group in _comparable(other):
        lines += [f'## Measured: {title}', '', *_comparison(group, paper, provenance)]
    if measured:
        lines += ['## How the measured rows were made', '', *provenance.lines()]
    return '\n'.join(lines).rstrip() + '\n'


def save_results(path: str | Path, rows: Sequence[ResultRow]) -> Path:
    """Write a file of rows and, beside it, its page; returns the path of the page."""
    write_rows(path, rows)
    page = Path(path).with_suffix('.md')
    with replace_when_done(page) as file:
        file.write(results_page(rows))
    return page


def study_page(measured: Sequence[ResultRow], paper: Sequence[ResultRow]) -> str:
    """Markdown of the rows of one study, beside published rows of the same systems.

    One table per level and kind of mask; apart for every dataset and protocol.
    A published row of another dataset is shown as a reference, under its name.
    """
    provenance = Provenance(measured)
    lines = [*provenance.lines(), _LEGEND]
    if any(column in FURTHER_COLUMNS for row in measured for column in row.values):
        lines.append(_FURTHER_LEGEND)
    lines.append('')
    for title, group in _comparable(measured):
        lines += [f'## {title}', '', *_comparison(group, paper, provenance)]
    return '\n'.join(lines).rstrip() + '\n'


def _comparable(measured: Iterable[ResultRow]) -> Iterator[tuple[str, list[ResultRow]]]:
    """Titles and rows that were scored against the same truth in the same way."""
    groups: dict[tuple, list[ResultRow]] = {}
    for row in measured:
        groups.setdefault((row.dataset, row.data, row.protocol), []).append(row)
    for (dataset, data, protocol), rows in groups.items():
        yield ', '.join(_distinct([_dataset(dataset), data, f'protocol {protocol}'])), rows


def _paper_section(paper: list[ResultRow], measured: list[ResultRow],
                   provenance: Provenance) -> Iterator[str]:
    first = paper[0]
    yield f'## {first.table}: {PAPER_TABLES[first.table]}'
    yield ''
    yield f'{first.reference}. {_dataset(first.dataset)}, protocol {first.protocol}.'
    yield ''
    for kind, level in _distinct((row.kind, row.level) for row in paper):
        table = []
        for row in paper:
            if (row.kind, row.level) == (kind, level):
                own = [each for each in measured
                       if (each.dataset, each.subject) == (row.dataset, row.subject)]
                table += [_Line(row.name, 'paper', [row]),
                          *(_Line(row.name, provenance.label(each), [each]) for each in own)]
        yield from _table(kind, level, table)


def _comparison(measured: list[ResultRow], paper: Sequence[ResultRow],
                provenance: Provenance) -> Iterator[str]:
    """Tables of measured rows of one dataset and protocol, each with its published counterparts."""
    for kind, level in _distinct((row.kind, row.level) for row in _paper_order(measured)):
        table = []
        for row in _with_gaps(measured, kind, level):
            table.append(_Line(row.name, provenance.label(row), [row]))
            for same in _counterparts(row, paper):
                tables = ', '.join(_distinct(each.table for each in same))
                source = f'paper: {_dataset(same[0].dataset)}, {tables}'
                table.append(_Line(row.name, source, same))
        yield from _table(kind, level, table)


def _paper_order(rows: Iterable[ResultRow]) -> list[ResultRow]:
    return sorted(rows, key=lambda row: (LEVELS.index(row.level), row.kind))


def _with_gaps(rows: list[ResultRow], kind: str, level: str) -> Iterator[ResultRow]:
    """Rows of a kind and level, and empty ones of systems that have the kind at others only."""
    by_run: dict[tuple, list[ResultRow]] = {}
    for row in rows:
        if row.kind == kind:
            by_run.setdefault((row.system, row.variant, row.options), []).append(row)
    for group in by_run.values():
        found = [row for row in group if row.level == level]
        yield from found or [replace(group[0], level=level, values={}, spread=None)]


def _counterparts(row: ResultRow, paper: Sequence[ResultRow]) -> list[list[ResultRow]]:
    """Published rows of a measured one, those of equal numbers together.

    Of its own dataset, or else of the next for which there is one.
    """
    found: dict[str, list[ResultRow]] = {}
    for dataset in (row.dataset, *_REFERENCE_DATASETS):
        if not found:
            for each in paper:
                if each.dataset == dataset and each.subject == row.subject:
                    found.setdefault(str(each.values), []).append(each)
    return list(found.values())


def _table(kind: str, level: str, table: Sequence[_Line]) -> Iterator[str]:
    rows = [row for line in table for row in line.rows]
    columns = _columns(rows)
    heads = ['vAP' if (column, level) == ('AP', 'video') else column for column in columns]
    yield f'### {kind} masks, {level} level'
    yield ''
    yield _markdown(['system', 'config', 'source', *heads])
    yield _markdown(['---'] * 3 + ['---:'] * len(columns))
    for line in table:
        # Options of a measured row stand in the command that its source names.
        shown = line.rows[0]
        yield _markdown([line.name, shown.config or '-', line.source,
                         *(_number(column, shown.values, shown.spread) for column in columns)])
    yield ''
    notes = _distinct(row.note for row in rows if row.note)
    for note in notes:
        names = _distinct(row.name for row in rows if row.note == note)
        yield f'- {"; ".join(names)}: {note}'
    if notes:
        yield ''


def _columns(rows: Iterable[ResultRow]) -> list[str]:
    """All of the paper, if any is there, and the further ones that are."""
    found = {column for row in rows for column in row.values}
    further = [column for column in FURTHER_COLUMNS if column in found]
    return further if further and not found & set(COLUMNS) else [*COLUMNS, *further]


def _number(column: str, values: Values, spread: Values | None) -> str:
    if column not in values:
        return '-'
    if values[column] is None:
        return 'n/a'
    around = f' ± {spread[column]:.1f}' if spread else ''
    return f'{values[column]:.1f}{around}'


def _markdown(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _dataset(name: str) -> str:
    return DATASETS.get(name, name)


def _distinct(values: Iterable) -> list:
    return list(dict.fromkeys(values))
