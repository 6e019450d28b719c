"""A GPU played by the CPU: where would a program wait for it, and where would it fail on it?

A program runs ahead of its GPU: operations are put into a queue and return at once. It loses that
lead wherever it asks for a value, because it has to wait until the queue is empty: for ``.item()``,
for the number of rows that a boolean index picks, for every plain copy to or from the GPU. Such
waits keep a fast GPU idle, and a CPU shows nothing of them; nor does it show that an operation is
given tensors of both sides, which a GPU refuses.

Inside of :class:`SimulatedGPU` tensors that are moved to ``'cuda'`` stay in host memory and are
computed with there, with the same numbers as on the CPU, but they say that they are on ``cuda:0``,
so that code takes the way that it takes on a GPU.
"""
from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Number
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import _foreach_supported_types
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_HOST = torch.device('cpu')
#: What simulated tensors say to Python; and what their shells are to PyTorch's C++ code, which
#: would look for a true GPU otherwise (autograd, for one, runs a thread for each).
_GPU, _SHELL = torch.device('cuda', 0), torch.device('meta')

_aten = torch.ops.aten
_COPIES = {_aten._to_copy.default, _aten.copy_.default}
_GATHERS = {_aten.index.Tensor, _aten._unsafe_index.Tensor}
_SCATTERS = {_aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default,
             _aten._unsafe_index_put.default}
#: Besides pointwise operations, these take a number that is a tensor of the host.
_TAKE_NUMBERS = {_aten.fill.Tensor, _aten.fill_.Tensor, _aten.masked_fill.Tensor,
                 _aten.masked_fill_.Tensor, _aten.index_fill.int_Tensor,
                 _aten.index_fill_.int_Tensor} | _SCATTERS
#: Their CUDA kernels wait though no tag says so; bincount asks for the least and the largest value.
_WAITS = {torch.ops.torchvision.nms.default: 1, _aten.bincount.default: 2}
#: PyTorch's tags of operations that wait.
_NEEDS_VALUES = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}
_NAMES = {'_local_scalar_dense': 'item', '_unique2': 'unique', 'unique_dim': 'unique',
          'unique_consecutive': 'unique'}
#: Give a tensor without computing anything; so do views.
_FREE = {'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', '_unsafe_view',
         '_reshape_alias'}
_LIBRARIES = ('torch', 'torchvision')


class MixedDevicesError(RuntimeError):
    """An operation was given tensors of the host and of the GPU."""


class Wait(NamedTuple):
    """Why and where a program waits for the GPU.

    Attributes:
        kind: 'item' (also ``bool``, ``int`` and ``float`` of a tensor), 'to host', 'to device',
            'boolean index', or the name of an operation whose result has as many elements as
            its values say: 'nonzero', 'unique', 'nms' ...
        file: Innermost source file that belongs neither to PyTorch nor to torchvision, from its
            package on: ``vatrack/track/memory.py``. Waits of a backward pass are at the line
            that starts it.
        line: Line in it.
    """

    kind: str
    file: str
    line: int


