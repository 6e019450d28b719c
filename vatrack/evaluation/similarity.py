"""Overlap of tracks and truth in one video: the work that all metrics share.

Each frame takes one call of pycocotools' C code over all tracks and truths
present, of all classes at once. The intersections follow from it as exact
integers, so sums over frames give the spatio-temporal IoU without ever
decoding a mask; memory is that of one video. What follows the calls is done
for all frames of a video together.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress, pairwise

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.structures import TrackRecord, Video, rle
from vatrack.structures.rle import RLE

from .truth import TruthTrack


@dataclass(frozen=True)
class FrameSimilarity:
    """One frame with D tracks and G truths present, an empty mask being absent.

    Attributes:
        tracks: (D,) int64 positions among the tracks of the video, ascending.
        truths: (G,) int64 positions among the truths of the video, ascending.
        track_areas: (D,) int64 pixels.
        truth_areas: (G,) int64 pixels.
        iou: (D, G) float64 mask IoU.
    """

    tracks: np.ndarray
    truths: np.ndarray
    track_areas: np.ndarray
    truth_areas: np.ndarray
    iou: np.ndarray

    @property
    def intersections(self) -> np.ndarray:
        """Exact pixel counts of the intersections: (D, G) int64."""
        return _intersections(self.iou, self.track_areas[:, None] + self.truth_areas)


@dataclass(frozen=True)
class Appearances:
    """Where tracks, or truths, are: E times, in order of frame, then of position.

    Attributes:
        frames: (E,) int64 positions among the frames.
        owners: (E,) int64 positions among the tracks, or truths.
        areas: (E,) int64 pixels.
    """

    frames: np.ndarray
    owners: np.ndarray
    areas: np.ndarray

    @classmethod
    def of(cls, areas: np.ndarray, present: np.ndarray) -> Appearances:
        """From areas (N, T), and where N tracks, or truths, are: (N, T) bool."""
        frames, owners = np.nonzero(present.T)
        return cls(frames, owners, areas[owners, frames])


@dataclass(frozen=True)
class Pairs:
    """P pairs of a track and a truth that overlap in a frame, in order of frame, track, truth.

    Attributes:
        tracks: (P,) int64 positions among :attr:`VideoSimilarity.tracks`.
        truths: (P,) int64 positions among :attr:`VideoSimilarity.truths`.
        iou: (P,) float64 mask IoU.
        intersections: (P,) int64 pixels, exact.
    """

    tracks: np.ndarray
    truths: np.ndarray
    iou: np.ndarray
    intersections: np.ndarray


@dataclass(frozen=True)
class VideoSimilarity:
    """A video with N tracks, M truths and T frames.

    Attributes:
        blocks: IoUs of each frame, (D, G) float64: of the tracks and truths that are in it.
        track_areas: (N, T) int64 pixels, 0 where absent.
        truth_areas: (M, T) int64 pixels, 0 where absent.
        detected: (N, T) bool, where a track has a mask, be it one without a pixel.
    """

    blocks: Sequence[np.ndarray]
    track_areas: np.ndarray
    truth_areas: np.ndarray
    detected: np.ndarray

    @cached_property
    def tracks(self) -> Appearances:
        """Where the tracks have a pixel."""
        return Appearances.of(self.track_areas, self.track_areas > 0)

    @cached_property
    def truths(self) -> Appearances:
        """Where the truths have a pixel."""
        return Appearances.of(self.truth_areas, self.truth_areas > 0)

    @cached_property
    def detections(self) -> Appearances:
        """Where the tracks have a mask; those of area > 0 are :attr:`tracks`, in that order."""
        return Appearances.of(self.track_areas, self.detected)

    @cached_property
    def frames(self) -> list[FrameSimilarity]:
        """The T frames."""
        return [FrameSimilarity(self.tracks.owners[d], self.truths.owners[g],
                                self.tracks.areas[d], self.truths.areas[g], iou)
                for d, g, iou in zip(_slices(self.track_areas), _slices(self.truth_areas),
                                     self.blocks, strict=True)]

    @cached_property
    def iou(self) -> np.ndarray:
        """Spatio-temporal IoU, sum of intersections over sum of unions: (N, M) float64.

        A frame in which one side is absent adds the other's area to the union;
        0 where both are absent in all frames.
        """
        return self.iou_within(np.ones(self.truth_areas.shape, bool))

    def iou_within(self, frames: np.ndarray) -> np.ndarray:
        """The same over some frames of each truth: (M, T) bool -> (N, M) float64."""
        shape = len(self.track_areas), len(self.truth_areas)
        owners = self.truths.owners[self.pairs.truths]
        inside = frames[owners, self.truths.frames[self.pairs.truths]]
        cells = self.tracks.owners[self.pairs.tracks] * shape[1] + owners
        # Sums of floats, but exact up to 2**53 pixels.
        intersections = np.bincount(cells, self.pairs.intersections * inside,
                                    shape[0] * shape[1]).reshape(shape)
        both = self.track_areas @ frames.T + (self.truth_areas * frames).sum(axis=1)
        return intersections / np.maximum(both - intersections, 1)

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs of all frames that have a pixel in common."""
        iou = np.concatenate([np.zeros(0), *(block.ravel() for block in self.blocks)])
        overlapping = np.flatnonzero(iou)
        truths_in_frame = np.bincount(self.truths.frames, minlength=len(self.blocks))
        first_truth = truths_in_frame.cumsum() - truths_in_frame
        counts = truths_in_frame[self.tracks.frames]
        first_pair = counts.cumsum() - counts
        tracks = np.repeat(np.arange(len(counts)), counts)[overlapping]
        truths = overlapping + (first_truth[self.tracks.frames] - first_pair)[tracks]
        both = self.tracks.areas[tracks] + self.truths.areas[truths]
        return Pairs(tracks, truths, iou[overlapping], _intersections(iou[overlapping], both))


