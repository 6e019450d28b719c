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

from vatrack.structures import AnnotationFile, Frame, Instance, Video
from vatrack.structures.results import TrackRecord
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
    videos, tracks = [], []
    for video, of_video in made_videos(size, seed):
        videos.append(video)
        tracks += of_video
    return AnnotationFile('made', size.categories, videos), tracks


def made_videos(size: SetSize, seed: int = 0, num_frames: int | None = None,
                ) -> Iterator[tuple[Video, list[TrackRecord]]]:
    """The videos of a set with their tracks, one by one, so that memory is that of one.

    Args:
        size: Size of the set.
        seed: The same seed makes the same set.
        num_frames: Frames of all videos together; None: as it happens.
    """
    rng = np.random.default_rng(seed)
    image_id = 0
    for number in range(size.videos):
        length = max(1, round(size.frames * rng.uniform(.75, 1.25)))
        if num_frames is not None:
            rest = size.videos - number - 1
            length = min(length, num_frames - image_id - rest) if rest else num_frames - image_id
        movers = [_Mover(rng, size, length) for _ in range(size.truths)]
        frames = [Frame(image_id + t + 1, t, f'{t:06d}.png') for t in range(length)]
        image_id += length
        _fill(frames, movers)
        video = Video(number + 1, f'{number:05d}', size.width, size.height, frames)
        yield video, _tracks(rng, video, movers, size)


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
        return {kind: [self._mask(centre, self.cut if kind == 'visible' else 1) if present else None
                       for centre, present in zip(self.centres, self.present, strict=True)]
                for kind in self.size.kinds}

    def _mask(self, centre: np.ndarray, cut: float) -> RLE | None:
        """The columns of the shape, each from top to bottom with a gap if the hole is in it."""
        height, width = self.size.height, self.size.width
        left, right = np.rint([centre[0] - self.radii[0], centre[0] + self.radii[0]]).clip(0, width)
        columns = np.arange(left, right, dtype=np.int64)
        across = (columns + .5 - centre[0]) / self.radii[0]
        half = np.sqrt((1 - across**2).clip(0)) if self.is_round else np.ones(len(columns))
        rows = half[:, None] * [-1, -.3, .2, 1]
        rows[:, 3] = np.minimum(rows[:, 3], cut)
        # Never the last row: the end of a column then differs from the start of the next.
        rows = np.rint(centre[1] + self.radii[1] * rows).clip(0, height - 1).astype(np.int64)
        used = np.repeat(rows[:, :1] < rows[:, 3:], 4, axis=1)
        used[:, 1:3] &= (np.abs(across) < .4)[:, None] & (np.diff(rows) > 0).all(axis=1)[:, None]
        ends = (rows + height * columns[:, None])[used]
        if not len(ends):
            return None
        runs = {'size': [height, width],
                'counts': np.diff(ends, prepend=0, append=height * width).tolist()}
        counts = coco_mask.frPyObjects(runs, height, width)['counts'].decode()
        return {'size': [height, width], 'counts': counts}