class SimulatedGPU:
    """Context in which ``'cuda'`` is a simulated GPU, with a count of what is waited for.

    Whatever is to be on the GPU is moved there inside, an optimizer is built after the move; its
    tensors can still be read afterwards::

        with SimulatedGPU() as gpu:
            model = model.to('cuda')
            model.train_step(batch, build_optim_wrapper(model, config.optim_wrapper))
        print(gpu.waits.most_common(10), gpu.operations)

    A wait is what PyTorch reports as one on a true GPU (``torch.cuda.set_sync_debug_mode``), by
    the tags of its operations and, where they have none, by their CUDA code of version 2.11. A
    true GPU may differ in this: an operation may be several kernels, and gradients are clipped in
    fewer; ``non_blocking=True`` is taken at its word, as if host memory were pinned;
    ``torch.autocast('cuda')`` is off where there is no CUDA.

    Attributes:
        waits: Number of each :class:`Wait` since the start, or since ``clear()``.
        operations: Number of operations that computed something on the GPU.

    Raises:
        MixedDevicesError: From any operation that CUDA would refuse for the devices of its
            tensors. As there, numbers (tensors of the host without dimensions) and indices may
            be on the host; integer indices are copied, and waited for.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count from zero."""
        self.waits: Counter[Wait] = Counter()
        self.operations = 0

    def __enter__(self) -> SimulatedGPU:
        with ExitStack() as stack:
            stack.enter_context(_Operations(self))
            functions = stack.enter_context(_Functions())
            stack.enter_context(functions.in_backward())
            # Optimizers then update many weights in one operation, as they do on a true GPU.
            _foreach_supported_types.append(SimulatedTensor)
            stack.callback(_foreach_supported_types.remove, SimulatedTensor)
            # Module.to makes new weights: PyTorch would put the shells of moved ones into the old.
            stack.callback(torch.__future__.set_overwrite_module_params_on_conversion,
                           torch.__future__.get_overwrite_module_params_on_conversion())
            torch.__future__.set_overwrite_module_params_on_conversion(True)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def __deepcopy__(self, memo: dict) -> SimulatedGPU:
        return self  # a copied tensor is on the same GPU

    def compute(self, func: Any, args: Sequence, kwargs: Mapping[str, Any]) -> Any:
        """Run an operation of PyTorch on the host, and note what it would be on a GPU."""
        tensors = list(_tensors([args, list(kwargs.values())]))
        simulated = [tensor for tensor in tensors if _on_gpu(tensor)]
        target = kwargs.get('device') or (_SHELL if simulated else _HOST)
        if not simulated and target != _SHELL:
            return func(*args, **kwargs)
        if len(simulated) < len(tensors) and func not in _COPIES:
            _refuse_mixed(func, args, tensors)
        for kind in _waits_of(func, args, kwargs, target):
            self.waits[Wait(kind, *_call_site())] += 1
        if target == _SHELL and not func.is_view and func.overloadpacket.__name__ not in _FREE:
            self.operations += 1
        on_host = {name: _map(_host_of, value) for name, value in kwargs.items()}
        if 'device' in on_host:
            on_host['device'] = _HOST
        result = func(*_map(_host_of, args), **on_host)
        if torch.Tag.inplace_view in func.tags:  # such as unsqueeze_: the shell changes too
            with torch._C._DisableTorchDispatch():
                args[0].as_strided_(result.size(), result.stride())
        if target != _SHELL:
            return result
        # What is changed in place stays the tensor that it was.
        known = {id(_host_of(tensor)): tensor for tensor in tensors}
        return _map(lambda host: known[id(host)] if id(host) in known
                    else SimulatedTensor(host, self), result)


class SimulatedTensor(Tensor):
    """A tensor that says that it is on a GPU; ``host`` holds its values, in host memory."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, host: Tensor, gpu: SimulatedGPU) -> SimulatedTensor:
        """What ``host`` is on ``gpu``; they share their values."""
        shell = torch.empty_strided(host.size(), host.stride(), dtype=host.dtype, device=_SHELL)
        tensor = Tensor._make_subclass(cls, shell, False, device_for_backend_keys=_GPU)
        tensor.host, tensor.gpu = host, gpu
        return tensor

    device = property(lambda self: _GPU)
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Sequence[type], args: Sequence = (),
                           kwargs: Mapping[str, Any] | None = None) -> Any:
        """Operations where modes are off: in PyTorch's printing, and after the simulation."""
        gpu = next(tensor.gpu for tensor in _tensors(args) if _on_gpu(tensor))
        return gpu.compute(func, args, kwargs or {})

    # What follows does as PyTorch does for a true GPU, where it would do otherwise for a shell (it
    # makes a shell of the data without looking at them) or for any subclass.

    def new_tensor(self, data: Any, **kwargs: Any) -> Tensor:
        """A tensor of ``data``, on the device and of the dtype of this one."""
        return torch.tensor(data, **({'dtype': self.dtype, 'device': _GPU} | kwargs))

    def tolist(self) -> Any:
        """The values, after one copy."""
        return self.cpu().tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """Only with ``force``, which copies.

        Raises:
            TypeError: The tensor is on a GPU.
        """
        if not force:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() "
                            'first')
        return self.detach().cpu().numpy()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else super().__format__(spec)

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_with_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, Number):
            value = torch.tensor(value, dtype=self.dtype)
        super().__setitem__(_with_tensors(index), value)


class _Operations(TorchDispatchMode):
    """Hands every operation to the simulated GPU, those that make tensors of nothing too."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Sequence = (),
                           kwargs: Mapping[str, Any] | None = None) -> Any:
        return self.gpu.compute(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Sends what is meant for ``cuda`` to the shells' device, before PyTorch looks for a GPU."""

    @contextmanager
    def in_backward(self) -> Iterator[None]:
        """Be on in the backward pass too: PyTorch turns a mode off in what the mode calls."""
        run = torch.autograd._engine_run_backward

        def run_in_mode(*args: Any, **kwargs: Any) -> Any:
            with self:
                return run(*args, **kwargs)

        torch.autograd._engine_run_backward = run_in_mode
        try:
            yield
        finally:
            torch.autograd._engine_run_backward = run

    def __torch_function__(self, func: Callable, types: Sequence[type], args: Sequence = (),
                           kwargs: Mapping[str, Any] | None = None) -> Any:
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        args = [_to_shell(arg) for arg in args]
        kwargs = {name: _to_shell(arg) for name, arg in (kwargs or {}).items()}
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            device = kwargs.pop('device', None)
            made = func(*map(_as_numbers, args), **kwargs)
            return made if device is None else made.to(device)
        if func is Tensor.cuda:
            return args[0].to(_SHELL, non_blocking=kwargs.get('non_blocking', False))
        if func is Tensor.pin_memory:
            return args[0]
        return func(*args, **kwargs)


