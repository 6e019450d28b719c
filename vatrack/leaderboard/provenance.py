"""Where measured rows come from, numbered."""
from __future__ import annotations

from collections.abc import Iterable, Iterator

from .rows import ResultRow


class Provenance:
    """The commands that made rows, numbered from 1 in the order of the rows.

    Args:
        rows: Measured rows.
    """

    def __init__(self, rows: Iterable[ResultRow]) -> None:
        self._groups: dict[tuple, list[ResultRow]] = {}
        for row in rows:
            self._groups.setdefault(_origin(row), []).append(row)

    def label(self, row: ResultRow) -> str:
        """Source of a row in a table: ``'measured, sailvos, 3 seeds [1]'``."""
        number = list(self._groups).index(_origin(row)) + 1
        count = len(row.seeds)
        return f'measured, {row.protocol}, {count} {"seed" if count == 1 else "seeds"} [{number}]'

    def lines(self) -> Iterator[str]:
        """Markdown: for every number the command, and under what it ran."""
        for number, ((command, protocol, data), rows) in enumerate(self._groups.items(), 1):
            facts = [f'protocol {protocol}', f'data {data}',
                     f'seeds {_joined(str(seed) for row in rows for seed in row.seeds)}',
                     _iterations(rows),
                     f'torch {_joined(row.torch for row in rows)}',
                     _joined(row.hardware for row in rows),
                     f'commit {_joined(row.commit or "unknown" for row in rows)}',
                     _joined(row.date for row in rows)]
            yield f'- [{number}] `{command}`<br>'
            yield f'  {"; ".join(facts)}'
        yield ''


def _origin(row: ResultRow) -> tuple:
    return row.command, row.protocol, row.data


def _iterations(rows: list[ResultRow]) -> str:
    configs: dict[int | None, list[str]] = {}
    for row in rows:
        configs.setdefault(row.iterations, []).append(row.config or row.name)
    if len(configs) == 1:
        return f'{next(iter(configs))} iterations'
    return 'iterations: ' + ', '.join(f'{number} ({_joined(names)})'
                                      for number, names in configs.items())


def _joined(values: Iterable[str]) -> str:
    return ', '.join(dict.fromkeys(values))
