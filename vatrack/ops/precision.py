"""The dtype in which the operators compute."""
from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor


def to_compute_dtype(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Bring floating tensors of any shape to one dtype: float32, or float64 if one of them has it.

    torchvision's kernels want equal dtypes and, on the CPU, no half precision; under autocast mmcv
    passes both mixed and half ones. Computing in half precision would not do anyway: above 2048
    float16 holds no odd number, above 256 bfloat16 none, so that boxes and sampling points would
    move by pixels.
    """
    # float64 is kept, as gradcheck needs it.
    dtype = reduce(torch.promote_types, (tensor.dtype for tensor in tensors), torch.float32)
    return tuple(tensor.to(dtype) for tensor in tensors)
