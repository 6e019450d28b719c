"""Metrics for people and for programs: the table of the papers, and JSON."""
from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from vatrack.files.whole_file import replace_when_done
from vatrack.structures import MASK_KINDS, AnnotationFile

from .miou import REGIONS
from .protocols import COCO_AREAS, EVERY_AREA, YTVIS_AREAS, Protocol, get_protocol
from .tracking import CLASS_AVERAGES, COUNTS, SHAPES
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


Metrics = Mapping[str, float]

_LEVELS = {'image': '', 'video': 'v'}
_WIDTH = 7
#: Rows of tracking tables by suffix of the metric: how classes are treated.
_CLASSES = {'': 'pooled', **dict(zip(CLASS_AVERAGES, ('det avg', 'cls avg'), strict=True))}
#: Columns of tracking tables that every row has; the first stands for the strata too.
_TRACKING = {'HOTA': ('HOTA', 'DetA', 'AssA', 'LocA'), 'CLEAR': ('MOTA', 'MOTP', 'IDSW', 'Frag'),
             'IDF1': ('IDF1', 'IDR', 'IDP')}
#: Main numbers by column title, for the table of categories.
_MAIN = {'AP': 'image/AP', 'vAP': 'video/vAP', 'AR': 'image/AR', 'vAR': 'video/vAR',
         'HOTA': 'video/HOTA', 'MOTA': 'video/MOTA', 'IDF1': 'video/IDF1',
         'mIoU': 'image/mIoU_full_object', 'occ': 'image/mIoU_occluded_object'}


def tables(metrics: Metrics, protocol: Protocol) -> list[str]:
    """Tables of all metrics there are, in percent; n/a where there is no truth."""
    made = [_precision(metrics, protocol), _recall(metrics, protocol),
            *(_tracking(metrics, protocol, name) for name in _TRACKING),
            _overlap(metrics, protocol), _leaks(metrics)]
    return [table for table in made if table]


def category_tables(metrics: Metrics, protocol: Protocol, categories: Iterable[str]) -> list[str]:
    """One table by category for each kind of mask, with the main number of each metric.

    Categories without any number are left out.
    """
    main = _MAIN | {'vAR': f'video/vAR@{protocol.video.recall[-1]}'}
    categories = list(categories)
    made = []
    for kind in MASK_KINDS:
        columns = {title: f'{kind}/{name}' for title, name in main.items()
                   if any(f'{kind}/{name}/{each}' in metrics for each in categories)}
        rows = [((each,), [_cell(metrics, name, f'/{each}') for name in columns.values()])
                for each in categories]
        rows = [row for row in rows if set(row[1]) != {'n/a'}]
        if columns and rows:
            made.append(_table((kind,), (max(20, *(len(row[0][0]) + 1 for row in rows)),),
                               list(columns), rows))
    return made


def _precision(metrics: Metrics, protocol: Protocol) -> str:
    at_50 = '50' if protocol.strata_at_50 else ''
    columns = {'AP': '', '50': '50'} | ({} if protocol.strata_at_50 else {'75': '75'})
    columns |= {name: f'{at_50}_{name}' for name in _strata(protocol)}
    return _by_level(metrics, lambda level: f'{_LEVELS[level]}AP', lambda level: columns)


def _recall(metrics: Metrics, protocol: Protocol) -> str:

    def columns(level: str) -> dict[str, str]:
        max_dets = getattr(protocol, level).recall
        return {f'AR@{most}': f'@{most}' for most in max_dets} | {
            name: f'@{max_dets[-1]}_{name}' for name in _strata(protocol)}

    same = columns('image') == columns('video')
    made = [_by_level(metrics, lambda level: f'{_LEVELS[level]}AR', columns, levels)
            for levels in ([tuple(_LEVELS)] if same else [(level,) for level in _LEVELS])]
    if protocol.image_recall_at_50:
        at_50 = {f'AR50_{name}': f'50_{name}' for name in protocol.occlusions}
        made.append(_by_level(metrics, lambda level: 'AR', lambda level: at_50, ['image']))
    return '\n'.join(table for table in made if table)


def _by_level(metrics: Metrics, prefix: Callable[[str], str],
              columns: Callable[[str], dict[str, str]],
              levels: Sequence[str] = tuple(_LEVELS)) -> str:
    """Rows are kinds at image and video level, as far as the metrics have them."""
    rows = []
    for kind in MASK_KINDS:
        for level in levels:
            names = [f'{kind}/{level}/{prefix(level)}{name}' for name in columns(level).values()]
            if names[0] in metrics:
                rows.append(((kind, level), [_cell(metrics, name) for name in names]))
    return _table(('masks', 'level'), (9, 7), list(columns(levels[0])), rows)


