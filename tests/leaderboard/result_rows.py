"""Rows for tests."""
from __future__ import annotations

from typing import Any

from vatrack.leaderboard import COLUMNS, ResultRow


def values(start: float) -> dict[str, float]:
    return {column: start + k for k, column in enumerate(COLUMNS)}


def paper_row(**changes: Any) -> ResultRow:
    return ResultRow(**{
        'source': 'paper', 'system': 'vatrack_qd', 'name': 'VATrack (QD)',
        'dataset': 'sailvos-cut', 'level': 'video', 'kind': 'amodal', 'protocol': 'sailvos-legacy',
        'values': values(10), 'config': 'vatrack_qd_sailvos-cut', 'table': 'README',
        'reference': 'README of the released code', **changes})


def measured_row(**changes: Any) -> ResultRow:
    return ResultRow(**{
        'source': 'measured', 'system': 'vatrack_qd', 'name': 'VATrack (QD)',
        'dataset': 'synthetic', 'level': 'video', 'kind': 'amodal', 'protocol': 'sailvos-full',
        'values': values(20), 'spread': values(0.04), 'config': 'vatrack_qd_synthetic',
        'seeds': (0, 1), 'iterations': 2250, 'data': 'data/synthetic/val.json',
        'command': 'python tools/ablate.py configs/vatrack_qd_synthetic.py', 'commit': 'abc1234',
        'torch': '2.11.0', 'hardware': 'CPU, 2 cores', 'date': '2026-11-20', **changes})
