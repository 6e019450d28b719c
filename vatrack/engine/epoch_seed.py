"""Random numbers that depend on the seed, the epoch and the iteration alone."""
from __future__ import annotations

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import get_worker_info

from vatrack import stopping
from vatrack.datasets.seeds import seed_all
from vatrack.registry import FUNCTIONS, HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed every random generator anew at the start of each training epoch and iteration.

    A run that is resumed, after an epoch or in the middle of one, then draws the very numbers that
    the uninterrupted run draws, whatever validation or logging consumed, and so ends with the same
    weights bit by bit (on a CPU). Samples have seeds of their own:
    :class:`~vatrack.datasets.seeds.SeededSampler`.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Derive the epoch's seed from (seed, epoch, rank)."""
        seed_all(runner.seed or 0, runner.epoch, get_rank())

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None
                          ) -> None:
        """Derive the iteration's seed from (seed, iteration, rank)."""
        seed_all(runner.seed or 0, runner.iter, get_rank())


@FUNCTIONS.register_module()
def seed_worker(worker_id: int, **_: object) -> None:
    """Seed a data worker from the seed that its data loader drew for it.

    mmengine's own function seeds workers with the same numbers in every epoch. The worker ends
    when its parent says so, not with the signals that a terminal or a batch system sends to all.
    """
    stopping.leave_to_parent()
    seed_all(get_worker_info().seed)
