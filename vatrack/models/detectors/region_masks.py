"""Masks of regions: from those of instances to targets, and from outputs into frames."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.ops import roi_align

from vatrack.structures.by_kind import MasksByKind
from vatrack.structures.rle import RLE, encode_windows

# Pixels that are pasted at once; bounds the memory of a frame with many objects.
_PASTE_PIXELS = 1 << 26


def crop_mask_targets(masks: MasksByKind, kinds: Sequence[str], boxes: Tensor, instances: Tensor,
                      size: tuple[int, int]) -> Tensor:
    """Crop and resize the mask of each region's instance, all kinds in one RoIAlign.

    Equals mmdet's ``BitmapMasks.crop_and_resize`` per kind, but keeps every
    step on the device of ``boxes``.

    Args:
        masks: Masks of the N instances of a frame, (N, H, W) per kind.
        kinds: K names of kinds.
        boxes: (R, 4) xyxy regions in pixels of the masks, inside the frame.
        instances: (R,) index of the instance of each region.
        size: (h, w) of the targets.

    Returns:
        (R, K, h, w) float32 of zeros and ones.
    """
    if len(boxes) == 0:
        return boxes.new_zeros(0, len(kinds), *size)
    # Only masks that are used travel to the device; which ones, the host works out with one wait.
    used, regions = np.unique(instances.cpu().numpy(), return_inverse=True)
    stacked = np.stack([masks.kind(kind).masks[used] for kind in kinds], axis=1)
    pixels, regions = (torch.from_numpy(each).to(boxes.device, non_blocking=True)
                       for each in (stacked, regions))
    pixels = pixels.float()
    rois = torch.cat([regions[:, None].float(), boxes.float()], dim=1)
    crops = roi_align(pixels, rois, size, spatial_scale=1.0, sampling_ratio=0, aligned=True)
    return (crops >= 0.5).float()


def paste_masks(probabilities: Tensor, boxes: Tensor, shape: tuple[int, int],
                threshold: float) -> list[RLE]:
    """Paste region masks into the frame and run-length encode them.

    Runs are found on the device; only their ends travel to the host, so that
    no full-resolution mask outlives its chunk.

    Args:
        probabilities: (N, h, w) float in [0, 1].
        boxes: (N, 4) xyxy in pixels of the frame, on the host: they say which
            window to look at, and must not be waited for.
        shape: (H, W) of the frame.
        threshold: Least probability of a mask pixel.

    Returns:
        N RLEs of size ``shape``.
    """
    # On a CPU only the pixels of a mask's own box are worth computing.
    on_cpu = probabilities.device.type == 'cpu'
    chunk = 1 if on_cpu else max(1, _PASTE_PIXELS // (shape[0] * shape[1]))
    parts = zip(probabilities.split(chunk), boxes.split(chunk), strict=True)
    return [rle for part in parts if len(part[1]) for rle in _paste(*part, shape, threshold)]


def _paste(probabilities: Tensor, boxes: Tensor, shape: tuple[int, int],
           threshold: float) -> list[RLE]:
    """Paste masks at once, in the window that holds all their boxes."""
    height, width = shape
    x0, y0 = (boxes[:, :2].amin(0).floor() - 1).clamp(min=0).int().tolist()
    x1, y1 = (boxes[:, 2:].amax(0).ceil() + 1).int().tolist()
    window = (x0, y0, max(x0, min(x1, width)), max(y0, min(y1, height)))
    boxes = boxes.to(probabilities.device, non_blocking=True)
    return encode_windows(_sample(probabilities, boxes, window) >= threshold, x0, y0, shape)


def _sample(probabilities: Tensor, boxes: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    """Bilinear values of the masks at the pixel centres of a window: (N, h, w)."""
    x0, y0, x1, y1 = window
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-6)
    xs = torch.arange(x0, x1, device=boxes.device, dtype=torch.float32) + 0.5
    ys = torch.arange(y0, y1, device=boxes.device, dtype=torch.float32) + 0.5
    gx = (xs[None] - boxes[:, :1]) / size[:, :1] * 2 - 1
    gy = (ys[None] - boxes[:, 1:2]) / size[:, 1:] * 2 - 1
    grid = torch.stack([gx[:, None, :].expand(-1, len(ys), -1),
                        gy[:, :, None].expand(-1, -1, len(xs))], dim=3)
    return grid_sample(probabilities[:, None].float(), grid, align_corners=False)[:, 0]
