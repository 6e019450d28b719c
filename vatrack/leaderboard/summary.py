"""Metrics of the runs of a config to the columns of a table: mean and spread over seeds."""
from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from vatrack.structures import MASK_KINDS

from .rows import COLUMNS, FURTHER_COLUMNS, LEVELS, Values

#: Names of metrics by column, where they are not the same.
_NAMES = {
    'image': {'mIoU': 'mIoU_full_object', 'occluded': 'mIoU_occluded_object'},
    'video': {column: f'v{column}' for column in FURTHER_COLUMNS if column.startswith('AR@')},
}


class Summary(NamedTuple):
    """One row of numbers, in percent.

    Attributes:
        level: 'image' or 'video'.
        kind: 'amodal' or 'visible'.
        mean: Mean over the runs by column; None where there is no truth.
        spread: Sample standard deviation over the runs by column; None with one run.
    """

    level: str
    kind: str
    mean: Values
    spread: Values | None


def summarise(runs: Sequence[Mapping[str, float]], strata_at_50: bool = True) -> list[Summary]:
    """Mean and sample standard deviation (n - 1) of several runs.

    Args:
        runs: Metrics of each as :func:`vatrack.evaluation.evaluate.evaluate`
            returns them: fractions, -1 where there is no truth.
        strata_at_50: As in the protocol they were computed under.

    Returns:
        One summary per level and kind that all runs have, in the order of the
        paper: image before video level, amodal before visible.
    """
    summaries = []
    for level in LEVELS:
        for kind in MASK_KINDS:
            columns = {column: [_percent(run, f'{kind}/{level}/', name) for run in runs]
                       for column, name in metric_names(level, strata_at_50).items()
                       if all(f'{kind}/{level}/{name}' in run for run in runs)}
            if columns:
                spread = None
                if len(runs) > 1:
                    spread = {column: _over_runs(values, statistics.stdev)
                              for column, values in columns.items()}
                mean = {column: _over_runs(values, statistics.fmean)
                        for column, values in columns.items()}
                summaries.append(Summary(level, kind, mean, spread))
    return summaries


def metric_names(level: str, strata_at_50: bool) -> dict[str, str]:
    """Names of the metrics by column, in the order of columns: ``{'AP': 'vAP', ...}``."""
    ap, at_50 = 'vAP' if level == 'video' else 'AP', '50' if strata_at_50 else ''
    names = {column: {'AP': ap, '50': f'{ap}50'}.get(column, f'{ap}{at_50}_{column}')
             for column in COLUMNS}
    return names | {column: _NAMES[level].get(column, column) for column in FURTHER_COLUMNS}


def _percent(run: Mapping[str, float], prefix: str, name: str) -> float | None:
    """A number as tables show it, None where there is no truth."""
    if name in ('MOTA', 'IDSW'):
        # They may be negative and 0: that there is no truth is told by the counts.
        missing = not run[f'{prefix}TP'] + run[f'{prefix}FN']
    else:
        missing = run[f'{prefix}{name}'] < 0
    return None if missing else run[f'{prefix}{name}'] * (1 if name == 'IDSW' else 100)


def _over_runs(values: Sequence[float | None],
               statistic: Callable[[Sequence[float]], float]) -> float | None:
    # Three decimals: a table shows one, a reader of the data may want to round it otherwise.
    return None if None in values else round(statistic(values), 3)
