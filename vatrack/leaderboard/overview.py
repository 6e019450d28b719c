"""One table of what was measured on a dataset, in the midst of another text such as the README."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .rows import ResultRow

_COLUMNS = (('amodal', 'image'), ('amodal', 'video'), ('visible', 'image'), ('visible', 'video'))
_BLOCK = re.compile(r'(<!-- overview of (\S+), made by tools/tabulate_results.py -->\n)'
                    r'.*?(<!-- end of overview -->)', re.DOTALL)


def fill_overviews(text: str, rows: Iterable[ResultRow]) -> str:
    """Put tables between the marks of a text.

    A mark ``<!-- overview of DATASET, made by tools/tabulate_results.py -->``
    begins a table, ``<!-- end of overview -->`` ends it.
    """
    rows = list(rows)
    return _BLOCK.sub(
        lambda found: f'{found[1]}\n{overview(rows, found[2])}\n\n{found[3]}', text)


def overview(rows: Iterable[ResultRow], dataset: str) -> str:
    """AP and vAP of every system measured on a dataset: mean ± standard deviation in percent."""
    systems: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        if row.source == 'measured' and row.dataset == dataset and 'AP' in row.values:
            systems.setdefault(row.name, {})[row.kind, row.level] = _number(row)
    return '\n'.join(_lines(systems))


def _lines(systems: dict[str, dict[tuple[str, str], str]]) -> Iterator[str]:
    heads = [f'{kind} {"vAP" if level == "video" else "AP"}' for kind, level in _COLUMNS]
    yield f'| system | {" | ".join(heads)} |'
    yield f'| --- |{" ---: |" * len(_COLUMNS)}'
    for name, numbers in systems.items():
        yield f'| {name} | {" | ".join(numbers.get(column, "-") for column in _COLUMNS)} |'


def _number(row: ResultRow) -> str:
    mean = row.values['AP']
    if mean is None:
        return 'n/a'
    return f'{mean:.1f} ± {row.spread["AP"]:.1f}' if row.spread else f'{mean:.1f}'
