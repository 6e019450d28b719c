"""Result files: predicted tracks on disk, read and written one by one.

A result file is one JSON list with one record per track. It is a superset of
the YouTube-VIS result format; ``docs/result-files.md`` describes it for others:

========================= ====================================================
video_id, category_id     int; ids of the annotation file
track_id                  int >= 1, unique in the file (default: position + 1)
score                     finite float; score of the whole track
mask_kind                 'amodal' (default) or 'visible': what
                          ``segmentations`` holds
segmentations             list over the video's frames of RLE or null; tracks of
                          boxes alone have neither this key nor ``mask_kind``
visible_segmentations     the other kind (``amodal_segmentations`` if
                          ``mask_kind`` is 'visible'); absent if not predicted
scores                    optional, list of float or null: score per frame
bboxes                    optional, list of [x, y, w, h] or null: boxes of the
                          main kind (amodal unless there are no amodal masks)
visible_bboxes            optional, the same for the visible parts
category_ids              optional, list of int or null: class per frame, of
                          trackers whose tracks may change their class
========================= ====================================================

Position ``t`` of every list is the ``t``-th frame of the video in order of
``frame_id``; null stands where the object is absent. In memory a track holds
only the frames where it is present.
"""
from __future__ import annotations

import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from numbers import Integral, Real
from pathlib import Path
from typing import IO, Any

from .annotation_entry import AnnotationError
from .annotation_file import paused_collector
from .annotation_types import AnnotationFile, Video
from .json_stream import stream_list
from .rle import RLE
from .track_record import BOX_LISTS, OPTIONAL_LISTS, ResultError, TrackRecord, require_keys

__all__ = [
    'ResultError', 'TrackRecord', 'check_tracks', 'iter_results', 'parse_records',
    'read_json_list', 'read_results', 'replace_when_done', 'write_results'
]


def read_results(path: str | Path, annotations: AnnotationFile) -> list[TrackRecord]:
    """Read a result file and check it against the annotation file it belongs to.

    Raises:
        ResultError: The file is missing or no JSON list (for example cut off in
            the middle), or :func:`check_tracks` refuses a record; the message
            names the file, the video and the record.
    """
    with paused_collector():
        return list(iter_results(path, annotations))


def iter_results(path: str | Path, annotations: AnnotationFile) -> Iterator[TrackRecord]:
    """As :func:`read_results`, one track at a time: memory is that of one record."""
    return parse_records(read_json_list(path), annotations, str(path))


def parse_records(records: Iterable[Any], annotations: AnnotationFile,
                  source: str) -> Iterator[TrackRecord]:
    """Turn JSON records into tracks one by one, checked as :func:`check_tracks` does.

    Args:
        records: The entries of a result file.
        annotations: The annotation file that they belong to.
        source: Name of the result file, for messages.
    """
    checker = _Checker(annotations, source)
    for position, record in enumerate(records):
        yield checker.parse(record, position)


def read_json_list(path: str | Path) -> Iterator[Any]:
    """Entries of a JSON list, in a file or in a zip archive of one JSON file, one by one.

    Raises:
        ResultError: The file is missing, damaged, no list, or an archive of
            several JSON files.
    """
    try:
        with open(path, 'rb') as raw, _unpacked(path, raw) as file:
            yield from stream_list(path, file)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ResultError(f'{path}: damaged archive ({error}); copy or make it again') from error
    except OSError as error:
        raise ResultError(f'{path}: cannot read this result file: {error.strerror}') from error
    except AnnotationError as error:
        raise ResultError(str(error)) from None


