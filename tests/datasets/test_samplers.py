from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from vatrack.datasets import KeyReferenceSampler, VideoBatchSampler, VideoSampler, video_samplers


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


@pytest.mark.parametrize(('key', 'start', 'stop', 'expected'), [
    (10, 0, 100, {7, 8, 9, 11, 12, 13}), (10, 10, 100, {11, 12, 13}), (10, 9, 11, {9}),
    (10, 10, 11, {10}), (99, 0, 100, {96, 97, 98})])
def test_candidates_of_a_key_frame(key, start, stop, expected):
    np.random.seed(0)
    sampler = KeyReferenceSampler(scope=3)
    drawn = [sampler.sample(key, start, stop) for _ in range(120)]
    assert all(len(refs) == 1 for refs in drawn)
    assert {ref for refs in drawn for ref in refs} == expected


def test_candidates_are_equally_likely():
    np.random.seed(0)
    drawn = np.ravel([KeyReferenceSampler(scope=3).sample(10, 0, 20) for _ in range(3000)])
    counts = np.bincount(drawn, minlength=14)[[7, 8, 9, 11, 12, 13]]
    assert abs(counts - 500).max() < 100


def test_several_references_repeat_only_where_frames_are_few():
    np.random.seed(0)
    sampler = KeyReferenceSampler(scope=2, num_refs=3)
    assert all(len(set(sampler.sample(5, 0, 10))) == 3 for _ in range(20))
    assert set(sampler.sample(0, 0, 3)) <= {1, 2} and len(sampler.sample(0, 0, 3)) == 3
    assert sampler.sample(0, 0, 1) == [0, 0, 0]


@pytest.mark.parametrize('options', [dict(scope=0), dict(num_refs=0), dict(scope=-1)])
def test_refused_values(options):
    with pytest.raises(ValueError, match='scope and num_refs must be positive'):
        KeyReferenceSampler(**options)


@pytest.mark.parametrize('batch_size', [1, 3, 8])
def test_batches_stay_within_a_video_and_lose_no_frame(batch_size, monkeypatch):
    sampler = videos_of(monkeypatch, [5, 1, 8], 0, 1)
    batches = list(VideoBatchSampler(sampler, batch_size))
    videos = [set(video) for video in sampler.videos]
    assert [frame for batch in batches for frame in batch] == list(sampler)
    assert all(any(set(batch) <= video for video in videos) for batch in batches)
    assert max(map(len, batches)) <= batch_size
    assert len(VideoBatchSampler(sampler, batch_size)) == len(batches)
