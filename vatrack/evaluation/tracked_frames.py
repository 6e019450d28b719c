"""Truth and tracks of one video as the tracking metrics see them: who is where, how similar."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeVar

import numpy as np

#: Similarity from which a pair is a match in CLEAR and Identity.
MATCH_THRESHOLD = .5
#: What a similarity may lack and still pass a threshold (TrackEval).
EPSILON = float(np.finfo(float).eps)

AnyCounts = TypeVar('AnyCounts', bound='Counts')


@dataclass(frozen=True, eq=False)
class TrackedFrames:
    """T frames of a video with M truths and N tracks.

    Attributes:
        truths: Per frame, (G,) int64 indices of the truths in it, each once.
        tracks: Per frame, (D,) int64 indices of the tracks in it, each once.
        similarity: Per frame, (G, D) float64 in [0, 1], such as mask IoU.
        num_truths: M.
        num_tracks: N.
    """

    truths: Sequence[np.ndarray]
    tracks: Sequence[np.ndarray]
    similarity: Sequence[np.ndarray]
    num_truths: int
    num_tracks: int

    @cached_property
    def truth_lengths(self) -> np.ndarray:
        """Frames of each truth: (M,) int64."""
        return _frame_counts(self.truths, self.num_truths)

    @cached_property
    def track_lengths(self) -> np.ndarray:
        """Frames of each track: (N,) int64."""
        return _frame_counts(self.tracks, self.num_tracks)

    def select(self, truths: np.ndarray, tracks: np.ndarray) -> TrackedFrames:
        """Keep some truths, (M,) bool, and some tracks, (N,) bool; indices start at 0 again."""
        if truths.all() and tracks.all():
            return self
        return self._keep(truths, tracks, [tracks[d] for d in self.tracks])

    def without(self, ignored: np.ndarray,
                overlap: Sequence[np.ndarray] | None = None) -> TrackedFrames:
        """Leave out ignored truths, and in each frame the tracks that are on them.

        A track is on the truth that it overlaps most, if by
        :data:`MATCH_THRESHOLD` at least; of equals, on one that is not ignored.

        Args:
            ignored: (M,) bool.
            overlap: Per frame, (G, D); None: the similarity.
        """
        if not ignored.any():
            return self
        kept = [~_is_on(ignored[g], s)
                for g, s in zip(self.truths, overlap or self.similarity, strict=True)]
        return self._keep(~ignored, np.ones(self.num_tracks, bool), kept)

    def _keep(self, truths: np.ndarray, tracks: np.ndarray,
              in_frame: Sequence[np.ndarray]) -> TrackedFrames:
        new_truths, new_tracks = truths.cumsum() - 1, tracks.cumsum() - 1
        frames = [(new_truths[g[truths[g]]], new_tracks[d[keep]], s[truths[g]][:, keep])
                  for g, d, s, keep in zip(self.truths, self.tracks, self.similarity, in_frame,
                                           strict=True)]
        return TrackedFrames(*(zip(*frames, strict=True) if frames else ((), (), ())),
                             int(truths.sum()), int(tracks.sum()))


@dataclass
class Counts(ABC):
    """What a tracking metric counts; the counts of videos or classes add up."""

    def __add__(self: AnyCounts, other: AnyCounts) -> AnyCounts:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name)
                            for each in fields(self)))

    @property
    @abstractmethod
    def num_truths(self) -> int:
        """True detections, summed over frames."""

    @property
    @abstractmethod
    def num_tracked(self) -> int:
        """Predicted detections, summed over frames."""

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """Ratios by name; 0 where nothing was counted."""

    @abstractmethod
    def totals(self) -> dict[str, int]:
        """Whole numbers by name."""


def _frame_counts(indices: Sequence[np.ndarray], length: int) -> np.ndarray:
    return np.bincount(np.concatenate([*indices, np.zeros(0, np.int64)]), minlength=length)


def _is_on(ignored: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """Which of D tracks are on one of G truths that is ignored: (D,) bool."""
    best = np.where(ignored[:, None], overlap, 0).max(axis=0, initial=0)
    others = np.where(ignored[:, None], 0, overlap).max(axis=0, initial=0)
    return (best >= MATCH_THRESHOLD) & (best > others)
