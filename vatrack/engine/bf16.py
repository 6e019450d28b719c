"""Training in bfloat16."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from vatrack.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Forward pass in bfloat16 where that is safe (``torch.autocast``), on any device.

    bfloat16 has the range of float32, so there is no loss scale; mmengine's
    ``AmpOptimWrapper`` keeps one all the same, and refuses to run on a CPU.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass of ``model``."""
        with super().optim_context(model), torch.autocast(get_device(), torch.bfloat16):
            yield
