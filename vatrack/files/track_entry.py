"""One track as an entry of a result file: reading and writing."""
from __future__ import annotations

import math
from numbers import Real
from typing import Any

from vatrack.structures import MASK_KINDS, Box, TrackRecord
from vatrack.structures.rle import RLE

from .annotation_entry import to_xywh
from .errors import ResultError

_REQUIRED = ('video_id', 'category_id', 'score', 'segmentations')
_MASK_KEYS = {'mask_kind', 'segmentations', *(f'{kind}_segmentations' for kind in MASK_KINDS)}

#: Lists of boxes; xyxy in a track, xywh in a file.
BOX_LISTS = {'bboxes', 'visible_bboxes'}

# The optional lists in the order of the file, with what makes their values JSON.
_CONVERTERS = {'bboxes': to_xywh, 'visible_bboxes': to_xywh, 'scores': float, 'category_ids': int}

#: Names of the optional lists of a track.
OPTIONAL_LISTS = tuple(_CONVERTERS)


def track_to_json(track: TrackRecord, num_frames: int) -> dict[str, Any]:
    """A track as it stands in a result file, of a video of ``num_frames``; boxes become xywh."""
    record = {'video_id': int(track.video_id), 'track_id': int(track.track_id),
              'category_id': int(track.category_id), 'score': float(track.score)}
    for kind in MASK_KINDS:
        if kind not in track.masks:
            continue
        if 'mask_kind' in record:
            record[f'{kind}_segmentations'] = track.masks[kind]
        else:
            record |= {'mask_kind': kind, 'segmentations': track.masks[kind]}
    for name, convert in _CONVERTERS.items():
        values = getattr(track, name)
        if values is not None:
            record[name] = [value if value is None else convert(value) for value in values]
    return {key: track.spread(value, num_frames) if isinstance(value, list) else value
            for key, value in record.items()}


def track_from_json(record: dict[str, Any], position: int = 0,
                    num_frames: int | None = None) -> TrackRecord:
    """Turn the record at ``position`` of a result file into a track.

    Args:
        record: An entry of the list in the file.
        position: Its index; makes the track id if the record has none.
        num_frames: Length that its lists must have; None: any, but all the same.

    Raises:
        ResultError: A required key is absent, a value has the wrong type, or
            a list the wrong length.
    """
    require_keys(record)
    masks = _masks(record)
    lists = {name: values for name in _CONVERTERS
             if (values := _list(record, name)) is not None}
    given = {f'{kind} masks': values for kind, values in masks.items()} | lists
    _check_lengths(given, len(next(iter(given.values()))) if num_frames is None else num_frames)
    for name in BOX_LISTS & lists.keys():
        lists[name] = [box if box is None else _xyxy(box) for box in lists[name]]
    return TrackRecord.from_dense(record['video_id'], record.get('track_id', position + 1),
                          record['category_id'], record['score'], masks, **lists)


def require_keys(record: Any) -> None:
    """Refuse what is no record of a track; a track of boxes alone needs no masks.

    Raises:
        ResultError: No JSON object, or a required key is absent.
    """
    if not isinstance(record, dict):
        raise ResultError(f'must be an object, got {type(record).__name__}')
    required = _REQUIRED if _MASK_KEYS & record.keys() or not BOX_LISTS & record.keys() else (
        _REQUIRED[:-1])
    missing = [key for key in required if key not in record]
    if missing:
        raise ResultError(f'lacks {missing}; write the file with '
                          'vatrack.files.result_file.write_results')


def _masks(record: dict[str, Any]) -> dict[str, list[RLE | None]]:
    if not _MASK_KEYS & record.keys():
        return {}
    kind = record.get('mask_kind', 'amodal')
    if kind not in MASK_KINDS:
        raise ResultError(f'has mask_kind {kind!r}; must be one of {MASK_KINDS}')
    if f'{kind}_segmentations' in record:
        raise ResultError(f'gives {kind} masks twice: as segmentations (mask_kind {kind!r}) and '
                          f'as {kind}_segmentations; keep one')
    masks = {kind: _list(record, 'segmentations')}
    masks |= {other: _list(record, f'{other}_segmentations') for other in MASK_KINDS
              if record.get(f'{other}_segmentations') is not None}
    if masks[kind] is None:
        raise ResultError('has null for segmentations; give a list over frames')
    return {kind: masks[kind] for kind in MASK_KINDS if kind in masks}


def _list(record: dict[str, Any], key: str) -> list[Any] | None:
    value = record.get(key)
    if value is not None and not isinstance(value, list):
        raise ResultError(f'has {type(value).__name__} for {key}; give a list over frames')
    return value


def _check_lengths(lists: dict[str, list[Any]], num_frames: int) -> None:
    for name, values in lists.items():
        if len(values) != num_frames:
            raise ResultError(f'has {len(values)} {name} for a video of {num_frames} frames; give '
                              'one per frame, null where the object is absent')


def _xyxy(box: Any) -> Box:
    if not (isinstance(box, list) and len(box) == 4
            and all(isinstance(v, Real) and math.isfinite(v) for v in box)):
        raise ResultError(f'has box {box!r}; must be four finite numbers [x, y, w, h] or null')
    x, y, width, height = box
    return x, y, x + width, y + height
