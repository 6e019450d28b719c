"""Average precision and recall, by the rules of COCO, of frames as well as of videos.

Detections and truth are matched within a *sample*: a frame (AP) or a whole
video (vAP), which takes the place of COCO's image. The matching is that of
pycocotools' ``COCOeval``, which repeats it in Python for every class, stratum
and IoU threshold; here these all are bits of one integer per truth. The tests
hold both against each other.
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

# What holds at some of the thresholds: bit t of an integer stands for threshold t.
_BITS = np.dtype('<u2')
_BIT = 1 << np.arange(len(IOU_THRESHOLDS), dtype=_BITS)
# Row b: the thresholds of the bits b, as ten zeros and ones.
_UNPACKED = (np.arange(1 << len(_BIT))[:, None] & _BIT != 0).astype(np.int64)
# The bits of an IoU that reaches the first 0 to 10 thresholds.
_REACHED = np.array([(1 << level) - 1 for level in range(len(_BIT) + 1)], _BITS)
_ALL = _REACHED[-1]
# So many samples and detections at least are matched in one go.
_BATCH = 256


class Samples(NamedTuple):
    """D detections and G truths of N samples, and the P pairs of both that overlap in one.

    Attributes:
        ids: (N,) image or video ids; equal scores rank by them.
        detection_samples: (D,) positions among the samples.
        scores: (D,) float64; equal scores of a sample rank by position.
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
    detection_samples: np.ndarray
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
    def join(cls, parts: Sequence[Samples]) -> Samples:
        """All samples of the parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: list(column) for name, column in
                   zip(cls._fields, zip(*parts, strict=True), strict=True)}
        for name, of in (('detection_samples', 'ids'), ('pair_detections', 'scores'),
                         ('pair_truths', 'truth_areas')):
            firsts = accumulate(map(len, columns[of]), initial=0)
            columns[name] = [values + first for values, first in
                             zip(columns[name], firsts, strict=False)]
        return cls(*map(np.concatenate, columns.values()))


class MatchedDetections(NamedTuple):
    """D detections after the matching in S strata; where neither bit is set, false positives.

    Attributes:
        ids: (D,) ids of their samples.
        scores: (D,) float64.
        categories: (D,) category ids.
        ranks: (D,) ranks within sample and class, from 0.
        true_positives: (D, S) bits: at which thresholds it takes a truth that counts.
        ignored: (D, S) bits: at which thresholds it does not count at all.
    """

    ids: np.ndarray
    scores: np.ndarray
    categories: np.ndarray
    ranks: np.ndarray
    true_positives: np.ndarray
    ignored: np.ndarray

    @classmethod
    def none(cls, num_strata: int) -> MatchedDetections:
        """No detections."""
        empty, bits = np.zeros(0, np.int64), np.zeros((0, num_strata), _BITS)
        return cls(empty, np.zeros(0), empty, empty, bits, bits)

    def select(self, chosen: np.ndarray | slice) -> MatchedDetections:
        """Some of the detections, by mask, positions or slice."""
        return MatchedDetections(*(values[chosen] for values in self))


class _Ranges:
    """The ranges of S strata side by side, so that one comparison serves all of them.

    Excludes what :class:`Stratum` excludes.
    """

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
    """Collects samples and draws the precision-recall curves of K classes in S strata.

    Args:
        strata: S strata.
        category_ids: K category ids, ascending.
        max_detections: Most detections per class and sample that count.
    """

    def __init__(self, strata: Iterable[Stratum], category_ids: Sequence[int],
                 max_detections: int) -> None:
        self.strata = list(strata)
        self._ranges = _ranges(tuple(self.strata))
        self.category_ids = np.asarray(list(category_ids))
        self.max_detections = max_detections
        self._num_truth = np.zeros((len(self.category_ids), len(self.strata)), np.int64)
        self._matched = [MatchedDetections.none(len(self.strata))]
        self._waiting: list[Samples] = []
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

    def add(self, samples: Samples) -> None:
        """Take in some samples; small ones wait to be matched together, at the cost of one."""
        self._waiting.append(samples)
        self._size_waiting += len(samples.ids) + len(samples.scores)
        if self._size_waiting >= _BATCH:
            self._match()

    def _match(self) -> None:
        """Match the detections of the samples that wait with their truth."""
        if not self._waiting:
            return
        samples = Samples.join(self._waiting)
        self._waiting, self._size_waiting = [], 0
        counted = ~(samples.truth_iscrowd[:, None]
                    | self._ranges.exclude(samples.truth_areas, samples.truth_occlusions))
        np.add.at(self._num_truth, np.searchsorted(self.category_ids, samples.truth_categories),
                  counted)
        # Samples and classes never match each other, so one matching serves them all.
        order = np.lexsort((-samples.scores, samples.categories, samples.detection_samples))
        ranks = _ranks(samples.detection_samples[order], samples.categories[order])
        order, ranks = order[ranks < self.max_detections], ranks[ranks < self.max_detections]
        true_positives, ignored = match(*_ranked_pairs(samples, order), counted,
                                        samples.truth_iscrowd, len(order))
        # COCOeval ignores what is matched to nothing that counts and has an area of its own
        # outside of the range; occlusion is of truth alone, so it never spares a detection.
        outside = self._ranges.exclude_area(samples.areas[order])
        ignored = np.where(outside, _ALL & ~true_positives, ignored)
        self._matched.append(MatchedDetections(
            samples.ids[samples.detection_samples[order]], samples.scores[order],
            samples.categories[order], ranks, true_positives, ignored))

    def merge(self, other: PrecisionRecall) -> None:
        """Take in what another collector of the same strata and classes has seen."""
        self._num_truth += other._num_truth
        self._matched += other._matched
        for samples in other._waiting:
            self.add(samples)

    def precision(self, max_detections: int) -> np.ndarray:
        """Interpolated precision at the recall points: (K, S, T, 101); -1 without truth.

        Args:
            max_detections: So many of the best detections per class and sample count.
        """
        found = -np.ones((*self.num_truth.shape, len(IOU_THRESHOLDS), len(RECALL_POINTS)))
        for k, matched in enumerate(self._by_class(max_detections)):
            for s in np.flatnonzero(self.num_truth[k]):
                found[k, s] = precision_curve(matched.true_positives[:, s], matched.ignored[:, s],
                                              self.num_truth[k, s])
        return found

    def recall(self, max_detections: int) -> np.ndarray:
        """Highest recall: (K, S, T); -1 without truth. Argument as for :meth:`precision`."""
        counts = np.array([[np.bincount(bits, minlength=len(_UNPACKED)) @ _UNPACKED
                            for bits in matched.true_positives.T]
                           for matched in self._by_class(max_detections)])
        num_truth = self.num_truth[..., None]
        return np.where(num_truth, counts / np.maximum(num_truth, 1), -1)

    def _by_class(self, max_detections: int) -> Iterator[MatchedDetections]:
        """Detections of each class, best score first."""
        ranked = self._ranked()
        starts = np.searchsorted(ranked.categories, self.category_ids)
        ends = np.searchsorted(ranked.categories, self.category_ids, 'right')
        for start, end in zip(starts, ends, strict=True):
            of_class = ranked.select(slice(start, end))
            yield of_class.select(of_class.ranks < max_detections)

    def _ranked(self) -> MatchedDetections:
        """All detections, in order of class, then score, then sample."""
        self._match()
        if len(self._matched) > 1:
            found = MatchedDetections(*map(np.concatenate, zip(*self._matched, strict=True)))
            self._matched = [found.select(np.lexsort((found.ids, -found.scores,
                                                      found.categories)))]
        return self._matched[0]


def match(detections: np.ndarray, truths: np.ndarray, iou: np.ndarray, counted: np.ndarray,
          crowd: np.ndarray, num_detections: int) -> tuple[np.ndarray, np.ndarray]:
    """Match detections greedily, best score first, at all strata and thresholds at once.

    A detection takes the free truth of highest IoU at or above the threshold:
    truth that counts before ignored truth; of equal IoUs the last; crowd truth
    stays free (COCOeval.evaluateImg).

    COCOeval runs this loop once for each of S strata and T thresholds. But a
    run (s, t) differs from another only in which truth counts (by s) and which
    IoUs reach the threshold (by t), never in the order in which a detection
    prefers truths. So one loop serves all S * T runs, with a bit for each in
    one integer: of a truth g the bits free[g] in which it is still to be had,
    of a detection the bits in which it has none yet. Going through its truths
    by falling IoU, a detection takes g in

        bits = unmatched & reached(IoU) & free[g]

    which then leave ``unmatched`` and ``free[g]``. In every single run it
    thereby takes the first free truth of its order, which is the rule above.

    Args:
        detections: (P,) positions of detections of descending score; P pairs
            that may match.
        truths: (P,) positions of truths.
        iou: (P,) IoU.
        counted: (G, S) bool, truth that counts in a stratum; the rest is ignored.
        crowd: (G,) bool, none of which counts.
        num_detections: D.

    Returns:
        Two (D, S) arrays of bits, bit t for threshold t: where a detection took
        truth that counts, and where it took ignored truth.
    """
    num_strata = counted.shape[1]
    # The order of preference of each detection. COCOeval goes through the truths upwards and
    # replaces its choice at equal IoU, so the last of equals comes first.
    order = np.lexsort((-truths, -iou, detections))
    # An IoU equal to a threshold reaches it.
    levels = np.searchsorted(IOU_THRESHOLDS, iou[order], 'right')
    reached = _reached(num_strata)
    # In each run a truth either counts or is ignored. Ignored truth comes second: COCOeval sorts
    # it behind the rest, and stops there if it has found a match before.
    free = _pack(np.where(counted, _ALL, 0))
    free_ignored = [reached[-1] ^ bits for bits in free]
    crowd = crowd.tolist()
    true_positives, ignored = [0] * num_detections, [0] * num_detections
    pairs = zip(detections[order].tolist(), truths[order].tolist(),
                [reached[level] for level in levels.tolist()], strict=True)
    # Python's integers, unlike numpy's, have as many bits as there are runs.
    for detection, group in groupby(pairs, itemgetter(0)):
        candidates, unmatched = list(group), reached[-1]
        for available, taken in ((free, true_positives), (free_ignored, ignored)):
            for _, truth, reaches in candidates:
                bits = unmatched & reaches & available[truth]
                unmatched ^= bits
                taken[detection] |= bits
                # Any number of detections may lie in a crowd.
                if not crowd[truth]:
                    available[truth] ^= bits
    return _unpack(true_positives, num_strata), _unpack(ignored, num_strata)


def precision_curve(true_positives: np.ndarray, ignored: np.ndarray, num_truth: int) -> np.ndarray:
    """Interpolated precision of N ranked detections at T thresholds.

    Args:
        true_positives: (N,) bits, best score first.
        ignored: (N,) bits.
        num_truth: Truths that count, > 0.

    Returns:
        (T, 101); 0 at recalls that are not reached.
    """
    # All others are false positives at every threshold, and most detections are: their number
    # follows from the ranks, so no array of (T, N) is needed.
    events = np.flatnonzero(true_positives | ignored)
    is_true, is_ignored = ((bits[events] & _BIT[:, None]) != 0
                           for bits in (true_positives, ignored))
    # The rank without the ignored is TP + FP. pycocotools adds an epsilon to it against 0 / 0,
    # which does not arise here.
    counted = events + 1 - is_ignored.cumsum(axis=1)
    # Precision only falls between true positives, so its maximum to the right of a recall is at
    # one of them; the n-th has recall n / num_truth.
    rows, columns = np.nonzero(is_true)
    numbers = is_true.cumsum(axis=1)[rows, columns]
    precision = np.zeros((len(_BIT), num_truth))
    precision[rows, numbers - 1] = numbers / counted[rows, columns]
    # Interpolated: the highest precision at this recall or a higher one.
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return envelope[:, np.searchsorted(np.arange(1, num_truth + 1) / num_truth, RECALL_POINTS)]


def _ranks(samples: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Ranks within sample and class of detections sorted by both."""
    starts = np.ones(len(samples), bool)
    starts[1:] = (samples[1:] != samples[:-1]) | (categories[1:] != categories[:-1])
    position = np.arange(len(samples))
    return position - np.maximum.accumulate(np.where(starts, position, 0))


