"""CLEAR MOT: errors of a tracker, frame by frame.

Bernardin, Stiefelhagen, *Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics*
(EURASIP JIVP 2008); identity switches, fragmentations and MT/ML as TrackEval counts them.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .tracked_frames import EPSILON, MATCH_THRESHOLD, Counts, TrackedFrames

# Outweighs any similarity: a pair of the frame before stays together.
_STAY = 1000
_NOBODY = -1


@dataclass
class ClearCounts(Counts):
    """Errors and matches.

    Attributes:
        tp: True positives, matched detections.
        fn: False negatives, true detections without a match.
        fp: False positives, predicted detections without a match.
        switches: Truths matched to another track than at their last match.
        fragments: Interruptions of the spans in which a truth is matched.
        mostly_tracked: Truths matched in more than 80 % of their frames.
        mostly_lost: Truths matched in less than 20 % of their frames.
        objects: Truths.
        similarity: Sum of the similarities of the true positives.
    """

    tp: int
    fn: int
    fp: int
    switches: int
    fragments: int
    mostly_tracked: int
    mostly_lost: int
    objects: int
    similarity: float

    @property
    def num_truths(self) -> int:
        """True detections, summed over frames."""
        return self.tp + self.fn

    @property
    def num_tracked(self) -> int:
        """Predicted detections, summed over frames."""
        return self.tp + self.fp

    def scores(self) -> dict[str, float]:
        """MOTA (may be negative) and MOTP."""
        errors = self.fn + self.fp + self.switches
        truths = self.num_truths
        return {'MOTA': (truths - errors) / max(1, truths),
                'MOTP': self.similarity / max(1, self.tp)}

    def totals(self) -> dict[str, int]:
        """IDSW, Frag, MT, ML, TP, FN, FP."""
        return {'IDSW': self.switches, 'Frag': self.fragments, 'MT': self.mostly_tracked,
                'ML': self.mostly_lost, 'TP': self.tp, 'FN': self.fn, 'FP': self.fp}


def count_clear(frames: TrackedFrames) -> ClearCounts:
    """Match frame after frame, each time keeping the pairs of the frame before, and count.

    A frame without any truth or without any track leaves the memory of the
    pairs as it is.
    """
    memory = _Memory(frames.num_truths)
    similarity = 0.
    for truths, tracks, similar in zip(frames.truths, frames.tracks, frames.similarity,
                                       strict=True):
        if similar.size:
            rows, columns = _match(similar, memory.current[truths][:, None] == tracks)
            memory.update(truths[rows], tracks[columns])
            similarity += float(similar[rows, columns].sum())
    tp = int(memory.tp.sum())
    lengths = frames.truth_lengths
    share = memory.tp[lengths > 0] / lengths[lengths > 0]
    return ClearCounts(
        tp, int(lengths.sum()) - tp, int(frames.track_lengths.sum()) - tp,
        memory.switches, int(np.maximum(memory.starts - 1, 0).sum()),
        int((share > .8).sum()), int((share < .2).sum()), len(share), similarity)


class _Memory:
    """Whom each of M truths was matched to; (M,) int64, a negative number for nobody."""

    def __init__(self, num_truths: int) -> None:
        self.current = np.full(num_truths, _NOBODY)  # in the frame before
        self.last = self.current.copy()  # ever
        self.tp, self.starts = np.zeros((2, num_truths), np.int64)
        self.switches = 0

    def update(self, truths: np.ndarray, tracks: np.ndarray) -> None:
        last = self.last[truths]
        self.switches += int(((last != _NOBODY) & (last != tracks)).sum())
        self.tp[truths] += 1
        self.starts[truths] += self.current[truths] == _NOBODY
        self.current[:] = _NOBODY
        self.current[truths] = self.last[truths] = tracks


def _match(similarity: np.ndarray, stays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the best pairs that pass the threshold."""
    value = np.where(similarity < MATCH_THRESHOLD - EPSILON, 0, _STAY * stays + similarity)
    rows, columns = linear_sum_assignment(value, maximize=True)
    matched = value[rows, columns] > EPSILON
    return rows[matched], columns[matched]
