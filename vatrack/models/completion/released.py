"""Where the released code of SaVos cuts, pastes and samples; to run its weights, and to compare.

It differs from what is meant, and from :mod:`.geometry`, in this: the region is 1.5 times the
visible box in whole pixels, as much of it as lies in the frame; one scale, that of the largest
view of the clip, and not the aspect of the object, holds for all frames, whose patches lie top left
and are cut or filled up with zeros; the output, however, is stretched over the region of each
frame, which is a pixel short on the way back; and whatever is carried moves half a pixel right and
down on top.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from vatrack.flow import backward_warp
from vatrack.structures.object_clips import ObjectClips

from . import geometry

_ENLARGED = 1.5
_TRUNCATE = 4.0  # standard deviations at which a Gaussian ends


class ReleasedGeometry:
    """The released code's geometry; windows must be whole frames.

    Args:
        patch_size: Height and width of the patches; 64 x 128 in the release.
    """

    def __init__(self, patch_size: tuple[int, int]) -> None:
        self.patch_size = patch_size

    def cut(self, clips: ObjectClips, windows: dict[str, Tensor]) -> tuple[dict, Tensor]:
        """Patches of frames.

        Args:
            clips: Where the frames are from.
            windows: (B, T, C, H, W) each, by name; ``'visible'`` is one.

        Returns:
            (B, T, C, *patch_size) each; and the regions, (B, T, 4) xyxy, whose last pixels are
            inclusive.

        Raises:
            ValueError: The windows are not whole frames.
        """
        if clips.origins.any() or any(source.frame_size != clips.window_size
                                      for source in clips.sources):
            raise ValueError("SaVos with geometry='released' works on whole frames: let the "
                             'dataset give windows of the size of the frame, videos of one size '
                             'in a batch')
        frames = zip(clips.visible.flatten(0, 1), clips.boxes.flatten(0, 1), strict=True)
        regions = torch.stack([_region(mask, box) for mask, box in frames]).unflatten(
            0, clips.valid.shape)
        rows = [_cut_clip({name: value[clip] for name, value in windows.items()}, regions[clip],
                          self.patch_size) for clip in range(len(clips))]
        return {name: torch.stack([row[name] for row in rows]) for name in windows}, regions

    def paste(self, patches: Tensor, boxes: Tensor, clips: ObjectClips) -> Tensor:
        """(B, T, C, *patch_size) patches of regions -> (B, T, C, H, W) frames.

        The code centres the patch in the frame before it samples it, which moves it by half a
        pixel of the patch up or left where the difference of the sizes is odd.
        """
        boxes = boxes.flatten(0, 1).float()
        extent = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
        height, width = self.patch_size
        odd = boxes.new_tensor([(clips.window_size[1] - width) % 2,
                                (clips.window_size[0] - height) % 2])
        start = boxes[:, :2] - odd / 2 * extent / boxes.new_tensor([width, height])
        return geometry.paste(patches.flatten(0, 1), torch.cat([start, start + extent], dim=1),
                              clips.origins.flatten(0, 1), clips.window_size).unflatten(
                                  0, patches.shape[:2])

    def carry(self, source: Tensor, motion: Tensor, shift: Tensor) -> Tensor:
        """Move frames (N, C, H, W) by motion (N, 2, H, W), and by half a pixel."""
        return backward_warp(source, motion, padding='border', half_pixel=True)


def _region(mask: Tensor, box: Tensor) -> Tensor:
    """(4,) int64 xyxy of a mask (H, W): its box, 1.5 times as long, within the frame.

    A mask without pixels, which the code does not know, has that of its ``box`` (4,).
    """
    spans = []
    for axis, size in ((0, mask.shape[1]), (1, mask.shape[0])):
        seen = mask.any(dim=axis).nonzero()[:, 0]
        first, last = ((seen[0].item(), seen[-1].item()) if len(seen) else
                       (math.floor(box[axis].item()), math.ceil(box[axis + 2].item()) - 1))
        centre, length = (first + last) // 2, int((last - first) * _ENLARGED)
        spans.append((min(max(0, centre - length // 2), size - 1),
                      max(min(size, centre + length // 2), 0)))
    (x0, x1), (y0, y1) = spans
    return mask.new_tensor([x0, y0, x1, y1], dtype=torch.int64)


def _cut_clip(frames: dict[str, Tensor], regions: Tensor,
              size: tuple[int, int]) -> dict[str, Tensor]:
    """Patches (T, C, *size) of one clip, by name, out of its frames (T, C, H, W)."""
    cuts = [(slice(y0, y1 + 1), slice(x0, x1 + 1)) for x0, y0, x1, y1 in regions.tolist()]
    areas = [visible[0][cut].sum() for visible, cut in zip(frames['visible'], cuts, strict=True)]
    largest = torch.stack(areas).argmax().item()
    reference = frames['visible'][largest, 0][cuts[largest]].shape
    scales = [side / length for side, length in zip(size, reference, strict=True)]
    return {name: torch.stack([_rescale(frame[:, rows, columns], scales, size, name == 'visible')
                               for frame, (rows, columns) in zip(value, cuts, strict=True)])
            for name, value in frames.items()}


def _rescale(image: Tensor, scales: list[float], size: tuple[int, int], nearest: bool) -> Tensor:
    """Scale (C, h, w) as scikit-image does; put it top left into zeros (C, *size)."""
    rows, columns = (_resampling(length, max(round(scale * length), 1), nearest).to(image)
                     for length, scale in zip(image.shape[1:], scales, strict=True))
    scaled = (rows @ image @ columns.T)[:, :size[0], :size[1]]
    patch = image.new_zeros(len(image), *size)
    patch[:, :scaled.shape[1], :scaled.shape[2]] = scaled
    return patch


def _resampling(length: int, target: int, nearest: bool) -> Tensor:
    """(target, length) weights of pixels along an axis; the axis is mirrored at its ends.

    Nearest, or linear, after a Gaussian where it shrinks.
    """
    ratio = length / target
    positions = (torch.arange(target, dtype=torch.float64) + 0.5) * ratio - 0.5
    if nearest:
        return _at(torch.floor(positions + 0.5)[:, None], torch.ones(1, 1), length)
    below = torch.floor(positions)
    above_weight = positions - below
    linear = _at(torch.stack([below, below + 1], dim=1),
                 torch.stack([1 - above_weight, above_weight], dim=1), length)
    sigma = (ratio - 1) / 2
    if sigma <= 0:
        return linear
    radius = int(_TRUNCATE * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    pixels = torch.arange(length, dtype=torch.float64)[:, None]
    return linear @ _at(pixels + offsets, (kernel / kernel.sum())[None], length)


def _at(indices: Tensor, weights: Tensor, length: int) -> Tensor:
    """(N, length) matrix with weights (N or 1, K) at indices (N, K), mirrored into the axis."""
    period = max(2 * (length - 1), 1)
    indices = indices.long() % period
    indices = torch.where(indices < length, indices, period - indices)
    matrix = torch.zeros(len(indices), length, dtype=torch.float64)
    return matrix.scatter_add_(1, indices, weights.double().expand(indices.shape).contiguous())
