"""HOTA, CLEAR and IDF1 of masks and of their boxes: over all classes, by class, by stratum."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add

import numpy as np

from .box_similarity import box_overlap, frame_boxes
from .clear import count_clear
from .hota import count_hota
from .identity import count_identity
from .protocols import Protocol, track_category
from .similarity import ComparedVideo, mean_areas
from .tracked_frames import Counts, TrackedFrames

_COUNTERS: dict[str, Callable[[TrackedFrames], Counts]] = {
    'HOTA': count_hota, 'CLEAR': count_clear, 'IDF1': count_identity}

#: What is similar: prefix of the names of metrics.
SHAPES = {'mask': '', 'box': 'box/'}
#: Averages over classes: suffix of the names of metrics; without one, classes do not matter.
CLASS_AVERAGES = ('_det_averaged', '_class_averaged')

_ALL = 'all'
_NOTHING = TrackedFrames((), (), (), 0, 0)
#: Names of the numbers that are counts, not fractions.
COUNTS = frozenset(name for count in _COUNTERS.values() for name in count(_NOTHING).totals())


class Tracking:
    """HOTA, DetA, AssA, LocA; MOTA, MOTP, IDSW, Frag; IDF1, IDR, IDP.

    Tracks below the score threshold of the protocol do not exist. Every number
    is of the class-agnostic pool, and then once more: ``_det_averaged`` (each
    class alone, counts summed), ``_class_averaged`` (mean over the classes with
    truth), and of the pool by stratum of the true tracks (``HOTA_P``). Truth
    outside of a stratum, and crowd, is ignored: it is left out, and so are in
    each frame the predictions on it.

    Args:
        protocol: The rules.
        category_ids: Ids of the annotation file.
        metrics: Some of :attr:`names`.
    """

    names = tuple(_COUNTERS)
    level = 'video'
    partial_truth = False

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 metrics: Sequence[str] = names) -> None:
        self.protocol = protocol
        self.category_ids = list(category_ids)
        self.metrics = tuple(metrics)
        # By metric, shape and group, which is a stratum or a category id.
        self._counts: dict[tuple[str, str, str | int], Counts] = {}

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        # A video of one class, or of one stratum, has the same part several times.
        counted: dict[tuple[str, TrackedFrames], Counts] = {}
        for shape, group, frames in _parts(compared, self.protocol, self.category_ids):
            for metric in self.metrics:
                if (metric, frames) not in counted:
                    counted[metric, frames] = _COUNTERS[metric](frames)
                self._add((metric, shape, group), counted[metric, frames])

    def merge(self, other: Tracking) -> None:
        """Take in what another has seen."""
        for key, counts in other._counts.items():
            self._add(key, counts)

    def _add(self, key: tuple[str, str, str | int], counts: Counts) -> None:
        self._counts[key] = self._counts[key] + counts if key in self._counts else counts

    def _get(self, metric: str, shape: str, group: str | int) -> Counts:
        counts = self._counts.get((metric, shape, group))
        return _COUNTERS[metric](_NOTHING) if counts is None else counts

    def compute(self) -> dict[str, float]:
        """Numbers by name, ``'video/HOTA'``, ``'video/box/HOTA'``.

        Ratios are -1 where there is no truth; but MOTA may be -1 and less, so
        that ``TP`` + ``FN`` says whether there is any.
        """
        values: dict[str, float] = {}
        for shape in SHAPES:
            for metric in self.metrics:
                for suffix, numbers in self._tables(metric, shape).items():
                    values |= _named(numbers, shape, suffix)
        return values

    def by_category(self) -> dict[int, dict[str, float]]:
        """Numbers of each category by id, named as in :meth:`compute`."""
        return {category: {name: value for shape in SHAPES for metric in self.metrics
                           for name, value in _named(_numbers(self._get(metric, shape, category)),
                                                     shape).items()}
                for category in self.category_ids}

    def _tables(self, metric: str, shape: str) -> dict[str, dict[str, float]]:
        """Numbers by the suffix of their names."""
        by_class = [self._get(metric, shape, each) for each in self.category_ids]
        zero = _COUNTERS[metric](_NOTHING)
        det_averaged, class_averaged = CLASS_AVERAGES
        tables = {'': _numbers(self._get(metric, shape, _ALL)),
                  det_averaged: _numbers(reduce(add, by_class, zero)),
                  class_averaged: _class_average(by_class, zero)}
        return tables | {f'_{name}': _numbers(self._get(metric, shape, name))
                         for name in self.protocol.strata if name != _ALL}


def _named(numbers: dict[str, float], shape: str, suffix: str = '') -> dict[str, float]:
    return {f'video/{SHAPES[shape]}{name}{suffix}': value for name, value in numbers.items()}


def _numbers(counts: Counts) -> dict[str, float]:
    scores = counts.scores()
    if not counts.num_truths:
        scores = dict.fromkeys(scores, -1.)
    return scores | counts.totals()


def _class_average(by_class: Sequence[Counts], zero: Counts) -> dict[str, float]:
    rows = [counts.scores() for counts in by_class if counts.num_truths]
    return {name: float(np.mean([row[name] for row in rows])) if rows else -1.
            for name in zero.scores()}


def _parts(compared: ComparedVideo, protocol: Protocol, category_ids: Sequence[int],
           ) -> Iterator[tuple[str, str | int, TrackedFrames]]:
    """The video by shape and by group: names of strata, then category ids."""
    areas = mean_areas(compared.similarity.truth_areas)
    occlusions = np.array([truth.occlusion for truth in compared.truths], float)
    crowd = np.array([truth.iscrowd for truth in compared.truths], bool)
    ignored = {name: stratum.excludes(areas, occlusions)
               for name, stratum in protocol.strata.items()}
    track_classes = np.array([track_category(track, protocol.class_rule)
                              for track in compared.tracks], np.int64)
    truth_classes = np.array([truth.category_id for truth in compared.truths], np.int64)
    left_out = crowd | ignored[_ALL]
    for shape, frames, overlap in _shapes(compared, protocol.score_thr, crowd):
        pool = frames.without(left_out, overlap)
        for name, outside in ignored.items():
            yield shape, name, pool.without(outside[~left_out])
        for category in category_ids:
            of_class = truth_classes[~left_out] == category, track_classes == category
            if of_class[0].any() or of_class[1].any():
                yield shape, category, pool.select(*of_class)


def _shapes(compared: ComparedVideo, score_thr: float, crowd: np.ndarray,
            ) -> Iterator[tuple[str, TrackedFrames, list[np.ndarray]]]:
    """Shape, similarities, and what decides whether a track is on a truth, per frame (G, D).

    Any part of a crowd is on it: there, that is the share of the track.
    """
    exists = np.array([track.score >= score_thr for track in compared.tracks], bool)
    frames = compared.similarity.frames
    kept = [exists[frame.tracks] for frame in frames]
    truths = [frame.truths for frame in frames]
    tracks = [frame.tracks[keep] for frame, keep in zip(frames, kept, strict=True)]
    masks = [(frame.iou[keep].T, (frame.intersections / frame.track_areas[:, None])[keep].T)
             for frame, keep in zip(frames, kept, strict=True)]
    boxes = [tuple(each.T for each in box_overlap(*pair)) for pair in frame_boxes(compared, tracks)]
    for shape, overlaps in {'mask': masks, 'box': boxes}.items():
        iou = [each for each, _ in overlaps]
        on_it = [np.where(crowd[g][:, None], share, similarity)
                 for g, (similarity, share) in zip(truths, overlaps, strict=True)]
        yield shape, TrackedFrames(truths, tracks, iou, len(compared.truths),
                                   len(compared.tracks)), on_it
