"""Which detection goes to which track: pure functions of arrays."""
from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import normalize


def bisoftmax(embeds: Tensor, memory: Tensor) -> Tensor:
    """Two-way softmax similarity (QDTrack, Eq. 6): (N, E), (M, E) -> (N, M) in [0, 1]."""
    logits = embeds @ memory.T
    return (logits.softmax(dim=1) + logits.softmax(dim=0)) / 2


def softmax(embeds: Tensor, memory: Tensor) -> Tensor:
    """Softmax over the memory: (N, E), (M, E) -> (N, M) in [0, 1]."""
    return (embeds @ memory.T).softmax(dim=1)


def cosine(embeds: Tensor, memory: Tensor) -> Tensor:
    """Cosine similarity: (N, E), (M, E) -> (N, M) in [-1, 1]."""
    return normalize(embeds, dim=1) @ normalize(memory, dim=1).T


METRICS = {'bisoftmax': bisoftmax, 'softmax': softmax, 'cosine': cosine}


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
