"""Hooks and helpers of the training loop, and a GPU to try them on."""
from .bare_model import bare_model
from .bf16 import Bf16OptimWrapper
from .checkpoint_hook import CheckpointHook
from .epoch_seed import EpochSeedHook, seed_worker
from .finite_guard import FiniteGuardHook, NonFiniteError
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop
from .pictures import PicturesHook
from .plain_checkpoint import PlainCheckpointHook
from .runner import Runner
from .simulated_gpu import MixedDevicesError, SimulatedGPU, Wait

__all__ = ['Bf16OptimWrapper', 'CheckpointHook', 'EpochBasedTrainLoop', 'EpochSeedHook',
           'FiniteGuardHook', 'IterBasedTrainLoop', 'MixedDevicesError', 'NonFiniteError',
           'PicturesHook', 'PlainCheckpointHook', 'Runner', 'SimulatedGPU', 'Wait', 'bare_model',
           'seed_worker']
