from __future__ import annotations

import math

import pytest
import torch
from mmdet.models.losses import MarginL2Loss, MultiPosCrossEntropyLoss
from torch.autograd import gradcheck

from vatrack.models.association.qd_head import CosineMarginLoss, MultiPositiveCELoss


def matrix(rows: int, columns: int, seed: int, share: float = .2, scale: float = 3.):
    """Random similarities and which entries are positive."""
    rng = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, columns, generator=rng) * scale,
            torch.rand(rows, columns, generator=rng) < share)


def track_loss_by_loops(similarity, positive) -> float:
    """Spec of the track loss: mean over rows with a positive of log(1 + sum * sum)."""
    rows = []
    for values, is_positive in zip(similarity.tolist(), positive.tolist(), strict=True):
        if any(is_positive):
            pull = sum(math.exp(-s) for s, p in zip(values, is_positive, strict=True) if p)
            push = sum(math.exp(s) for s, p in zip(values, is_positive, strict=True) if not p)
            rows.append(math.log(1 + pull * push))
    return sum(rows) / max(len(rows), 1)


def aux_loss_by_loops(cosine, positive, margin=.3, ratio=3) -> float:
    """Spec of the auxiliary loss: positives, and the hardest negatives, 3 per positive."""
    entries = list(zip(cosine.flatten().tolist(), positive.flatten().tolist(), strict=True))
    pull = [(min(max(c, 0), 1) - 1) ** 2 for c, p in entries if p]
    push = sorted((min(max(c - margin, 0), 1) ** 2 for c, p in entries if not p), reverse=True)
    push = push[:ratio * len(pull)]
    return (sum(pull) + sum(push)) / max(len(pull) + len(push), 1)


SHAPES = [(1, 1), (1, 9), (5, 1), (6, 20), (30, 40)]
SHARES = [0., .05, .3, 1.]


@pytest.mark.parametrize('share', SHARES)
@pytest.mark.parametrize('shape', SHAPES)
def test_track_loss_is_the_formula(shape, share):
    for seed in range(3):
        similarity, positive = matrix(*shape, seed, share)
        loss = MultiPositiveCELoss(loss_weight=.25)(similarity, positive)
        assert loss.shape == ()
        assert loss.item() == pytest.approx(.25 * track_loss_by_loops(similarity, positive),
                                            rel=1e-5, abs=1e-7)


@pytest.mark.parametrize('share', SHARES)
@pytest.mark.parametrize('shape', SHAPES)
def test_track_loss_and_gradient_are_mmdets(shape, share):
    similarity, positive = matrix(*shape, 7, share)
    ours, theirs = (similarity.clone().requires_grad_() for _ in range(2))
    weight = positive.any(1).float()
    loss = MultiPositiveCELoss(.25)(ours, positive)
    expected = MultiPosCrossEntropyLoss(loss_weight=.25)(theirs, positive.int(), weight,
                                                         avg_factor=weight.sum())
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    # Theirs is NaN in rows without a positive or without a negative.
    torch.testing.assert_close(ours.grad, theirs.grad.nan_to_num(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize('share', SHARES)
@pytest.mark.parametrize('shape', SHAPES)
def test_aux_loss_is_the_formula_and_mmdets(shape, share):
    for seed in range(3):
        cosine, positive = matrix(*shape, seed, share, scale=.6)
        ours, theirs = (cosine.clamp(-1, 1).requires_grad_() for _ in range(2))
        loss = CosineMarginLoss(neg_margin=.3, max_neg_ratio=3, loss_weight=2.)(ours, positive)
        assert loss.item() == pytest.approx(2 * aux_loss_by_loops(ours, positive), rel=1e-5)
        expected = MarginL2Loss(neg_pos_ub=3, pos_margin=0, neg_margin=.3, hard_mining=True,
                                loss_weight=2.)(theirs * 1, positive.int())
        torch.testing.assert_close(loss, expected)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-4)


def test_only_the_hardest_negatives_count():
    cosine = torch.tensor([[.9, .8, .5, .4, .35]])
    positive = torch.tensor([[True, False, False, False, False]])
    kept = [.1 ** 2, .5 ** 2, .2 ** 2]
    assert CosineMarginLoss(max_neg_ratio=2)(cosine, positive).item() == pytest.approx(
        sum(kept) / 3)


LOSSES = [MultiPositiveCELoss(.25), CosineMarginLoss()]
EDGES = {
    'no positive at all': (torch.zeros(3, 4, dtype=torch.bool), 0),
    'no rows': (torch.zeros(0, 4, dtype=torch.bool), 0),
    'no columns': (torch.zeros(3, 0, dtype=torch.bool), 0),
    'nothing': (torch.zeros(0, 0, dtype=torch.bool), 0),
}


@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize(('positive', 'expected'), EDGES.values(), ids=EDGES)
def test_nothing_to_learn(loss, positive, expected):
    similarity = torch.rand(positive.shape, requires_grad=True)
    value = loss(similarity, positive)
    value.backward()
    assert value.item() == expected
    assert not similarity.grad.any()


@pytest.mark.parametrize('size', [1e2, 1e3, 1e4, 1e6])
@pytest.mark.parametrize('share', [.05, .5, 1.])
@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: type(loss).__name__)
def test_huge_values_are_finite(loss, share, size):
    similarity, positive = matrix(8, 30, 3, share)
    similarity = (similarity.sign() * size).requires_grad_()
    value = loss(similarity, positive)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(similarity.grad).all()
    if share == 1 and isinstance(loss, MultiPositiveCELoss):  # no negatives: nothing to pay
        assert value == 0 and not similarity.grad.any()


@pytest.mark.parametrize('size', [1e3, 1e5])
def test_a_wrong_pair_costs_its_difference(size):
    """log(1 + exp(size) * exp(size)) = 2 size."""
    similarity = torch.tensor([[-size, size]], requires_grad=True)
    loss = MultiPositiveCELoss()(similarity, torch.tensor([[True, False]]))
    loss.backward()
    assert loss.item() == pytest.approx(2 * size)
    assert similarity.grad.tolist() == [[-1, 1]]


@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize('share', [.2, 1.])
def test_gradients_by_finite_differences(loss, share):
    similarity, positive = matrix(4, 6, 11, share, scale=.5)
    positive[0] = False
    inputs = similarity.double().clamp(-.95, .95).requires_grad_()
    assert gradcheck(lambda s: loss(s, positive), (inputs,))


@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(loss, dtype):
    similarity, positive = matrix(20, 50, 2, scale=.5)
    similarity = similarity.to(dtype)
    value = loss(similarity, positive)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(similarity.float(), positive))