def _ranked_pairs(samples: Samples, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of one class that may match: positions in ``order``, truths, IoUs."""
    position = np.full(len(samples.scores), -1)
    position[order] = np.arange(len(order))
    keep = ((samples.pair_iou >= IOU_THRESHOLDS[0]) & (position[samples.pair_detections] >= 0)
            & (samples.categories[samples.pair_detections]
               == samples.truth_categories[samples.pair_truths]))
    return (position[samples.pair_detections[keep]], samples.pair_truths[keep],
            samples.pair_iou[keep])


@cache
def _reached(num_strata: int) -> list[int]:
    """Packed bits of an IoU that reaches the first 0 to 10 thresholds, alike in all strata."""
    return _pack(np.repeat(_REACHED[:, None], num_strata, axis=1))


def _pack(bits: np.ndarray) -> list[int]:
    """The bits of S strata behind each other in one integer: (N, S) -> N integers."""
    data, size = bits.astype(_BITS).tobytes(), bits.shape[1] * _BITS.itemsize
    return [int.from_bytes(data[start:start + size], 'little')
            for start in range(0, len(data), size)]


def _unpack(packed: Sequence[int], num_strata: int) -> np.ndarray:
    """The reverse: N integers -> (N, S) bits."""
    size = num_strata * _BITS.itemsize
    data = b''.join([number.to_bytes(size, 'little') for number in packed])
    return np.frombuffer(data, _BITS).reshape(len(packed), num_strata)
