"""Metrics of the runs of a config to the columns of a table: mean and spread over seeds."""
from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from vatrack.structures import MASK_KINDS

from .rows import COLUMNS, Values

_AP = {'image': 'AP', 'video': 'vAP'}


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
    suffixes = _suffixes(strata_at_50)
    summaries = []
    for level, ap in _AP.items():
        for kind in MASK_KINDS:
            names = {column: f'{kind}/{level}/{ap}{suffix}' for column, suffix in suffixes.items()}
            columns = {column: [run[name] for run in runs] for column, name in names.items()
                       if all(name in run for run in runs)}
            if 'AP' in columns:
                spread = None
                if len(runs) > 1:
                    spread = {column: _percent(values, statistics.stdev)
                              for column, values in columns.items()}
                mean = {column: _percent(values, statistics.fmean)
                        for column, values in columns.items()}
                summaries.append(Summary(level, kind, mean, spread))
    return summaries


def _suffixes(strata_at_50: bool) -> dict[str, str]:
    at_50 = '50' if strata_at_50 else ''
    return {column: {'AP': '', '50': '50'}.get(column, f'{at_50}_{column}') for column in COLUMNS}


def _percent(values: Sequence[float],
             statistic: Callable[[Sequence[float]], float]) -> float | None:
    # Three decimals: a table shows one, a reader of the data may want to round it otherwise.
    return None if min(values) < 0 else round(100 * statistic(values), 3)
