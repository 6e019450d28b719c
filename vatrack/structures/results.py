"""Result files: predicted tracks on disk and in memory.

A result file is one JSON list with one record per track. It is a superset of
the YouTube-VIS result format:

========================= ====================================================
video_id, category_id     int; ids of the annotation file
track_id                  int >= 1, unique in the file (default: position + 1)
score                     finite float; score of the whole track
mask_kind                 'amodal' (default) or 'visible': what
                          ``segmentations`` holds
segmentations             list over the video's frames of RLE or null
visible_segmentations     the other kind (``amodal_segmentations`` if
                          ``mask_kind`` is 'visible'); absent if not predicted
scores                    optional, list of float or null: score per frame
bboxes                    optional, list of [x, y, w, h] or null
category_ids              optional, list of int or null: class per frame, of
                          trackers whose tracks may change their class
========================= ====================================================

Position ``t`` of every list is the ``t``-th frame of the video in order of
``frame_id``; null stands where the object is absent.
"""
from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import IO, Any

from .annotation_entry import Box, to_xywh
from .annotation_file import AnnotationFile, Video
from .fields import MASK_KINDS
from .rle import RLE

_REQUIRED = ('video_id', 'category_id', 'score', 'segmentations')


class ResultError(ValueError):
    """A result file or a track is broken; says where and how to mend it."""


@dataclass(slots=True)
class TrackRecord:
    """One predicted track of T frames.

    Attributes:
        video_id: Video id of the annotation file.
        track_id: >= 1, unique over all videos of a file.
        category_id: Category id of the annotation file (not the 0-based label).
        score: Score of the track.
        masks: By kind, T RLEs at the video's resolution, None where absent.
        scores: T scores of the single frames, None where absent.
        bboxes: T xyxy boxes in pixels, None where absent.
        category_ids: T category ids, for tracks whose class changes.
    """

    video_id: int
    track_id: int
    category_id: int
    score: float
    masks: dict[str, list[RLE | None]]
    scores: list[float | None] | None = None
    bboxes: list[Box | None] | None = None
    category_ids: list[int | None] | None = None

    def frame_score(self, index: int) -> float:
        """Score in one frame; the track's score where the frame has none of its own."""
        score = self.scores[index] if self.scores is not None else None
        return self.score if score is None else score

    def frame_category(self, index: int) -> int:
        """Category id in one frame; the track's where the frame has none of its own."""
        category = self.category_ids[index] if self.category_ids is not None else None
        return self.category_id if category is None else category

    def to_json(self) -> dict[str, Any]:
        """The record as it stands in a result file; boxes become xywh."""
        first, *others = [kind for kind in MASK_KINDS if kind in self.masks]
        record = {'video_id': int(self.video_id), 'track_id': int(self.track_id),
                  'category_id': int(self.category_id), 'score': float(self.score),
                  'mask_kind': first, 'segmentations': self.masks[first]}
        record.update((f'{kind}_segmentations', self.masks[kind]) for kind in others)
        if self.bboxes is not None:
            record['bboxes'] = [box if box is None else to_xywh(box) for box in self.bboxes]
        if self.scores is not None:
            record['scores'] = [s if s is None else float(s) for s in self.scores]
        if self.category_ids is not None:
            record['category_ids'] = [c if c is None else int(c) for c in self.category_ids]
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any], position: int = 0) -> TrackRecord:
        """Turn the record at ``position`` of a result file into a track.

        Raises:
            ResultError: A required key is absent or a value has the wrong type.
        """
        if not isinstance(record, dict):
            raise ResultError(f'must be an object, got {type(record).__name__}')
        missing = [key for key in _REQUIRED if key not in record]
        if missing:
            raise ResultError(f'lacks {missing}; write the file with '
                              f'vatrack.structures.results.write_results')
        boxes = _list(record, 'bboxes')
        return cls(record['video_id'], record.get('track_id', position + 1), record['category_id'],
                   record['score'], _masks(record), _list(record, 'scores'),
                   boxes and [box if box is None else _xyxy(box) for box in boxes],
                   _list(record, 'category_ids'))


def read_results(path: str | Path, annotations: AnnotationFile) -> list[TrackRecord]:
    """Read a result file and check it against the annotation file it belongs to.

    Raises:
        ResultError: The file is missing or no JSON list (for example cut off in
            the middle), or :func:`check_tracks` refuses a record; the message
            names the file, the video and the record.
    """
    try:
        records = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ResultError(f'{path}: cannot read this result file: {error.strerror}') from error
    except ValueError as error:
        raise ResultError(f'{path}: not a complete JSON file ({error}); '
                          'write it again') from error
    if not isinstance(records, list):
        raise ResultError(f'{path}: must hold one JSON list of track records, '
                          f'got {type(records).__name__}')
    tracks = []
    for position, record in enumerate(records):
        try:
            tracks.append(TrackRecord.from_json(record, position))
        except ResultError as error:
            video = record.get('video_id') if isinstance(record, dict) else None
            raise ResultError(f'{path}: record {position} (video {video}) {error}') from error
    check_tracks(tracks, annotations, str(path))
    return tracks


