"""Random numbers that depend on the place of a sample in the training alone."""
from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch.utils.data import Sampler


def seed_all(*numbers: int) -> None:
    """Seed the generators of Python, numpy and torch from some numbers >= 0.

    Generators of GPUs are seeded where CUDA is in use; in a data worker it is not.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    # Not torch.manual_seed, which takes 15 times as long where there is no CUDA.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


class SeededIndex(int):
    """Index of a sample that says what its random numbers are drawn from.

    Attributes:
        numbers: Arguments of :func:`seed_all`.
    """

    numbers: tuple[int, ...]

    def __new__(cls, index: int, numbers: tuple[int, ...]) -> SeededIndex:
        """Make the index."""
        self = super().__new__(cls, index)
        self.numbers = numbers
        return self

    def __reduce__(self) -> tuple:
        return SeededIndex, (int(self), self.numbers)


class SeededSampler(Sampler):
    """The samples of another sampler, each with its place, beginning at any of them.

    Augmentation then is the same in whatever worker a sample is loaded, and after however many
    others, and a training can go on in the middle of an epoch.

    Args:
        sampler: What says the order.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self._numbers: tuple[int, ...] = ()
        self._skip = 0

    def begin(self, *numbers: int, skip: int = 0) -> None:
        """Say what the next pass is.

        Args:
            numbers: What its random numbers depend on, besides the place of a sample.
            skip: Samples to leave out at its beginning.
        """
        self._numbers, self._skip = numbers, skip

    def __iter__(self) -> Iterator[SeededIndex]:
        rest = islice(self.sampler, self._skip, None)
        return (SeededIndex(index, (*self._numbers, place))
                for place, index in enumerate(rest, self._skip))

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle as in that epoch."""
        self.sampler.set_epoch(epoch)
