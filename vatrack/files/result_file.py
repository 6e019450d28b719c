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
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from vatrack.structures import AnnotationFile, TrackRecord

from .annotation_file import paused_collector
from .bystanders import is_bystander
from .errors import AnnotationError, ResultError
from .json_stream import stream_list
from .track_entry import TrackChecker, check_frames, track_to_json
from .whole_file import replace_when_done


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
    checker = TrackChecker(annotations, source)
    for position, record in enumerate(records):
        yield checker.parse(record, position)


def read_json_list(path: str | Path) -> Iterator[Any]:
    """Entries of a JSON list, in a file or in a zip archive of one JSON file, one by one.

    Raises:
        ResultError: The file is missing, damaged, no list, or an archive of
            several JSON files.
    """
    try:
        with archive_errors(path), open(path, 'rb') as raw, _unpacked(path, raw) as file:
            yield from stream_list(path, file)
    except OSError as error:
        raise ResultError(f'{path}: cannot read this result file: {error.strerror}; check the '
                          'path, or make the file with tools/test.py') from error
    except AnnotationError as error:
        raise ResultError(str(error)) from None


@contextmanager
def archive_errors(path: str | Path) -> Iterator[None]:
    """Say of a zip archive that cannot be unpacked what to do about it.

    Raises:
        ResultError: It is damaged, encrypted, or compressed by an unknown method.
    """
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError,
            UnicodeDecodeError) as error:
        raise ResultError(f'{path}: damaged archive ({error}); copy or make it again') from error
    except RuntimeError as error:  # encrypted; or NotImplementedError, of a method
        raise ResultError(f'{path}: cannot be unpacked ({error}); pack it anew, without password '
                          'and with the usual compression') from error


def is_zip(path: str | Path) -> bool:
    """Whether a path names a zip archive."""
    return Path(path).suffix.lower() == '.zip'


def _unpacked(path: str | Path, raw: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    if not is_zip(path):
        return nullcontext(raw)
    archive = zipfile.ZipFile(raw)
    names = [name for name in archive.namelist()
             if name.lower().endswith('.json') and not is_bystander(name)]
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
    checker = TrackChecker(annotations, str(path))
    with replace_when_done(path) as file:
        file.write('[')
        for position, track in enumerate(tracks):
            where = checker.where(position, track.video_id, track.track_id)
            video = checker.video(track.video_id, where)
            checker.check_id(track, where)
            check_frames(track, video, where)
            try:
                line = json.dumps(track_to_json(track, len(video.frames)), allow_nan=False)
            except ValueError as error:
                raise ResultError(f'{where} holds NaN or infinity') from error
            file.write((',\n' if position else '\n') + line)
        file.write('\n]\n')
    return len(checker.seen)


def check_tracks(tracks: Iterable[TrackRecord], annotations: AnnotationFile, source: str) -> None:
    """Refuse tracks that cannot be scored against ``annotations``.

    Raises:
        ResultError: Unknown video or category, a list of the wrong length, a
            frame beyond the end of the video, an RLE of another size than the
            video, a score that is NaN or infinite, a track id below 1 or taken
            twice, or a mask kind that only some records hold. The message starts
            with ``source`` and names the video and the record.
    """
    checker = TrackChecker(annotations, source)
    for position, track in enumerate(tracks):
        checker.check(track, position)
