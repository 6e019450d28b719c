"""Hooks and helpers of the training loop."""
from .epoch_seed import EpochSeedHook, seed_worker
from .finite_guard import FiniteGuardHook, NonFiniteError

__all__ = ['EpochSeedHook', 'FiniteGuardHook', 'NonFiniteError', 'seed_worker']
