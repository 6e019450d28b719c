from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)
from ops_reference import tent_sample
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn.functional import conv2d


class Layer(NamedTuple):
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    deform_groups: int = 1


class Tensors(NamedTuple):
    x: Tensor
    offset: Tensor
    mask: Tensor
    weight: Tensor
    bias: Tensor

    def to(self, *args) -> Tensors:
        return Tensors(*(tensor.to(*args) for tensor in self))


LAYERS = pytest.mark.parametrize('layer', [
    Layer(),
    Layer(padding=(1, 2), groups=2),
    Layer(stride=(2, 1), padding=(1, 0), deform_groups=2),
    Layer(dilation=(1, 2), padding=(2, 2), groups=2, deform_groups=2),
], ids=str)
KERNEL = (3, 2)


def make_tensors(layer: Layer, rng: torch.Generator, batch: int = 2) -> Tensors:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=rng)

    x, weight = normal(batch, 4, 6, 5), normal(4, 4 // layer.groups, *KERNEL)
    out = conv2d(x[:, :4 // layer.groups], weight, None, *layer[:3]).shape[2:]
    taps = layer.deform_groups * KERNEL[0] * KERNEL[1]
    return Tensors(x, 2 * normal(batch, 2 * taps, *out), normal(batch, taps, *out), weight,
                   normal(4))


def reference(tensors: Tensors, layer: Layer) -> Tensor:
    """y(p) = sum over taps k and channels c of w(c, k) m(k) x(c, p * stride - pad + k * dil + d)"""
    x, offset, mask, weight, bias = tensors
    batch, _, height, width = offset.shape
    per_group, per_deform = x.shape[1] // layer.groups, x.shape[1] // layer.deform_groups
    output = bias[None, :, None, None].repeat(batch, 1, height, width)
    for b, o, h, w in torch.cartesian_prod(*map(torch.arange, output.shape)).tolist():
        first = o // (len(weight) // layer.groups) * per_group
        for c, i, j in torch.cartesian_prod(*map(torch.arange, weight.shape[1:])).tolist():
            tap = ((first + c) // per_deform * KERNEL[0] + i) * KERNEL[1] + j
            dy, dx = offset[b, 2 * tap:2 * tap + 2, h, w].tolist()
            sample = tent_sample(
                x[b, first + c],
                h * layer.stride[0] - layer.padding[0] + i * layer.dilation[0] + dy,
                w * layer.stride[1] - layer.padding[1] + j * layer.dilation[1] + dx)
            output[b, o, h, w] += weight[o, c, i, j] * mask[b, tap, h, w] * sample
    return output


def plain(tensors: Tensors, layer: Layer) -> Tensor:
    return deform_conv2d(tensors.x, tensors.offset, tensors.weight, *layer)


def modulated(tensors: Tensors, layer: Layer) -> Tensor:
    return modulated_deform_conv2d(*tensors, *layer)


def modulated_without_bias(tensors: Tensors, layer: Layer) -> Tensor:
    return modulated_deform_conv2d(*tensors[:4], None, *layer)


OPERATORS = pytest.mark.parametrize('operator', [plain, modulated, modulated_without_bias])
Operator = Callable[[Tensors, Layer], Tensor]


@LAYERS
@OPERATORS
def test_convolves_at_offsets(operator: Operator, layer: Layer, rng: torch.Generator,
                              device: torch.device) -> None:
    tensors = make_tensors(layer, rng, batch=1)
    ones, zeros = torch.ones_like(tensors.mask), torch.zeros_like(tensors.bias)
    expected = {plain: tensors._replace(mask=ones, bias=zeros), modulated: tensors,
                modulated_without_bias: tensors._replace(bias=zeros)}[operator]
    output = operator(tensors.to(device), layer)
    torch.testing.assert_close(output.cpu(), reference(expected, layer))


@LAYERS
@OPERATORS
def test_gradients(operator: Operator, layer: Layer, rng: torch.Generator,
                   device: torch.device) -> None:
    tensors = [tensor.requires_grad_() for tensor in make_tensors(layer, rng, 1).to(device)]
    assert gradcheck(lambda *leaves: operator(Tensors(*leaves), layer), tensors,
                     nondet_tol=1e-9, fast_mode=True)


def test_only_the_weight_is_trained(rng: torch.Generator) -> None:
    """mmcv asks for the weight's gradient alone where the features are frozen."""
    tensors = make_tensors(Layer(), rng)
    tensors.weight.requires_grad_()
    assert gradcheck(lambda weight: plain(tensors._replace(weight=weight), Layer()),
                     tensors.weight)


@OPERATORS
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(operator: Operator, dtype: torch.dtype, rng: torch.Generator,
                        device: torch.device) -> None:
    """The offset's dtype is the result's, as it is a convolution's output under autocast."""
    results = {}
    rounded = make_tensors(Layer(), rng).to(device, dtype)
    for kind in (dtype, torch.float32):
        leaves = Tensors(*(tensor.float().requires_grad_() for tensor in rounded))
        with torch.autocast(device.type, dtype, enabled=kind == dtype):
            output = operator(leaves._replace(offset=leaves.offset.to(kind)), Layer())
        assert output.dtype == kind
        output.float().pow(2).mean().backward()
        results[kind] = [output, leaves.x.grad, leaves.offset.grad, leaves.weight.grad]
    for half, full in zip(results[dtype], results[torch.float32], strict=True):
        torch.testing.assert_close(half.float(), full, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize('pack', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_untrained_pack_is_a_convolution(pack: type, rng: torch.Generator,
                                         device: torch.device) -> None:
    """Its offsets start at zero, and a modulated one's mask at sigmoid(0)."""
    layer = pack(4, 6, 3, stride=2, padding=1, groups=2, deform_groups=2).to(device)
    x = torch.randn(3, 4, 7, 8, generator=rng).to(device)
    factor = 1. if pack is DeformConv2dPack else 0.5
    expected = factor * conv2d(x, layer.weight, None, 2, 1, 1, 2)
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=1e-4)
