"""Metrics for people and for programs: the table of the papers, and JSON."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from vatrack.structures import MASK_KINDS, AnnotationFile
from vatrack.structures.results import replace_when_done

from .protocols import Protocol, get_protocol
from .truth import has_truth

#: Which scores rank the predictions.
SCORE_RULE = 'image: score of the frame, else of the track; video: score of the track'

_LEVELS = {'image': 'AP', 'video': 'vAP'}
_WIDTH = 7


def format_report(metrics: Mapping[str, float], protocol: str | Protocol, data: str) -> str:
    """Table with the columns of the VATrack paper, in percent; n/a where there is no truth.

    Rows are amodal and visible at image and video level, as far as ``metrics``
    has them; AP means vAP in a video row.

    Args:
        metrics: As :func:`vatrack.evaluation.evaluate.evaluate` returns them.
        protocol: The protocol they were computed under.
        data: Name of the annotation file.
    """
    protocol = get_protocol(protocol)
    columns = _columns(protocol)
    rows = [(kind, level, [metrics[f'{kind}/{level}/{ap}{name}'] for name in columns.values()])
            for kind in MASK_KINDS for level, ap in _LEVELS.items()
            if f'{kind}/{level}/{ap}' in metrics]
    head = [f'protocol  {protocol.name}: {protocol.source}', f'data      {data}',
            f'scores    {SCORE_RULE}', '']
    title = f'{"masks":<9}{"level":<7}' + ''.join(f'{name:>{_WIDTH}}' for name in columns)
    lines = [f'{kind:<9}{level:<7}' + ''.join(map(_percent, values))
             for kind, level, values in rows]
    return '\n'.join([*head, title, *lines])


def full_report(annotations: AnnotationFile, metrics: Mapping[str, float],
                protocol: str | Protocol) -> str:
    """:func:`format_report`, and why, where the rows of a kind say nothing but n/a."""
    protocol = get_protocol(protocol)
    kinds = [kind for kind in MASK_KINDS if any(name.startswith(f'{kind}/') for name in metrics)]
    notes = [f'{kind}: all n/a, because {annotations.path} has no {kind} mask with a pixel that '
             f'the protocol counts' for kind in kinds if not has_truth(annotations, kind, protocol)]
    return '\n'.join([format_report(metrics, protocol, annotations.path), *notes])


def save_metrics(path: str | Path, metrics: Mapping[str, float], protocol: str | Protocol,
                 data: str) -> None:
    """Write metrics (fractions, -1 where there is no truth) and their protocol as JSON.

    Args:
        path: The file appears only when it is complete.
        metrics: As :func:`vatrack.evaluation.evaluate.evaluate` returns them.
        protocol: The protocol they were computed under.
        data: Name of the annotation file.
    """
    content = {'protocol': asdict(get_protocol(protocol)), 'data': data, 'scores': SCORE_RULE,
               'metrics': dict(metrics)}
    with replace_when_done(path) as file:
        json.dump(content, file, indent=2)
        file.write('\n')


def _columns(protocol: Protocol) -> dict[str, str]:
    """Metric names without their 'AP' or 'vAP', by column title."""
    at_50 = '50' if protocol.strata_at_50 else ''
    strata = [name for name in protocol.strata if name != 'all']
    return {'AP': '', '50': '50'} | {name: f'{at_50}_{name}' for name in strata}


def _percent(value: float) -> str:
    return f'{"n/a" if value < 0 else format(100 * value, ".1f"):>{_WIDTH}}'
