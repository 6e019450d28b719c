"""Warping: where pixel centres are, and what is outside."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from vatrack.flow import backward_warp

torch.manual_seed(0)
SOURCE = torch.rand(2, 3, 7, 11)


def motion(u: float, v: float) -> torch.Tensor:
    return torch.tensor([u, v]).view(1, 2, 1, 1).expand(2, 2, 7, 11)


@pytest.mark.parametrize(('u', 'v'), [(0, 0), (2, -3), (-4, 1)])
def test_whole_pixels_are_exact(u, v):
    warped = backward_warp(SOURCE, motion(u, v))
    rows, columns = np.arange(7) - v, np.arange(11) - u
    expected = np.zeros(SOURCE.shape, np.float32)
    inside = np.ix_([0, 1], [0, 1, 2], (rows >= 0) & (rows < 7), (columns >= 0) & (columns < 11))
    expected[inside] = SOURCE.numpy()[..., rows[(rows >= 0) & (rows < 7)], :][
        ..., columns[(columns >= 0) & (columns < 11)]]
    assert np.allclose(warped, expected, atol=1e-5)
    edge = backward_warp(SOURCE, motion(u, v), padding='border')
    assert np.allclose(edge, SOURCE[..., rows.clip(0, 6), :][..., columns.clip(0, 10)], atol=1e-5)


def test_each_pixel_reads_its_own_motion():
    field = torch.zeros(1, 2, 4, 4)
    field[0, 0, 1, 2], field[0, 1, 3, 3] = 1.5, -1
    source = torch.arange(16.).view(1, 1, 4, 4)
    warped = backward_warp(source, field)
    expected = source.clone()
    expected[0, 0, 1, 2], expected[0, 0, 3, 3] = (4 + 5) / 2, 0
    assert torch.allclose(warped, expected, atol=1e-5)


def test_half_pixel_is_the_grid_of_the_released_code():
    """Section 2.5 of its description: the grid ``2 x / W - 1``, read with align_corners=False."""
    field = torch.rand(2, 2, 7, 11) * 4 - 2
    x, y = torch.arange(11.) - field[:, 0], torch.arange(7.)[:, None] - field[:, 1]
    grid = torch.stack([2 * x / 11 - 1, 2 * y / 7 - 1], dim=3)
    released = torch.nn.functional.grid_sample(SOURCE, grid, padding_mode='border',
                                               align_corners=False)
    warped = backward_warp(SOURCE, field, 'border', half_pixel=True)
    assert torch.allclose(warped, released, atol=1e-5)
    assert torch.allclose(warped, backward_warp(SOURCE, field + 0.5, 'border'), atol=1e-5)


def test_gradients_and_half_precision():
    source = SOURCE[:1, :1].double().requires_grad_()
    field = (torch.rand(1, 2, 7, 11) * 4 - 2).requires_grad_()
    backward_warp(source, field).sum().backward()
    assert source.grad.dtype == torch.float64 and source.grad.abs().sum() > 0
    assert field.grad.abs().sum() > 0
    half = backward_warp(SOURCE.half(), motion(1, 0).half())
    assert half.dtype == torch.float16 and torch.equal(half[..., 1:], SOURCE.half()[..., :-1])


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r'\(N, 2, H, W\)'):
        backward_warp(SOURCE, motion(0, 0)[:1])
