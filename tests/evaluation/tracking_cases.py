"""Made sequences for the tracking metrics, and what TrackEval says of them."""
from __future__ import annotations

import numpy as np

from vatrack.evaluation.clear import ClearCounts
from vatrack.evaluation.hota import HotaCounts
from vatrack.evaluation.identity import IdentityCounts
from vatrack.evaluation.tracked_frames import TrackedFrames


def frames_of(*frames: tuple[list[int], list[int], list[list[float]]]) -> TrackedFrames:
    """Frames as (truths, tracks, similarity)."""
    truths, tracks = ([np.array(frame[side], np.int64) for frame in frames] for side in (0, 1))
    similarity = [np.array(frame[2], float).reshape(len(frame[0]), len(frame[1]))
                  for frame in frames]
    return TrackedFrames(truths, tracks, similarity, _size(truths), _size(tracks))


def random_frames(seed: int, length: int = 12, coarse: bool = False) -> TrackedFrames:
    """Objects come and go, tracks follow them, swap, and are born of nothing; frames are empty.

    ``coarse`` similarities are multiples of .05, so that many are equal and on a threshold.
    """
    rng = np.random.default_rng(seed)
    num_truths, num_tracks = rng.integers(1, 8), rng.integers(1, 10)
    owner = rng.integers(0, num_truths, num_tracks)
    frames = []
    for _ in range(length):
        truths = np.flatnonzero(rng.random(num_truths) < .8)
        tracks = np.flatnonzero(rng.random(num_tracks) < .8)
        if rng.random() < .15:
            truths = truths[:0]
        if rng.random() < .15:
            tracks = tracks[:0]
        if rng.random() < .1:
            owner = rng.permutation(owner)
        similarity = rng.random((len(truths), len(tracks))) ** 3
        own = truths[:, None] == owner[tracks]
        similarity[own] = 1 - similarity[own]
        similarity[rng.random(similarity.shape) < .2] = 0
        if coarse:
            similarity = np.round(similarity * 20) / 20
        frames.append((truths, tracks, similarity))
    truths, tracks, similarity = zip(*frames, strict=True)
    return _without_gaps(truths, tracks, similarity)


def _without_gaps(truths, tracks, similarity) -> TrackedFrames:
    """Every index occurs, as TrackEval wants it."""
    new = [np.unique(np.concatenate(side), return_inverse=True) for side in (truths, tracks)]
    cut = [np.split(inverse, np.cumsum([len(frame) for frame in side])[:-1])
           for (_, inverse), side in zip(new, (truths, tracks), strict=True)]
    return TrackedFrames(*cut, list(similarity), len(new[0][0]), len(new[1][0]))


def _size(indices: list[np.ndarray]) -> int:
    return 1 + max((int(frame.max()) for frame in indices if frame.size), default=-1)


ADVERSARIAL = {
    'switch': frames_of(([0], [0], [[.9]]), ([0], [1], [[.9]]), ([0], [1], [[.8]])),
    'switch after a gap': frames_of(([0], [0], [[.9]]), ([0], [], []), ([], [0], []),
                                    ([0], [0, 1], [[.2, .9]])),
    'swap': frames_of(([0, 1], [0, 1], [[.9, .1], [.1, .9]]),
                      ([0, 1], [0, 1], [[.1, .9], [.9, .1]])),
    'stays although worse': frames_of(([0], [0, 1], [[.9, .1]]), ([0], [0, 1], [[.5, .95]])),
    'lost and back': frames_of(([0], [0], [[.9]]), ([0], [0], [[.1]]), ([0], [0], [[.9]])),
    'all alike': frames_of(*[([0, 1], [0, 1], [[.7, .7], [.7, .7]])] * 3),
    'on thresholds': frames_of(([0, 1], [0, 1], [[.5, .05], [.95, 1.]]),
                               ([0, 1], [0, 1], [[.5 - 1e-17, 0], [0, .15]])),
    'just below': frames_of(([0], [0], [[np.nextafter(.5, 0)]]), ([0], [0], [[.499]])),
    'nothing alike': frames_of(([0, 1], [0], [[0.], [0.]]), ([1], [0], [[0.]])),
    'no truth': frames_of(([], [0, 1], []), ([], [0], [])),
    'no track': frames_of(([0, 1], [], []), ([0], [], [])),
    'only empty frames': frames_of(([], [], []), ([], [], [])),
    'found for a fifth and four fifths': frames_of(
        *[([0, 1], [0], [[.9], [0.]])] * 4, ([0, 1], [0], [[0.], [.9]])),
}


def trackeval_data(frames: TrackedFrames) -> dict[str, object]:
    """A sequence in the form that TrackEval's metrics take."""
    return {'num_timesteps': len(frames.truths), 'num_gt_ids': frames.num_truths,
            'num_tracker_ids': frames.num_tracks,
            'num_gt_dets': sum(map(len, frames.truths)),
            'num_tracker_dets': sum(map(len, frames.tracks)),
            'gt_ids': list(frames.truths), 'tracker_ids': list(frames.tracks),
            'similarity_scores': list(frames.similarity)}


#: TrackEval's names of our numbers, by type of counts.
TRACKEVAL_NAMES = {
    HotaCounts: {name: name for name in ('HOTA', 'DetA', 'AssA', 'LocA')},
    ClearCounts: {'MOTA': 'MOTA', 'MOTP': 'MOTP', 'IDSW': 'IDSW', 'Frag': 'Frag', 'MT': 'MT',
                  'ML': 'ML', 'TP': 'CLR_TP', 'FN': 'CLR_FN', 'FP': 'CLR_FP'},
    IdentityCounts: {name: name for name in ('IDF1', 'IDR', 'IDP', 'IDTP', 'IDFN', 'IDFP')},
}
