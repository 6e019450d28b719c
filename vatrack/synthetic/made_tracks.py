"""Made truth and predictions of any number and size, as run-length masks without any frames.

To test and time the evaluation with: moving ellipses and boxes with holes, absent from some
frames, with tied scores.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.structures import AnnotationFile, Frame, Instance, TrackRecord, Video
from vatrack.structures.rle import RLE


@dataclass(frozen=True)
class SetSize:
    """Size of a made set.

    Attributes:
        videos: Number of videos.
        frames: Mean length of a video; lengths differ by up to a quarter.
        tracks: Predicted tracks in each video.
        truths: True objects in each video.
        classes: Number of categories, with ids from 1.
        height: Pixels.
        width: Pixels.
        partial: Share of the objects and tracks that live for a part of the video only.
        kinds: Mask kinds.
    """

    videos: int
    frames: int
    tracks: int
    truths: int
    classes: int = 1
    height: int = 200
    width: int = 320
    partial: float = 0
    kinds: tuple[str, ...] = ('amodal',)

    @property
    def categories(self) -> dict[int, str]:
        """Names by category id."""
        return {k + 1: f'class {k + 1}' for k in range(self.classes)}


def made_set(size: SetSize, seed: int = 0) -> tuple[AnnotationFile, list[TrackRecord]]:
    """A whole set: truth, and predictions, of which every score has two digits."""
    videos = empty_videos(size, seed)
    tracks = [track for of_video in filled_videos(videos, size, seed) for track in of_video]
    return AnnotationFile('made', size.categories, videos), tracks


def empty_videos(size: SetSize, seed: int = 0, num_frames: int | None = None) -> list[Video]:
    """The videos of a set without any objects.

    Args:
        size: Size of the set.
        seed: The same seed makes the same set.
        num_frames: Frames of all videos together; None: as it happens.
    """
    rng = np.random.default_rng(seed)
    lengths = np.maximum(np.rint(size.frames * rng.uniform(.75, 1.25, size.videos)), 1).astype(int)
    if num_frames is not None:
        ends = np.rint(lengths.cumsum() * num_frames / lengths.sum()).astype(int)
        lengths = np.diff(ends, prepend=0)
    videos, image_id = [], 0
    for number, length in enumerate(lengths.tolist()):
        frames = [Frame(image_id + t + 1, t, f'{t:06d}.png') for t in range(length)]
        videos.append(Video(number + 1, f'{number:05d}', size.width, size.height, frames))
        image_id += length
    return videos


def filled_videos(videos: Sequence[Video], size: SetSize,
                  seed: int = 0) -> Iterator[list[TrackRecord]]:
    """Put objects into :func:`empty_videos`, and yield the tracks of each video."""
    rng = np.random.default_rng((seed, 1))
    for video in videos:
        movers = [_Mover(rng, size, len(video.frames)) for _ in range(size.truths)]
        _fill(video.frames, movers)
        yield _tracks(rng, video, movers, size)


def _fill(frames: Sequence[Frame], movers: Sequence[_Mover]) -> None:
    """Put true objects into their frames; annotation ids ascend with image ids."""
    masks = [mover.masks() for mover in movers]
    for t, frame in enumerate(frames):
        for i, mover in enumerate(movers):
            present = {kind: of_kind[t] for kind, of_kind in masks[i].items() if of_kind[t]}
            if 'amodal' in present:
                frame.instances.append(Instance(frame.id * len(movers) + i, i, mover.category,
                                                present, {}))


def _tracks(rng: np.random.Generator, video: Video, movers: Sequence[_Mover],
            size: SetSize) -> list[TrackRecord]:
    """Up to two tracks follow an object, the others are elsewhere."""
    tracks = []
    for i in range(size.tracks):
        if i < 2 * len(movers) and rng.random() < .8:
            mover = movers[i % len(movers)].followed(rng)
        else:
            mover = _Mover(rng, size, len(video.frames))
        tracks.append(TrackRecord.from_dense(
            video.id, (video.id - 1) * size.tracks + i + 1, mover.category,
            round(float(rng.random()), 2), mover.masks()))
    return tracks


class _Mover:
    """An ellipse or a box on its way; its visible part ends at a cut."""

    def __init__(self, rng: np.random.Generator, size: SetSize, length: int) -> None:
        self.size = size
        self.category = int(rng.integers(size.classes)) + 1
        self.is_round = rng.random() < .7
        # Many small and few large ones: 5 % of the frame on average.
        radius = size.height * np.exp(rng.uniform(np.log(.03), np.log(.35)))
        self.radii = np.maximum(radius * np.exp([1, -1] * rng.normal(0, .2, 1)), 1)
        # To and fro, so that a long video is as full at its end.
        turns = np.arange(length)[:, None] * rng.uniform(-.02, .02, 2) + rng.random(2)
        places = rng.random(2) + .1 * np.sin(2 * np.pi * turns)
        self.centres = places * [size.width, size.height]
        self.cut = rng.uniform(-.5, 1.5)
        self.present = rng.random(length) < .95
        if rng.random() < size.partial:
            first, last = np.sort(rng.integers(0, length + 1, 2))
            self.present[:first] = self.present[last:] = False

    def followed(self, rng: np.random.Generator) -> _Mover:
        """Almost the same, as a model would predict it."""
        other = copy(self)
        other.radii = np.maximum(self.radii * np.exp(rng.normal(0, .1, 2)), 1)
        noise = rng.normal(0, .05, self.centres.shape) + rng.normal(0, .1, 2)
        other.centres = self.centres + noise * self.radii
        other.present = self.present & (rng.random(len(self.present)) < .97)
        return other

    def masks(self) -> dict[str, list[RLE | None]]:
        """T masks by kind, None where there is none."""
        return {kind: [self._mask(centre, self.cut if kind == 'visible' else 2) if present else None
                       for centre, present in zip(self.centres, self.present, strict=True)]
                for kind in self.size.kinds}

    def _mask(self, centre: np.ndarray, cut: float) -> RLE | None:
        """The columns of the shape, each in one piece, or in two around the hole."""
        height, width = self.size.height, self.size.width
        left, right = np.rint([centre[0] - self.radii[0], centre[0] + self.radii[0]]).clip(0, width)
        columns = np.arange(left, right, dtype=int)
        across = (columns + .5 - centre[0]) / self.radii[0]
        half = np.sqrt((1 - across**2).clip(0)) if self.is_round else np.ones(len(columns))
        # Never the last row: the end of a column then differs from the start of the next.
        rows, lowest = (np.rint(centre[1] + self.radii[1] * each).clip(0, height - 1).astype(int)
                        for each in (half[:, None] * [-1, -.3, .2, 1], np.array(cut)))
        has_hole = (np.abs(across) < .4) & (rows[:, 1] < rows[:, 2])
        rows[~has_hole, 1:3] = rows[~has_hole, 3:]
        pieces = np.minimum(rows, lowest).reshape(-1, 2, 2)
        ends = (pieces + height * columns[:, None, None])[pieces[..., 0] < pieces[..., 1]].ravel()
        if not len(ends):
            return None
        runs = {'size': [height, width],
                'counts': np.diff(ends, prepend=0, append=height * width).tolist()}
        counts = coco_mask.frPyObjects(runs, height, width)['counts'].decode()
        return {'size': [height, width], 'counts': counts}
