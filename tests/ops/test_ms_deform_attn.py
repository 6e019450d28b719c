from __future__ import annotations

import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from ops_reference import tent_sample
from torch import Tensor
from torch.autograd import gradcheck

SHAPES = torch.tensor([[3, 4], [2, 2]])
STARTS = torch.tensor([0, 12])


def make_tensors(rng: torch.Generator, batch: int = 2,
                 queries: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Value, locations (some outside the image) and weights for 2 heads of 3 channels, 2 points."""
    def uniform(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, dtype=torch.float64, generator=rng)

    return (uniform(16, 2, 3), uniform(queries, 2, 2, 2, 2) * 1.4 - 0.2,
            uniform(queries, 2, 2, 2))


def attend(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    shapes, starts = SHAPES.to(value.device), STARTS.to(value.device)
    return MultiScaleDeformableAttnFunction.apply(value, shapes, starts, locations, weights, 64)


def reference(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    batch, queries, heads, _, _ = weights.shape
    output = torch.zeros(batch, queries, heads, value.shape[3], dtype=torch.float64)
    for b, q, head, level, point in torch.cartesian_prod(
            *map(torch.arange, weights.shape)).tolist():
        height, width = SHAPES[level].tolist()
        start = int(STARTS[level])
        x, y = locations[b, q, head, level, point].tolist()
        for channel in range(value.shape[3]):
            plane = value[b, start:start + height * width, head, channel].view(height, width)
            sample = tent_sample(plane, y * height - 0.5, x * width - 0.5)
            output[b, q, head, channel] += weights[b, q, head, level, point] * sample
    return output.flatten(2)


def test_sums_weighted_samples(rng: torch.Generator, device: torch.device) -> None:
    tensors = make_tensors(rng)
    output = attend(*(tensor.to(device) for tensor in tensors))
    torch.testing.assert_close(output.cpu(), reference(*tensors))


def test_gradients(rng: torch.Generator, device: torch.device) -> None:
    tensors = [tensor.to(device).requires_grad_() for tensor in make_tensors(rng, batch=1)]
    assert gradcheck(attend, tensors, nondet_tol=1e-9)


def test_no_queries(rng: torch.Generator) -> None:
    tensors = [tensor.requires_grad_() for tensor in make_tensors(rng, queries=0)]
    output = attend(*tensors)
    output.sum().backward()
    assert output.shape == (2, 0, 6) and not tensors[0].grad.any()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype, rng: torch.Generator, device: torch.device) -> None:
    """The value's dtype is the result's; mmcv casts the other tensors to it."""
    results = {}
    rounded = [tensor.to(device, dtype) for tensor in make_tensors(rng)]
    for kind in (dtype, torch.float32):
        leaves = [tensor.float().requires_grad_() for tensor in rounded]
        with torch.autocast(device.type, dtype, enabled=kind == dtype):
            output = attend(leaves[0].to(kind), *leaves[1:])
        assert output.dtype == kind
        output.float().sum().backward()
        results[kind] = [output, *(leaf.grad for leaf in leaves)]
    for half, full in zip(results[dtype], results[torch.float32], strict=True):
        torch.testing.assert_close(half.float(), full, atol=2e-2, rtol=2e-2)


def test_module(rng: torch.Generator, device: torch.device) -> None:
    layer = MultiScaleDeformableAttention(8, num_heads=2, num_levels=2, num_points=2, dropout=0.,
                                          batch_first=True).to(device)
    query = torch.randn(2, 3, 8, generator=rng).to(device)
    value = torch.randn(2, 16, 8, generator=rng).to(device)
    points = torch.rand(2, 3, 2, 2, generator=rng).to(device)
    output = layer(query, value=value, reference_points=points, spatial_shapes=SHAPES.to(device),
                   level_start_index=STARTS.to(device))
    output.sum().backward()
    assert output.shape == query.shape
    assert layer.value_proj.weight.grad.abs().sum() > 0
