"""Sigmoid focal loss, by torchvision; mmdet calls mmcv's for tensors on the GPU.

With p the sigmoid of a logit, and p_t = p, a_t = alpha for the target class but p_t = 1 - p,
a_t = 1 - alpha for the others, the loss is -a_t * (1 - p_t)^gamma * log(p_t). torchvision takes the
logarithm from the logit, so that it stays finite where p is rounded to 0 or 1.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from .precision import to_compute_dtype


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor,
                               gamma: float, alpha: float) -> None:
    """Focal loss of every logit (Lin et al., Focal Loss for Dense Object Detection, 2017).

    Args:
        input: (N, K) floating, logits.
        target: (N,) int64, class in [0, K), or K for background.
        weight: (K,) floating, weight of each target class, which excludes background; empty for
            none.
        output: (N, K), receives the losses.
        gamma: focusing exponent.
        alpha: weight of the target class; the others have 1 - alpha.
    """
    output.copy_(_loss(*to_compute_dtype(input, weight), target, gamma, alpha))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor,
                                gamma: float, alpha: float) -> None:
    """Derivative of each loss of :func:`sigmoid_focal_loss_forward` by its logit."""
    # By autograd, as torchvision has no backward operator of its own here. Every loss depends on
    # one logit alone, so the gradient of their sum holds the derivative of each. mmcv multiplies
    # it by the gradient of its output itself, and has switched autograd off.
    logits, weight = to_compute_dtype(input, weight)
    with torch.enable_grad():
        logits = logits.detach().requires_grad_()
        total = _loss(logits, weight, target, gamma, alpha).sum()
    grad_input.copy_(*torch.autograd.grad(total, logits))


def _loss(logits: Tensor, weight: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    # Background, K, equals no column: a row of zeros, as mmcv's kernel has it.
    is_target = target[:, None] == torch.arange(logits.shape[1], device=logits.device)
    loss = sigmoid_focal_loss(logits, is_target.to(logits), alpha, gamma)
    return loss * weight[target][:, None] if weight.numel() else loss
