"""Hooks and helpers of the training loop."""
from .bare_model import bare_model
from .bf16 import Bf16OptimWrapper
from .epoch_seed import EpochSeedHook, seed_worker
from .finite_guard import FiniteGuardHook, NonFiniteError
from .pictures import PicturesHook

__all__ = ['Bf16OptimWrapper', 'EpochSeedHook', 'FiniteGuardHook', 'NonFiniteError',
           'PicturesHook', 'bare_model', 'seed_worker']
