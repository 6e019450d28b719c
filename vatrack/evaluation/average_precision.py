"""Average precision and recall, by the rules of COCO, for any unit of matching.

A *unit* is what detections and truth are matched within: one frame (AP) or one
video (vAP). The matching is that of pycocotools' ``COCOeval``, which repeats it
in Python for every class, stratum and IoU threshold; here they all are bits of
one number per truth. The tests hold both against each other.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from .protocols import Stratum

#: The ten IoU thresholds .50:.05:.95 and 101 recall points of COCO.
IOU_THRESHOLDS = np.linspace(.5, .95, 10)
RECALL_POINTS = np.linspace(0, 1, 101)

# A word holds one bit per threshold; a number in :func:`match` one word per stratum.
_WORD = np.dtype('<u2')
_BITS = 1 << np.arange(len(IOU_THRESHOLDS), dtype=_WORD)
_SET_BITS = (np.arange(1 << len(_BITS))[:, None] & _BITS != 0).astype(np.int64)
# Words whose first 0 to 10 bits are set.
_PASSES = np.array([(1 << level) - 1 for level in range(len(_BITS) + 1)], _WORD)
# So many units and detections at least are matched in one go.
_BATCH = 256


class Units(NamedTuple):
    """D detections and G truths of U units, and the P pairs of both that overlap in a unit.

    Attributes:
        ids: (U,) image or video ids; equal scores rank by them.
        detection_units: (D,) positions among the units.
        scores: (D,) float64; equal scores of a unit rank by position.
        categories: (D,) category ids of the detections.
        areas: (D,) areas of the detections, pixels.
        truth_categories: (G,) category ids, all of which the collector knows.
        truth_areas: (G,) pixels.
        truth_occlusions: (G,) in [0, 1], NaN where unknown.
        truth_iscrowd: (G,) bool.
        pair_detections: (P,) positions among the detections.
        pair_truths: (P,) positions among the truths.
        pair_iou: (P,) float64; of equal IoUs the last truth is taken.
    """

    ids: np.ndarray
    detection_units: np.ndarray
    scores: np.ndarray
    categories: np.ndarray
    areas: np.ndarray
    truth_categories: np.ndarray
    truth_areas: np.ndarray
    truth_occlusions: np.ndarray
    truth_iscrowd: np.ndarray
    pair_detections: np.ndarray
    pair_truths: np.ndarray
    pair_iou: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Units]) -> Units:
        """All units of the parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: list(column) for name, column in
                   zip(cls._fields, zip(*parts, strict=True), strict=True)}
        for name, of in (('detection_units', 'ids'), ('pair_detections', 'scores'),
                         ('pair_truths', 'truth_areas')):
            firsts = accumulate(map(len, columns[of]), initial=0)
            columns[name] = [values + first for values, first in
                             zip(columns[name], firsts, strict=False)]
        return cls(*map(np.concatenate, columns.values()))


class Outcomes(NamedTuple):
    """What became of D detections in S strata.

    Attributes:
        units: (D,) unit ids.
        scores: (D,) float64.
        categories: (D,) category ids.
        ranks: (D,) ranks within unit and class, from 0.
        hits: (D, S) words: at which thresholds it takes a truth that counts.
        ignored: (D, S) words: at which thresholds it is neither hit nor miss.
    """

    units: np.ndarray
    scores: np.ndarray
    categories: np.ndarray
    ranks: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray


class _Ranges:
    """The ranges of S strata side by side; excludes what :class:`Stratum` excludes."""

    def __init__(self, strata: Sequence[Stratum]) -> None:
        self.area = np.array([stratum.area for stratum in strata], float).T
        self.occlusion = np.array([stratum.occlusion or (-np.inf, np.inf) for stratum in strata]).T
        self.unknown = np.array([stratum.occlusion is None or stratum.unknown_occlusion
                                 for stratum in strata])

    def exclude_area(self, areas: np.ndarray) -> np.ndarray:
        """Which of N areas lie outside: (N, S) bool."""
        areas = areas[:, None]
        return (areas < self.area[0]) | (areas > self.area[1])

    def exclude(self, areas: np.ndarray, occlusions: np.ndarray) -> np.ndarray:
        """Which of N truths do not count: (N, S) bool."""
        occlusions = occlusions[:, None]
        inside = (occlusions >= self.occlusion[0]) & (occlusions <= self.occlusion[1])
        return self.exclude_area(areas) | ~(inside | np.isnan(occlusions) & self.unknown)


@cache
def _ranges(strata: tuple[Stratum, ...]) -> _Ranges:
    return _Ranges(strata)


