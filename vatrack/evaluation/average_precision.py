"""Average precision and recall, by the rules of COCO, for any unit of matching.

A *unit* is what detections and truth are matched within: one frame (AP) or one
video (vAP). The matching is that of pycocotools' ``COCOeval``, for all classes,
strata and IoU thresholds of a unit together; pycocotools would loop over each
of them in Python. The tests hold both against each other.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .protocols import Stratum

#: The ten IoU thresholds .50:.05:.95 and 101 recall points of COCO.
IOU_THRESHOLDS = np.linspace(.5, .95, 10)
RECALL_POINTS = np.linspace(0, 1, 101)

_MISSED, _HIT, _IGNORED = 0, 1, 2


@dataclass(frozen=True)
class Unit:
    """The D detections and G truths of one frame or video.

    Attributes:
        id: Image or video id; equal scores rank by it.
        iou: (D, G) float64.
        scores: (D,) float64; equal scores rank by position.
        categories: (D,) category ids of the detections.
        areas: (D,) areas of the detections, pixels.
        truth_categories: (G,) category ids.
        truth_areas: (G,) pixels.
        truth_occlusions: (G,) in [0, 1], NaN where unknown.
        truth_iscrowd: (G,) bool.
    """

    id: int
    iou: np.ndarray
    scores: np.ndarray
    categories: np.ndarray
    areas: np.ndarray
    truth_categories: np.ndarray
    truth_areas: np.ndarray
    truth_occlusions: np.ndarray
    truth_iscrowd: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Precision and recall of K classes, S strata, T thresholds; -1 where there is no truth.

    Attributes:
        precision: (K, S, T, 101) interpolated precision at the recall points.
        recall: (K, S, T) highest recall.
    """

    precision: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True)
class _Outcome:
    """What became of the detections of a unit, best score first.

    ``ranks`` (D,) counts within the class; ``states`` (S, T, D) int8 is one of
    missed, hit, ignored; ``num_truth`` (K, S) counts truth that is not ignored.
    """

    unit: int
    scores: np.ndarray
    categories: np.ndarray
    ranks: np.ndarray
    states: np.ndarray
    num_truth: np.ndarray


class PrecisionRecall:
    """Collects units and draws their precision-recall curves.

    Args:
        strata: S strata.
        category_ids: K category ids.
        max_detections: Most detections per class and unit that count.
    """

    def __init__(self, strata: Sequence[Stratum], category_ids: Sequence[int],
                 max_detections: int) -> None:
        self.strata = list(strata)
        self.category_ids = np.asarray(list(category_ids))
        self.max_detections = max_detections
        self._outcomes: list[_Outcome] = []

    def add(self, unit: Unit) -> None:
        """Match the detections of one unit with its truth."""
        order = np.argsort(-unit.scores, kind='stable')
        ranks = _rank_in_class(unit.categories[order])
        order, ranks = order[ranks < self.max_detections], ranks[ranks < self.max_detections]
        categories = unit.categories[order]
        ignored = np.stack([
            unit.truth_iscrowd | stratum.excludes(unit.truth_areas, unit.truth_occlusions)
            for stratum in self.strata])
        # Classes never match each other, so one matching serves them all.
        same_class = categories[:, None] == unit.truth_categories
        states = match(np.where(same_class, unit.iou[order], -1), ignored, unit.truth_iscrowd)
        outside = np.stack([stratum.excludes_area(unit.areas[order]) for stratum in self.strata])
        states[(states == _MISSED) & outside[:, None]] = _IGNORED
        is_class = self.category_ids[:, None] == unit.truth_categories
        num_truth = is_class.astype(np.int64) @ ~ignored.T
        self._outcomes.append(
            _Outcome(unit.id, unit.scores[order], categories, ranks, states, num_truth))

    def curves(self, max_detections: int) -> Curves:
        """Curves of the ``max_detections`` best detections per class and unit."""
        sizes = len(self.category_ids), len(self.strata), len(IOU_THRESHOLDS)
        precision, recall = -np.ones((*sizes, len(RECALL_POINTS))), -np.ones(sizes)
        outcomes = sorted(self._outcomes, key=lambda outcome: outcome.unit)
        if not outcomes:
            return Curves(precision, recall)
        num_truth = sum(outcome.num_truth for outcome in outcomes)
        scores, categories, ranks = (
            np.concatenate([getattr(outcome, name) for outcome in outcomes])
            for name in ('scores', 'categories', 'ranks'))
        states = np.concatenate([outcome.states for outcome in outcomes], axis=2)
        for k, category in enumerate(self.category_ids):
            chosen = np.flatnonzero((categories == category) & (ranks < max_detections))
            chosen = chosen[np.argsort(-scores[chosen], kind='stable')]
            for s in np.flatnonzero(num_truth[k]):
                precision[k, s], recall[k, s] = precision_recall(states[s][:, chosen],
                                                                 num_truth[k, s])
        return Curves(precision, recall)


def match(iou: np.ndarray, ignored: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Match detections greedily, best score first, at all strata and thresholds at once.

    A detection takes the free truth of highest IoU at or above the threshold:
    truth that counts before ignored truth; of equal IoUs the last; crowd truth
    stays free (COCOeval.evaluateImg).

    Args:
        iou: (D, G) IoU, rows by descending score.
        ignored: (S, G) bool, truth that does not count in a stratum.
        crowd: (G,) bool.

    Returns:
        (S, T, D) int8 states: missed, hit, or ignored with the truth it took.
    """
    num_truth = iou.shape[1]
    # COCO lets an IoU of 1 pass a threshold of 1 in spite of rounding.
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
    states = np.full((len(ignored), len(thresholds), len(iou)), _MISSED, np.int8)
    if iou.size == 0:
        return states
    # Ranks as integers: adding a bonus to the IoU itself would round its ties.
    ranks = iou.argsort(axis=1, kind='stable').argsort(axis=1)
    bonus = np.where(ignored, 0, num_truth)[:, None]
    free = np.ones((*states.shape[:2], num_truth), bool)
    for d in np.flatnonzero(iou.max(axis=1) >= thresholds[0]):
        allowed = free & (iou[d] >= thresholds[:, None])
        value = np.where(allowed, ranks[d] + bonus, -1)
        s, t = np.nonzero(allowed.any(axis=2))
        g = value[s, t].argmax(axis=1)
        states[s, t, d] = np.where(ignored[s, g], _IGNORED, _HIT)
        free[s, t, g] = crowd[g]
    return states


def precision_recall(states: np.ndarray, num_truth: int) -> tuple[np.ndarray, np.ndarray]:
    """Curves of N ranked detections at T thresholds.

    Args:
        states: (T, N) states, best score first.
        num_truth: Truths that count, > 0.

    Returns:
        Interpolated precision (T, 101) and highest recall (T,).
    """
    hits = (states == _HIT).cumsum(axis=1)
    misses = (states == _MISSED).cumsum(axis=1)
    recall = hits / num_truth
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # Recalls that are never reached have precision 0.
    envelope = np.pad(envelope, ((0, 0), (0, 1)))
    at_points = [row[np.searchsorted(steps, RECALL_POINTS)]
                 for row, steps in zip(envelope, recall, strict=True)]
    return np.stack(at_points), recall.max(axis=1, initial=0)


def _rank_in_class(categories: np.ndarray) -> np.ndarray:
    order = np.argsort(categories, kind='stable')
    ranks = np.empty(len(categories), np.int64)
    ordered = categories[order]
    ranks[order] = np.arange(len(categories)) - np.searchsorted(ordered, ordered)
    return ranks
