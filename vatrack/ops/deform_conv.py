"""Deformable convolution, plain and modulated, by torchvision.

Backbones with ``dcn=dict(type='DCN')`` or ``'DCNv2'`` need it, and heads of mmdet that align their
features. At a place p of the output, with kernel taps k at p_k, offsets d_k and factors m_k,

    y(p) = sum_k w_k * m_k(p) * x(p + p_k + d_k(p)),

x being sampled bilinearly and zero outside of the image; plain is m = 1.

mmcv and torchvision lay the tensors out alike: offsets (B, 2 * G * kh * kw, H', W') hold a (y, x)
pair for each kernel tap of each of the G groups, masks (B, G * kh * kw, H', W') a factor. They
differ in the arguments: mmcv hands over the tensors for the results and buffers of its own, names
the geometry by axis (W before H for plain, H before W for modulated), and has no bias in the plain
one.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

from .precision import to_compute_dtype


class _Geometry(NamedTuple):
    """The integers that torchvision's operators take, in their order."""

    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    dilation_h: int
    dilation_w: int
    groups: int
    deform_groups: int


class _Gradients(NamedTuple):
    """What torchvision's backward operator returns, in its order."""

    input: Tensor
    weight: Tensor
    offset: Tensor
    mask: Tensor
    bias: Tensor


def deform_conv_forward(input: Tensor, weight: Tensor, offset: Tensor, output: Tensor,
                        columns: Tensor, ones: Tensor, **layer: int) -> None:
    """Deformable convolution without bias (Dai et al., Deformable Convolutional Networks, 2017).

    Args:
        input: (B, C, H, W) floating.
        weight: (C', C / groups, kh, kw) floating.
        offset: (B, 2 * deform_groups * kh * kw, H', W') floating, in pixels of the input.
        output: (B, C', H', W'), receives the result.
        columns: mmcv's buffer, unused.
        ones: mmcv's buffer, unused.
        **layer: mmcv's kW, kH, dW, dH (stride), padW, padH, dilationW, dilationH, group,
            deformable_group and im2col_step; the kernel size is read from the weight and
            torchvision chooses the step.
    """
    output.copy_(_convolve(input, weight, offset, None, None, _plain_geometry(**layer)))


def deform_conv_backward_input(input: Tensor, offset: Tensor, grad_output: Tensor,
                               grad_input: Tensor, grad_offset: Tensor, weight: Tensor,
                               columns: Tensor, **layer: int) -> None:
    """Gradients of :func:`deform_conv_forward` for input and offset, into the tensors given.

    torchvision computes all gradients at once; mmcv asks for the weight's in a call of its own, so
    that they are computed twice. To keep them from one call to the next would need a state whose
    end nobody tells.
    """
    grads = _gradients(grad_output, input, weight, offset, None, None, _plain_geometry(**layer))
    grad_input.copy_(grads.input)
    grad_offset.copy_(grads.offset)


def deform_conv_backward_parameters(input: Tensor, offset: Tensor, grad_output: Tensor,
                                    grad_weight: Tensor, columns: Tensor, ones: Tensor,
                                    scale: float, **layer: int) -> None:
    """Gradient of :func:`deform_conv_forward` for the weight, times scale, added to grad_weight."""
    # The gradient for the weight does not depend on its values; torchvision asks for its shape.
    grads = _gradients(grad_output, input, torch.zeros_like(grad_weight), offset, None, None,
                       _plain_geometry(**layer))
    grad_weight.add_(grads.weight, alpha=scale)


def modulated_deform_conv_forward(input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor,
                                  offset: Tensor, mask: Tensor, output: Tensor, columns: Tensor,
                                  with_bias: bool, **layer: int) -> None:
    """Modulated deformable convolution (Zhu et al., Deformable ConvNets v2, 2019).

    Args:
        input: (B, C, H, W) floating.
        weight: (C', C / groups, kh, kw) floating.
        bias: (C',) floating; empty if not with_bias.
        ones: mmcv's buffer, unused.
        offset: (B, 2 * deform_groups * kh * kw, H', W') floating, in pixels of the input.
        mask: (B, deform_groups * kh * kw, H', W') floating.
        output: (B, C', H', W'), receives the result.
        columns: mmcv's buffer, unused.
        with_bias: whether to add the bias.
        **layer: mmcv's kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h,
            dilation_w, group and deformable_group.
    """
    output.copy_(_convolve(input, weight, offset, mask, bias if with_bias else None,
                           _modulated_geometry(**layer)))


def modulated_deform_conv_backward(input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor,
                                   offset: Tensor, mask: Tensor, columns: Tensor,
                                   grad_input: Tensor, grad_weight: Tensor, grad_bias: Tensor,
                                   grad_offset: Tensor, grad_mask: Tensor, grad_output: Tensor,
                                   with_bias: bool, **layer: int) -> None:
    """Gradients of :func:`modulated_deform_conv_forward`, into the tensors given."""
    grads = _gradients(grad_output, input, weight, offset, mask, bias if with_bias else None,
                       _modulated_geometry(**layer))
    grad_input.copy_(grads.input)
    grad_weight.copy_(grads.weight)
    grad_offset.copy_(grads.offset)
    grad_mask.copy_(grads.mask)
    if with_bias:
        grad_bias.copy_(grads.bias)


def _plain_geometry(*, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
                    group: int, deformable_group: int, **unused: int) -> _Geometry:
    return _Geometry(dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)


def _modulated_geometry(*, group: int, deformable_group: int, kernel_h: int, kernel_w: int,
                        **spacing: int) -> _Geometry:
    return _Geometry(**spacing, groups=group, deform_groups=deformable_group)


def _convolve(input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None,
              bias: Tensor | None, geometry: _Geometry) -> Tensor:
    tensors = _complete(input, weight, offset, mask, bias)
    return torch.ops.torchvision.deform_conv2d(*tensors, *geometry, mask is not None)


def _gradients(grad_output: Tensor, input: Tensor, weight: Tensor, offset: Tensor,
               mask: Tensor | None, bias: Tensor | None, geometry: _Geometry) -> _Gradients:
    tensors = to_compute_dtype(grad_output, *_complete(input, weight, offset, mask, bias))
    # The operator itself, since mmcv calls from the backward pass of its own autograd function:
    # there is no graph that torchvision's public function could go back through.
    return _Gradients(*torch.ops.torchvision._deform_conv2d_backward(
        *tensors, *geometry, mask is not None))


def _complete(input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None,
              bias: Tensor | None) -> tuple[Tensor, ...]:
    """The tensors in torchvision's order, which has a placeholder for an absent mask or bias."""
    mask = input.new_zeros(len(input), 1) if mask is None else mask
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    return to_compute_dtype(input, weight, offset, mask, bias)