def _tracking(metrics: Metrics, protocol: Protocol, table: str) -> str:
    """Rows are kinds, of masks or boxes, over all classes or averaged over classes."""
    names, strata = _TRACKING[table], _strata(protocol)
    rows = []
    for kind in MASK_KINDS:
        for shape, prefix in SHAPES.items():
            base = f'{kind}/video/{prefix}'
            for suffix, classes in _CLASSES.items():
                if f'{base}{names[0]}{suffix}' in metrics:
                    cells = [_cell(metrics, f'{base}{name}', suffix) for name in names]
                    cells += ['' if suffix else _cell(metrics, f'{base}{names[0]}', f'_{stratum}')
                              for stratum in strata]
                    rows.append(((kind, shape, classes), cells))
    return _table(('masks', 'of', 'classes'), (9, 5, 8), [*names, *strata], rows)


def _overlap(metrics: Metrics, protocol: Protocol) -> str:
    """Rows are kinds and regions, without and with the objects that were not found."""
    strata = _strata(protocol)
    rows = []
    for kind in MASK_KINDS:
        base = f'{kind}/image/mIoU_'
        for region in REGIONS:
            for suffix, objects in {'': 'found', '_incl_misses': 'all'}.items():
                if f'{base}{region}_frame{suffix}' in metrics:
                    by_object = f'{base}{region}_object{suffix}'
                    name = ' '.join(region.split('_'))
                    cells = [_cell(metrics, f'{base}{region}_frame{suffix}'),
                             _cell(metrics, by_object), _cell(metrics, f'{base}found'),
                             *(_cell(metrics, by_object, f'_{name}') for name in strata)]
                    rows.append(((kind, name, objects), cells))
    width = 2 + max((len(labels[1]) for labels, _ in rows), default=8)
    return _table(('mIoU', 'region', 'objects'), (9, width, 8),
                  ['frame', 'object', 'found', *strata], rows)


def _leaks(metrics: Metrics) -> str:
    """Of amodal masks: how many objects in frames count, and what leaks onto others."""
    names = [f'amodal/image/mIoU_{name}' for name in ('objects', 'leak_rate', 'leaked_area')]
    if names[1] not in metrics:
        return ''
    return _table(('mIoU',), (9,), ['objects', 'leak rate', 'leaked area'],
                  [(('amodal',), [_cell(metrics, name) for name in names])])


def _strata(protocol: Protocol) -> list[str]:
    return [name for name in protocol.strata if name != 'all']


def _cell(metrics: Metrics, name: str, suffix: str = '') -> str:
    """A number as text; a fraction in percent."""
    name = f'{name}{suffix}'
    if name not in metrics:
        return ''
    if is_count(name):
        return str(int(metrics[name]))
    value = shown_number(metrics, name)
    return 'n/a' if value is None else format(value, '.1f')


def shown_number(metrics: Metrics, name: str) -> float | None:
    """A metric as people read it: a count, or a fraction in percent; None if there is no truth.

    Args:
        metrics: As :func:`vatrack.evaluation.evaluate.evaluate` returns them.
        name: One of their names.
    """
    base = _base(name)
    if base == 'MOTA' or base in COUNTS:
        # They may be 0 and less; that there is no truth is told by the counts.
        head, _, tail = name.removesuffix(CLASS_AVERAGES[1]).partition(base)
        missing = not any(metrics.get(f'{head}{each}{tail}', 1) for each in ('TP', 'FN'))
    else:
        missing = metrics[name] < 0
    if missing:
        return None
    return metrics[name] if is_count(name) else 100 * metrics[name]


def is_count(name: str) -> bool:
    """Whether the metric of this full name is a count: ``'amodal/video/IDSW_P'``."""
    return _base(name) in COUNTS or 'image/mIoU_objects' in name


def _base(name: str) -> str:
    """``'amodal/video/box/MOTA_P'`` -> ``'MOTA'``; so for ``'amodal/video/MOTA/fish'``."""
    return name.split('/', 2)[2].removeprefix(SHAPES['box']).partition('/')[0].partition('_')[0]


def _table(titles: Sequence[str], widths: Sequence[int], columns: Sequence[str],
           rows: Iterable[tuple[Sequence[str], Sequence[str]]]) -> str:
    """Text columns on the left, numbers on the right; empty if there are no rows."""
    rows = list(rows)
    cells_wide = [max(_WIDTH, len(column) + 1) - 1 for column in columns]
    lines = []
    for labels, cells in [(titles, columns), *rows]:
        left = [f'{text:<{width}}' for text, width in zip(labels, widths, strict=True)]
        right = [f' {cell:>{width}}' for cell, width in zip(cells, cells_wide, strict=True)]
        lines.append(''.join([*left, *right]))
    return '\n'.join(line.rstrip() for line in lines) if rows else ''
