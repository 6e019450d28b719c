"""What every repair returns, and the repairs that only remove or rename."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from .causes import BACKGROUND
from .video import ErrorVideo, Tracks, Truths, first_by_score


@dataclass(frozen=True)
class Case:
    """One error that is worth a picture.

    Attributes:
        weight: How bad it is; comparable within a cause.
        frames: One or two positions in time that show it.
        tracks: Positions of the tracks that are in it, the wrong one first.
        truths: Positions of the truths that are in it.
        iou: Spatio-temporal IoU of the first of both; None without truth.
        repaired: The same after the repair, where the repair changes it.
    """

    weight: float
    frames: tuple[int, ...]
    tracks: tuple[int, ...] = ()
    truths: tuple[int, ...] = ()
    iou: float | None = None
    repaired: float | None = None


@dataclass(frozen=True)
class Repair:
    """A video in which one cause of error is repaired.

    Attributes:
        tracks: The tracks afterwards.
        truths: The truth afterwards.
        count: How many objects or tracks have the error.
        cases: All of them, worst or not.
    """

    tracks: Tracks
    truths: Truths
    count: int
    cases: list[Case] = field(default_factory=list)


def repair_missed(video: ErrorVideo) -> Repair:
    """Take out the truth that no track overlaps."""
    missed = video.truths.counted & (video.tracks.iou.max(axis=0, initial=0) < BACKGROUND)
    cases = [Case(float(video.truth_areas[g].sum()), (int(video.truth_areas[g].argmax()),),
                  truths=(g,)) for g in np.flatnonzero(missed).tolist()]
    return Repair(video.tracks.select_truths(~missed), video.truths.select(~missed),
                  int(missed.sum()), cases)


def repair_duplicate(video: ErrorVideo) -> Repair:
    """Remove the tracks on an object of their class that is found already."""
    cases = []
    for d in np.flatnonzero(video.is_duplicate).tolist():
        near = np.where(video.same_class[d] & video.truths.counted, video.tracks.iou[d], -1)
        g = int(near.argmax())
        others = np.flatnonzero(video.found == g).tolist()
        cases.append(_pair_case(video, d, g, others))
    return _removed(video, video.is_duplicate, cases)


def repair_class(video: ErrorVideo) -> Repair:
    """Give tracks on an object of another class its class; if it is found already, remove them."""
    confused = video.confused_with
    claims = np.where(np.append(video.is_found, False)[confused], -1, confused)
    renamed = first_by_score(claims, video.tracks.scores)
    categories = np.where(renamed >= 0, np.append(video.truths.categories, 0)[renamed],
                          video.tracks.categories)
    kept = (confused < 0) | (renamed >= 0)
    cases = [_pair_case(video, d, int(confused[d])) for d in np.flatnonzero(confused >= 0).tolist()]
    tracks = replace(video.tracks, categories=categories).select(kept)
    return Repair(tracks, video.truths, len(cases), cases)


def repair_background(video: ErrorVideo) -> Repair:
    """Remove the tracks that are on no object."""
    return _removed(video, video.is_background, _lonely_cases(video, video.is_background))


def repair_other(video: ErrorVideo, touched: np.ndarray) -> Repair:
    """Remove the false positives that no other repair has ``touched``, (N,) bool."""
    rest = video.is_false_positive & ~(touched | video.is_duplicate | (video.confused_with >= 0)
                              | (video.partly_finds >= 0) | video.is_background)
    return _removed(video, rest, _lonely_cases(video, rest))


def repair_false_positives(video: ErrorVideo) -> Repair:
    """Remove every false positive."""
    return _removed(video, video.is_false_positive, [])


def repair_unfound(video: ErrorVideo) -> Repair:
    """Take out every truth that no track finds."""
    lost = video.truths.counted & ~video.is_found
    return Repair(video.tracks.select_truths(~lost), video.truths.select(~lost), int(lost.sum()))


#: The repairs that need nothing but the video.
SIMPLE_REPAIRS: dict[str, Callable[[ErrorVideo], Repair]] = {
    'missed': repair_missed, 'duplicate': repair_duplicate, 'class': repair_class,
    'background': repair_background, 'false-positives': repair_false_positives,
    'unfound': repair_unfound}


def frame_iou(video: ErrorVideo, track: int, truth: int) -> np.ndarray:
    """IoU of a track and a truth in every frame: (T,)."""
    overlaps = video.overlaps
    chosen = (overlaps.tracks == track) & (overlaps.truths == truth)
    values = np.zeros(video.track_areas.shape[1])
    values[overlaps.frames[chosen]] = overlaps.iou[chosen]
    return values


def _removed(video: ErrorVideo, wrong: np.ndarray, cases: list[Case]) -> Repair:
    return Repair(video.tracks.select(~wrong), video.truths, int(wrong.sum()), cases)


def _pair_case(video: ErrorVideo, track: int, truth: int, others: list[int] | None = None) -> Case:
    frame = int(frame_iou(video, track, truth).argmax())
    return Case(float(video.tracks.scores[track]), (frame,), (track, *(others or ())), (truth,),
                float(video.tracks.iou[track, truth]))


def _lonely_cases(video: ErrorVideo, wrong: np.ndarray) -> list[Case]:
    """Each with the truth that it overlaps most, if any."""
    cases = []
    for d in np.flatnonzero(wrong & video.track_areas.any(axis=1)).tolist():
        iou = video.tracks.iou[d]
        if iou.max(initial=0) > 0:
            cases.append(_pair_case(video, d, int(iou.argmax())))
        else:
            cases.append(Case(float(video.tracks.scores[d]), (int(video.track_areas[d].argmax()),),
                              (d,)))
    return cases
