from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from vatrack.engine import EpochSeedHook, epoch_seed, seed_worker
from vatrack.registry import FUNCTIONS, HOOKS


def draw() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(()).item()


def draw_in_epoch(monkeypatch: pytest.MonkeyPatch, seed: int | None, epoch: int,
                  rank: int = 0) -> tuple[float, float, float]:
    monkeypatch.setattr(epoch_seed, 'get_rank', lambda: rank)
    EpochSeedHook().before_train_epoch(SimpleNamespace(seed=seed, epoch=epoch))
    return draw()


def test_same_seed_epoch_and_rank_give_the_same_numbers(monkeypatch):
    first = draw_in_epoch(monkeypatch, 3, 5, 1)
    draw()
    assert draw_in_epoch(monkeypatch, 3, 5, 1) == first


def test_every_seed_epoch_and_rank_has_numbers_of_its_own(monkeypatch):
    drawn = [draw_in_epoch(monkeypatch, seed, epoch, rank)
             for seed in (0, 1) for epoch in (0, 1, 2) for rank in (0, 1)]
    assert all(len(set(generator)) == len(drawn) for generator in zip(*drawn, strict=True))


def test_no_seed_counts_as_seed_0(monkeypatch):
    assert draw_in_epoch(monkeypatch, None, 1) == draw_in_epoch(monkeypatch, 0, 1)


class Numbers(Dataset):
    """Two random numbers per sample, of both generators that transforms use."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[float, float]:
        return random.random(), np.random.rand()


def epoch_of_workers(seed: int) -> list[tuple[float, float]]:
    torch.manual_seed(seed)
    loader = DataLoader(Numbers(), num_workers=2, worker_init_fn=seed_worker, collate_fn=tuple,
                        multiprocessing_context='fork')
    return [sample for batch in loader for sample in batch]


def test_workers_repeat_their_numbers_for_one_seed_and_share_none():
    first, again, other = epoch_of_workers(0), epoch_of_workers(0), epoch_of_workers(1)
    assert first == again
    assert len({number for sample in first + other for number in sample}) == 16


def test_configs_can_name_them():
    assert HOOKS.get('EpochSeedHook') is EpochSeedHook
    assert FUNCTIONS.get('vatrack.seed_worker') is seed_worker
