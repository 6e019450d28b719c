"""A simulated GPU waits, refuses and computes as a true one does.

What a true one does: ``torch.cuda.set_sync_debug_mode``, and CUDA's errors.
"""
from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torch.optim.optimizer import _foreach_supported_types
from torch.utils.checkpoint import checkpoint
from torchvision.ops import nms

from vatrack.engine import MixedDevicesError, SimulatedGPU

HOST = torch.tensor([[1., 2., 3.], [4., 5., 6.]])
MASK, ROWS, NUMBER = HOST > 2, torch.tensor([1, 0]), torch.tensor(2.)


def waits(function: Callable[[Tensor], object]) -> dict[str, int]:
    """Kinds of what ``function`` waits for, given a tensor that is on the GPU."""
    with SimulatedGPU() as gpu:
        tensor = HOST.to('cuda')
        gpu.clear()
        function(tensor)
    kinds = Counter()
    for wait, count in gpu.waits.items():
        kinds[wait.kind] += count
    return kinds


def on_gpu(host: Tensor) -> Tensor:
    return host.to('cuda', non_blocking=True)


WAITS = {
    'item': (lambda x: x[0, 0].item(), {'item': 1}),
    'bool': (lambda x: bool((x > 0).all()), {'item': 1}),
    'if': (lambda x: 1 if x.sum() > 0 else 0, {'item': 1}),
    'int': (lambda x: int(x.sum()), {'item': 1}),
    'float': (lambda x: float(x.sum()), {'item': 1}),
    'format': (lambda x: f'{x.sum():.1f}', {'item': 1}),
    'index of a number': (lambda x: x[x[0, 0].long()], {'item': 1}),
    'tolist': (lambda x: x.tolist(), {'to host': 1}),
    'cpu': (lambda x: x.cpu(), {'to host': 1}),
    'cpu().numpy()': (lambda x: x.cpu().numpy(), {'to host': 1}),
    'copy_ to host': (lambda x: torch.zeros(2, 3).copy_(x), {'to host': 1}),
    'to': (lambda x: HOST.to('cuda'), {'to device': 1}),
    'to of a tensor': (lambda x: HOST.to(x), {'to device': 1}),
    'cuda': (lambda x: HOST.cuda(), {'to device': 1}),
    'copy_ to device': (lambda x: x.copy_(HOST), {'to device': 1}),
    'array to device': (lambda x: torch.from_numpy(np.ones(3)).to(x.device), {'to device': 1}),
    'tensor': (lambda x: torch.tensor([1, 2], device=x.device), {'to device': 1}),
    'as_tensor': (lambda x: torch.as_tensor(np.ones(2), device='cuda:0'), {'to device': 1}),
    'new_tensor': (lambda x: x.new_tensor([1., 2.]), {'to device': 1}),
    'tensor of numbers': (lambda x: torch.tensor([x.sum(), x.max()]), {'to host': 2}),
    'nonzero': (lambda x: (x > 2).nonzero(as_tuple=True), {'nonzero': 1}),
    'where': (lambda x: torch.where(x > 2), {'nonzero': 1}),
    'boolean index': (lambda x: x[x > 2], {'boolean index': 1}),
    'two indices': (lambda x: x[(x > 2).any(1), (x > 2).any(0)[:2].long()], {'boolean index': 1}),
    'assignment of values': (lambda x: x.__setitem__(x > 5, on_gpu(NUMBER)), {'boolean index': 1}),
    'masked_select': (lambda x: x.masked_select(x > 2), {'masked_select': 1}),
    'unique': (lambda x: x.unique(return_inverse=True), {'unique': 1}),
    'repeat_interleave': (lambda x: x.repeat_interleave(on_gpu(ROWS), 0), {'repeat_interleave': 1}),
    'bincount': (lambda x: x[0].long().bincount(), {'bincount': 2}),
    'equal': (lambda x: torch.equal(x, x), {'equal': 1}),
    'nms': (lambda x: nms(x.new_ones(2, 4), x[:, 0], 0.5), {'nms': 1}),
    'index on the host': (lambda x: x[ROWS], {'to device': 1}),
    'list as index': (lambda x: x[:, [0, 2]], {'to device': 1}),
    'array as index': (lambda x: x[np.array([0])], {'to device': 1}),
    'fields': (lambda x: InstanceData(a=x, b=x[:, 0])[x[:, 0] > 1], {'boolean index': 2}),
}


@pytest.mark.parametrize(('function', 'expected'), WAITS.values(), ids=WAITS)
def test_each_wait_counts(function, expected):
    assert waits(function) == expected


FREE = {
    'computing': lambda x: (x * 2 + x.sum() - 1).clamp(min=0) @ x.T,
    'numbers of the host': lambda x: torch.where(x > 0, x, NUMBER) * NUMBER + x.masked_fill(
        x > 1, NUMBER),
    'assignment of a number': lambda x: x.__setitem__(x > 2, 0.),
    'slices': lambda x: x[:1, 1:].__setitem__(slice(None), 5),
    'indices of the GPU': lambda x: x[torch.arange(2, device='cuda'), x.argmax(1)],
    'mask of the host': lambda x: x[MASK],
    'made there': lambda x: [torch.zeros(2, device=x.device), torch.rand(2, device='cuda'),
                             x.new_full((2,), 1), torch.full_like(x, 3)],
    'copy without waiting': lambda x: HOST.pin_memory().to('cuda', non_blocking=True),
    'known size': lambda x: x.repeat_interleave(on_gpu(ROWS), 0, output_size=1),
    'shapes': lambda x: (len(x), x.numel(), x.shape, x.to('cuda'), x.cuda(), pad(x, (1, 1))),
    'sorting': lambda x: (x.sort(), x.topk(1), torch.randperm(3, device='cuda')),
    'the host alone': lambda x: (HOST[MASK], HOST.sum().item(), NUMBER.tolist()),
}


