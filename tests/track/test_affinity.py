from __future__ import annotations

import math

import pytest
import torch

from vatrack.track.base import METRICS, bisoftmax, cosine, softmax

EMBEDS = torch.tensor([[1., 0.], [0., 2.], [-1., 1.]])
MEMORY = torch.tensor([[2., 0.], [1., 1.]])
DOTS = [[2, 1], [0, 2], [-2, 0]]


def test_softmax_by_hand():
    expected = [[math.exp(d) / sum(map(math.exp, row)) for d in row] for row in DOTS]
    torch.testing.assert_close(softmax(EMBEDS, MEMORY), torch.tensor(expected))


def test_bisoftmax_by_hand():
    columns = [sum(math.exp(row[j]) for row in DOTS) for j in range(2)]
    expected = [[(math.exp(d) / sum(map(math.exp, row)) + math.exp(d) / columns[j]) / 2
                 for j, d in enumerate(row)] for row in DOTS]
    torch.testing.assert_close(bisoftmax(EMBEDS, MEMORY), torch.tensor(expected))


def test_cosine_by_hand():
    half = math.sqrt(.5)
    torch.testing.assert_close(cosine(EMBEDS, MEMORY),
                               torch.tensor([[1, half], [0, half], [-half, 0]]))


@pytest.mark.parametrize('name', METRICS)
def test_large_and_zero_embeddings_are_finite(name):
    embeds = torch.cat([EMBEDS * 1e4, torch.zeros(1, 2)])
    similarity = METRICS[name](embeds, embeds)
    assert torch.isfinite(similarity).all()
    assert similarity.min() >= -1 - 1e-6 and similarity.max() <= 1 + 1e-6
