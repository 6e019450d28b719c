"""How alike detections and tracks are: pure functions of tensors."""
from __future__ import annotations

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