@pytest.mark.parametrize('function', FREE.values(), ids=FREE)
def test_nothing_else_counts(function):
    assert waits(function) == {}


REFUSED = {
    'sum': lambda x: x + HOST,
    'product': lambda x: x @ HOST.T,
    'where': lambda x: torch.where(MASK, x, 0.),
    'masked_fill': lambda x: x.masked_fill(MASK, 0.),
    'cat': lambda x: torch.cat([x, HOST]),
    'stack with a number': lambda x: torch.stack([x[0, 0], NUMBER]),
    'in place': lambda x: HOST.add_(x),
    'number in place': lambda x: torch.tensor(0.).add_(x.sum()),
    'index of a host tensor': lambda x: HOST[x[0].long() % 2],
    'values of an assignment': lambda x: x.__setitem__(on_gpu(ROWS), HOST),
    'gather': lambda x: x.gather(1, ROWS[:, None]),
    'loss': lambda x: cross_entropy(x, ROWS),
    'weights': lambda x: nn.Linear(3, 1)(x),
    'many at once': lambda x: torch._foreach_add([x, x], [x, HOST]),
}


@pytest.mark.parametrize('function', REFUSED.values(), ids=REFUSED)
def test_mixed_devices_are_refused(function):
    with pytest.raises(MixedDevicesError, match=r'on one device, got .* on cuda:0'):
        waits(function)


def test_no_array_of_a_tensor_of_the_gpu():
    with pytest.raises(TypeError, match='to numpy'):
        waits(lambda x: np.asarray(x))


def test_waits_are_noted_with_their_place():
    with SimulatedGPU() as gpu:
        HOST.to('cuda').unique(); line = inspect.currentframe().f_lineno  # noqa: E702
    assert set(gpu.waits) == {('to device', 'test_simulated_gpu.py', line),
                              ('unique', 'test_simulated_gpu.py', line)}


def test_a_tensor_says_that_it_is_on_the_gpu():
    with SimulatedGPU():
        x = HOST.to('cuda')
        assert x.device == torch.zeros(1, device='cuda').device == torch.device('cuda', 0)
        assert x.is_cuda and not x.is_meta and not x.is_cpu
        assert isinstance(x > 0, torch.cuda.BoolTensor) and not isinstance(x, torch.FloatTensor)
        assert HOST.to(x).cpu().device == HOST.device == torch.device('cpu')
        assert x.unsqueeze_(0).shape == (1, 2, 3) and (x + 1).shape == (1, 2, 3)


class Net(nn.Module):
    """Makes tensors on the device of its input, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x).flatten(2).transpose(1, 2)
        x = x + torch.arange(4, device=x.device)
        x = x[:, x.detach().sum((0, 2)) > 0]
        return self.attention(x, x, x)[0].mean() + x.new_tensor([1., 2.]).sum()


def train(net: nn.Module, device: str) -> tuple[list[float], Tensor]:
    """Losses of three steps, and a weight after them."""
    torch.manual_seed(0)
    net, losses = net.to(device), []
    optimizer = torch.optim.AdamW(net.parameters(), lr=.1)
    for _ in range(3):
        images = torch.rand(2, 3, 8, 8).to(device)
        loss = checkpoint(net, images, use_reentrant=False)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.)
        optimizer.step()
        losses.append(loss.item())
    return losses, next(net.parameters()).detach().cpu()


def test_training_gives_the_numbers_of_the_cpu():
    torch.manual_seed(1)
    net = Net()
    losses, weight = train(copy.deepcopy(net), 'cpu')
    with SimulatedGPU() as gpu:
        simulated_losses, simulated_weight = train(net, 'cuda')
    assert simulated_losses == losses and torch.equal(simulated_weight, weight)
    assert losses[0] != losses[-1]
    # Of each step: the index in both forward passes and for the gradient.
    assert sum(n for wait, n in gpu.waits.items() if wait.kind == 'boolean index') == 3 * 3


def test_many_weights_are_updated_in_one_operation():
    def operations(count: int) -> int:
        with SimulatedGPU() as gpu:
            weights = [HOST.to('cuda').requires_grad_() for _ in range(count)]
            optimizer = torch.optim.SGD(weights, lr=.1, momentum=.9)
            for step in range(2):
                sum(weight.sum() for weight in weights).backward()
                if step:
                    gpu.clear()
                optimizer.step()
        return gpu.operations

    assert operations(20) == operations(2)


def test_tensors_can_be_read_afterwards_and_nothing_else_stays():
    supported = list(_foreach_supported_types)
    overwritten = torch.__future__.get_overwrite_module_params_on_conversion()
    run_backward = torch.autograd._engine_run_backward
    with SimulatedGPU():
        x = HOST.to('cuda')
        assert torch.autograd._engine_run_backward is not run_backward
    assert x.sum().item() == HOST.sum()
    assert _foreach_supported_types == supported
    assert torch.__future__.get_overwrite_module_params_on_conversion() == overwritten
    assert torch.autograd._engine_run_backward is run_backward
