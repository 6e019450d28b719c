"""Annotation files of SAIL-VOS and SAIL-VOS-cut with the keys that the VATrack authors publish.

The joint files hold both kinds of masks and differ in their boxes:

=================== ==================== ==================== ====================
key                 amodal (amdl_bbox)   visible (visb_bbox)  both (both_bbox)
=================== ==================== ==================== ====================
``bbox``            amodal               visible              [amodal, visible]
``bbox_amodal``     absent               amodal               amodal
``invisible_mask``  absent               amodal - visible     absent
=================== ==================== ==================== ====================

All have ``bbox_visible``, ``segmentation`` = [amodal, visible], ``amodal_mask``, ``visible_mask``,
``area_amodal``, ``area_visible`` and ``occlude_rate``. ``docs/annotations.md`` is the superset.
"""
from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import (
    Entry,
    flag,
    integer,
    read_box,
    read_masks,
    read_occlusion,
    wrong_runs,
)
from vatrack.files.whole_file import replace_when_done
from vatrack.structures import MASK_KINDS

from ..command import Converted
from ..common import ConversionError
from .frames import FrameNames
from .shots import Shot
from .source import Source, located, stream_annotations

#: Name of a file by the kind of its boxes.
BOX_VARIANTS = {'amodal': 'amdl_bbox', 'visible': 'visb_bbox', 'both': 'both_bbox'}
# Annotations whose masks are checked together.
_TOGETHER = 128

_dumps = json.JSONEncoder(separators=(',', ':')).encode


def write_split(source: Source, shots: Sequence[Shot], names: FrameNames,
                paths: Mapping[str, Path], max_occlusion: float | None = None) -> list[Converted]:
    """Write the annotation files of a split in one pass over its annotations.

    Video ids and annotation ids count from 1, frame ids from 0 in each shot, instance ids from 1
    over the split with a new one for every (shot, ``obj_id``); image ids stay. The ids are the
    same whatever is left out by ``max_occlusion``. Files appear when complete.

    Args:
        source: The official JSON.
        shots: Videos to write. Annotations of other frames are left out.
        names: File names of the frames.
        paths: File to write by the kind of its boxes, a key of :data:`BOX_VARIANTS`.
        max_occlusion: Leave out annotations with a higher ``occlude_rate``.

    Raises:
        ConversionError: An annotation is wrong, or an object occurs twice in a frame; names it.
    """
    entries = _Entries(source, shots, max_occlusion)
    with ExitStack() as stack:
        files = {boxes: stack.enter_context(replace_when_done(path))
                 for boxes, path in paths.items()}
        for file in files.values():
            _write_tables(file, source, shots, names)
        for number, (record, amodal_box, invisible) in enumerate(entries):
            shared = (',\n' if number else '\n') + _dumps(record)[:-1]
            for boxes, file in files.items():
                rest = _box_keys(boxes, amodal_box, record['bbox_visible'], invisible)
                file.write(f'{shared},{_dumps(rest)[1:]}')
        entries.check_unique()
        for file in files.values():
            file.write(']}\n')
    num_frames = sum(len(shot.frames) for shot in shots)
    return [Converted(path, len(shots), num_frames, entries.written, entries.left_out)
            for path in paths.values()]


