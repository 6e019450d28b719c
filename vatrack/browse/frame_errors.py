"""What is wrong in a video, by track and frame, for every choice of the score threshold."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vatrack.analysis.causes import FOUND
from vatrack.analysis.video import ErrorVideo
from vatrack.evaluation.protocols import get_protocol
from vatrack.evaluation.similarity import ComparedVideo
from vatrack.visualization.overlay import matched_pairs

#: Mask IoU in a frame below which a mask that is on its object is imprecise.
PRECISE = .75
#: Thresholds that can be chosen, between the least and the largest score.
NUM_THRESHOLDS = 21


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error in a frame: ``title`` for people, ``layer`` of the object that has it."""

    title: str
    layer: str
    meaning: str


#: Errors by name. A prediction is on an object as in the error analysis: by mask IoU of at least
#: .5, of several objects on the one that it was on before.
ERRORS: dict[str, ErrorKind] = {
    'missed': ErrorKind('missed', 'truth', f'no prediction is on the object (IoU {FOUND})'),
    'unmatched': ErrorKind('unmatched', 'prediction', f'on no object (IoU {FOUND})'),
    'duplicate': ErrorKind('duplicate', 'prediction', 'another one is on the same object'),
    'switch': ErrorKind('identity switch', 'truth', 'found by another track than last time'),
    'imprecise': ErrorKind('low mask IoU', 'prediction', f'on its object by IoU below {PRECISE}'),
    'class': ErrorKind('wrong class', 'prediction', 'on an object of another class'),
}


def thresholds(scores: np.ndarray, extra: Sequence[float]) -> list[float]:
    """Score thresholds to choose from, ascending: from 0 (or below) to 1 (or above).

    Args:
        scores: Scores of all tracks.
        extra: Thresholds that must be among them.
    """
    low, high = min(0., scores.min(initial=0)), max(1., scores.max(initial=1))
    steps = np.linspace(low, high, NUM_THRESHOLDS).round(4).tolist()
    return sorted({*steps, *map(float, extra)})


def errors_by_threshold(compared: ComparedVideo, steps: Sequence[float]) -> list[dict]:
    """Matches and errors of the tracks of a video that have at least a score, for each threshold.

    Args:
        compared: N tracks and M truths.
        steps: Thresholds, ascending.

    Returns:
        Ascending by ``from``, a threshold; steps that show the same tracks as
        the one before are left out. Each with ``pairs``, [track, truth, IoU over
        the video] of those that match, and ``errors``: by name of
        :data:`ERRORS`, [row, first frame, frame after the last] of the tracks or
        truths that have it.
    """
    table = _FrameErrors(compared)
    levels, before = [], None
    for step in steps:
        shown = np.array([track.score >= step for track in compared.tracks], bool)
        if before is None or (shown != before).any():
            levels.append({'from': step, 'pairs': table.pairs(shown),
                           'errors': table.errors(shown)})
        before = shown
    return levels


class _FrameErrors:
    """Tables of N tracks and M truths over T frames; truth without a pixel counts as absent."""

    def __init__(self, compared: ComparedVideo) -> None:
        self._iou = compared.similarity.iou
        video = ErrorVideo.of(compared, get_protocol('sailvos-full'))
        count, length = video.track_areas.shape
        self._rows = video.rows
        self._present = video.track_areas > 0
        self._visible = (video.truth_areas > 0) & ~video.truths.crowd[:, None]
        self._ignored = video.ignored
        self._on = video.cover
        self._on_iou = np.zeros((count, length))
        overlaps = video.overlaps
        own = video.cover[overlaps.tracks, overlaps.frames] == overlaps.truths
        self._on_iou[overlaps.tracks[own], overlaps.frames[own]] = overlaps.iou[own]
        categories = np.array([truth.category_id for truth in compared.truths], np.int64)
        self._wrong_class = _categories(compared) != np.append(categories[video.rows], -1)[self._on]

    def pairs(self, shown: np.ndarray) -> list[list]:
        """[track, truth, IoU] of the pairs that are drawn in one colour."""
        tracks = np.flatnonzero(shown)
        return [[int(tracks[row]), column, round(float(self._iou[tracks[row], column]), 3)]
                for row, column in matched_pairs(self._iou[tracks])]

    def errors(self, shown: np.ndarray) -> dict[str, list[list[int]]]:
        """Errors if only some tracks (N,) bool are shown."""
        on = np.where(shown[:, None], self._on, -1)
        is_on = on >= 0
        found, duplicate, switch = self._owners(on)
        free = self._present & ~is_on & (shown & ~self._ignored)[:, None]
        tracks = {'unmatched': free, 'duplicate': duplicate,
                  'imprecise': is_on & (self._on_iou < PRECISE),
                  'class': is_on & self._wrong_class}
        truths = {'missed': self._visible & ~found, 'switch': switch}
        errors = {name: _runs(table, range(len(table))) for name, table in tracks.items()}
        errors |= {name: _runs(table, self._rows.tolist()) for name, table in truths.items()}
        return {name: errors[name] for name in ERRORS}

    def _owners(self, on: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Found truths (M, T), tracks that are not the first on theirs (N, T), switches (M, T).

        The first is the one that was it before, else that of highest IoU.
        """
        found, switch = np.zeros((2, *self._visible.shape), bool)
        duplicate = np.zeros(on.shape, bool)
        last: dict[int, int] = {}
        for t, g, tracks in _gathered(on):
            owner = last.get(g)
            if owner not in tracks:
                owner = tracks[int(self._on_iou[tracks, t].argmax())]
                switch[g, t] = g in last
            last[g] = owner
            found[g, t] = True
            duplicate[[d for d in tracks if d != owner], t] = True
        return found, duplicate, switch


def _gathered(on: np.ndarray) -> Iterator[tuple[int, int, list[int]]]:
    """Frame, truth and the tracks on it, from a table (N, T); in order of time."""
    frames, tracks = np.nonzero(on.T >= 0)
    truths = on[tracks, frames]
    order = np.lexsort((tracks, truths, frames))
    frames, truths, tracks = frames[order], truths[order], tracks[order]
    starts = np.flatnonzero(np.diff(frames, prepend=-1) | np.diff(truths, prepend=-1))
    for group in np.split(np.arange(len(frames)), starts[1:]) if len(starts) else ():
        yield int(frames[group[0]]), int(truths[group[0]]), tracks[group].tolist()


def _categories(compared: ComparedVideo) -> np.ndarray:
    """Class of each track in each of its frames: (N, T), -1 where it is absent."""
    table = np.full(compared.similarity.track_areas.shape, -1)
    for row, track in zip(table, compared.tracks, strict=True):
        row[track.frames] = [track.frame_category(frame) for frame in track.frames]
    return table


def _runs(table: np.ndarray, names: Sequence[int]) -> list[list[int]]:
    """[name of the row, start, stop] of the stretches of True in (R, T) bool."""
    edges = np.diff(np.pad(table, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges > 0)
    stops = np.nonzero(edges < 0)[1]
    return [[names[row], start, stop] for row, start, stop
            in zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True)]
