"""RoIAlign: average pooling by torchvision, maximum pooling on top of it.

RoI heads crop their features with it. torchvision's kernel has mmcv's arguments and rules
(``aligned``; samples up to one pixel outside take the border's value; ``sampling_ratio`` 0 takes
ceil(side / bins) samples), but averages only. For the maximum, every sample of a bin becomes a bin
of its own with one sample, whose average is the sample; the maximum over them is the rest.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import roi_align

from .precision import to_compute_dtype

_AVERAGE = 1


class _Pooling(NamedTuple):
    """Where the bins of a region lie and how many samples each takes (0: by the region's size)."""

    height: int
    width: int
    spatial_scale: float
    sampling_ratio: int
    aligned: bool

    def forward(self, features: Tensor, rois: Tensor) -> Tensor:
        """Mean of each bin: (B, C, H, W), (R, 5) -> (R, C, height, width)."""
        return roi_align(features, rois, (self.height, self.width), self.spatial_scale,
                         self.sampling_ratio, self.aligned)

    def backward(self, grad: Tensor, rois: Tensor, shape: torch.Size) -> Tensor:
        """Gradient of ``forward`` for features of the given shape."""
        # The operator itself: mmcv's autograd function calls from its own backward pass, where
        # there is no graph to go back through.
        return torch.ops.torchvision._roi_align_backward(
            grad, rois, self.spatial_scale, self.height, self.width, *shape,
            self.sampling_ratio, self.aligned)

    def by_grid(self, rois: Tensor) -> Iterator[tuple[Tensor, tuple[int, int]]]:
        """Regions, as a mask (R,), that take the same number of (rows, columns) of samples a bin.

        Regions without area take none and are left out.
        """
        # The kernel's own rule for the number of samples, which differs by region: regions of one
        # number are pooled together, as a tensor has one size.
        if self.sampling_ratio > 0:
            grids = rois.new_full((len(rois), 2), self.sampling_ratio)
        else:
            sizes = rois[:, [4, 3]] * self.spatial_scale - rois[:, [2, 1]] * self.spatial_scale
            # Without alignment a region is a pixel wide at least (Detectron's first version).
            sizes = sizes if self.aligned else sizes.clamp(min=1)
            grids = (sizes / sizes.new_tensor([self.height, self.width])).ceil()
        distinct, group = grids.int().unique(dim=0, return_inverse=True)
        for index, (rows, columns) in enumerate(distinct.tolist()):
            if rows > 0 and columns > 0:
                yield group == index, (rows, columns)

    def per_sample(self, rows: int, columns: int) -> _Pooling:
        """The pooling whose bins are the single samples of this one's bins."""
        return self._replace(height=self.height * rows, width=self.width * columns,
                             sampling_ratio=1)


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor,
                      argmax_x: Tensor, aligned_height: int, aligned_width: int,
                      spatial_scale: float, sampling_ratio: int, pool_mode: int,
                      aligned: bool) -> None:
    """Pool bilinear samples of regions (He et al., Mask R-CNN, 2017).

    Args:
        input: (B, C, H, W) floating.
        rois: (R, 5) floating: index in the batch, xyxy in pixels of the image.
        output: (R, C, aligned_height, aligned_width), zero; receives the pooled samples.
        argmax_y: shaped as output for maximum pooling, where it receives the row of the largest
            sample within its bin (mmcv's own is a coordinate, which half precision would round).
        argmax_x: the same for the column.
        aligned_height: rows of bins.
        aligned_width: columns of bins.
        spatial_scale: pixels of the input per pixel of the image.
        sampling_ratio: samples per bin and axis; 0 for about one per pixel.
        pool_mode: 0 for the maximum of a bin's samples, 1 for their average.
        aligned: shift by half a pixel, so that a pixel's value lies at its centre.
    """
    features, boxes = to_compute_dtype(input, rois)
    pooling = _Pooling(aligned_height, aligned_width, spatial_scale, sampling_ratio, aligned)
    if pool_mode == _AVERAGE:
        output.copy_(pooling.forward(features, boxes))
        return
    for chosen, grid in pooling.by_grid(boxes):
        samples = pooling.per_sample(*grid).forward(features, boxes[chosen])
        values, argmax = _split_bins(samples, grid).max(dim=-1)
        output[chosen] = values.to(output.dtype)
        argmax_y[chosen] = (argmax // grid[1]).to(output.dtype)
        argmax_x[chosen] = (argmax % grid[1]).to(output.dtype)


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor,
                       grad_input: Tensor, aligned_height: int, aligned_width: int,
                       spatial_scale: float, sampling_ratio: int, pool_mode: int,
                       aligned: bool) -> None:
    """Gradient of :func:`roi_align_forward` with respect to its input.

    Args:
        grad_output: (R, C, aligned_height, aligned_width) floating.
        rois: as in the forward pass.
        argmax_y: as filled by the forward pass.
        argmax_x: as filled by the forward pass.
        grad_input: (B, C, H, W), zero; receives the gradient.
        aligned_height: as in the forward pass.
        aligned_width: as in the forward pass.
        spatial_scale: as in the forward pass.
        sampling_ratio: as in the forward pass.
        pool_mode: as in the forward pass.
        aligned: as in the forward pass.
    """
    grad, boxes = to_compute_dtype(grad_output, rois)
    pooling = _Pooling(aligned_height, aligned_width, spatial_scale, sampling_ratio, aligned)
    if pool_mode == _AVERAGE:
        grad_input.copy_(pooling.backward(grad, boxes, grad_input.shape))
        return
    total = torch.zeros_like(grad_input, dtype=grad.dtype)
    for chosen, grid in pooling.by_grid(boxes):
        # The gradient of a maximum goes to the sample that it was, all others get zero.
        argmax = argmax_y[chosen].long() * grid[1] + argmax_x[chosen].long()
        bins = grad.new_zeros(*argmax.shape, grid[0] * grid[1])
        bins.scatter_(-1, argmax[..., None], grad[chosen][..., None])
        total += pooling.per_sample(*grid).backward(_join_bins(bins, grid), boxes[chosen],
                                                    grad_input.shape)
    grad_input.copy_(total)


def _split_bins(samples: Tensor, grid: tuple[int, int]) -> Tensor:
    """(R, C, height * rows, width * columns) -> (R, C, height, width, rows * columns)."""
    bins = samples.unflatten(3, (-1, grid[1])).unflatten(2, (-1, grid[0]))
    return bins.transpose(3, 4).flatten(4)


def _join_bins(bins: Tensor, grid: tuple[int, int]) -> Tensor:
    """Inverse of :func:`_split_bins`."""
    return bins.unflatten(4, grid).transpose(3, 4).flatten(4).flatten(2, 3)
