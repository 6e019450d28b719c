"""Where a model runs, and in which precision."""
from __future__ import annotations

import torch

from .config import ConfigError

#: Precisions by name, with the dtype of ``torch.autocast``.
PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device asked for; None: a GPU if there is one.

    Raises:
        ConfigError: There is no such device.
    """
    if device is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ConfigError(f'device {str(device)!r} cannot be used: {str(error).splitlines()[0]}; '
                          'give cpu, cuda or cuda:0') from error
    return chosen


def choose_precision(precision: str | None, device: torch.device) -> str:
    """The precision asked for; None: half on GPUs that compute in it, bfloat16 if they can.

    Raises:
        ConfigError: Unknown, or fp16 without a GPU.
    """
    if precision is None:
        if device.type != 'cuda' or torch.cuda.get_device_capability(device) < (7, 0):
            return 'fp32'
        return 'bf16' if torch.cuda.get_device_capability(device) >= (8, 0) else 'fp16'
    if precision not in PRECISIONS:
        raise ConfigError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
    if precision == 'fp16' and device.type != 'cuda':
        raise ConfigError('fp16 needs a CUDA GPU; on a CPU use fp32')
    return precision
