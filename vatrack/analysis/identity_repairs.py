"""Repairs of identity alone: cut tracks where they change the object, join those of one object.

Masks stay as they are; only which track a mask belongs to changes. So the
overlaps of the new tracks are sums over the frames of the old ones.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .causes import FOUND
from .repair import Case, Repair, frame_iou
from .video import ErrorVideo, Tracks


@dataclass
class _Regrouping:
    """To which new track the mask of a track in a frame goes.

    ``owner`` (N, T) is a number of a new track, -1 where the mask is dropped.
    At first every track keeps its own masks.
    """

    video: ErrorVideo
    owner: np.ndarray
    scores: np.ndarray
    categories: np.ndarray

    @classmethod
    def of(cls, video: ErrorVideo) -> _Regrouping:
        count, length = video.track_areas.shape
        owner = np.repeat(np.arange(count)[:, None], length, axis=1)
        return cls(video, owner, video.tracks.scores.copy(), video.tracks.categories.copy())

    def join(self, members: np.ndarray, frames: np.ndarray, truth: int, score: float) -> None:
        """Make one track of the ``frames`` (N, T) bool of some tracks, for a truth.

        Where several have a mask, that of highest IoU with the truth stays, of
        equals that of the first member, whose class the new track has.
        """
        new = len(self.scores)
        iou = np.stack([frame_iou(self.video, d, truth) for d in members])
        here = frames[members] & (self.video.track_areas[members] > 0)
        best = np.where(here, iou, -1).argmax(axis=0)
        for row, d in enumerate(members):
            self.owner[d, frames[d]] = -1
            self.owner[d, here[row] & (best == row)] = new
        self.scores = np.append(self.scores, score)
        self.categories = np.append(self.categories, self.video.tracks.categories[members[0]])

    def drop(self, number: int) -> None:
        """Remove a new track."""
        self.owner[self.owner == number] = -1

    def tracks(self) -> Tracks:
        """All tracks that still have a mask, and those that never had one."""
        video = self.video
        overlaps, count = video.overlaps, len(self.scores)
        shape = count + 1, len(video.rows)  # the last row takes what was dropped
        owners = self.owner[overlaps.tracks, overlaps.frames]
        shared = np.zeros(shape, np.int64)
        np.add.at(shared, (owners, overlaps.truths), overlaps.intersections)
        present = video.track_areas > 0
        owned = self.owner[present]
        area = np.bincount(owned % (count + 1), video.track_areas[present], count + 1)[:count]
        frames = np.bincount(owned % (count + 1), minlength=count + 1)[:count]
        both = area[:, None] + video.truth_areas.sum(axis=1)
        iou = shared[:-1] / np.maximum(both - shared[:-1], 1)
        tracks = Tracks(iou, self.scores, self.categories, area / np.maximum(frames, 1))
        never = np.append(~present.any(axis=1), np.zeros(count - len(present), bool))
        return tracks.select((frames > 0) | never)


def frames_on(video: ErrorVideo) -> np.ndarray:
    """In how many frames a track is on a truth: (N, M), see ``ErrorVideo.cover``."""
    counts = np.zeros((len(video.tracks.scores), len(video.rows)), np.int64)
    rows, frames = np.nonzero(video.cover >= 0)
    np.add.at(counts, (rows, video.cover[rows, frames]), 1)
    return counts


def repair_switch(video: ErrorVideo) -> tuple[Repair, np.ndarray]:
    """Cut the tracks that are on several objects; join the pieces of each object.

    Returns:
        The repair, and the tracks that it touched: (N,) bool.
    """
    counts = frames_on(video)
    mixed = np.count_nonzero(counts, axis=1) > 1
    piece = np.where(mixed[:, None], _nearest_cover(video.cover), -1)
    regrouping, touched = _Regrouping.of(video), mixed.copy()
    main = counts.argmax(axis=1) if counts.size else np.zeros(len(counts), np.int64)
    for g in np.flatnonzero(counts[mixed].any(axis=0)).tolist():
        members = np.flatnonzero(mixed & (counts[:, g] > 0))
        single = np.flatnonzero(~mixed & (counts[:, g] > 0))
        if single.size:
            members = np.append(members, single[_order(counts[single, g], video, single)[0]])
        members = members[_order(counts[members, g], video, members)]
        touched[members] = True
        regrouping.join(members, (piece == g) | ~mixed[:, None], g, video.tracks.scores[members[0]])
        if not single.size and not (main[members] == g).any():
            _drop_if_useless(regrouping, g)
    cases = [_switch_case(video, d, counts[d]) for d in np.flatnonzero(mixed).tolist()]
    return Repair(regrouping.tracks(), video.truths, int(mixed.sum()), cases), touched


def repair_fragmentation(video: ErrorVideo) -> tuple[Repair, np.ndarray]:
    """Join the tracks that follow one object of their class, each in frames of its own.

    Returns:
        The repair, and the tracks that it touched: (N,) bool.
    """
    counts = frames_on(video)
    present = np.count_nonzero(video.track_areas, axis=1)
    single = (np.count_nonzero(counts, axis=1) == 1) & (2 * counts.sum(axis=1) >= present)
    regrouping, touched, cases = _Regrouping.of(video), np.zeros(len(counts), bool), []
    everywhere = np.ones(video.track_areas.shape, bool)
    for g in np.flatnonzero(~video.truths.crowd).tolist():
        candidates = np.flatnonzero(single & (counts[:, g] > 0) & video.same_class[:, g])
        candidates = candidates[_order(counts[candidates, g], video, candidates)]
        members = _in_turns(video.cover, candidates, g)
        if len(members) > 1:
            touched[members] = True
            regrouping.join(members, everywhere, g, video.tracks.scores[members].max())
            cases += [_fragment_case(video, members, g)]
    count = int(touched.sum()) - len(cases)
    tracks = regrouping.tracks()
    return Repair(tracks, video.truths, count, cases), touched


def _order(counts: np.ndarray, video: ErrorVideo, rows: np.ndarray) -> np.ndarray:
    """Most frames on the object first; of equals highest score, then the first."""
    return np.lexsort((rows, -video.tracks.scores[rows], -counts))


def _nearest_cover(cover: np.ndarray) -> np.ndarray:
    """Frames on no object go with the object before them, at the start with that after: (N, T)."""
    frames = np.arange(cover.shape[1])
    last = np.maximum.accumulate(np.where(cover >= 0, frames, -1), axis=1)
    first = (cover >= 0).argmax(axis=1)[:, None]
    return np.take_along_axis(cover, np.where(last < 0, first, last), axis=1)


def _in_turns(cover: np.ndarray, candidates: np.ndarray, truth: int) -> np.ndarray:
    """Those that are on the truth mostly in frames where none before them is."""
    taken, members = np.zeros(cover.shape[1], bool), []
    for d in candidates.tolist():
        on = cover[d] == truth
        if 2 * np.count_nonzero(on & ~taken) > np.count_nonzero(on):
            members.append(d)
            taken |= on
    return np.array(members, np.int64)


def _drop_if_useless(regrouping: _Regrouping, truth: int) -> None:
    """An oracle adds no false positive: a piece that is nobody's own must find the object."""
    number, video = len(regrouping.scores) - 1, regrouping.video
    kept = (regrouping.owner == number) & (video.track_areas > 0)
    shared = sum(int(pair) for pair in video.overlaps.intersections[
        (video.overlaps.truths == truth) & kept[video.overlaps.tracks, video.overlaps.frames]])
    union = video.track_areas[kept].sum() + video.truth_areas[truth].sum() - shared
    same_class = regrouping.categories[number] == video.truths.categories[truth]
    if not same_class or shared < FOUND * union:
        regrouping.drop(number)


