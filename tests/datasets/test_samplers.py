from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from vatrack.datasets import VideoBatchSampler, VideoSampler, video_samplers


def videos_of(monkeypatch, lengths, rank, world_size):
    monkeypatch.setattr(video_samplers, 'get_dist_info', lambda: (rank, world_size))
    return VideoSampler(SimpleNamespace(video_starts=np.cumsum([0, *lengths])))


@pytest.mark.parametrize('world_size', [1, 2, 3, 7])
@pytest.mark.parametrize('lengths', [[4, 1, 9, 2, 2], [5, 5, 5], [3]])
def test_whole_videos_in_order(lengths, world_size, monkeypatch):
    parts = [videos_of(monkeypatch, lengths, rank, world_size) for rank in range(world_size)]
    starts = np.cumsum([0, *lengths])
    for sampler in parts:
        frames = list(sampler)
        assert frames == sorted(frames) == list(sampler) and len(sampler) == len(frames)
        assert all(type(i) is int for i in frames)
    owner = {i: rank for rank, sampler in enumerate(parts) for i in sampler}
    assert sum(map(len, parts)) == len(owner) == sum(lengths)
    for start, stop in pairwise(starts):
        assert len({owner[i] for i in range(start, stop)}) == 1


def test_load_is_even(monkeypatch):
    lengths = [100, 30, 30, 20, 20]
    assert [len(videos_of(monkeypatch, lengths, rank, 2)) for rank in range(2)] == [100, 100]
    lengths = [7, 7, 7, 7, 7, 7]
    assert [len(videos_of(monkeypatch, lengths, rank, 3)) for rank in range(3)] == [14, 14, 14]


def test_epochs_do_not_change_the_order(monkeypatch):
    sampler = videos_of(monkeypatch, [2, 3], 0, 1)
    sampler.set_epoch(5)
    assert list(sampler) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize('batch_size', [1, 3, 8])
def test_batches_stay_within_a_video_and_lose_no_frame(batch_size, monkeypatch):
    sampler = videos_of(monkeypatch, [5, 1, 8], 0, 1)
    batches = list(VideoBatchSampler(sampler, batch_size))
    videos = [set(video) for video in sampler.videos]
    assert [frame for batch in batches for frame in batch] == list(sampler)
    assert all(any(set(batch) <= video for video in videos) for batch in batches)
    assert max(map(len, batches)) <= batch_size
    assert len(VideoBatchSampler(sampler, batch_size)) == len(batches)
