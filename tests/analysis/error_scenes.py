"""Scenes in which the error analysis finds one error and no other.

Frames are 40x60; an object is a rectangle that stands still, of 10x10 pixels unless said
otherwise. Without an occluder the visible mask is the amodal one.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from vatrack.analysis.collector import CauseLoss, KindErrors, Settings
from vatrack.analysis.errors import analyze_errors
from vatrack.structures import AnnotationFile, Frame, Instance, TrackRecord, Video
from vatrack.structures import rle as rle_codec

SIZE = (40, 60)
LENGTH = 10
FISH, CRAB = 1, 2


def box(left: int, top: int = 5, width: int = 10, height: int = 10) -> np.ndarray:
    """(H, W) uint8 mask of a rectangle."""
    mask = np.zeros(SIZE, np.uint8)
    mask[top:top + height, left:left + width] = 1
    return mask


class Scene:
    """Videos with objects and tracks; every object and track is added to one video."""

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        self.names = dict(names or {FISH: 'fish', CRAB: 'crab'})
        self.videos: dict[int, Video] = {}
        self.tracks: list[TrackRecord] = []
        self._count = 0

    def _video(self, video_id: int) -> Video:
        if video_id not in self.videos:
            frames = [Frame(100 * video_id + t, t, f'v{video_id}/{t}.png') for t in range(LENGTH)]
            self.videos[video_id] = Video(video_id, f'v{video_id}', SIZE[1], SIZE[0], frames)
        return self.videos[video_id]

    def object(self, instance_id: int, amodal: np.ndarray, *, frames: Iterable[int] = range(LENGTH),
               category: int = FISH, visible: np.ndarray | None = None, crowd: bool = False,
               video: int = 1) -> None:
        """Add an object that is in some frames."""
        shown = amodal if visible is None else visible
        masks = dict(zip(('amodal', 'visible'), rle_codec.encode(np.stack([amodal, shown])),
                         strict=True))
        rate = 1 - int(shown.sum()) / max(int(amodal.sum()), 1)
        for t in frames:
            self._count += 1
            self._video(video).frames[t].instances.append(
                Instance(self._count, instance_id, category, masks, {}, rate, crowd))

    def track(self, score: float, masks: Mapping[int, np.ndarray] | np.ndarray, *,
              category: int = FISH, visible: np.ndarray | None = None, video: int = 1) -> None:
        """Add a track: masks by frame, or one mask for all frames."""
        self._video(video)
        if not isinstance(masks, Mapping):
            masks = dict.fromkeys(range(LENGTH), masks)
        frames = sorted(masks)
        amodal = [rle_codec.encode(masks[t][None])[0] for t in frames]
        shown = amodal if visible is None else rle_codec.encode(visible[None]) * len(frames)
        self.tracks.append(TrackRecord(video, len(self.tracks) + 1, category, score, frames,
                                       {'amodal': amodal, 'visible': shown}))

    def annotations(self) -> AnnotationFile:
        """The truth."""
        return AnnotationFile('scene.json', self.names, list(self.videos.values()))

    def errors(self, kind: str = 'amodal', **options: object) -> KindErrors:
        """What the analysis finds."""
        settings = Settings(**{name: options.pop(name) for name in ('worst', 'lengths')
                               if name in options})
        report = analyze_errors(self.annotations(), self.tracks, kinds=[kind], settings=settings,
                                **options)
        return report.kinds[kind]


def losses_of(errors: KindErrors) -> dict[str, CauseLoss]:
    """Losses by name of the cause."""
    return {loss.cause: loss for loss in errors.causes}


def during(mask: np.ndarray, frames: Iterable[int]) -> dict[int, np.ndarray]:
    """A mask in some frames."""
    return dict.fromkeys(frames, mask)


def ap_of(*true_positives: bool, num_truth: int) -> float:
    """AP of ranked tracks, by the definition: mean over 101 recalls of the best precision there."""
    ranks = np.arange(1, len(true_positives) + 1)
    precision = np.cumsum(true_positives) / ranks
    recall = np.cumsum(true_positives) / num_truth
    return float(np.mean([max(precision[recall >= point], default=0)
                          for point in np.linspace(0, 1, 101)]))


def random_scene(seed: int) -> Scene:
    """Two videos of objects that hide one another, and tracks that get everything wrong."""
    rng = np.random.default_rng(seed)
    scene = Scene()
    for video in (3, 1):
        objects = {}
        for number in range(int(rng.integers(2, 5))):
            left, top, width, height = rng.integers((0, 0, 6, 6), (45, 25, 16, 16))
            amodal = box(left, top, width, height)
            visible = amodal.copy()
            visible[:, :left + int(rng.integers(0, width))] = 0
            frames = np.flatnonzero(rng.random(LENGTH) < .9)
            category = int(rng.choice([FISH, CRAB]))
            objects[number] = (amodal, category)
            scene.object(number, amodal, frames=frames.tolist(), category=category,
                         visible=visible, crowd=bool(rng.random() < .1), video=video)
        for _ in range(12):
            amodal, category = objects[int(rng.integers(len(objects)))]
            masks = {}
            for t in np.flatnonzero(rng.random(LENGTH) < rng.choice([.4, .95])).tolist():
                if rng.random() < .1:
                    amodal = objects[int(rng.integers(len(objects)))][0]
                masks[t] = np.roll(amodal, rng.integers(-2, 3, 2), (0, 1))
            if rng.random() < .2:
                category = FISH + CRAB - category
            scene.track(round(float(rng.random()), 1), masks, category=category, video=video)
    return scene
