"""Overlap of tracks and truth in one video: the work that all metrics share.

Each frame takes one call of pycocotools' C code over all tracks and truths
present, of all classes at once. The intersections follow from it as exact
integers, so sums over frames give the spatio-temporal IoU without ever
decoding a mask; memory is that of one video.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.structures import Video, rle
from vatrack.structures.results import TrackRecord
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
        both = self.track_areas[:, None] + self.truth_areas
        return np.rint(self.iou * both / (1 + self.iou)).astype(np.int64)


@dataclass(frozen=True)
class VideoSimilarity:
    """A video with N tracks, M truths and T frames.

    Attributes:
        frames: T frames.
        track_areas: (N, T) int64 pixels, 0 where absent.
        truth_areas: (M, T) int64 pixels, 0 where absent.
    """

    frames: list[FrameSimilarity]
    track_areas: np.ndarray
    truth_areas: np.ndarray

    @cached_property
    def iou(self) -> np.ndarray:
        """Spatio-temporal IoU, sum of intersections over sum of unions: (N, M) float64.

        A frame in which one side is absent adds the other's area to the union;
        0 where both are absent in all frames.
        """
        intersections = np.zeros((len(self.track_areas), len(self.truth_areas)), np.int64)
        for frame in self.frames:
            intersections[np.ix_(frame.tracks, frame.truths)] += frame.intersections
        both = self.track_areas.sum(axis=1)[:, None] + self.truth_areas.sum(axis=1)
        return intersections / np.maximum(both - intersections, 1)


@dataclass(frozen=True)
class ComparedVideo:
    """What a metric is given: N tracks and M truths of a video, and their overlap in one kind."""

    video: Video
    tracks: Sequence[TrackRecord]
    truths: Sequence[TruthTrack]
    similarity: VideoSimilarity


def compare_video(video: Video, tracks: Sequence[TrackRecord], truths: Sequence[TruthTrack],
                  kind: str, predicted_kind: str) -> ComparedVideo:
    """Compare tracks by their ``predicted_kind`` masks with truth by its ``kind`` masks."""
    similarity = video_similarity([track.masks[predicted_kind] for track in tracks],
                                  [truth.masks(kind) for truth in truths], len(video.frames))
    return ComparedVideo(video, tracks, truths, similarity)


def video_similarity(tracks: Sequence[Sequence[RLE | None]], truths: Sequence[Sequence[RLE | None]],
                     num_frames: int) -> VideoSimilarity:
    """Compare N tracks with M truths, each a list of ``num_frames`` masks or None."""
    track_areas = _area_table(tracks, num_frames)
    truth_areas = _area_table(truths, num_frames)
    frames = []
    for index in range(num_frames):
        rows, columns = np.flatnonzero(track_areas[:, index]), np.flatnonzero(truth_areas[:, index])
        iou = _mask_iou([tracks[i][index] for i in rows], [truths[i][index] for i in columns])
        frames.append(FrameSimilarity(rows, columns, track_areas[rows, index],
                                      truth_areas[columns, index], iou))
    return VideoSimilarity(frames, track_areas, truth_areas)


def mean_areas(areas: np.ndarray) -> np.ndarray:
    """Mean area over the frames in which a mask is present: (N, T) pixels -> (N,) float64."""
    return areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)


def _mask_iou(tracks: list[RLE], truths: list[RLE]) -> np.ndarray:
    if not tracks or not truths:
        return np.zeros((len(tracks), len(truths)))
    return coco_mask.iou(tracks, truths, [0] * len(truths))


def _area_table(masks: Sequence[Sequence[RLE | None]], num_frames: int) -> np.ndarray:
    table = np.zeros((len(masks), num_frames), np.int64)
    present = [(i, t) for i, row in enumerate(masks) for t, mask in enumerate(row) if mask]
    if present:
        table[tuple(np.transpose(present))] = rle.areas([masks[i][t] for i, t in present])
    return table
