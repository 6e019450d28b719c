from __future__ import annotations

from math import ceil

import pytest
import torch
from mmcv.ops import RoIAlign, roi_align
from ops_reference import tent_sample
from torch import Tensor
from torch.autograd import gradcheck

ROIS = torch.tensor([
    [0, 1.3, 2.1, 9.4, 12.7],      # inside
    [1, -4., -3., 6.2, 5.5],       # over the upper left corner
    [1, 10.5, 8.2, 25., 19.],      # over the lower right corner
    [0, 5.1, 5.1, 5.6, 14.3],      # narrower than a pixel of the features
    [1, 40., 40., 50., 55.],       # outside
], dtype=torch.float64)


def border_sample(plane: Tensor, y: float, x: float) -> float:
    """A sample up to one pixel outside takes the border's value; farther out it is 0."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.
    return tent_sample(plane, min(max(y, 0), height - 1), min(max(x, 0), width - 1))


def bin_samples(plane: Tensor, start: tuple[float, float], size: tuple[float, float],
                sampling_ratio: int, grid: tuple[int, int]) -> list[float]:
    rows, columns = (sampling_ratio, sampling_ratio) if sampling_ratio else grid
    return [border_sample(plane, start[0] + size[0] * (row + .5) / rows,
                          start[1] + size[1] * (column + .5) / columns)
            for row in range(rows) for column in range(columns)]


def reference(features: Tensor, rois: Tensor, shape: tuple[int, int], scale: float,
              sampling_ratio: int, mode: str, aligned: bool) -> Tensor:
    output = torch.zeros(len(rois), features.shape[1], *shape, dtype=torch.float64)
    for index, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (value * scale - (0.5 if aligned else 0.) for value in box)
        extent = [y2 - y1, x2 - x1] if aligned else [max(y2 - y1, 1.), max(x2 - x1, 1.)]
        size = (extent[0] / shape[0], extent[1] / shape[1])
        for channel, row, column in torch.cartesian_prod(
                *map(torch.arange, output.shape[1:])).tolist():
            samples = bin_samples(features[int(image), channel],
                                  (y1 + row * size[0], x1 + column * size[1]), size,
                                  sampling_ratio, (ceil(size[0]), ceil(size[1])))
            pooled = max(samples) if mode == 'max' else sum(samples) / len(samples)
            output[index, channel, row, column] = pooled
    return output


@pytest.fixture
def features(rng: torch.Generator) -> Tensor:
    return torch.randn(2, 2, 8, 9, dtype=torch.float64, generator=rng)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 1, 2])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_pools_bilinear_samples(mode: str, aligned: bool, sampling_ratio: int, dtype: torch.dtype,
                                features: Tensor, device: torch.device) -> None:
    layer = RoIAlign((2, 3), 0.5, sampling_ratio, mode, aligned)
    output = layer(features.to(device, dtype), ROIS.to(device, dtype))
    expected = reference(features, ROIS, (2, 3), 0.5, sampling_ratio, mode, aligned)
    assert output.dtype == dtype
    torch.testing.assert_close(output.cpu().double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradient(mode: str, aligned: bool, sampling_ratio: int, features: Tensor,
                  device: torch.device) -> None:
    rois = ROIS.to(device)
    assert gradcheck(
        lambda x: roi_align(x, rois, (2, 2), 0.5, sampling_ratio, mode, aligned),
        features.to(device).requires_grad_(), nondet_tol=1e-9)


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_no_rois(mode: str, sampling_ratio: int, features: Tensor, device: torch.device) -> None:
    features = features.to(device).requires_grad_()
    output = roi_align(features, ROIS[:0].to(device), (2, 2), 0.5, sampling_ratio, mode, True)
    output.sum().backward()
    assert output.shape == (0, 2, 2, 2)
    assert features.grad.shape == features.shape and not features.grad.any()


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_without_area_pools_nothing(mode: str, features: Tensor) -> None:
    features = features.requires_grad_()
    rois = torch.tensor([[0, 4., 4., 4., 4.]], dtype=torch.float64)
    output = roi_align(features, rois, (2, 2), 0.5, 0, mode, True)
    output.sum().backward()
    assert not output.any() and not features.grad.any()


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_unaligned_roi_covers_a_pixel_at_least(mode: str, features: Tensor) -> None:
    rois = torch.tensor([[0, 4.6, 4.2, 4.6, 4.2]], dtype=torch.float64)
    output = roi_align(features, rois, (2, 2), 0.5, 0, mode, False)
    torch.testing.assert_close(output, reference(features, rois, (2, 2), 0.5, 0, mode, False))


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(mode: str, dtype: torch.dtype, features: Tensor,
                        device: torch.device) -> None:
    """Regions stay float32, as an extractor may pass them; results come back in the features'."""
    results = {}
    for kind in (dtype, torch.float32):
        leaf = features.to(device, dtype).to(kind).requires_grad_()
        with torch.autocast(device.type, dtype, enabled=kind == dtype):
            output = roi_align(leaf, ROIS.to(device, torch.float32), (2, 2), 0.5, 2, mode, True)
        assert output.dtype == kind
        output.sum().backward()
        results[kind] = output.float(), leaf.grad.float()
    for half, full in zip(results[dtype], results[torch.float32], strict=True):
        torch.testing.assert_close(half, full, atol=1e-2, rtol=1e-2)
