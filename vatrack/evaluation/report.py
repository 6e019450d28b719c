"""Metrics for people and for programs: the table of the papers, and JSON."""
from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from vatrack.files.whole_file import replace_when_done
from vatrack.structures import MASK_KINDS, AnnotationFile

from .protocols import COCO_AREAS, EVERY_AREA, YTVIS_AREAS, Protocol, get_protocol
from .report_tables import category_tables, tables
from .truth import has_truth

#: Which scores rank the predictions.
SCORE_RULE = 'image: score of the frame, else of the track; video: score of the track'


def format_report(metrics: Mapping[str, float], protocol: str | Protocol, data: str,
                  categories: Iterable[str] = ()) -> str:
    """The rules in words, and a table for each metric.

    Numbers are in percent, but counts; n/a where there is no truth. The first
    table has the columns of the VATrack paper: AP means vAP in a video row.

    Args:
        metrics: As :func:`vatrack.evaluation.evaluate.evaluate` returns them.
        protocol: The protocol they were computed under.
        data: Name of the annotation file.
        categories: Names of categories, for tables of their numbers.
    """
    protocol = get_protocol(protocol)
    head = {'protocol': f'{protocol.name}: {protocol.source}', 'data': data, 'scores': SCORE_RULE}
    head |= _rules(metrics, protocol)
    blocks = ['\n'.join(f'{name:<10}{text}' for name, text in head.items()),
              *tables(metrics, protocol), *category_tables(metrics, protocol, categories)]
    return '\n\n'.join(blocks)


def _rules(metrics: Mapping[str, float], protocol: Protocol) -> dict[str, str]:
    """What else the numbers depend on, by title."""
    names = {name.split('/')[-1].partition('_')[0] for name in metrics}
    rules = {}
    if protocol.occlusions:
        rules['occlusion'] = ', '.join(f'{name} {low:.6g} to {high:.6g}' for name, (low, high)
                                       in protocol.occlusions.items())
    if protocol.areas:
        rules['area'] = ', '.join(f'{name} {_side(low)} to {_side(high)}' for name, (low, high)
                                  in protocol.areas.items()) + f' px{_convention(protocol)}'
    if names & {'HOTA', 'MOTA', 'IDF1', 'mIoU'}:
        rules['tracks'] = f'score >= {protocol.score_thr:g} (of HOTA, CLEAR, IDF1 and mIoU)'
    if 'mIoU' in names:
        rules['mIoU'] = protocol.overlap.text
    return rules


def _side(area: float) -> str:
    side = math.sqrt(area)
    if area >= EVERY_AREA[1]:
        return 'any'
    return f'{side:.0f}²' if side and side.is_integer() else f'{area:g}'


def _convention(protocol: Protocol) -> str:
    known = {'COCO': COCO_AREAS, 'YouTube-VIS': YTVIS_AREAS}
    return next((f' ({name})' for name, areas in known.items() if areas == protocol.areas), '')


def full_report(annotations: AnnotationFile, metrics: Mapping[str, float],
                protocol: str | Protocol) -> str:
    """:func:`format_report`, and why, where the rows of a kind say nothing but n/a.

    There are tables by category if ``metrics`` has their numbers.
    """
    protocol = get_protocol(protocol)
    kinds = [kind for kind in MASK_KINDS if any(name.startswith(f'{kind}/') for name in metrics)]
    notes = [f'{kind}: all n/a, because {annotations.path} has no {kind} mask with a pixel that '
             f'the protocol counts' for kind in kinds if not has_truth(annotations, kind, protocol)]
    report = format_report(metrics, protocol, annotations.path, annotations.categories.values())
    return '\n'.join([report, *notes])


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
