"""Where the numbers of a chart come from: files of metrics, result files, rows of a leaderboard."""
from __future__ import annotations

import difflib
import json
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.metric_names import ALL_METRICS
from vatrack.evaluation.protocols import get_protocol
from vatrack.evaluation.report_tables import shown_number
from vatrack.files import ResultError, load_annotations, read_results
from vatrack.leaderboard import ResultRow, read_rows
from vatrack.leaderboard.rows import COLUMNS, LEVELS
from vatrack.leaderboard.summary import metric_names
from vatrack.structures import AnnotationFile
from vatrack.visualization.bar_chart import System

_ROW = re.compile(r'(.+\.jsonl):(.+)')


@dataclass(frozen=True)
class SourceOptions:
    """What files alone do not say.

    Attributes:
        ann_file: Annotation file against which result files are scored.
        protocol: Name of the protocol under which they are.
        all_metrics: Whether they are scored by every metric, not by AP and vAP alone.
        dataset: Dataset of the rows of a leaderboard; None: the only one.
    """

    ann_file: str | Path | None = None
    protocol: str = 'sailvos-full'
    all_metrics: bool = False
    dataset: str | None = None

    @cached_property
    def annotations(self) -> AnnotationFile:
        """The annotation file, read once.

        Raises:
            ValueError: None is given.
        """
        if self.ann_file is None:
            raise ValueError('a result file must be scored first: give its annotation file with '
                             '--ann, or the numbers that tools/evaluate.py wrote')
        return load_annotations(self.ann_file)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one source says.

    Attributes:
        values: Percent, or counts, by full name of the metric; None: no truth.
        protocol: Name of the protocol.
        spread: Standard deviations, of rows that are means.
    """

    values: dict[str, float | None]
    protocol: str
    spread: dict[str, float] = field(default_factory=dict)


def split_name(text: str) -> tuple[str, str]:
    """Name and source out of ``'NAME=SOURCE'``, or a name for a source that has none.

    That is the name of its row or file; of ``results``, as each run has them,
    that of its folder.
    """
    name, equals, source = text.partition('=')
    if equals and name and not Path(text).exists():
        return name, source
    row = _ROW.fullmatch(text)
    if row:
        return row[2], text
    path = Path(text)
    stem = re.sub(r'(\.metrics)?(\.json)?(\.zip)?$', '', path.name)
    return (path.resolve().parent.name if stem == 'results' else stem), text


def read_systems(sources: Iterable[str], options: SourceOptions) -> tuple[list[System], list[str]]:
    """Read the systems of a chart.

    Args:
        sources: ``'NAME=SOURCE'`` or ``'SOURCE'``, which is a file of metrics
            (``.metrics.json``), a result file, which is scored, or
            ``'FILE.jsonl:ROW'``, a row of a leaderboard by its name. Sources of
            one NAME are runs of one system: mean and sample standard deviation.
        options: How to read them.

    Returns:
        The systems in order, and notes on what makes them hard to compare.

    Raises:
        ValueError: A file is missing, damaged or none of these; there is no
            such row, or several; or sources without NAME are called the same.
    """
    runs: dict[str, list[Numbers]] = {}
    for text in sources:
        name, source = split_name(text)
        if name in runs and source == text:
            raise ValueError(f'{source}: another source is called {name!r} too; name both, '
                             "'NAME=SOURCE'; runs of one system have one name")
        runs.setdefault(name, []).append(read_numbers(source, options))
    protocols = {name: sorted({run.protocol for run in of}) for name, of in runs.items()}
    notes = []
    if len({each for of in protocols.values() for each in of}) > 1:
        notes.append('the protocols differ: ' + ', '.join(
            f'{name}: {" and ".join(of)}' for name, of in protocols.items()))
    return [_system(name, of) for name, of in runs.items()], notes


def default_metrics(systems: Sequence[System]) -> list[str]:
    """Metrics of the columns of the VATrack paper that some system has: ``'video/vAP50_H'``.

    Raises:
        ValueError: There is none.
    """
    held = {full.partition('/')[2] for system in systems for full in system.numbers}
    names = [f'{level}/{metric_names(level, at_50)[column]}' for level in LEVELS
             for at_50 in (True, False) for column in COLUMNS]
    found = [name for name in dict.fromkeys(names) if name in held]
    if not found:
        plain = sorted({name.partition('/')[2] for name in held})
        raise ValueError(f'no AP or vAP in the files; choose metrics out of {", ".join(plain)}')
    return found


def read_numbers(source: str, options: SourceOptions) -> Numbers:
    """Read one source, see :func:`read_systems`."""
    row = _ROW.fullmatch(source)
    if row:
        return _of_rows(row[1], row[2], options.dataset)
    if _holds_results(source):
        annotations = options.annotations
        names = (ALL_METRICS,) if options.all_metrics else ('AP', 'vAP')
        metrics = evaluate(annotations, read_results(source, annotations), names, options.protocol)
        return _of_metrics(metrics, options.protocol)
    return _of_metrics(*_read_metrics(source))


def _holds_results(path: str) -> bool:
    """Whether a file is a result file by its looks: an archive, or a JSON list."""
    try:
        with open(path, 'rb') as file:
            return file.read(4) == b'PK\3\4' or (file.seek(0) or file.read(64)).lstrip()[:1] == b'['
    except OSError as error:
        raise ResultError(f'{path}: cannot be read: {error.strerror}; check the path') from error


def _read_metrics(path: str) -> tuple[dict[str, float], str]:
    """Metrics by full name, and the name of their protocol, as ``save_metrics`` wrote them."""
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as error:
        raise ResultError(f'{path}: damaged, no JSON ({error}); make it again with '
                          'tools/evaluate.py') from error
    try:
        metrics, protocol = content['metrics'], content['protocol']['name']
        if all(name.count('/') >= 2 and math.isfinite(value) for name, value in metrics.items()):
            return metrics, protocol
    except (AttributeError, KeyError, TypeError):
        pass
    raise ResultError(f'{path}: no file of metrics as tools/test.py and tools/evaluate.py write '
                      'them, and no result file')


def _of_metrics(metrics: Mapping[str, float], protocol: str) -> Numbers:
    return Numbers({name: shown_number(metrics, name) for name in metrics}, protocol)


def _of_rows(path: str, name: str, dataset: str | None) -> Numbers:
    """All levels and kinds of one row of the tables."""
    rows = read_rows(path)
    named = [row for row in rows if row.name == name]
    if not named:
        names = list(dict.fromkeys(row.name for row in rows))
        similar = difflib.get_close_matches(name, names, 5, cutoff=.4)
        raise ValueError(f'{path}: no row named {name!r}; '
                         f'{"similar are" if similar else "it has"} {_quoted(similar or names)}')
    found = [row for row in named if dataset in (None, row.dataset)]
    datasets = list(dict.fromkeys(row.dataset for row in named))
    if not found or (dataset is None and len(datasets) > 1):
        raise ValueError(f'{path}: {name!r} has rows of {", ".join(datasets)}; choose one of these '
                         'with --dataset')
    values, spread = {}, {}
    for row in found:
        full = _full_names(row)
        if values.keys() & full.values():
            raise ValueError(f'{path}: {name!r} has several rows of {row.dataset}, {row.kind} '
                             f'masks, {row.level} level; a chart needs one: rename the others')
        values |= {full[column]: value for column, value in row.values.items()}
        spread |= {full[column]: value for column, value in (row.spread or {}).items()
                   if value is not None}
    return Numbers(values, ' and '.join(sorted({row.protocol for row in found})), spread)


def _full_names(row: ResultRow) -> dict[str, str]:
    """Full names of metrics by the columns of a row."""
    names = metric_names(row.level, get_protocol(row.protocol).strata_at_50)
    return {column: f'{row.kind}/{row.level}/{names[column]}' for column in row.values}


def _system(name: str, runs: Sequence[Numbers]) -> System:
    """One run as it is; several as their mean and sample standard deviation (n - 1)."""
    if len(runs) == 1:
        return System(name, runs[0].values, runs[0].spread)
    numbers, spread = {}, {}
    for metric in runs[0].values:
        values = [run.values[metric] for run in runs if metric in run.values]
        if None in values:
            numbers[metric] = None
        elif len(values) == len(runs):
            numbers[metric] = statistics.fmean(values)
            spread[metric] = statistics.stdev(values)
    return System(name, numbers, spread)


def _quoted(names: Sequence[str]) -> str:
    return ', '.join(map(repr, names))
