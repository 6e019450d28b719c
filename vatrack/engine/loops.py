"""Training loops that stop after whole iterations and go on at any of them.

They take the place of mmengine's in every config, for they have the same names.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import count, islice
from signal import SIGTERM
from typing import Any

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.runner import loops
from torch.distributed import distributed_c10d
from torch.utils.data import BatchSampler, DataLoader

from vatrack import stopping
from vatrack.datasets.seeds import SeededSampler
from vatrack.registry import LOOPS

_STOP_AT = 'vatrack/stop_at'


class _Batches:
    """The batches of a training loader, by epoch and place in it."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._sampler = SeededSampler(loader.batch_sampler.sampler)
        loader.batch_sampler.sampler = self._sampler

    @property
    def size(self) -> int | None:
        """Samples of a batch, where every batch but the last has as many."""
        # Another batch sampler may group samples as it likes.
        plain = type(self._loader.batch_sampler) is BatchSampler
        return self._loader.batch_sampler.batch_size if plain else None

    def of_epoch(self, seed: int, epoch: int, start: int) -> Iterator[tuple[int, Any]]:
        """Place and batch, from the batch ``start`` of an epoch on."""
        if hasattr(self._sampler.sampler, 'set_epoch'):
            self._sampler.set_epoch(epoch)
        skip = start * self.size if self.size else 0
        self._sampler.begin(seed, epoch, get_rank(), skip=skip)
        # Where places cannot be told beforehand, batches are loaded and left out.
        batches = islice(self._loader, 0 if self.size else start, None)
        return enumerate(batches, start)

    def from_iteration(self, seed: int, iteration: int) -> Iterator[Any]:
        """Batches of one epoch after another, from an iteration on."""
        # mmengine's mark of samplers that never end, whose length says nothing.
        endless = hasattr(self._sampler.sampler, 'skip')
        epoch, start = (0, iteration) if endless else divmod(iteration, len(self._loader))
        for each in count(epoch):
            yield from (batch for _, batch in self.of_epoch(seed, each, start))
            start = 0


class _Stopping:
    """Ends a training after an iteration that is the same in all of its processes."""

    def __init__(self) -> None:
        self.is_alone = get_world_size() == 1
        self._store = None if self.is_alone else distributed_c10d._get_default_store()

    def check(self, iteration: int) -> None:
        """Stop, if that is due now that an iteration is complete; nothing waits for a GPU.

        Raises:
            Stopped: In all processes after the same iteration.
        """
        if self.is_alone:
            due = stopping.pending() is not None
        elif self._store.check([_STOP_AT]):
            due = iteration >= int(self._store.get(_STOP_AT))
        else:
            due = False
            if stopping.pending() is not None:
                # The others may have begun the next iteration, and cannot end it without this one.
                self._store.set(_STOP_AT, str(iteration + 1))
        if due:
            self._stop()

    def agree(self) -> None:
        """Stop if any process was asked to; all wait for one another.

        Raises:
            Stopped: In all processes.
        """
        asked = torch.tensor(int(stopping.pending() is not None))
        all_reduce(asked, 'max')
        if asked:
            self._stop()

    def _stop(self) -> None:
        stop = stopping.Stopped(stopping.pending() or SIGTERM)
        stop.together = True
        raise stop


class _Resumable:
    """What both loops share; a mixin of mmengine's loops.

    Attributes:
        is_whole: Whether training has begun and no iteration is under way, so that the weights are
            those after ``iter`` iterations.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batches = _Batches(self.dataloader)
        self._epoch_begin = 0
        self.is_whole = False

    def position(self, epoch: int, iteration: int) -> dict[str, Any]:
        """Where a checkpoint of an epoch and iteration lies in the data, to go on from there."""
        batches = iteration - self._epoch_begin if epoch == self._epoch else 0
        return dict(batches=batches, batch_size=self._batches.size, processes=get_world_size())

    def start_at(self, position: dict[str, Any] | None) -> None:
        """Go on at a position; ``epoch`` and ``iter`` are set already.

        Args:
            position: None if the checkpoint is of an earlier version.
        """
        if position is None:
            position = dict(batches=max(0, self._iter - self._epoch * len(self.dataloader)))
        self._epoch_begin = self._iter - position['batches']

    def run(self) -> Any:
        """Launch training."""
        self._begin()
        return super().run()

    def _begin(self) -> None:
        self._stopping = _Stopping()
        self.is_whole = True

    def _deferred(self) -> AbstractContextManager[None]:
        """Of several processes none may stop by itself."""
        return stopping.deferred(raises=self._stopping.is_alone)

    def run_iter(self, *args: Any) -> None:
        """Iterate one batch, as a whole."""
        self.is_whole = False
        super().run_iter(*args)
        self.is_whole = True


@LOOPS.register_module()
class EpochBasedTrainLoop(_Resumable, loops.EpochBasedTrainLoop):
    """mmengine's loop over epochs, which also begins in the middle of one.

    Args:
        *args: As of mmengine's.
        **kwargs: As of mmengine's.

    Raises:
        Stopped: A signal asked for it; an iteration is complete.
    """

    def run_epoch(self) -> None:
        """Iterate one epoch, or what is left of it."""
        with self._deferred():
            self.runner.call_hook('before_train_epoch')
            self.runner.model.train()
            start = self._iter - self._epoch_begin
            for place, batch in self._batches.of_epoch(self.runner.seed, self._epoch, start):
                self.run_iter(place, batch)
                if place + 1 < len(self.dataloader):
                    self._stopping.check(self._iter)
            self.runner.call_hook('after_train_epoch')
            self._epoch += 1
            self._epoch_begin = self._iter
            self._stopping.agree()


@LOOPS.register_module()
class IterBasedTrainLoop(_Resumable, loops.IterBasedTrainLoop):
    """mmengine's loop over iterations, which goes on with the sample that comes next.

    Args:
        *args: As of mmengine's.
        **kwargs: As of mmengine's.

    Raises:
        Stopped: A signal asked for it; an iteration is complete.
    """

    def run(self) -> Any:
        """Launch training."""
        self._begin()
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        batches = self._batches.from_iteration(self.runner.seed, self._iter)
        while self._iter < self._max_iters and not self.stop_training:
            with self._deferred():
                self.runner.model.train()
                self.run_iter(next(batches))
                if self._iter < self._max_iters:
                    self._stopping.check(self._iter)
                self._decide_current_val_interval()
                validates = self._validates()
                if validates:
                    self._stopping.agree()
            if validates:
                self.runner.val_loop.run()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validates(self) -> bool:
        return (self.runner.val_loop is not None and self._iter >= self.val_begin
                and (self._iter % self.val_interval == 0 or self._iter == self._max_iters))
