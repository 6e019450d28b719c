"""The model of a runner without its wrapper."""
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def bare_model(runner: Runner) -> nn.Module:
    """Model of ``runner``, taken out of DistributedDataParallel where it is in one."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
