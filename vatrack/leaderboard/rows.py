"""Rows of numbers in a JSON Lines file: one object per system, level and kind of mask.

``docs/results.jsonl`` holds the rows of the VATrack paper and those measured with this code.
"""
from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from vatrack.files.whole_file import replace_when_done
from vatrack.structures import MASK_KINDS

#: Columns of the VATrack paper: (v)AP, (v)AP50, and (v)AP50 of partially and heavily occluded, of
#: large, medium and small objects.
COLUMNS = ('AP', '50', 'P', 'H', 'L', 'M', 'S')
#: Columns of the metrics that the paper does not have; tables show those that were measured.
FURTHER_COLUMNS = ('AR@1', 'AR@10', 'AR@100', 'AR@300', 'AR@1000', 'HOTA', 'DetA', 'AssA', 'MOTA',
                   'IDSW', 'IDF1', 'mIoU', 'occluded')
#: What the tables of the paper's supplement and of its code's README are about.
PAPER_TABLES = {
    'Table 5': 'weights of the visible (lambda 1) and the amodal (lambda 2) mask loss',
    'Table 6': 'input resolution',
    'Table 7': 'amodal masks at image level',
    'Table 8': 'amodal masks at video level, uncut videos',
    'Table 9': 'visible masks at video level, uncut videos',
    'README': 'QD-based systems',
}
LEVELS = ('image', 'video')

#: Percent by column (IDSW: a count); None: there is no truth to score. Columns that a protocol
#: lacks, or that were not asked for, are absent.
Values = dict[str, float | None]


class ResultRowError(ValueError):
    """A file of rows is broken; says in which line and how."""


@dataclass(frozen=True)
class ResultRow:
    """Numbers of one system at one level for one kind of mask.

    Attributes:
        source: Whether they are published or measured with this code.
        system: Key of :data:`vatrack.leaderboard.SYSTEMS`, or the stem of a config that has none.
        name: Name of the row in tables.
        dataset: What it is tested on, as in names of configs (``'sailvos-cut'``).
        level: 'image' (AP) or 'video' (vAP).
        kind: 'amodal' or 'visible'.
        protocol: Name of the evaluation protocol.
        values: Percent by column; of a measured row the mean over its seeds.
        variant: What differs from the system itself (``'lambda-0.5-1.5'``).
        config: Config that reproduces it, below ``configs/`` and without suffix.
        table: Of a published row: where it stands, ``'Table 5'``.
        reference: Of a published row: the publication.
        note: What a reader must know.
        spread: Sample standard deviation over the seeds by column; None with one seed.
        seeds: Of a measured row, as are all that follow.
        options: What ``--cfg-options`` changed of the config.
        iterations: How long it was trained.
        data: Annotation file of the test.
        command: Command line that measured it.
        commit: State of this code; None outside of git.
        torch: Version.
        hardware: Device.
        date: Day of the last test, ISO 8601.
    """

    source: Literal['paper', 'measured']
    system: str
    name: str
    dataset: str
    level: Literal['image', 'video']
    kind: Literal['amodal', 'visible']
    protocol: str
    values: Values
    variant: str | None = None
    config: str | None = None
    table: str | None = None
    reference: str | None = None
    note: str | None = None
    spread: Values | None = None
    seeds: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    iterations: int | None = None
    data: str | None = None
    command: str | None = None
    commit: str | None = None
    torch: str | None = None
    hardware: str | None = None
    date: str | None = None

    @property
    def key(self) -> tuple:
        """What two rows of one file must not share."""
        return (self.source, self.table, self.system, self.variant, self.dataset, self.level,
                self.kind, self.protocol, self.data, self.options)

    @property
    def subject(self) -> tuple:
        """What two rows that may be compared share, whatever the dataset."""
        return self.system, self.variant, self.level, self.kind


def read_rows(path: str | Path) -> list[ResultRow]:
    """Read a file of rows.

    Raises:
        ResultRowError: A line is no row, or two rows have the same key.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except OSError as error:
        raise ResultRowError(f'{path}: cannot be read: {error.strerror}') from error
    rows: dict[tuple, ResultRow] = {}
    for number, line in enumerate(lines, 1):
        row = _read_row(line, f'{path}: line {number}')
        if row.key in rows:
            raise ResultRowError(f'{path}: line {number}: there is another {row.source} row of '
                                 f'{row.name}, {row.dataset}, {row.kind}, {row.level} level; '
                                 'remove one')
        rows[row.key] = row
    return list(rows.values())


def write_rows(path: str | Path, rows: Iterable[ResultRow]) -> None:
    """Write rows, one per line; what is None or empty is left out."""
    with replace_when_done(path) as file:
        for row in rows:
            content = {name: value for name, value in asdict(row).items()
                       if value is not None and value != ()}
            file.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + '\n')


def merge_rows(rows: Iterable[ResultRow], new: Iterable[ResultRow]) -> list[ResultRow]:
    """Rows with the new ones in the places of those of the same key, else at the end."""
    merged = {row.key: row for row in rows}
    merged |= {row.key: row for row in new}
    return list(merged.values())


_REQUIRED = {field.name for field in fields(ResultRow) if field.default is MISSING}
#: What a row must have besides, by its source.
_ALSO_REQUIRED = {
    'paper': {'table', 'reference'},
    'measured': {'config', 'seeds', 'iterations', 'data', 'command', 'torch', 'hardware', 'date'},
}
_CHOICES = {'source': tuple(_ALSO_REQUIRED), 'level': LEVELS, 'kind': MASK_KINDS,
            'table': tuple(PAPER_TABLES)}


def _read_row(line: str, where: str) -> ResultRow:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise ResultRowError(f'{where}: not JSON: {error}') from error
    if not isinstance(content, dict):
        raise ResultRowError(f'{where}: a row is a JSON object')
    required = _REQUIRED | _ALSO_REQUIRED.get(content.get('source'), set())
    faults = [*(f'lacks {name!r}' for name in sorted(required - content.keys())),
              *(f'has an unknown key {name!r}'
                for name in sorted(content.keys() - {field.name for field in fields(ResultRow)})),
              *(f'has {name!r} {content[name]!r} instead of one of {choices}'
                for name, choices in _CHOICES.items()
                if name in content and content[name] not in choices),
              *(f'has {name!r} that are no numbers by column of {(*COLUMNS, *FURTHER_COLUMNS)}'
                for name in ('values', 'spread')
                if name in content and not _are_values(content[name]))]
    if faults:
        raise ResultRowError(f'{where}: {", ".join(faults)}')
    lists = {name: tuple(content[name]) for name in ('seeds', 'options') if name in content}
    return ResultRow(**{**content, **lists})


def _are_values(value: object) -> bool:
    return isinstance(value, dict) and set(value) <= {*COLUMNS, *FURTHER_COLUMNS} and all(
        number is None or isinstance(number, int | float) for number in value.values())
