"""One video under the eye of the error analysis: which track found what, and where each one is."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from vatrack.evaluation.ap_metrics import video_sample
from vatrack.evaluation.average_precision import Samples
from vatrack.evaluation.protocols import Protocol
from vatrack.evaluation.similarity import ComparedVideo, FrameSimilarity

from .causes import BACKGROUND, FOUND


@dataclass(frozen=True)
class Tracks:
    """N tracks as vAP sees them, against M truths.

    Attributes:
        iou: (N, M) float64 spatio-temporal IoU.
        scores: (N,) float64.
        categories: (N,) category ids.
        areas: (N,) mean area over the frames with a mask, pixels.
    """

    iou: np.ndarray
    scores: np.ndarray
    categories: np.ndarray
    areas: np.ndarray

    def select(self, chosen: np.ndarray) -> Tracks:
        """Some of the tracks, by mask or positions."""
        return Tracks(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def select_truths(self, chosen: np.ndarray) -> Tracks:
        """The same tracks against some of the truths, by mask or positions."""
        return replace(self, iou=self.iou[:, chosen])


@dataclass(frozen=True)
class Truths:
    """M truths as vAP sees them.

    Attributes:
        categories: (M,) category ids.
        areas: (M,) mean area, pixels.
        occlusions: (M,) occlusion of the track in [0, 1], NaN where unknown.
        crowd: (M,) bool.
        lengths: (M,) frames with a mask.
        counted: (M,) bool, whether the protocol counts it at all.
    """

    categories: np.ndarray
    areas: np.ndarray
    occlusions: np.ndarray
    crowd: np.ndarray
    lengths: np.ndarray
    counted: np.ndarray

    def select(self, chosen: np.ndarray) -> Truths:
        """Some of the truths, by mask or positions."""
        return Truths(*(getattr(self, each.name)[chosen] for each in fields(self)))


@dataclass(frozen=True)
class FrameOverlaps:
    """P pairs of a track and a truth that share a pixel in a frame.

    Attributes:
        frames: (P,) positions among the frames.
        tracks: (P,) positions among the tracks.
        truths: (P,) positions among the truths.
        iou: (P,) float64 mask IoU.
        intersections: (P,) int64 pixels.
    """

    frames: np.ndarray
    tracks: np.ndarray
    truths: np.ndarray
    iou: np.ndarray
    intersections: np.ndarray

    @classmethod
    def of(cls, frames: Sequence[FrameSimilarity], truth_rows: np.ndarray) -> FrameOverlaps:
        """From the frames of a video; ``truth_rows`` says where a truth stands among the M."""
        parts = [[np.zeros(0, np.int64)] * 3 + [np.zeros(0), np.zeros(0, np.int64)]]
        for t, frame in enumerate(frames):
            rows, columns = np.nonzero(frame.iou)
            parts.append([np.full(len(rows), t), frame.tracks[rows],
                          truth_rows[frame.truths[columns]], frame.iou[rows, columns],
                          frame.intersections[rows, columns]])
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def select(self, chosen: np.ndarray) -> FrameOverlaps:
        """Some of the pairs, (P,) bool."""
        return FrameOverlaps(*(getattr(self, each.name)[chosen] for each in fields(self)))


@dataclass(frozen=True)
class ErrorVideo:
    """A video with N tracks and M truths that have a pixel of the kind, T frames.

    Attributes:
        compared: What it was made of.
        rows: (M,) positions of the truths among those of ``compared``.
        tracks: The tracks.
        truths: The truths.
        overlaps: Where they overlap.
        track_areas: (N, T) int64 pixels.
        truth_areas: (M, T) int64 pixels.
        found: (N,) position of the truth that a track takes at IoU .5, else -1.
        ignored: (N,) bool, tracks that are neither right nor wrong at IoU .5.
    """

    compared: ComparedVideo
    rows: np.ndarray
    tracks: Tracks
    truths: Truths
    overlaps: FrameOverlaps
    track_areas: np.ndarray
    truth_areas: np.ndarray
    found: np.ndarray
    ignored: np.ndarray

    @classmethod
    def of(cls, compared: ComparedVideo, protocol: Protocol) -> ErrorVideo:
        """Look at a video under a protocol."""
        similarity, sample = compared.similarity, video_sample(compared, protocol)
        rows = np.flatnonzero(similarity.truth_areas.any(axis=1))
        truth_areas = similarity.truth_areas[rows]
        iou = np.zeros((len(sample.scores), len(rows)))
        iou[sample.pair_detections, sample.pair_truths] = sample.pair_iou
        outside = protocol.strata['all'].excludes(sample.truth_areas, sample.truth_occlusions)
        tracks = Tracks(iou, sample.scores, sample.categories, sample.areas)
        truths = Truths(sample.truth_categories, sample.truth_areas, sample.truth_occlusions,
                        sample.truth_iscrowd, np.count_nonzero(truth_areas, axis=1),
                        ~outside & ~sample.truth_iscrowd)
        place = np.full(len(compared.truths), -1)
        place[rows] = np.arange(len(rows))
        return cls(compared, rows, tracks, truths, FrameOverlaps.of(similarity.frames, place),
                   similarity.track_areas, truth_areas,
                   *match_at_half(tracks, truths, protocol.video.fixed))

    @property
    def is_false_positive(self) -> np.ndarray:
        """Tracks that are false positives at IoU .5: (N,) bool."""
        return (self.found < 0) & ~self.ignored

    @cached_property
    def is_found(self) -> np.ndarray:
        """Truths that a track takes at IoU .5: (M,) bool."""
        return np.isin(np.arange(len(self.rows)), self.found)

    @cached_property
    def same_class(self) -> np.ndarray:
        """Pairs of one class: (N, M) bool."""
        return self.tracks.categories[:, None] == self.truths.categories

    @cached_property
    def cover(self) -> np.ndarray:
        """The truth that a track is on in a frame, by IoU of at least .5, else -1: (N, T).

        Of several the one it was on before (as CLEAR MOT keeps a match), else
        that of highest IoU, of equals the first. A crowd is not followed.
        """
        count, length = self.track_areas.shape
        table, last = np.full((count, length), -1), np.full(count, -1)
        pairs = self.overlaps.select((self.overlaps.iou >= FOUND)
                                     & ~self.truths.crowd[self.overlaps.truths])
        ends = np.searchsorted(pairs.frames, np.arange(length + 1))
        for t, (start, end) in enumerate(pairwise(ends.tolist())):
            tracks, truths = pairs.tracks[start:end], pairs.truths[start:end]
            # Of several assignments to one track the last one counts.
            order = np.lexsort((-truths, pairs.iou[start:end], truths == last[tracks]))
            table[tracks[order], t] = truths[order]
            last = np.where(table[:, t] >= 0, table[:, t], last)
        return table

    @cached_property
    def is_duplicate(self) -> np.ndarray:
        """False positives on an object of their class that is found already: (N,) bool."""
        return self.is_false_positive & (_best(self.tracks.iou, self.same_class
                                      & self.truths.counted)[1] >= FOUND)

    @cached_property
    def confused_with(self) -> np.ndarray:
        """The truth of another class that a false positive is on, else -1: (N,)."""
        best, iou = _best(self.tracks.iou, ~self.same_class & self.truths.counted)
        return np.where(self.is_false_positive & ~self.is_duplicate & (iou >= FOUND), best, -1)

    @cached_property
    def partly_finds(self) -> np.ndarray:
        """The unfound truth of its class that a false positive overlaps by .1 to .5, else -1: (N,).

        Of several such tracks on one truth that of highest score has it.
        """
        best, iou = _best(self.tracks.iou, self.same_class & self.truths.counted)
        free = self.is_false_positive & ~self.is_duplicate & (self.confused_with < 0)
        partly = free & (iou >= BACKGROUND) & ~np.append(self.is_found, True)[best]
        return first_by_score(np.where(partly, best, -1), self.tracks.scores)

    @property
    def target(self) -> np.ndarray:
        """The truth that a track finds, or finds in part, else -1: (N,)."""
        return np.where(self.found >= 0, self.found, self.partly_finds)

    @cached_property
    def is_background(self) -> np.ndarray:
        """False positives that overlap no truth by .1 and are on none in half of their frames."""
        present = np.count_nonzero(self.track_areas, axis=1)
        astray = 2 * np.count_nonzero(self.cover >= 0, axis=1) < np.maximum(present, 1)
        apart = self.tracks.iou.max(axis=1, initial=0) < BACKGROUND
        return self.is_false_positive & apart & astray

    def sample(self, tracks: Tracks, truths: Truths) -> Samples:
        """Changed tracks and truths of the video as one sample."""
        detections, of_truth = np.nonzero(tracks.iou)
        return Samples(np.array([self.compared.video.id]), np.zeros(len(tracks.scores), np.int64),
                     tracks.scores, tracks.categories, tracks.areas, truths.categories,
                     truths.areas, truths.occlusions, truths.crowd, detections, of_truth,
                     tracks.iou[detections, of_truth])

    def with_iou(self, rows: np.ndarray, truths: np.ndarray, iou: np.ndarray,
                 areas: np.ndarray) -> Tracks:
        """The tracks with another IoU of some pairs (R,) and other mean areas of their tracks."""
        changed, mean = self.tracks.iou.copy(), self.tracks.areas.copy()
        changed[rows, truths], mean[rows] = iou, areas
        return replace(self.tracks, iou=changed, areas=mean)


def match_at_half(tracks: Tracks, truths: Truths,
                  max_detections: int) -> tuple[np.ndarray, np.ndarray]:
    """Match as vAP50 does (:func:`vatrack.evaluation.average_precision.match`), and say with what.

    Returns:
        The truth that a track takes, else -1, (N,); and which tracks are
        neither right nor wrong, (N,) bool: they took ignored truth, or exceed
        ``max_detections`` of their class.
    """
    found, ignored = np.full(len(tracks.scores), -1), np.zeros(len(tracks.scores), bool)
    free = np.ones(len(truths.categories), bool)
    seen: dict[int, int] = {}
    for d in np.argsort(-tracks.scores, kind='stable').tolist():
        category = int(tracks.categories[d])
        seen[category] = seen.get(category, 0) + 1
        if seen[category] > max_detections:
            ignored[d] = True
            continue
        near = free & (truths.categories == category) & (tracks.iou[d] >= FOUND)
        for chosen in (near & truths.counted, near & ~truths.counted):
            if chosen.any():
                g = len(free) - 1 - int(np.where(chosen, tracks.iou[d], -1)[::-1].argmax())
                free[g] = truths.crowd[g]
                found[d], ignored[d] = (g, False) if truths.counted[g] else (-1, True)
                break
    return found, ignored


def first_by_score(claims: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Of equal claims (N,) keep that of highest score, the first of equals; the rest become -1."""
    kept = np.full(len(claims), -1)
    order = np.argsort(-scores, kind='stable')
    truths, first = np.unique(claims[order], return_index=True)
    kept[order[first]] = truths
    return kept


def _best(iou: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per track the allowed truth of highest IoU, and that IoU, -1 if none is allowed."""
    if not iou.shape[1]:
        return np.zeros(len(iou), np.int64), np.full(len(iou), -1.)
    value = np.where(allowed, iou, -1)
    best = value.argmax(axis=1)
    return best, value[np.arange(len(iou)), best]