def write_results(path: str | Path, tracks: Iterable[TrackRecord]) -> int:
    """Write tracks one by one, a line each; the file appears only when it is complete.

    Args:
        path: Where to write; folders are made, an older file is replaced.
        tracks: Taken one at a time, so a generator never holds them all.

    Returns:
        How many tracks were written.

    Raises:
        ResultError: A track id is taken twice or below 1, or a number is NaN or
            infinite. No file is written then.
    """
    seen: set[int] = set()
    with replace_when_done(path) as file:
        file.write('[')
        for position, track in enumerate(tracks):
            _check_id(track, seen, f'{path}: record {position}')
            try:
                line = json.dumps(track.to_json(), allow_nan=False)
            except ValueError as error:
                raise ResultError(f'{path}: record {position} (video {track.video_id}, track '
                                  f'{track.track_id}) holds NaN or infinity') from error
            file.write((',\n' if position else '\n') + line)
        file.write('\n]\n')
    return len(seen)


@contextmanager
def replace_when_done(path: str | Path) -> Iterator[IO[str]]:
    """Open a text file that takes the name ``path`` only if the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        with temporary.open('w', encoding='utf-8') as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_tracks(tracks: Iterable[TrackRecord], annotations: AnnotationFile, source: str) -> None:
    """Refuse tracks that cannot be scored against ``annotations``.

    Raises:
        ResultError: Unknown video or category, a list of the wrong length, an
            RLE of another size than the video, a score that is NaN or infinite,
            a track id below 1 or taken twice, or a mask kind that only some
            records hold. The message starts with ``source`` and names the video
            and the record.
    """
    videos = {video.id: video for video in annotations.videos}
    seen: set[int] = set()
    kinds = None
    for position, track in enumerate(tracks):
        where = f'{source}: record {position} (video {track.video_id}, track {track.track_id})'
        if not _is_int(track.video_id) or track.video_id not in videos:
            raise ResultError(f'{where}: {annotations.path} has no such video; score the results '
                              'with the annotation file they were made for')
        _check_id(track, seen, where)
        _check_categories(track, annotations, where)
        kinds = set(track.masks) if kinds is None else kinds
        if set(track.masks) != kinds or not kinds:
            raise ResultError(f'{where} holds the mask kinds {sorted(track.masks)}, the first '
                              f'record {sorted(kinds)}; all records need the same kinds')
        _check_frames(track, videos[track.video_id], where)


def _check_id(track: TrackRecord, seen: set[int], where: str) -> None:
    if not _is_int(track.track_id) or track.track_id < 1:
        raise ResultError(f'{where}: track_id must be an integer >= 1, got {track.track_id!r}')
    if track.track_id in seen:
        raise ResultError(f'{where}: track_id {track.track_id} is taken by an earlier record; '
                          'ids must be unique over all videos of a file')
    seen.add(track.track_id)


def _check_categories(track: TrackRecord, annotations: AnnotationFile, where: str) -> None:
    frame_categories = (c for c in track.category_ids or () if c is not None)
    for category in (track.category_id, *frame_categories):
        if not _is_int(category) or category not in annotations.categories:
            raise ResultError(f'{where}: unknown category_id {category!r}; {annotations.path} has '
                              f'{sorted(annotations.categories)}')


def _check_frames(track: TrackRecord, video: Video, where: str) -> None:
    lists = {f'{kind} masks': masks for kind, masks in track.masks.items()}
    lists |= {name: getattr(track, name) for name in ('scores', 'bboxes', 'category_ids')
              if getattr(track, name) is not None}
    for name, values in lists.items():
        if len(values) != len(video.frames):
            raise ResultError(f'{where}: {len(values)} {name} for a video of {len(video.frames)} '
                              'frames; give one per frame, null where the object is absent')
    for score in (track.score, *(s for s in track.scores or () if s is not None)):
        if not isinstance(score, Real) or not math.isfinite(score):
            raise ResultError(f'{where}: score must be a finite number, got {score!r}')
    for kind, masks in track.masks.items():
        for index, mask in enumerate(masks):
            if mask is not None:
                _check_mask(mask, video, f'{where}, frame {index}: {kind} mask')


def _check_mask(mask: RLE, video: Video, where: str) -> None:
    if not (isinstance(mask, dict) and isinstance(mask.get('counts'), str) and 'size' in mask):
        raise ResultError(f"{where} is no compressed RLE {{'size': [h, w], 'counts': str}}; "
                          'compress it with vatrack.structures.rle.encode')
    if list(mask['size']) != [video.height, video.width]:
        raise ResultError(f"{where} has size {list(mask['size'])}, the video "
                          f'{[video.height, video.width]} (height, width); predict at original '
                          'resolution')


def _masks(record: dict[str, Any]) -> dict[str, list[RLE | None]]:
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


def _is_int(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _xyxy(box: list[float]) -> Box:
    if not (isinstance(box, list) and len(box) == 4
            and all(isinstance(v, Real) and math.isfinite(v) for v in box)):
        raise ResultError(f'has box {box!r}; must be four finite numbers [x, y, w, h] or null')
    x, y, width, height = box
    return x, y, x + width, y + height
