"""The JSON logs of training runs, as mmengine writes them, read into curves."""
from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

_BOOKKEEPING = {'epoch', 'iter', 'step', 'time', 'data_time', 'memory'}


class LogError(ValueError):
    """A log is missing or damaged; says which and how to go on."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over time: ``steps`` ascending, iterations or epochs; no value is NaN."""

    steps: list[int]
    values: list[float]


@dataclass(slots=True)
class RunLog:
    """What a run has logged.

    Attributes:
        name: Short name, unique among the runs read together.
        path: Folder or file it was read from.
        train: Curves over iterations, by key: losses, learning rate ...
        val: Curves over epochs, by key: ``'amodal/video/vAP'`` ...
        warnings: What was left out of damaged files.
    """

    name: str
    path: Path
    train: dict[str, Curve] = field(default_factory=dict)
    val: dict[str, Curve] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_runs(paths: Sequence[str | Path]) -> list[RunLog]:
    """Read runs that are to be compared.

    Args:
        paths: Folders of runs (``work_dirs/CONFIG``), folders of one start of a
            run in them, or JSON logs.

    Raises:
        LogError: A path has no log, or the log is damaged elsewhere than in its
            last line (which a run leaves half written when it is killed).
    """
    runs = [read_run(path) for path in paths]
    names = [run.name for run in runs]
    for run in runs:
        if names.count(run.name) > 1:
            run.name = str(run.path)
    return runs


def read_run(path: str | Path) -> RunLog:
    """Read all logs of a run; see :func:`read_runs`.

    A run that was resumed has a log per start: from the iteration and epoch at
    which a later one begins on, it replaces those before.
    """
    path = Path(path)
    run = RunLog(path.resolve().name, path)
    train: list[dict] = []
    val: list[dict] = []
    for file in log_files(path):
        rows = _read_rows(file, run.warnings)
        new_train = [row for row in rows if 'iter' in row]
        new_val = [row for row in rows if 'iter' not in row]
        first_step = min((row['step'] for row in new_train), default=math.inf)
        epochs = [row['epoch'] for row in new_train if 'epoch' in row]
        first_epoch = min([*epochs, *(row['step'] for row in new_val)], default=math.inf)
        train = [row for row in train if row['step'] < first_step] + new_train
        val = [row for row in val if row['step'] < first_epoch] + new_val
    run.train, run.val = _curves(train), _curves(val, no_truth=-1)
    if not run.train and not run.val:
        raise LogError(f'{path}: nothing is logged yet; wait until the run has made '
                       'default_hooks.logger.interval iterations')
    return run


def log_files(path: Path) -> list[Path]:
    """The JSON logs of a run, oldest first.

    Raises:
        LogError: There is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise LogError(f'{path}: no such run; name a folder of work_dirs or a JSON log in one')
    starts = [path] if (path / 'vis_data').is_dir() else sorted(path.glob('*/'))
    files = []
    for start in starts:
        # Both hold the same, but the second is only there if a local backend draws, too.
        logs = [start / 'vis_data' / 'scalars.json', start / 'vis_data' / f'{start.name}.json']
        files += [log for log in logs if log.is_file()][:1]
    if not files:
        raise LogError(f'{path}: no log of training in it (no */vis_data/scalars.json); name the '
                       'folder that tools/train.py called its work dir')
    return files


def choose_keys(runs: Sequence[RunLog], patterns: Sequence[str] | None
                ) -> tuple[list[str], list[str]]:
    """Keys of training and of validation that patterns name, in the order of the logs.

    Args:
        runs: At least one.
        patterns: Names or shell patterns (``'amodal/*'``); None for losses, rates and
            metrics over all strata.

    Raises:
        LogError: A pattern fits nothing that any run has logged.
    """
    known = [list(dict.fromkeys(key for run in runs for key in getattr(run, part)))
             for part in ('train', 'val')]
    if patterns is None:
        return tuple([key for key in keys if _is_headline(key)] for keys in known)
    for pattern in patterns:
        if not any(_fits(key, [pattern]) for keys in known for key in keys):
            raise LogError(f'--keys {pattern}: nothing of that name is logged; there are '
                           f'{", ".join(key for keys in known for key in keys)}')
    return tuple([key for key in keys if _fits(key, patterns)] for keys in known)


def _fits(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(key, pattern) for pattern in patterns)


def _is_headline(key: str) -> bool:
    """Losses, rates, and metrics over all strata: ``'amodal/video/vAP'``, not ``.../vAP50_H``."""
    folder, _, metric = key.rpartition('/')
    return '_' not in metric if folder else _fits(key, ['loss*', 'lr', 'grad_norm'])


def _read_rows(file: Path, warnings: list[str]) -> list[dict]:
    lines = file.read_text(encoding='utf-8', errors='replace').splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(line))
        except ValueError as error:
            if number < len(lines):
                raise LogError(f'{file}: line {number} is damaged ({error}); remove the line, or '
                               'name other runs') from error
            warnings.append(f'{file}: the last line is cut off, as when a run is killed; it is '
                            'left out')
    return rows


def _row(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get('step'), int):
        raise ValueError('not an object with a whole number "step"')
    return row


def _curves(rows: list[dict], no_truth: float | None = None) -> dict[str, Curve]:
    """Curves by key, without those that never have a value; of rows of one step the last counts."""
    points: dict[str, dict[int, float]] = {}
    for row in rows:
        for key, value in row.items():
            if key not in _BOOKKEEPING and isinstance(value, int | float):
                value = math.nan if value == no_truth else float(value)
                points.setdefault(key, {})[row['step']] = value
    return {key: Curve(sorted(by_step), [by_step[step] for step in sorted(by_step)])
            for key, by_step in points.items() if not all(map(math.isnan, by_step.values()))}
