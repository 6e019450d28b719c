"""The module that stands in for ``mmcv._ext``: its functions under the names mmcv calls.

The functions supplied take the arguments that mmcv's Python wrappers pass and, as those expect,
fill the tensors given for the results in place. They run on CPU and CUDA, in float32 or float64;
tensors of half precision are computed in float32 and returned in their own dtype. Any other name
is a function that says that the operator needs a compiled mmcv.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torchvision

from .deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from .ms_deform_attn import ms_deform_attn_backward, ms_deform_attn_forward
from .nms import nms, softnms
from .roi_align import roi_align_backward, roi_align_forward

__all__ = [
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'roi_align_backward',
    'roi_align_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softnms',
]


def get_compiler_version() -> str:
    """What supplies the operators, for mmcv's report of the environment."""
    return f'not compiled, ops of torchvision {torchvision.__version__}'


def get_compiling_cuda_version() -> str:
    """CUDA version that torch was built with, or 'not available'."""
    return torch.version.cuda or 'not available'


def __getattr__(name: str) -> Callable[..., NoReturn]:
    # mmcv's modules check at import that the extension has all their functions (load_ext), so each
    # name must be there for mmcv.ops to be imported; what is lacking is said at the call. Python
    # itself asks modules for names like __path__, which must fail as usual.
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def unavailable(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv's operator '{name}' is not among those that vatrack supplies from torchvision. "
            'It needs a compiled mmcv; with a C++ compiler, and nvcc for CUDA: MMCV_WITH_OPS=1 '
            'pip install --no-build-isolation --no-cache-dir --force-reinstall --no-deps '
            '--no-binary onedl-mmcv onedl-mmcv')

    return unavailable
