"""Random numbers that depend on the seed and the epoch alone."""
from __future__ import annotations

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import get_worker_info

from vatrack.registry import FUNCTIONS, HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed every random generator anew at the start of each training epoch.

    A run that is resumed at an epoch then draws the very numbers that the
    uninterrupted run draws, whatever validation or logging consumed, and so
    ends with the same weights bit by bit (on one CPU).
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Derive the epoch's seed from (seed, epoch, rank)."""
        state = np.random.SeedSequence([runner.seed or 0, runner.epoch, get_rank()])
        _seed_all(int(state.generate_state(1)[0]))


@FUNCTIONS.register_module()
def seed_worker(worker_id: int, **_: object) -> None:
    """Seed a data worker from the seed that its data loader drew for it.

    mmengine's own function seeds workers with the same numbers in every epoch.
    """
    _seed_all(get_worker_info().seed % 2**32)


def _seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