class PrecisionRecall:
    """Collects units and draws the precision-recall curves of K classes in S strata.

    Args:
        strata: S strata.
        category_ids: K category ids, ascending.
        max_detections: Most detections per class and unit that count.
    """

    def __init__(self, strata: Iterable[Stratum], category_ids: Sequence[int],
                 max_detections: int) -> None:
        self.strata = list(strata)
        self._ranges = _ranges(tuple(self.strata))
        self.category_ids = np.asarray(list(category_ids))
        self.max_detections = max_detections
        self._num_truth = np.zeros((len(self.category_ids), len(self.strata)), np.int64)
        self._outcomes = [_no_outcomes(len(self.strata))]
        self._waiting: list[Units] = []
        self._size_waiting = 0

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent: nothing that it would have to match."""
        self._match()
        return self.__dict__

    @property
    def num_truth(self) -> np.ndarray:
        """Truths that count: (K, S) int64."""
        self._match()
        return self._num_truth

    def add(self, units: Units) -> None:
        """Take in some units; small ones wait to be matched together, at the cost of one."""
        self._waiting.append(units)
        self._size_waiting += len(units.ids) + len(units.scores)
        if self._size_waiting >= _BATCH:
            self._match()

    def _match(self) -> None:
        """Match the detections of the units that wait with their truth."""
        if not self._waiting:
            return
        units = Units.join(self._waiting)
        self._waiting, self._size_waiting = [], 0
        counted = ~(units.truth_iscrowd[:, None] | self._ranges.exclude(units.truth_areas,
                                                                        units.truth_occlusions))
        np.add.at(self._num_truth, np.searchsorted(self.category_ids, units.truth_categories),
                  counted)
        # Units and classes never match each other, so one matching serves them all.
        order = np.lexsort((-units.scores, units.categories, units.detection_units))
        ranks = _ranks(units.detection_units[order], units.categories[order])
        order, ranks = order[ranks < self.max_detections], ranks[ranks < self.max_detections]
        hits, ignored = match(*_ranked_pairs(units, order), counted, units.truth_iscrowd,
                              len(order))
        outside = self._ranges.exclude_area(units.areas[order])
        ignored = np.where(outside, _PASSES[-1] & ~hits, ignored)
        self._outcomes.append(Outcomes(units.ids[units.detection_units[order]],
                                       units.scores[order], units.categories[order], ranks, hits,
                                       ignored))

    def merge(self, other: PrecisionRecall) -> None:
        """Take in what another collector of the same strata and classes has seen."""
        self._num_truth += other._num_truth
        self._outcomes += other._outcomes
        for units in other._waiting:
            self.add(units)

    def precision(self, max_detections: int) -> np.ndarray:
        """Interpolated precision at the recall points: (K, S, T, 101); -1 without truth.

        Args:
            max_detections: So many of the best detections per class and unit count.
        """
        found = -np.ones((*self.num_truth.shape, len(IOU_THRESHOLDS), len(RECALL_POINTS)))
        for k, outcomes in enumerate(self._by_class(max_detections)):
            for s in np.flatnonzero(self.num_truth[k]):
                found[k, s] = precision_curve(outcomes.hits[:, s], outcomes.ignored[:, s],
                                              self.num_truth[k, s])
        return found

    def recall(self, max_detections: int) -> np.ndarray:
        """Highest recall: (K, S, T); -1 without truth. Argument as for :meth:`precision`."""
        counts = np.array([[np.bincount(words, minlength=len(_SET_BITS)) @ _SET_BITS
                            for words in outcomes.hits.T]
                           for outcomes in self._by_class(max_detections)])
        num_truth = self.num_truth[..., None]
        return np.where(num_truth, counts / np.maximum(num_truth, 1), -1)

    def _by_class(self, max_detections: int) -> Iterator[Outcomes]:
        """Outcomes of each class, best score first."""
        found = self._ranked()
        starts = np.searchsorted(found.categories, self.category_ids)
        ends = np.searchsorted(found.categories, self.category_ids, 'right')
        for start, end in zip(starts, ends, strict=True):
            counts = found.ranks[start:end] < max_detections
            yield Outcomes(*(values[start:end][counts] for values in found))

    def _ranked(self) -> Outcomes:
        """All outcomes, in order of class, then score, then unit."""
        self._match()
        if len(self._outcomes) > 1:
            found = Outcomes(*map(np.concatenate, zip(*self._outcomes, strict=True)))
            order = np.lexsort((found.units, -found.scores, found.categories))
            self._outcomes = [Outcomes(*(values[order] for values in found))]
        return self._outcomes[0]


def match(detections: np.ndarray, truths: np.ndarray, iou: np.ndarray, counted: np.ndarray,
          crowd: np.ndarray, num_detections: int) -> tuple[np.ndarray, np.ndarray]:
    """Match detections greedily, best score first, at all strata and thresholds at once.

    A detection takes the free truth of highest IoU at or above the threshold:
    truth that counts before ignored truth; of equal IoUs the last; crowd truth
    stays free (COCOeval.evaluateImg).

    Args:
        detections: (P,) positions of detections of descending score; P pairs
            that may match.
        truths: (P,) positions of truths.
        iou: (P,) IoU.
        counted: (G, S) bool, truth that counts in a stratum; the rest is ignored.
        crowd: (G,) bool, none of which counts.
        num_detections: D.

    Returns:
        Two (D, S) arrays of words, bit t for threshold t: where a detection took
        truth that counts, and where it took ignored truth.
    """
    num_strata = counted.shape[1]
    order = np.lexsort((-truths, -iou, detections))
    levels = np.searchsorted(IOU_THRESHOLDS, iou[order], 'right')
    passes = _passes(num_strata)
    free = _numbers(np.where(counted, _PASSES[-1], 0))
    free_ignored = [passes[-1] ^ number for number in free]
    crowd = crowd.tolist()
    hits, ignored = [0] * num_detections, [0] * num_detections
    pairs = zip(detections[order].tolist(), truths[order].tolist(),
                [passes[level] for level in levels.tolist()], strict=True)
    for detection, group in groupby(pairs, itemgetter(0)):
        candidates, unmatched = list(group), passes[-1]
        for stock, taken in ((free, hits), (free_ignored, ignored)):
            for _, truth, passed in candidates:
                bits = unmatched & passed & stock[truth]
                unmatched ^= bits
                taken[detection] |= bits
                if not crowd[truth]:
                    stock[truth] ^= bits
    return _words(hits, num_strata), _words(ignored, num_strata)


def precision_curve(hits: np.ndarray, ignored: np.ndarray, num_truth: int) -> np.ndarray:
    """Interpolated precision of N ranked detections at T thresholds.

    Args:
        hits: (N,) words, best score first.
        ignored: (N,) words.
        num_truth: Truths that count, > 0.

    Returns:
        (T, 101); 0 at recalls that are not reached.
    """
    # All others are misses at every threshold.
    events = np.flatnonzero(hits | ignored)
    is_hit, is_ignored = ((words[events] & _BITS[:, None]) != 0 for words in (hits, ignored))
    counted = events + 1 - is_ignored.cumsum(axis=1)
    # Precision is highest at hits, and the n-th hit has recall n / num_truth.
    rows, columns = np.nonzero(is_hit)
    numbers = is_hit.cumsum(axis=1)[rows, columns]
    at_hits = np.zeros((len(_BITS), num_truth))
    at_hits[rows, numbers - 1] = numbers / counted[rows, columns]
    envelope = np.maximum.accumulate(at_hits[:, ::-1], axis=1)[:, ::-1]
    return envelope[:, np.searchsorted(np.arange(1, num_truth + 1) / num_truth, RECALL_POINTS)]


def _ranks(units: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Ranks within unit and class of detections sorted by both."""
    starts = np.ones(len(units), bool)
    starts[1:] = (units[1:] != units[:-1]) | (categories[1:] != categories[:-1])
    position = np.arange(len(units))
    return position - np.maximum.accumulate(np.where(starts, position, 0))


