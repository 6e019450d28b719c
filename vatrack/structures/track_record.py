"""One predicted track: in memory only the frames where it is, on disk a value for every frame."""
from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from .annotation_entry import Box, to_xywh
from .fields import MASK_KINDS
from .rle import RLE

_REQUIRED = ('video_id', 'category_id', 'score', 'segmentations')
_MASK_KEYS = {'mask_kind', 'segmentations', *(f'{kind}_segmentations' for kind in MASK_KINDS)}


class ResultError(ValueError):
    """A result file or a track is broken; says where and how to mend it."""


@dataclass(slots=True)
class TrackRecord:
    """One predicted track that is present in N frames of its video.

    Attributes:
        video_id: Video id of the annotation file.
        track_id: >= 1, unique over all videos of a file.
        category_id: Category id of the annotation file (not the 0-based label).
        score: Score of the track.
        frames: The N frames where the track is: positions in time, ascending,
            0 for the first frame of the video. The lists below follow them.
        masks: By kind, N RLEs at the video's resolution; None where there is no
            pixel of that kind. Tracks of boxes alone have no kind.
        scores: N scores of the single frames.
        bboxes: N xyxy boxes in pixels, of the main kind (amodal unless the
            tracks are visible only).
        visible_bboxes: N xyxy boxes of the visible parts, where a model
            predicts them too.
        category_ids: N category ids, for tracks whose class changes.
    """

    video_id: int
    track_id: int
    category_id: int
    score: float
    frames: list[int]
    masks: dict[str, list[RLE | None]]
    scores: list[float | None] | None = None
    bboxes: list[Box | None] | None = None
    visible_bboxes: list[Box | None] | None = None
    category_ids: list[int | None] | None = None

    @classmethod
    def from_dense(cls, video_id: int, track_id: int, category_id: int, score: float,
                   masks: Mapping[str, Sequence[RLE | None]],
                   **lists: Sequence[Any] | None) -> TrackRecord:
        """Build a track from lists over all T frames, None where it is absent.

        A track is in the frames where at least one of the lists has a value.

        Args:
            video_id: As the attribute.
            track_id: As the attribute.
            category_id: As the attribute.
            score: As the attribute.
            masks: T RLEs or None by kind.
            **lists: ``scores``, ``bboxes``, ``visible_bboxes``, ``category_ids``.

        Raises:
            ValueError: The lists differ in length.
        """
        given = [*masks.values(), *(values for values in lists.values() if values is not None)]
        if len(set(map(len, given))) > 1:
            raise ValueError(f'lists of {sorted(set(map(len, given)))} frames; all need as many as '
                             'the video has')
        frames = sorted({t for values in given for t, value in enumerate(values)
                         if value is not None})
        kept = {name: values if values is None else [values[t] for t in frames]
                for name, values in lists.items()}
        return cls(video_id, track_id, category_id, score, frames,
                   {kind: [values[t] for t in frames] for kind, values in masks.items()}, **kept)

    def position(self, frame: int) -> int | None:
        """Where in the lists a frame stands; None if the track is absent from it."""
        index = bisect_left(self.frames, frame)
        return index if index < len(self.frames) and self.frames[index] == frame else None

    def frame_score(self, frame: int) -> float:
        """Score in a frame where the track is; its own score if the frame has none.

        Raises:
            ValueError: The track is absent from the frame.
        """
        score = self._value(self.scores, frame)
        return self.score if score is None else score

    def frame_category(self, frame: int) -> int:
        """Category id in a frame where the track is; its own if the frame has none.

        Raises:
            ValueError: The track is absent from the frame.
        """
        category = self._value(self.category_ids, frame)
        return self.category_id if category is None else category

    def _value(self, values: Sequence[Any] | None, frame: int) -> Any:
        index = self.position(frame)
        if index is None:
            raise ValueError(f'track {self.track_id} of video {self.video_id} is absent from '
                             f'frame {frame}; it is in {self.frames}')
        return values[index] if values is not None else None

    def spread(self, values: Sequence[Any], num_frames: int) -> list[Any]:
        """One of the lists over all ``num_frames`` frames, None where the track is absent."""
        dense = [None] * num_frames
        for frame, value in zip(self.frames, values, strict=True):
            dense[frame] = value
        return dense

    def to_json(self, num_frames: int) -> dict[str, Any]:
        """The record as it stands in a result file, of a video of ``num_frames``.

        Boxes become xywh.
        """
        record = {'video_id': int(self.video_id), 'track_id': int(self.track_id),
                  'category_id': int(self.category_id), 'score': float(self.score)}
        for kind in MASK_KINDS:
            if kind not in self.masks:
                continue
            if 'mask_kind' in record:
                record[f'{kind}_segmentations'] = self.masks[kind]
            else:
                record |= {'mask_kind': kind, 'segmentations': self.masks[kind]}
        for name, convert in _CONVERTERS.items():
            values = getattr(self, name)
            if values is not None:
                record[name] = [value if value is None else convert(value) for value in values]
        return {key: self.spread(value, num_frames) if isinstance(value, list) else value
                for key, value in record.items()}

    @classmethod
    def from_json(cls, record: dict[str, Any], position: int = 0,
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
        return cls.from_dense(record['video_id'], record.get('track_id', position + 1),
                              record['category_id'], record['score'], masks, **lists)


#: Lists of boxes; xyxy in a track, xywh in a file.
BOX_LISTS = {'bboxes', 'visible_bboxes'}

# The optional lists in the order of the file, with what makes their values JSON.
_CONVERTERS = {'bboxes': to_xywh, 'visible_bboxes': to_xywh, 'scores': float, 'category_ids': int}

#: Names of the optional lists of a track.
OPTIONAL_LISTS = tuple(_CONVERTERS)


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
                          'vatrack.structures.results.write_results')


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