def _unpacked(path: str | Path, raw: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    if Path(path).suffix != '.zip':
        return nullcontext(raw)
    archive = zipfile.ZipFile(raw)
    names = [name for name in archive.namelist() if name.endswith('.json')]
    if len(names) != 1:
        raise ResultError(f'{path}: must hold one JSON file, holds {names}; unpack it and choose')
    return archive.open(names[0])


def write_results(path: str | Path, tracks: Iterable[TrackRecord],
                  annotations: AnnotationFile) -> int:
    """Write tracks one by one, a line each; the file appears only when it is complete.

    Args:
        path: Where to write; folders are made, an older file is replaced.
        tracks: Taken one at a time, so a generator never holds them all.
        annotations: The videos that the tracks belong to; they say how long
            the lists of a record are.

    Returns:
        How many tracks were written.

    Raises:
        ResultError: A video is unknown, a track id is taken twice or below 1, or
            a number is NaN or infinite. No file is written then.
    """
    checker = _Checker(annotations, str(path))
    with replace_when_done(path) as file:
        file.write('[')
        for position, track in enumerate(tracks):
            where = checker.where(position, track.video_id, track.track_id)
            video = checker.video(track.video_id, where)
            checker.check_id(track, where)
            _check_frames(track, video, where)
            try:
                line = json.dumps(track.to_json(len(video.frames)), allow_nan=False)
            except ValueError as error:
                raise ResultError(f'{where} holds NaN or infinity') from error
            file.write((',\n' if position else '\n') + line)
        file.write('\n]\n')
    return len(checker.seen)


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
        ResultError: Unknown video or category, a list of the wrong length, a
            frame beyond the end of the video, an RLE of another size than the
            video, a score that is NaN or infinite, a track id below 1 or taken
            twice, or a mask kind that only some records hold. The message starts
            with ``source`` and names the video and the record.
    """
    checker = _Checker(annotations, source)
    for position, track in enumerate(tracks):
        checker.check(track, position)


class _Checker:
    """Checks the tracks of one file in turn."""

    def __init__(self, annotations: AnnotationFile, source: str) -> None:
        self.annotations, self.source = annotations, source
        self.videos = {video.id: video for video in annotations.videos}
        self.seen: set[int] = set()
        self.kinds: set[str] | None = None

    def where(self, position: int, video_id: Any, track_id: Any) -> str:
        return f'{self.source}: record {position} (video {video_id}, track {track_id})'

    def parse(self, record: Any, position: int) -> TrackRecord:
        """Turn a record of a file into a track that is checked."""
        video_id = track_id = None
        if isinstance(record, dict):
            video_id, track_id = record.get('video_id'), record.get('track_id', position + 1)
        where = self.where(position, video_id, track_id)
        try:
            require_keys(record)
            video = self.video(video_id, where)
            track = TrackRecord.from_json(record, position, len(video.frames))
        except ResultError as error:
            text = str(error)
            raise error if text.startswith(where) else ResultError(f'{where} {text}') from error
        self.check(track, position)
        return track

    def check(self, track: TrackRecord, position: int) -> None:
        where = self.where(position, track.video_id, track.track_id)
        video = self.video(track.video_id, where)
        self.check_id(track, where)
        self._check_categories(track, where)
        kinds = set(track.masks)
        self.kinds = kinds if self.kinds is None else self.kinds
        boxes = [name for name in BOX_LISTS if getattr(track, name) is not None]
        if kinds != self.kinds or not (kinds or boxes):
            raise ResultError(f'{where} holds the mask kinds {sorted(kinds)}, the first record '
                              f'{sorted(self.kinds)}; all records need the same, or boxes alone')
        _check_frames(track, video, where)
        _check_values(track, video, where)

    def video(self, video_id: Any, where: str) -> Video:
        if not _is_int(video_id) or video_id not in self.videos:
            raise ResultError(f'{where}: {self.annotations.path} has no such video; use the '
                              'annotation file that the results were made for')
        return self.videos[video_id]

    def check_id(self, track: TrackRecord, where: str) -> None:
        if not _is_int(track.track_id) or track.track_id < 1:
            raise ResultError(f'{where}: track_id must be an integer >= 1, got {track.track_id!r}; '
                              'number the tracks of a file from 1')
        if track.track_id in self.seen:
            raise ResultError(f'{where}: track_id {track.track_id} is taken by an earlier record; '
                              'ids must be unique over all videos of a file')
        self.seen.add(track.track_id)

    def _check_categories(self, track: TrackRecord, where: str) -> None:
        known = self.annotations.categories
        frame_categories = (c for c in track.category_ids or () if c is not None)
        for category in (track.category_id, *frame_categories):
            if not _is_int(category) or category not in known:
                raise ResultError(f'{where}: unknown category_id {category!r}; '
                                  f'{self.annotations.path} has {sorted(known)}')


def _check_frames(track: TrackRecord, video: Video, where: str) -> None:
    frames = track.frames
    if any(a >= b for a, b in pairwise(frames)) or (
            frames and not 0 <= frames[0] <= frames[-1] < len(video.frames)):
        raise ResultError(f'{where}: frames {frames} must ascend within 0 to '
                          f'{len(video.frames) - 1}, the frames of the video')
    lists = {f'{kind} masks': masks for kind, masks in track.masks.items()}
    lists |= {name: values for name in OPTIONAL_LISTS
              if (values := getattr(track, name)) is not None}
    for name, values in lists.items():
        if len(values) != len(frames):
            raise ResultError(f'{where}: {len(values)} {name} for {len(frames)} frames of the '
                              'track; give one per frame, None where there is none')


def _check_values(track: TrackRecord, video: Video, where: str) -> None:
    for score in (track.score, *(s for s in track.scores or () if s is not None)):
        if not isinstance(score, Real) or not math.isfinite(score):
            raise ResultError(f'{where}: score must be a finite number, got {score!r}; leave the '
                              'track out or give it a score')
    size = [video.height, video.width]
    for kind, masks in track.masks.items():
        for frame, mask in zip(track.frames, masks, strict=True):
            if mask is not None and not _is_rle(mask, size):
                _check_mask(mask, video, where, frame, kind)


def _is_rle(mask: Any, size: list[int]) -> bool:
    """The usual case of :func:`_check_mask`, in a third of its time: files hold many masks."""
    if type(mask) is not dict or mask.get('size') != size:
        return False
    counts = mask.get('counts')
    return type(counts) is str and counts.isascii() and '0' <= counts[-1:] <= 'O'


def _check_mask(mask: RLE, video: Video, where: str, frame: int, kind: str) -> None:
    # pycocotools reads on beyond a string whose last symbol does not end a run.
    if not (isinstance(mask, dict) and 'size' in mask and isinstance(mask.get('counts'), str)
            and mask['counts'].isascii() and '0' <= mask['counts'][-1:] <= 'O'):
        raise ResultError(f"{where}, frame {frame}: {kind} mask is no compressed RLE {{'size': "
                          "[h, w], 'counts': str}; compress it with vatrack.structures.rle.encode")
    if list(mask['size']) != [video.height, video.width]:
        raise ResultError(f"{where}, frame {frame}: {kind} mask has size {list(mask['size'])}, the "
                          f'video {[video.height, video.width]} (height, width); predict at '
                          'original resolution')


def _is_int(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
