"""Content of windows seen through other windows, and where in them objects are."""
from __future__ import annotations

import torch
from torch import Tensor

from vatrack.structures.object_clips import ObjectClips

from .geometry import carry


def moved(windows: Tensor, shift: Tensor) -> Tensor:
    """See the same content through windows elsewhere in the frame.

    Args:
        windows: (B, T, h, w) or (B, T, C, h, w) of any type.
        shift: (B, T, 2) whole pixels: origins of the new windows minus those of the old ones.

    Returns:
        The same shape and type; what lay beyond the windows is 0.
    """
    source = windows.flatten(0, 1).float()
    source = source if source.ndim == 4 else source[:, None]
    still = source.new_zeros(len(source), 2, *source.shape[-2:])
    content = carry(source, still, shift.flatten(0, 1)).reshape(windows.shape)
    if windows.dtype.is_floating_point:
        return content.to(windows.dtype)
    return content > 0.5 if windows.dtype == torch.bool else content.round().to(windows.dtype)


def tight_boxes(clips: ObjectClips) -> Tensor:
    """Boxes around visible masks: (B, T, 4) float xyxy in the frame; any for empty masks."""
    spans = []
    for axis in (-2, -1):
        filled = clips.visible.any(axis)
        steps = torch.arange(filled.shape[-1], device=filled.device)
        spans.append((torch.where(filled, steps, filled.shape[-1]).amin(-1),
                      torch.where(filled, steps + 1, 0).amax(-1)))
    (x0, x1), (y0, y1) = spans
    return (torch.stack([x0, y0, x1, y1], dim=-1) + clips.origins.repeat(1, 1, 2)).float()


def inside_boxes(clips: ObjectClips) -> Tensor:
    """Pixels whose centre lies in the box that a network looks at: (B, T, h, w) bool."""
    height, width = clips.window_size
    device = clips.boxes.device
    boxes = clips.boxes - clips.origins.repeat(1, 1, 2)
    x = torch.arange(width, device=device) + 0.5
    y = torch.arange(height, device=device)[:, None] + 0.5
    x0, y0, x1, y1 = boxes[..., None, None].unbind(2)
    return (x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)
