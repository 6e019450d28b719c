from __future__ import annotations

from math import exp, log

import pytest
import torch
from mmcv.ops import sigmoid_focal_loss
from torch import Tensor
from torch.autograd import gradcheck

TARGET = torch.tensor([0, 2, 3, 1])   # of 3 classes: 3 is background


def reference(logits: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    """FL(p_t) = -alpha_t (1 - p_t)^gamma log(p_t)"""
    loss = torch.zeros_like(logits)
    for row, column in torch.cartesian_prod(*map(torch.arange, logits.shape)).tolist():
        p = 1 / (1 + exp(-float(logits[row, column])))
        p_t, alpha_t = (p, alpha) if target[row] == column else (1 - p, 1 - alpha)
        loss[row, column] = -alpha_t * (1 - p_t) ** gamma * log(p_t)
    return loss


@pytest.fixture
def logits(rng: torch.Generator, device: torch.device) -> Tensor:
    return torch.randn(4, 3, dtype=torch.float64, generator=rng).to(device)


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_is_the_formula(reduction: str, logits: Tensor) -> None:
    loss = sigmoid_focal_loss(logits, TARGET.to(logits.device), 1.5, 0.3, None, reduction)
    expected = reference(logits, TARGET, 1.5, 0.3)
    expected = {'none': expected, 'sum': expected.sum(), 'mean': expected.sum() / 4}[reduction]
    torch.testing.assert_close(loss, expected)


def test_weight_of_the_target_class(logits: Tensor) -> None:
    target = TARGET.clamp(max=2).to(logits.device)
    weight = torch.tensor([1., 2., 3.], dtype=logits.dtype, device=logits.device)
    loss = sigmoid_focal_loss(logits, target, 2., 0.25, weight, 'none')
    torch.testing.assert_close(loss, reference(logits, target, 2., 0.25)
                               * weight[target][:, None])


@pytest.mark.parametrize('reduction', ['none', 'mean'])
def test_gradient(reduction: str, logits: Tensor) -> None:
    target = TARGET.to(logits.device)
    assert gradcheck(lambda x: sigmoid_focal_loss(x, target, 2., 0.25, None, reduction),
                     logits.requires_grad_())


def test_half_precision_and_no_rows(logits: Tensor) -> None:
    empty = logits[:0].bfloat16().requires_grad_()
    loss = sigmoid_focal_loss(empty, TARGET[:0].to(logits.device), 2., 0.25, None, 'sum')
    loss.backward()
    assert loss.dtype == torch.bfloat16 and loss == 0 and empty.grad.shape == (0, 3)