def _ranked_pairs(units: Units, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of one class that may match: positions in ``order``, truths, IoUs."""
    position = np.full(len(units.scores), -1)
    position[order] = np.arange(len(order))
    keep = ((units.pair_iou >= IOU_THRESHOLDS[0]) & (position[units.pair_detections] >= 0)
            & (units.categories[units.pair_detections]
               == units.truth_categories[units.pair_truths]))
    return position[units.pair_detections[keep]], units.pair_truths[keep], units.pair_iou[keep]


def _no_outcomes(num_strata: int) -> Outcomes:
    none, words = np.zeros(0, np.int64), np.zeros((0, num_strata), _WORD)
    return Outcomes(none, np.zeros(0), none, none, words, words)


@cache
def _passes(num_strata: int) -> list[int]:
    """Numbers of an IoU that passes the first 0 to 10 thresholds."""
    return _numbers(np.repeat(_PASSES[:, None], num_strata, axis=1))


def _numbers(words: np.ndarray) -> list[int]:
    """N numbers of S words each, from (N, S)."""
    data, size = words.astype(_WORD).tobytes(), words.shape[1] * _WORD.itemsize
    return [int.from_bytes(data[start:start + size], 'little')
            for start in range(0, len(data), size)]


def _words(numbers: Sequence[int], num_strata: int) -> np.ndarray:
    """The reverse: (N, S) words."""
    size = num_strata * _WORD.itemsize
    data = b''.join([number.to_bytes(size, 'little') for number in numbers])
    return np.frombuffer(data, _WORD).reshape(len(numbers), num_strata)
