"""The JSON documents that the page asks for, by name; the server and the export hand them out.

================ =========================================================================
``index``        the dataset: its classes, and one row per video
``video-3``      the tracks of video 3 (counted from 0) and their errors
``frames-3-2``   the outlines in its frames of chunk 2, :data:`CHUNK` frames each
================ =========================================================================
"""
from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from vatrack.evaluation.protocols import get_protocol
from vatrack.files import AnnotationError

from .frame_errors import ERRORS, thresholds
from .scene import Scene
from .source import Source

#: Frames in one document.
CHUNK = 8
_NAME = re.compile(r'index|video-(\d{1,9})|frames-(\d{1,9})-(\d{1,9})', re.ASCII)
_SCENES = 4

#: Makes the address of a picture for the page, from video, frame (positions) and file.
ImageLink = Callable[[int, int, Path], str]


class Documents:
    """The documents of a source; of the videos only those looked at last are in memory.

    Args:
        source: What is browsed.
        link: Addresses of pictures.
        score_thr: Score from which predictions are shown at first.
        only_from: Leave out lower thresholds, because there are no such tracks.
    """

    def __init__(self, source: Source, link: ImageLink, score_thr: float = .3,
                 only_from: float | None = None) -> None:
        self.source, self.score_thr = source, score_thr
        self._link, self._least = link, only_from
        self._lock = Lock()
        self._scene = lru_cache(_SCENES)(self._make_scene)
        scores = np.zeros(0) if source.results is None else source.results.scores
        self._thresholds = [step for step in thresholds(scores, [score_thr])
                            if only_from is None or step >= only_from]

    def get(self, name: str) -> dict[str, Any] | list[Any]:
        """A document; safe to call from several threads.

        Raises:
            KeyError: There is no such document.
            ValueError: The data of the video is wrong; the message says where.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise KeyError(name)
        if name == 'index':
            return self.index()
        video, of_frames, chunk = match.groups()
        with self._lock:
            if video is not None:
                return self.video(int(video))
            return self.frames(int(of_frames), int(chunk))

    def index(self) -> dict[str, Any]:
        """The dataset and its videos."""
        source = self.source
        results = source.results
        names = ['id', 'name', 'frames', 'objects', 'tracks', 'labels', 'occlusion']
        return {
            'annotations': Path(source.index.path).name,
            'results': None if results is None else Path(results.path).name,
            'classes': list(source.index.categories.values()), 'hasTruth': source.has_truth,
            'hasPrediction': results is not None, 'every': source.every, 'chunk': CHUNK,
            'scoreThr': self.score_thr, 'thresholds': self._thresholds,
            'strata': get_protocol('sailvos-full').occlusions,
            'errors': {name: vars(kind) for name, kind in ERRORS.items()},
            'columns': names, 'videos': video_rows(source)}

    def video(self, number: int) -> dict[str, Any]:
        """The tracks of a video, and the addresses of its pictures."""
        scene = self._known(number)
        summary = scene.summary(self._thresholds)
        links = [self._image(number, position) for position in range(len(scene.video.frames))]
        return summary | {'images': links}

    def frames(self, number: int, chunk: int) -> list[dict[str, Any]]:
        """The outlines in the frames of a chunk.

        Raises:
            KeyError: The video is shorter.
        """
        scene = self._known(number)
        indices = range(len(scene.video.frames))[chunk * CHUNK:(chunk + 1) * CHUNK]
        if not indices:
            raise KeyError(f'frames-{number}-{chunk}')
        return [scene.frame(index) for index in indices]

    def _known(self, number: int) -> Scene:
        if number >= len(self.source.positions):
            raise KeyError(number)
        return self._scene(number)

    def _make_scene(self, number: int) -> Scene:
        source = self.source
        tracks = [track for track in source.tracks(number)
                  if self._least is None or track.score >= self._least]
        kinds = () if source.results is None else source.results.mask_kinds
        return Scene(source.video(number), tracks, kinds, list(source.index.categories),
                     source.index.path)

    def _image(self, number: int, position: int) -> str | None:
        """Address of a picture, None if it is missing."""
        try:
            path = self.source.image_path(number, position)
        except AnnotationError:
            return None
        return self._link(number, position, path)


def video_rows(source: Source) -> list[list[Any]]:
    """One row per video: id, name, frames, true tracks, predicted tracks, labels, occlusion.

    Occlusion is the mean over all objects of known occlusion in percent.
    """
    index, positions = source.index, source.positions
    ends = index.frame_starts[index.video_starts]
    known = ~np.isnan(index.occlusions)
    total = np.concatenate([[0], np.cumsum(np.where(known, index.occlusions, 0))])[ends]
    count = np.concatenate([[0], np.cumsum(known)])[ends]
    owners = np.repeat(np.arange(len(index.video_ids)), np.diff(ends))
    objects = _counts(owners, index.instance_ids, len(index.video_ids))
    labels = _labels(owners, index.category_positions, len(index.video_ids))
    rows = []
    for position in positions.tolist():
        rate = (total[position + 1] - total[position]) / max(count[position + 1] - count[position],
                                                             1)
        frames = int(np.diff(index.video_starts[position:position + 2])[0])
        video_id = int(index.video_ids[position])
        tracks = (None if source.results is None
                  else int((source.results.video_ids == video_id).sum()))
        rows.append([video_id, index.video_names[position], -(-frames // source.every),
                     int(objects[position]), tracks, labels[position], round(100 * float(rate))])
    return rows


def _counts(owners: np.ndarray, ids: np.ndarray, length: int) -> np.ndarray:
    """How many different ids (N,) each of ``length`` owners (N,) has."""
    pairs = np.unique(np.stack([owners, ids], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=length)


def _labels(owners: np.ndarray, labels: np.ndarray, length: int) -> list[list[int]]:
    """The labels (N,) of each of ``length`` owners (N,), ascending."""
    pairs = np.unique(np.stack([owners, labels], axis=1), axis=0)
    ends = np.searchsorted(pairs[:, 0], np.arange(length + 1))
    return [pairs[start:end, 1].tolist() for start, end in pairwise(ends.tolist())]
