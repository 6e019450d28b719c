"""HOTA: detection, association and localisation of tracks, in balance.

Luiten et al., *HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking* (IJCV 2021).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .tracked_frames import EPSILON, Counts, TrackedFrames

#: The 19 localisation thresholds .05:.05:.95.
ALPHAS = np.arange(1, 20) / 20


@dataclass
class HotaCounts(Counts):
    """Counts at each of the 19 thresholds, all (19,).

    Attributes:
        tp: True positives, matched detections.
        fn: False negatives, true detections without a match.
        fp: False positives, predicted detections without a match.
        similarity: Sum of the similarities of the true positives.
        association: Sum over the true positives of TPA / (TPA + FPA + FNA).
    """

    tp: np.ndarray
    fn: np.ndarray
    fp: np.ndarray
    similarity: np.ndarray
    association: np.ndarray

    @property
    def num_truths(self) -> int:
        """True detections, summed over frames."""
        return int(self.tp[0] + self.fn[0])

    @property
    def num_tracked(self) -> int:
        """Predicted detections, summed over frames."""
        return int(self.tp[0] + self.fp[0])

    def scores(self) -> dict[str, float]:
        """HOTA, DetA, AssA, LocA: means over the thresholds.

        A threshold without a true positive has LocA 1, as in TrackEval.
        """
        det = self.tp / np.maximum(1, self.tp + self.fn + self.fp)
        ass = self.association / np.maximum(1, self.tp)
        loc = np.maximum(1e-10, self.similarity) / np.maximum(1e-10, self.tp)
        named = {'HOTA': np.sqrt(det * ass), 'DetA': det, 'AssA': ass, 'LocA': loc}
        return {name: float(values.mean()) for name, values in named.items()}

    def totals(self) -> dict[str, int]:
        """Nothing: the counts depend on the threshold."""
        return {}


def count_hota(frames: TrackedFrames) -> HotaCounts:
    """Match each frame once for all thresholds, and count.

    The matching favours pairs that are similar over the whole video.
    """
    truths, tracks, similarity = _match(frames)
    passed = similarity >= ALPHAS[:, None] - EPSILON
    tp = passed.sum(axis=1)
    return HotaCounts(tp, frames.truth_lengths.sum() - tp, frames.track_lengths.sum() - tp,
                      (passed * similarity).sum(axis=1),
                      _association(frames, truths, tracks, passed))


def _match(frames: TrackedFrames) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truths, tracks and similarities of the n matched pairs of all frames: (n,) each."""
    alignment = _alignment(frames)
    pairs = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for truths, tracks, similarity in zip(frames.truths, frames.tracks, frames.similarity,
                                          strict=True):
        if similarity.size:
            rows, columns = linear_sum_assignment(
                alignment[truths[:, None], tracks] * similarity, maximize=True)
            pairs.append((truths[rows], tracks[columns], similarity[rows, columns]))
    return tuple(np.concatenate(column) for column in zip(*pairs, strict=True))


def _alignment(frames: TrackedFrames) -> np.ndarray:
    """How much each truth and track belong together over the video: (M, N)."""
    common = np.zeros((frames.num_truths, frames.num_tracks))
    for truths, tracks, similarity in zip(frames.truths, frames.tracks, frames.similarity,
                                          strict=True):
        either = similarity.sum(axis=0) + similarity.sum(axis=1)[:, None] - similarity
        common[truths[:, None], tracks] += np.divide(
            similarity, either, out=np.zeros_like(similarity), where=either > EPSILON)
    union = frames.truth_lengths[:, None] + frames.track_lengths - common
    return common / np.maximum(union, EPSILON)


def _association(frames: TrackedFrames, truths: np.ndarray, tracks: np.ndarray,
                 passed: np.ndarray) -> np.ndarray:
    """Sum over the true positives, at each threshold, of their share in both identities: (19,)."""
    pairs, which = np.unique(truths * frames.num_tracks + tracks, return_inverse=True)
    together = np.stack([np.bincount(which, matched, len(pairs)) for matched in passed])
    truths, tracks = np.divmod(pairs, max(frames.num_tracks, 1))
    union = frames.truth_lengths[truths] + frames.track_lengths[tracks] - together
    return (together ** 2 / union).sum(axis=1)
