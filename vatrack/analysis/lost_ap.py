"""AP of a set of videos by stratum, before and after repairs, and the losses between them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf, nextafter

import numpy as np

from vatrack.evaluation.average_precision import PrecisionRecall
from vatrack.evaluation.protocols import Protocol, Range, Stratum

from .video import ErrorVideo, Tracks, Truths

#: Bins of the plot of AP against occlusion; each but the last is open above.
OCCLUSION_BINS: tuple[Range, ...] = tuple(
    (low / 10, 1. if low == 9 else nextafter((low + 1) / 10, 0)) for low in range(10))
#: Occlusion strata where the protocol has none.
QUARTERS = (0, .25, .5, .75, 1)
#: Last lengths of the strata of short and of medium truth, in frames.
LENGTHS = (5, 15)


def occlusion_strata(protocol: Protocol) -> dict[str, Range]:
    """Occlusion strata by name: those of the protocol, else quarters."""
    own = protocol if protocol.occlusions else protocol.with_occlusions(QUARTERS)
    return dict(own.occlusions)


def length_strata(ends: Sequence[int]) -> dict[str, Range]:
    """Strata of the number of frames of a truth, by name: ``'1-5'``, ``'6-15'``, ``'16+'``.

    Raises:
        ValueError: The ends are no ascending numbers of frames.
    """
    if not all(a < b for a, b in pairwise([0, *ends])):
        raise ValueError(f'lengths must be ascending numbers of frames, got {list(ends)}; for '
                         'example 5 15')
    starts = [1, *(end + 1 for end in ends)]
    strata = {f'{low}-{high}': (low, high) for low, high in zip(starts, ends, strict=False)}
    return strata | {f'{starts[-1]}+': (starts[-1], inf)}


class StratifiedAP:
    """Precision and recall of videos by occlusion and by length of the truth.

    Args:
        protocol: The rules.
        category_ids: K category ids, ascending.
        occlusions: Strata of occlusion besides 'all', which comes first.
        lengths: Strata of length.
    """

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 occlusions: Sequence[Range], lengths: Sequence[Range]) -> None:
        self.max_dets = protocol.video
        strata = [protocol.strata['all'], *(Stratum(occlusion=bound) for bound in occlusions)]
        self._by_occlusion = PrecisionRecall(strata, category_ids, self.max_dets.all[-1])
        self._by_length = PrecisionRecall([Stratum(occlusion=bound) for bound in lengths],
                                          category_ids, self.max_dets.all[-1])

    def add(self, video: ErrorVideo, tracks: Tracks, truths: Truths) -> None:
        """Take in a video with changed tracks and truths."""
        sample = video.sample(tracks, truths)
        self._by_occlusion.add(sample)
        # A stratum bounds one number of the truth: here that is its length. NaN is in none.
        lengths = np.where(truths.counted, truths.lengths, np.nan)
        self._by_length.add(sample._replace(truth_occlusions=lengths))

    def merge(self, other: StratifiedAP) -> None:
        """Take in what another has seen."""
        self._by_occlusion.merge(other._by_occlusion)
        self._by_length.merge(other._by_length)

    @property
    def num_truth(self) -> np.ndarray:
        """Truths of K classes in S strata, occlusions before lengths: (K, S)."""
        return np.concatenate([self._by_occlusion.num_truth, self._by_length.num_truth], axis=1)

    def precision(self, max_detections: int) -> np.ndarray:
        """Precision at 101 recalls and T thresholds: (K, S, T, 101); -1 without truth."""
        return np.concatenate([part.precision(max_detections)
                               for part in (self._by_occlusion, self._by_length)], axis=1)

    def recall(self) -> np.ndarray:
        """Highest recall at T thresholds: (K, S, T); -1 without truth."""
        return np.concatenate([part.recall(self.max_dets.fixed)
                               for part in (self._by_occlusion, self._by_length)], axis=1)

    def ap(self) -> dict[str, np.ndarray]:
        """AP by class and stratum, (K, S), as 'vAP' and 'vAP50'; -1 without truth."""
        max_dets = self.max_dets
        fixed = self.precision(max_dets.fixed)
        every = fixed if max_dets.ap == max_dets.fixed else self.precision(max_dets.ap)
        return {'vAP': every.mean(axis=(2, 3)), 'vAP50': fixed[:, :, 0].mean(axis=2)}


def class_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the classes (axis 0) that have truth; NaN where none has."""
    has_truth = values > -1
    count = has_truth.sum(axis=0)
    total = np.where(has_truth, values, 0).sum(axis=0)
    return np.where(count, total / np.maximum(count, 1), np.nan)


def losses(before: Mapping[str, np.ndarray],
           after: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a repair gains, by the names of :meth:`StratifiedAP.ap`: (S,), NaN without truth.

    The mean is over the classes that have truth before the repair. A class that
    has none left, because all of it was taken out, has nothing left to lose: 1.
    """
    gains = {}
    for name, old in before.items():
        new = np.where((old > -1) & (after[name] == -1), 1, after[name])
        gains[name] = class_mean(new) - class_mean(old)
    return gains
