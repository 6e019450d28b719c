"""Checkpoints of tensors and plain values, which any PyTorch reads with ``weights_only``."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from vatrack.registry import HOOKS

_PLAIN = (bool, int, float, str, bytes, type(None), torch.Tensor, torch.Size, torch.dtype,
          torch.device)


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Turn mmengine's histories and numpy's numbers into tensors and plain numbers, and back.

    Not a digit changes: histories are kept as tensors of their own type.
    """

    priority = 'LOWEST'  # what other hooks add is made plain too

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make all plain but the weights, which are tensors."""
        for key in checkpoint.keys() - {'state_dict'}:
            foreign: set[str] = set()
            checkpoint[key] = plain(checkpoint[key], foreign)
            if foreign:
                runner.logger.warning('%s of the checkpoint holds %s: it can only be read with '
                                      'VATRACK_TRUST_CHECKPOINT=1', key,
                                      ', '.join(sorted(foreign)))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Rebuild the histories; those of checkpoints of version 0.1 are there already."""
        scalars = checkpoint.get('message_hub', {}).get('log_scalars', {})
        for name, value in scalars.items():
            if isinstance(value, Mapping):
                scalars[name] = _history(value)


def plain(value: Any, foreign: set[str]) -> Any:
    """A value with numpy's and mmengine's classes, and subclasses of containers, made plain.

    Args:
        value: Nested containers; tensors are not copied.
        foreign: Gets the names of classes that cannot be made plain; their values are kept.
    """
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return dict(log_history=torch.from_numpy(np.array(log)),
                    count_history=torch.from_numpy(np.array(count)), max_length=value.max_length)
    if isinstance(value, np.ndarray | np.generic):
        return _plain_numpy(value, foreign)
    if isinstance(value, Mapping):
        kind = OrderedDict if isinstance(value, OrderedDict) else dict
        return kind((plain(key, foreign), plain(each, foreign)) for key, each in value.items())
    # Before tuples, of which torch.Size is one.
    if type(value) in _PLAIN or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, list | tuple | set):
        kind = next(each for each in (list, tuple, set) if isinstance(value, each))
        return kind(plain(each, foreign) for each in value)
    if isinstance(value, Path):
        return str(value)
    foreign.add(f'{type(value).__module__}.{type(value).__qualname__}')
    return value


def _plain_numpy(value: np.ndarray | np.generic, foreign: set[str]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biufc':
        return torch.from_numpy(np.array(value))
    return plain(value.tolist(), foreign)


def _history(value: Mapping[str, Any]) -> HistoryBuffer:
    buffer = HistoryBuffer(max_length=value['max_length'])
    # Not by its arguments, which it would cut to its length and copy into lists.
    buffer._log_history = value['log_history'].cpu().numpy()
    buffer._count_history = value['count_history'].cpu().numpy()
    return buffer