@dataclass(frozen=True)
class ComparedVideo:
    """What a metric is given: N tracks and M truths of a video, and their overlap in one kind.

    ``kind`` is that of the masks of the truth, ``predicted_kind`` that of the tracks.
    """

    video: Video
    tracks: Sequence[TrackRecord]
    truths: Sequence[TruthTrack]
    similarity: VideoSimilarity
    kind: str
    predicted_kind: str


def compare_video(video: Video, tracks: Sequence[TrackRecord], truths: Sequence[TruthTrack],
                  kind: str, predicted_kind: str) -> ComparedVideo:
    """Compare tracks by their ``predicted_kind`` masks with truth by its ``kind`` masks."""
    length = len(video.frames)
    similarity = video_similarity(
        [track.spread(track.masks[predicted_kind], length) for track in tracks],
        [truth.masks(kind) for truth in truths], length)
    return ComparedVideo(video, tracks, truths, similarity, kind, predicted_kind)


def video_similarity(tracks: Sequence[Sequence[RLE | None]], truths: Sequence[Sequence[RLE | None]],
                     num_frames: int) -> VideoSimilarity:
    """Compare N tracks with M truths, each a list of ``num_frames`` masks or None."""
    areas = np.zeros((num_frames, len(tracks) + len(truths)), np.int64)
    columns = list(zip(*tracks, *truths, strict=True)) or [()] * num_frames
    present = np.fromiter(map(bool, chain.from_iterable(columns)), bool,
                          areas.size).reshape(areas.shape)
    blocks = []
    # Areas with IoUs, one frame after the other: its masks are in the cache when read again.
    for row, where, column in zip(areas, present, columns, strict=True):
        masks = [mask for mask in column if mask]
        row[where] = found = rle.areas(masks)
        masks = list(compress(masks, found.tolist()))
        middle = np.count_nonzero(row[:len(tracks)])
        blocks.append(_mask_iou(masks[:middle], masks[middle:]))
    return VideoSimilarity(blocks, areas.T[:len(tracks)], areas.T[len(tracks):],
                           present.T[:len(tracks)])


def mean_areas(areas: np.ndarray) -> np.ndarray:
    """Mean area over the frames in which a mask is present: (N, T) pixels -> (N,) float64."""
    return areas.sum(axis=1) / np.maximum((areas > 0).sum(axis=1), 1)


def _mask_iou(tracks: list[RLE], truths: list[RLE]) -> np.ndarray:
    if not tracks or not truths:
        return np.zeros((len(tracks), len(truths)))
    return coco_mask.iou(tracks, truths, [0] * len(truths))


def _slices(areas: np.ndarray) -> list[slice]:
    """The appearances of each frame, from areas (N, T)."""
    ends = np.count_nonzero(areas, axis=0).cumsum().tolist()
    return [slice(start, end) for start, end in pairwise([0, *ends])]


def _intersections(iou: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Pixel counts from IoUs and sums of two areas; exact, as both are quotients of integers."""
    return np.rint(iou * both / (1 + iou)).astype(np.int64)