class _Entries:
    """Annotations of the shots as (entry without its box, amodal box, invisible mask)."""

    def __init__(self, source: Source, shots: Sequence[Shot], max_occlusion: float | None) -> None:
        self.written, self.left_out = 0, Counter()
        self._source, self._shots, self._max_occlusion = source, shots, max_occlusion
        self._videos = {frame.id: 0 for video in source.videos for frame in video.frames}
        self._videos |= {frame.id: number for number, shot in enumerate(shots, start=1)
                         for frame in shot.frames}
        self._instances: dict[tuple[int, int], int] = {}
        self._numbered = 0
        self._keys = array('q')

    def __iter__(self) -> Iterator[tuple[Entry, list[float], Any]]:
        entries = enumerate(entry for _, entry in stream_annotations(self._source.path))
        while batch := list(islice(entries, _TOGETHER)):
            yield from self._read(batch)

    def _read(self, batch: Sequence[tuple[int, Any]]
              ) -> Iterator[tuple[Entry, list[float], Any]]:
        """Annotations with their numbers; their masks are checked together."""
        kept = []
        for index, entry in batch:
            with located(self._source.path, 'annotations', index, entry):
                reason = self._reason_to_skip(entry)
                record = None if reason else self._record(entry)
            if record and self._max_occlusion is not None and (
                    record['occlude_rate'] > self._max_occlusion):
                reason = f'occluded by more than {self._max_occlusion}'
            if reason:
                self.left_out[reason] += 1
            else:
                kept.append((index, entry, record))
        masks = [{kind: record[f'{kind}_mask'] for kind in MASK_KINDS} for *_, record in kept]
        for position, fault in wrong_runs(masks):
            index, entry, _ = kept[position]
            with located(self._source.path, 'annotations', index, entry):
                raise AnnotationError(fault)
        self.written += len(kept)
        for _, entry, record in kept:
            yield record, entry['bbox'], entry.get('invisible_mask')

    def check_unique(self) -> None:
        """Refuse an object that has two entries in one frame."""
        keys, counts = np.unique(np.frombuffer(self._keys, np.int64), return_counts=True)
        if len(keys) and counts.max() > 1:
            image_id, instance_id = divmod(int(keys[counts.argmax()]), 1 << 32)
            object_id = next(key[1] for key, value in self._instances.items()
                             if value == instance_id)
            raise ConversionError(f'{self._source.path}: object (obj_id {object_id}) has two '
                                  f'annotations in image {image_id}; give the JSON of SAIL-VOS as '
                                  'published, or remove one')

    def _reason_to_skip(self, entry: Entry) -> str | None:
        image_id, category_id = integer(entry, 'image_id'), integer(entry, 'category_id')
        for key, value, known in (('image_id', image_id, self._videos),
                                  ('category_id', category_id, self._source.category_ids)):
            if value not in known:
                raise AnnotationError(f"'{key}' {value} is unknown")
        if not self._videos[image_id]:
            return 'in frames of no video'
        if self._source.category_ids[category_id] is None:
            return 'of other classes'
        return None if integer(entry, 'area', 0) else 'without a pixel'

    def _record(self, entry: Entry) -> Entry:
        video_id = self._videos[entry['image_id']]
        width, height = self._shots[video_id - 1].size
        masks = read_masks(entry, [height, width])
        if len(masks) < 2:
            raise AnnotationError("must have 'segmentation' (amodal) and 'visible_mask'")
        area_visible = integer(entry, 'area_visible', 0)
        read_box(entry.get('bbox'), 'bbox')
        if area_visible:
            read_box(entry.get('bbox_visible'), 'bbox_visible')
        object_id = integer(entry, 'obj_id')
        instance_id = self._instances.setdefault((video_id, object_id), len(self._instances) + 1)
        self._numbered += 1
        self._keys.append((entry['image_id'] << 32) + instance_id)
        record = {'id': self._numbered, 'video_id': video_id, 'image_id': entry['image_id'],
                  'category_id': self._source.category_ids[entry['category_id']],
                  'instance_id': instance_id, 'obj_id': object_id}
        record |= {key: entry[key] for key in ('model_id', 'occlu_depth') if key in entry}
        return record | {
            'iscrowd': int(flag(entry, 'iscrowd')), 'occlude_rate': read_occlusion(entry, masks),
            'area_amodal': entry['area'], 'area_visible': area_visible,
            'bbox_visible': entry.get('bbox_visible'),
            'segmentation': [masks['amodal'], masks['visible']],
            'amodal_mask': masks['amodal'], 'visible_mask': masks['visible']}


def _box_keys(boxes: str, amodal: list[float], visible: list[float] | None,
              invisible_mask: Any) -> Entry:
    """Keys in which the files differ."""
    if boxes == 'amodal':
        return {'bbox': amodal}
    if boxes == 'both':
        return {'bbox': [amodal, visible], 'bbox_amodal': amodal}
    rest = {} if invisible_mask is None else {'invisible_mask': invisible_mask}
    return {'bbox': visible, 'bbox_amodal': amodal} | rest


def _write_tables(file: IO[str], source: Source, shots: Sequence[Shot],
                  names: FrameNames) -> None:
    """Write everything up to the annotations."""
    videos = [{'id': number, 'name': shot.name, 'width': shot.size[0], 'height': shot.size[1],
               'num_frames': len(shot.frames)}
              for number, shot in enumerate(shots, start=1)]
    file.write(f'{{"categories": {_dumps(source.categories)},\n')
    if source.models:
        file.write(f'"models": {_dumps(source.models)},\n')
    file.write(f'"videos": {_dumps(videos)},\n"images": [')
    separator = '\n'
    for video, shot in zip(videos, shots, strict=True):
        for position, (frame, name) in enumerate(zip(shot.frames, names(shot), strict=True)):
            file.write(separator + _dumps({
                'id': frame.id, 'video_id': video['id'], 'file_name': name, 'frame_id': position,
                'width': video['width'], 'height': video['height']}))
            separator = ',\n'
    file.write('],\n"annotations": [')
