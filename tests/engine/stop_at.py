"""A hook that lets a signal arrive in the middle of an iteration."""
from __future__ import annotations

import signal

from mmengine.hooks import Hook

from vatrack.registry import HOOKS


@HOOKS.register_module()
class StopAtHook(Hook):
    """Raise a signal while an iteration is under way.

    Args:
        iteration: Which one, from 1.
        number: The signal.
    """

    def __init__(self, iteration: int, number: int = signal.SIGTERM) -> None:
        self.iteration = iteration
        self.number = number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.iteration:
            signal.raise_signal(self.number)
