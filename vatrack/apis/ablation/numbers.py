"""Numbers of finished runs, over the seeds of each config."""
from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from vatrack.leaderboard import ResultRow, Summary, name_config, summarise

from .study import Run, next_step, read_state


def measured_rows(runs: Iterable[Run], command: str) -> list[ResultRow]:
    """Mean and spread of finished runs: one row per config, level and kind of mask.

    Args:
        runs: Runs; those that are not finished are left out.
        command: Command line that made them.
    """
    by_config: dict[Any, list[Run]] = {}
    for run in runs:
        if next_step(run) == 'done':
            by_config.setdefault(run.path, []).append(run)
    return [row for group in by_config.values() for row in _rows(group, command)]


def main_numbers(run: Run) -> str:
    """The headline numbers of a finished run: ``'amodal AP 39.1, amodal vAP 25.4'``."""
    content = _metrics(run)
    summaries = summarise([content['metrics']], content['protocol']['strata_at_50'])
    return ', '.join(f'{each.kind} {_main_number(each)}' for each in summaries)


def _main_number(summary: Summary) -> str:
    """AP or vAP; else the first number of those that were asked for."""
    column, mean = next(iter(summary.mean.items()))
    name = 'vAP' if (column, summary.level) == ('AP', 'video') else column
    return f'{name} ' + ('n/a' if mean is None else f'{mean:.1f}')


def _rows(runs: Sequence[Run], command: str) -> list[ResultRow]:
    """Rows of the runs of one config."""
    contents = [_metrics(run) for run in runs]
    trained = [read_state(run)['trained'] for run in runs]
    protocol, data = contents[0]['protocol'], contents[0]['data']
    name = name_config(runs[0].path)
    shared = {
        'source': 'measured', 'system': name.system, 'name': name.name, 'variant': name.variant,
        'config': name.config, 'dataset': name.dataset or data, 'data': data,
        'protocol': protocol['name'], 'command': command,
        'seeds': tuple(run.seed for run in runs), 'options': runs[0].study.options,
        'iterations': max(state['iterations'] for state in trained),
        'date': max(state['date'] for state in trained),
        **{key: _joined(state[key] for state in trained)
           for key in ('commit', 'torch', 'hardware')}}
    summaries = summarise([content['metrics'] for content in contents], protocol['strata_at_50'])
    return [ResultRow(level=each.level, kind=each.kind, values=each.mean, spread=each.spread,
                      **shared) for each in summaries]


def _metrics(run: Run) -> dict[str, Any]:
    return json.loads(run.metrics_file.read_text(encoding='utf-8'))


def _joined(values: Iterable[str | None]) -> str | None:
    return ', '.join(dict.fromkeys(value for value in values if value)) or None
