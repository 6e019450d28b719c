"""Sampling images against a motion."""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def backward_warp(source: Tensor, motion: Tensor, padding: str = 'zeros',
                  half_pixel: bool = False) -> Tensor:
    """Give each pixel x what the source has at x - motion(x), bilinear.

    Args:
        source: (N, C, H, W) float.
        motion: (N, 2, H, W) in pixels, x before y. Whole numbers are exact.
        padding: What lies beyond the source: ``'zeros'``, or ``'border'``, its border repeated.
        half_pixel: Sample half a pixel further up and left, as the released code of
            SaVos does.

    Returns:
        (N, C, H, W).
    """
    height, width = motion.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height, device=motion.device),
                          torch.arange(width, device=motion.device), indexing='ij')
    size = motion.new_tensor([width, height])
    positions = torch.stack([x, y], dim=-1) - motion.permute(0, 2, 3, 1)
    corner = 0.0 if half_pixel else 0.5
    grid = (positions + corner) * (2 / size) - 1
    return grid_sample(source, grid.to(source), padding_mode=padding, align_corners=False)
