"""A result file by video: read and checked once, then only the tracks that are asked for."""
from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vatrack.files.column_cache import (
    ColumnWriter,
    are_columns_sound,
    cached_folder,
    content_hash,
    map_columns,
)
from vatrack.files.errors import ResultError
from vatrack.files.result_file import iter_results
from vatrack.structures import MASK_KINDS, AnnotationFile, TrackRecord

# Count up whenever the columns or what is read into them change.
_VERSION = 3
_NAMES = tuple(each.name for each in fields(TrackRecord))


class ResultIndex:
    """The tracks of a result file, on disk in the order of the file; see :meth:`open`.

    Args:
        path: The result file.
        folder: The index on disk.

    Attributes:
        path: The result file.
        video_ids: (N,) int64.
        scores: (N,) float64, scores of the tracks.
        mask_kinds: Kinds of mask that every track has; none for tracks of boxes.
    """

    def __init__(self, path: str | Path, folder: Path) -> None:
        columns = map_columns(folder)
        self.path = str(path)
        self.video_ids = columns['video_ids']
        self.scores = columns['scores']
        self._ends = columns['record_ends']
        self._records = memoryview(columns['records'])
        # Without a single track no kind is lacking: every object is missed.
        self.mask_kinds = tuple(self._track(0).masks) if len(self.scores) else MASK_KINDS

    @classmethod
    def open(cls, path: str | Path, annotations: AnnotationFile) -> ResultIndex:
        """The index of a result file, built now unless it is on disk.

        Args:
            path: Result file, or a zip archive of one.
            annotations: The videos that it belongs to; objects are not needed.

        Raises:
            ResultError: As :func:`~vatrack.files.result_file.read_results`.
            AnnotationError: The index cannot be kept anywhere.
        """
        path = Path(path)
        try:
            content = content_hash(path)
        except OSError as error:
            raise ResultError(f'{path}: cannot read this result file: {error.strerror}') from error

        def build(folder: Path) -> None:
            with ColumnWriter(folder) as writer:
                _write(path, annotations, writer)

        key = f'{content}-{_fingerprint(annotations)}-v{_VERSION}'
        return cls(path, cached_folder(path, key, are_columns_sound, build))

    def tracks(self, video_id: int) -> list[TrackRecord]:
        """The tracks of a video, in file order."""
        return [self._track(row) for row in np.flatnonzero(self.video_ids == video_id).tolist()]

    def _track(self, row: int) -> TrackRecord:
        start, end = self._ends[row:row + 2].tolist()
        return TrackRecord(*json.loads(bytes(self._records[start:end])))


def _write(path: Path, annotations: AnnotationFile, writer: ColumnWriter) -> None:
    video_ids, scores, ends = [], [], [0]
    tracks = iter_results(path, annotations)
    for track in tqdm(tracks, desc=f'indexing {path.name}', unit=' tracks', disable=None):
        record = json.dumps([getattr(track, name) for name in _NAMES]).encode('ascii')
        writer.extend('records', record)
        video_ids.append(track.video_id)
        scores.append(track.score)
        ends.append(ends[-1] + len(record))
    if not video_ids:
        writer.extend('records', b'')
    writer.append('video_ids', np.array(video_ids, np.int64))
    writer.append('scores', np.array(scores, np.float64))
    writer.append('record_ends', np.array(ends, np.int64))
    writer.close()


def _fingerprint(annotations: AnnotationFile) -> str:
    """Name of all that a result file is checked against."""
    facts = [list(annotations.categories),
             [[video.id, video.width, video.height, len(video.frames)]
              for video in annotations.videos]]
    return hashlib.sha1(json.dumps(facts).encode(), usedforsecurity=False).hexdigest()[:16]
