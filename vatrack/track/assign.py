"""Which detection goes to which track: pure functions of arrays."""
from __future__ import annotations

import numpy as np

#: Entries of an assignment that are not columns of the similarity matrix.
UNMATCHED, DISCARDED = -1, -2


def greedy_assign(similarity: np.ndarray, is_track: np.ndarray, confident: np.ndarray,
                  match_thr: float, discard_thr: float) -> np.ndarray:
    """Assign detections to tracks one after the other, best score first.

    A detection takes the most similar memory entry that no earlier one took,
    if the similarity exceeds ``match_thr`` and the entry is a track. A
    detection that is not ``confident`` never takes a track; it is discarded
    if the similarity exceeds ``discard_thr`` too (QDTrack, section 3.4).

    Args:
        similarity: (N, M) float, detections in descending order of score.
        is_track: (M,) bool; other columns are backdrops.
        confident: (N,) bool.
        match_thr: Least similarity of a match, exclusive.
        discard_thr: Least similarity that discards, exclusive.

    Returns:
        (N,) int64 column of each detection, or UNMATCHED or DISCARDED.
    """
    similarity = similarity.copy()
    columns = np.full(len(similarity), UNMATCHED, dtype=np.int64)
    for row in range(len(similarity)):
        best = int(similarity[row].argmax())
        value = similarity[row, best]
        if not (value > match_thr and is_track[best]):  # so that NaN matches nothing
            continue
        if confident[row]:
            columns[row] = best
            similarity[row + 1:, best] = -np.inf
        elif value > discard_thr:
            columns[row] = DISCARDED
    return columns
