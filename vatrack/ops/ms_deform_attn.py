"""Multi-scale deformable attention, by the plain PyTorch form that mmcv has for the CPU.

Deformable DETR, DINO and the pixel decoder of Mask2Former need it; on the CPU mmcv calls its plain
form itself, on the GPU this module. The form samples with ``grid_sample`` (a location of 0 is the
outer edge of the first pixel, zeros outside), which is what the compiled kernel does, and adds up
afterwards: it holds all samples (B * heads, D, Q, L * P) at once, which the kernel does not.
"""
from __future__ import annotations

import torch
from torch import Tensor

from .precision import to_compute_dtype


def ms_deform_attn_forward(value: Tensor, spatial_shapes: Tensor, level_start_index: Tensor,
                           sampling_locations: Tensor, attention_weights: Tensor,
                           im2col_step: int) -> Tensor:
    """Weighted sum of bilinear samples from L levels (Zhu et al., Deformable DETR, 2021, eq. 3).

    Args:
        value: (B, S, heads, D) floating, the levels one after another, S = sum of h * w.
        spatial_shapes: (L, 2) integer, (h, w) of each level.
        level_start_index: (L,) integer, where each level starts; implied by the shapes.
        sampling_locations: (B, Q, heads, L, P, 2) floating, (x, y) in [0, 1].
        attention_weights: (B, Q, heads, L, P) floating.
        im2col_step: images per step of the compiled operator, unused.

    Returns:
        (B, Q, heads * D), in the dtype of value.
    """
    tensors = to_compute_dtype(value, sampling_locations, attention_weights)
    return _attend(*tensors, spatial_shapes).to(value.dtype)


def ms_deform_attn_backward(value: Tensor, spatial_shapes: Tensor, level_start_index: Tensor,
                            sampling_locations: Tensor, attention_weights: Tensor,
                            grad_output: Tensor, grad_value: Tensor, grad_sampling_loc: Tensor,
                            grad_attn_weight: Tensor, im2col_step: int) -> None:
    """Gradients of :func:`ms_deform_attn_forward`, into the three ``grad_`` tensors given."""
    # mmcv keeps only the inputs for the backward pass, as the compiled operator needs no more; so
    # the forward pass is computed again to have its graph.
    *tensors, grad = to_compute_dtype(value, sampling_locations, attention_weights, grad_output)
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        output = _attend(*leaves, spatial_shapes)
    outs = (grad_value, grad_sampling_loc, grad_attn_weight)
    for out, gradient in zip(outs, torch.autograd.grad(output, leaves, grad), strict=True):
        out.copy_(gradient)


def _attend(value: Tensor, sampling_locations: Tensor, attention_weights: Tensor,
            spatial_shapes: Tensor) -> Tensor:
    # Imported late: mmcv.ops can only be imported once its extension is in place.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
    # The sizes are needed in Python, to cut the value into levels: one wait for the device.
    return multi_scale_deformable_attn_pytorch(value, spatial_shapes.tolist(), sampling_locations,
                                               attention_weights)
