"""The samples of a training by their place, and processes that stop together."""
from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, Dataset

from vatrack import stopping
from vatrack.datasets.seeds import SeededIndex, seed_all
from vatrack.engine import loops


class Numbers(Dataset):
    """Index and a random number for each sample."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: SeededIndex) -> tuple[int, float]:
        seed_all(*index.numbers)
        return int(index), random.random()


class Pairs(BatchSampler):
    """Another batch sampler than PyTorch's own, of which nothing is known."""


def loader(workers: int = 0, kind: type = BatchSampler, endless: bool = False) -> DataLoader:
    sampler = (InfiniteSampler if endless else DefaultSampler)(Numbers(), shuffle=True, seed=3)
    return DataLoader(Numbers(), batch_sampler=kind(sampler, 2, False), collate_fn=tuple,
                      num_workers=workers, multiprocessing_context='fork' if workers else None)


@pytest.mark.parametrize('kind', [BatchSampler, Pairs])
@pytest.mark.parametrize('workers', [0, 2])
def test_an_epoch_begins_anywhere(kind, workers):
    whole = list(loops._Batches(loader()).of_epoch(1, 5, 0))
    assert len(whole) == 4 and len({number for _, batch in whole for _, number in batch}) == 7
    assert list(loops._Batches(loader(workers, kind)).of_epoch(1, 5, 2)) == whole[2:]
    assert list(loops._Batches(loader()).of_epoch(1, 6, 0)) != whole


def take(batches: Iterator, count: int) -> list:
    return [next(batches) for _ in range(count)]


@pytest.mark.parametrize('endless', [False, True])
def test_iterations_begin_anywhere(endless):
    straight = take(loops._Batches(loader(endless=endless)).from_iteration(1, 0), 11)
    for start in (3, 4, 9):
        batches = loops._Batches(loader(endless=endless)).from_iteration(1, start)
        assert take(batches, 11 - start) == straight[start:]
    # The second pass has other random numbers for the same samples.
    assert len({number for batch in straight for _, number in batch}) > 14


class Store(dict):
    """As much of torch's store as is needed."""

    def check(self, keys):
        return all(key in self for key in keys)

    set = dict.__setitem__
    get = dict.__getitem__


@pytest.mark.parametrize('first', [0, 1])
def test_processes_stop_after_the_same_iteration(monkeypatch, first):
    """One is asked to in iteration 5, while the other may be ahead by less than an iteration."""
    store, asked, ended = Store(), SimpleNamespace(rank=None), {}
    ranks = []
    for _ in range(2):
        each = loops._Stopping.__new__(loops._Stopping)
        each.is_alone, each._store = False, store
        ranks.append(each)
    monkeypatch.setattr(stopping, 'pending', lambda: 15 if asked.rank == asked.now else None)
    for iteration in range(1, 9):
        if iteration == 5:
            asked.rank = 1
        for rank in (first, 1 - first):
            asked.now = rank
            if rank not in ended:
                try:
                    ranks[rank].check(iteration)
                except stopping.Stopped as stop:
                    assert stop.together and stop.number == 15
                    ended[rank] = iteration
    assert ended == {0: 6, 1: 6}
