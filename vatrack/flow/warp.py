"""Moving images by optical flow."""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def backward_warp(source: Tensor, motion: Tensor, padding: str = 'zeros',
                  half_pixel: bool = False) -> Tensor:
    """Move images: ``out(x) = source(x - motion(x))``, bilinear.

    This is Warp of SaVos (Yao et al., *Self-supervised Amodal Video Object
    Segmentation*, NeurIPS 2022): a mask of frame t, moved by the forward flow of
    frame t, is the mask in frame t + 1. The motion is read at the target pixel,
    which is exact where it does not change along its own length. Pixel centres
    are at integers: moved by whole pixels, an image is the same image, up to the
    rounding of float32.

    Args:
        source: (N, C, H, W) floats.
        motion: (N, 2, H, W) pixels, u to the right and v downwards.
        padding: What lies outside of the source: ``'zeros'``, or ``'border'``, which
            repeats its edge.
        half_pixel: Sample at ``x - motion - 0.5``, as the released code of SaVos does
            (it builds the grid as ``2 x / W - 1`` but samples with
            ``align_corners=False``): all moves half a pixel right and down more.

    Returns:
        (N, C, H, W) of the source's dtype; differentiable in both.

    Raises:
        ValueError: The shapes do not belong together.
    """
    if source.ndim != 4 or motion.shape != (len(source), 2, *source.shape[2:]):
        raise ValueError('source must be (N, C, H, W) and motion (N, 2, H, W), got '
                         f'{tuple(source.shape)} and {tuple(motion.shape)}')
    height, width = source.shape[2:]
    # Half precision has not enough digits for places in a frame.
    motion = motion.float()
    x = torch.arange(width, device=motion.device, dtype=motion.dtype)
    y = torch.arange(height, device=motion.device, dtype=motion.dtype)[:, None]
    offset = 0.0 if half_pixel else 0.5
    # From places in pixels to those of align_corners=False, where -1 and 1 are the outer edges.
    grid = torch.stack([2 * (x - motion[:, 0] + offset) / width - 1,
                        2 * (y - motion[:, 1] + offset) / height - 1], dim=3)
    warped = grid_sample(source.float(), grid, padding_mode=padding, align_corners=False)
    return warped.to(source.dtype)