def _switch_case(video: ErrorVideo, track: int, counts: np.ndarray) -> Case:
    """The frames before and after the first change; weighed by the frames not on the main one."""
    on = np.flatnonzero(video.cover[track] >= 0)
    objects = video.cover[track, on]
    change = int(np.flatnonzero(np.diff(objects))[0])
    frames, truths = on[change:change + 2], objects[change:change + 2]
    first = int(truths[0])
    return Case(float(counts.sum() - counts.max()), tuple(frames.tolist()), (track,),
                tuple(truths.tolist()), float(video.tracks.iou[track, first]))


def _fragment_case(video: ErrorVideo, members: np.ndarray, truth: int) -> Case:
    """The frames where the two longest fragments follow their object best, in order of time."""
    pair = []
    for d, other in ((members[0], members[1]), (members[1], members[0])):
        alone = (video.cover[d] == truth) & (video.cover[other] != truth)
        pair.append((int(np.where(alone, frame_iou(video, d, truth), -1).argmax()), int(d)))
    frames, tracks = zip(*sorted(pair), strict=True)
    regrouping = _Regrouping.of(video)
    regrouping.join(members, np.ones(video.track_areas.shape, bool), truth, 0)
    joined = float(regrouping.tracks().iou[-1, truth])
    iou = float(video.tracks.iou[tracks[0], truth])
    return Case(joined - float(video.tracks.iou[members, truth].max()), frames, tracks, (truth,),
                iou, joined)