def _refuse_mixed(func: Any, args: Sequence, tensors: Sequence[Tensor]) -> None:
    """Raise where CUDA does not take these tensors of both sides."""
    hosts = [tensor for tensor in tensors if not _on_gpu(tensor)]
    if func in _GATHERS | _SCATTERS and _on_gpu(args[0]):
        hosts = [tensor for tensor in hosts if all(tensor is not index for index in args[1])]
    changes_host = func._schema.is_mutable and not all(map(_on_gpu, _tensors(args[:1])))
    takes_numbers = (torch.Tag.pointwise in func.tags or func in _TAKE_NUMBERS
                     or func.overloadpacket.__name__.startswith('_foreach_'))
    if changes_host or any(tensor.dim() or not takes_numbers for tensor in hosts):
        found = ', '.join(f'{tuple(tensor.shape)} on {tensor.device}' for tensor in tensors)
        raise MixedDevicesError(f'{func} needs all its tensors on one device, got {found}')


def _waits_of(func: Any, args: Sequence, kwargs: Mapping[str, Any],
              target: torch.device) -> Iterator[str]:
    """The kind of each wait of an operation."""
    if func in _COPIES:
        if func is _aten.copy_.default:
            source, to_gpu, blocking = args[1], _on_gpu(args[0]), args[2:] != (True,)
        else:
            source, to_gpu, blocking = args[0], target == _SHELL, not kwargs.get('non_blocking')
        if blocking and _on_gpu(source) != to_gpu:
            yield 'to device' if to_gpu else 'to host'
    elif func in _GATHERS | _SCATTERS:
        if not _fills(func, args):
            for index in _tensors(args[1]):
                is_mask = index.dtype in (torch.bool, torch.uint8)
                # The positions in a mask of the host travel in pinned memory, without a wait.
                if _on_gpu(index) == is_mask:
                    yield 'boolean index' if is_mask else 'to device'
    elif func in _WAITS:
        name = func.overloadpacket.__name__
        yield from [name] * _WAITS[func]
    elif _NEEDS_VALUES.intersection(func.tags) and kwargs.get('output_size') is None:
        name = func.overloadpacket.__name__
        yield _NAMES.get(name, name)


def _fills(func: Any, args: Sequence) -> bool:
    """Whether it is ``x[mask] = number``, which CUDA does without counting the mask."""
    return (func in _SCATTERS and args[3:4] != (True,) and args[2].dim() == 0
            and not _on_gpu(args[2]) and [i.dtype for i in _tensors(args[1])] == [torch.bool])


def _call_site() -> tuple[str, int]:
    """File and line of the innermost frame outside of PyTorch and of this module."""
    frame = sys._getframe(1)
    while frame.f_back and (frame.f_globals is globals()
                            or _module(frame).split('.')[0] in _LIBRARIES):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    depth = _module(frame).count('.') + 1 + (path.stem == '__init__')
    return '/'.join(path.parts[-depth:]), frame.f_lineno


def _module(frame: FrameType) -> str:
    return frame.f_globals.get('__name__', '')


def _on_gpu(tensor: Tensor) -> bool:
    return isinstance(tensor, SimulatedTensor)


def _host_of(tensor: Tensor) -> Tensor:
    return tensor.host if _on_gpu(tensor) else tensor


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in nested lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _map(function: Callable[[Tensor], Any], value: Any) -> Any:
    """``value``, with ``function`` of each tensor in nested lists and tuples in its place."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)(_map(function, item) for item in value)
    return value


def _to_shell(argument: Any) -> Any:
    """The device of the shells in place of any name of a GPU."""
    if isinstance(argument, torch.device):
        return _SHELL if argument.type == 'cuda' else argument
    return _SHELL if isinstance(argument, str) and argument.startswith('cuda') else argument


def _as_numbers(data: Any) -> Any:
    """Lists with numbers for tensors of the GPU in them; each is waited for, as it is there."""
    if isinstance(data, list | tuple):
        return [item.tolist() if isinstance(item, SimulatedTensor) else _as_numbers(item)
                for item in data]
    return data


def _with_tensors(index: Any) -> Any:
    """An index with tensors of the host for its lists and arrays."""
    if isinstance(index, tuple):
        return tuple(_with_tensors(item) for item in index)
    if isinstance(index, np.ndarray):
        return torch.from_numpy(index)
    if isinstance(index, list | range):
        made = torch.tensor(index)
        return made if made.dtype == torch.bool else made.long()
    return index
