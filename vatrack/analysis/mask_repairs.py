"""Repairs of where and when a track is: frames, masks, and the parts of amodal masks.

All of them change only the overlap of a track with its own object (the one it
finds, or finds in part), and that follows from areas and intersections: no
mask is made.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vatrack.evaluation.similarity import video_similarity

from .causes import BACKGROUND, FOUND
from .repair import Case, Repair
from .video import ErrorVideo


@dataclass(frozen=True)
class TargetFrames:
    """R tracks with an object of their own, frame by frame: each array is (R, T).

    Attributes:
        rows: (R,) positions of the tracks.
        truths: (R,) positions of their objects.
        area: Pixels of the track.
        truth_area: Pixels of the object.
        shared: Pixels of their intersection.
        on: The track is on its object: by IoU of at least .1, and on no other.
        away: The track is on another object (see ``ErrorVideo.cover``).
        taken: Some track is on the object.
    """

    rows: np.ndarray
    truths: np.ndarray
    area: np.ndarray
    truth_area: np.ndarray
    shared: np.ndarray
    on: np.ndarray
    away: np.ndarray
    taken: np.ndarray

    @classmethod
    def of(cls, video: ErrorVideo) -> TargetFrames:
        """The tracks of a video that find an object, or find one in part."""
        target, overlaps = video.target, video.overlaps
        own = overlaps.select(target[overlaps.tracks] == overlaps.truths)
        shared, iou = np.zeros_like(video.track_areas), np.zeros(video.track_areas.shape)
        shared[own.tracks, own.frames], iou[own.tracks, own.frames] = own.intersections, own.iou
        rows = np.flatnonzero(target >= 0)
        cover = video.cover[rows]
        away = (cover >= 0) & (cover != target[rows][:, None])
        taken = np.zeros(video.truth_areas.shape, bool)
        tracks, frames = np.nonzero(video.cover >= 0)
        taken[video.cover[tracks, frames], frames] = True
        return cls(rows, target[rows], video.track_areas[rows], video.truth_areas[target[rows]],
                   shared[rows], (iou[rows] >= BACKGROUND) & ~away, away, taken[target[rows]])


def mask_repairs(video: ErrorVideo, with_parts: bool) -> dict[str, Repair]:
    """Repairs of frames and masks by name of the cause.

    Args:
        video: The video.
        with_parts: Also repair the visible part, the occluded part and the
            outside alone; the truth needs visible masks for that.
    """
    at = TargetFrames.of(video)
    off = ~at.on & ~at.away
    new = np.where(off & ~at.taken, at.truth_area, 0)
    changes = {'frames': (np.where(off, new, at.area), np.where(off, new, at.shared)),
               'mask': (np.where(at.on, at.truth_area, at.area),
                        np.where(at.on, at.truth_area, at.shared)),
               'localisation': (at.truth_area, at.truth_area)}
    if with_parts:
        changes |= _part_changes(video, at)
    return {name: _repair(video, at, *change) for name, change in changes.items()}


def _part_changes(video: ErrorVideo, at: TargetFrames) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """New (area, shared) by cause; a visible mask is a part of the amodal mask."""
    visible, in_visible = _visible_part(video, at)
    lacks_visible = np.where(at.on, visible - in_visible, 0)
    lacks_occluded = np.where(at.on, (at.truth_area - visible) - (at.shared - in_visible), 0)
    changes = {name: (at.area + lacks, at.shared + lacks)
               for name, lacks in (('mask-visible', lacks_visible),
                                   ('mask-occluded', lacks_occluded.clip(0)))}
    return changes | {'mask-outside': (np.where(at.on, at.shared, at.area), at.shared)}


def _visible_part(video: ErrorVideo, at: TargetFrames) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the visible parts of the objects, and of the tracks within them: two (R, T)."""
    compared = video.compared
    needed, column = np.unique(at.truths, return_inverse=True)
    length = video.track_areas.shape[1]
    tracks = [compared.tracks[d] for d in at.rows]
    similarity = video_similarity(
        [track.spread(track.masks[compared.predicted_kind], length) for track in tracks],
        [compared.truths[g].masks('visible') for g in video.rows[needed]], length)
    inside = np.zeros_like(at.area)
    for t, frame in enumerate(similarity.frames):
        rows, columns = np.nonzero(column[frame.tracks][:, None] == frame.truths)
        inside[frame.tracks[rows], t] = frame.intersections[rows, columns]
    return similarity.truth_areas[column], inside


def _repair(video: ErrorVideo, at: TargetFrames, area: np.ndarray, shared: np.ndarray) -> Repair:
    both = area.sum(axis=1) + video.truth_areas[at.truths].sum(axis=1)
    inside = shared.sum(axis=1)
    iou = inside / np.maximum(both - inside, 1)
    before = video.tracks.iou[at.rows, at.truths]
    mean = area.sum(axis=1) / np.maximum(np.count_nonzero(area, axis=1), 1)
    change = np.abs(area - at.area) + np.abs(shared - at.shared)
    cases = [Case(float(iou[r] - before[r]), (int(change[r].argmax()),), (int(at.rows[r]),),
                  (int(at.truths[r]),), float(before[r]), float(iou[r]))
             for r in np.flatnonzero(iou > before).tolist()]
    count = int(np.count_nonzero((before < FOUND) & (iou >= FOUND)))
    return Repair(video.with_iou(at.rows, at.truths, iou, mean), video.truths, count, cases)
