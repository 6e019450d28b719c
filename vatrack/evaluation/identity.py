"""IDF1: how long the right identity is held.

Ristani et al., *Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking* (ECCV
2016 workshops).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .tracked_frames import MATCH_THRESHOLD, Counts, TrackedFrames


@dataclass
class IdentityCounts(Counts):
    """What IDF1 counts, over all frames.

    Attributes:
        tp: IDTP, detections with the right identity.
        fn: IDFN, true detections without it.
        fp: IDFP, predicted detections without it.
    """

    tp: int
    fn: int
    fp: int

    @property
    def num_truths(self) -> int:
        """True detections, summed over frames."""
        return self.tp + self.fn

    @property
    def num_tracked(self) -> int:
        """Predicted detections, summed over frames."""
        return self.tp + self.fp

    def scores(self) -> dict[str, float]:
        """IDF1, and its recall IDR and precision IDP."""
        return {'IDF1': 2 * self.tp / max(1, self.num_truths + self.num_tracked),
                'IDR': self.tp / max(1, self.num_truths),
                'IDP': self.tp / max(1, self.num_tracked)}

    def totals(self) -> dict[str, int]:
        """IDTP, IDFN, IDFP."""
        return {'IDTP': self.tp, 'IDFN': self.fn, 'IDFP': self.fp}


def count_identity(frames: TrackedFrames) -> IdentityCounts:
    """Give each truth at most one track, so that they share as many frames as possible."""
    together = np.zeros((frames.num_truths, frames.num_tracks), np.int64)
    for truths, tracks, similarity in zip(frames.truths, frames.tracks, frames.similarity,
                                          strict=True):
        together[truths[:, None], tracks] += similarity >= MATCH_THRESHOLD
    tp = int(together[linear_sum_assignment(together, maximize=True)].sum())
    return IdentityCounts(tp, int(frames.truth_lengths.sum()) - tp,
                          int(frames.track_lengths.sum()) - tp)
