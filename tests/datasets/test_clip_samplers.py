from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vatrack.datasets import ConsecutiveFramesSampler, KeyReferenceSampler, NearbyFramesSampler


def references(sampler, key, start, stop, rounds=120):
    """What is drawn beside the key frame, a list per clip."""
    drawn = []
    for _ in range(rounds):
        frames, is_key = sampler.sample(key, start, stop)
        assert frames == sorted(frames) and all(type(frame) is int for frame in frames)
        assert [f for f, flag in zip(frames, is_key, strict=True) if flag] == [key]
        frames.remove(key)
        drawn.append(frames)
    return drawn


@pytest.mark.parametrize(('key', 'start', 'stop', 'expected'), [
    (10, 0, 100, {7, 8, 9, 11, 12, 13}), (10, 10, 100, {11, 12, 13}), (10, 9, 11, {9}),
    (10, 10, 11, {10}), (99, 0, 100, {96, 97, 98})])
def test_candidates_of_a_key_frame(key, start, stop, expected):
    drawn = references(KeyReferenceSampler(scope=3), key, start, stop)
    assert all(len(refs) == 1 for refs in drawn)
    assert {ref for refs in drawn for ref in refs} == expected


def test_candidates_are_equally_likely():
    drawn = np.ravel(references(KeyReferenceSampler(scope=3), 10, 0, 20, rounds=3000))
    counts = np.bincount(drawn, minlength=14)[[7, 8, 9, 11, 12, 13]]
    assert abs(counts - 500).max() < 100


def test_several_references_repeat_only_where_frames_are_few():
    sampler = KeyReferenceSampler(scope=2, num_refs=3)
    assert all(len(set(refs)) == 3 for refs in references(sampler, 5, 0, 10))
    assert all(set(refs) == {1, 2} and len(refs) == 3 for refs in references(sampler, 0, 0, 3))
    assert sampler.sample(0, 0, 1) == ([0, 0, 0, 0], [True, False, False, False])


@pytest.mark.parametrize(('key', 'start', 'stop'), [(10, 0, 20), (0, 0, 2), (10, 10, 11)])
def test_one_reference_takes_one_draw_from_its_candidates(key, start, stop):
    """Training draws the same clips as when reference frames stood behind their key frame."""
    near = [i for i in range(max(start, key - 3), min(stop, key + 4)) if i != key] or [key]
    for seed in range(20):
        np.random.seed(seed)
        expected = sorted([key, *np.random.choice(near, 1, replace=False)])
        after = np.random.rand()
        np.random.seed(seed)
        assert KeyReferenceSampler(scope=3).sample(key, start, stop).frames == expected
        assert np.random.rand() == after


@pytest.mark.parametrize(('key', 'start', 'stop', 'candidates'), [
    (20, 0, 100, range(16, 25)), (20, 20, 100, range(20, 25)), (99, 0, 100, range(95, 100))])
def test_frames_near_the_key_frame(key, start, stop, candidates):
    drawn = Counter()
    for _ in range(100):
        frames, is_key = NearbyFramesSampler(num_frames=5, scope=4).sample(key, start, stop)
        assert frames == sorted(set(frames)) and key in frames and is_key == [True] * 5
        drawn.update(frames)
    assert set(drawn) == set(candidates)


@pytest.mark.parametrize(('start', 'stop', 'most'), [(0, 3, 3), (0, 2, 4), (1, 2, 7)])
def test_frames_of_a_short_video_are_repeated_evenly(start, stop, most):
    frames, is_key = NearbyFramesSampler(num_frames=7, scope=4).sample(1, start, stop)
    assert frames == sorted(frames) and len(frames) == len(is_key) == 7
    counts = Counter(frames)
    assert set(counts) == set(range(start, stop)) and max(counts.values()) == most
    assert NearbyFramesSampler(num_frames=1, scope=4).sample(1, start, stop).frames == [1]


def runs(length, stride, key, start, stop, rounds=200):
    drawn = Counter()
    for _ in range(rounds):
        frames, is_key = ConsecutiveFramesSampler(length, stride).sample(key, start, stop)
        assert is_key == [True] * length and all(type(frame) is int for frame in frames)
        drawn[tuple(frames)] += 1
    return drawn


@pytest.mark.parametrize(('length', 'stride', 'key', 'start', 'stop', 'expected'), [
    (3, 1, 10, 0, 20, [(8, 9, 10), (9, 10, 11), (10, 11, 12)]),
    (3, 1, 10, 10, 20, [(10, 11, 12)]),
    (3, 1, 11, 10, 20, [(10, 11, 12), (11, 12, 13)]),
    (3, 1, 19, 0, 20, [(17, 18, 19)]),
    (3, 1, 6, 5, 8, [(5, 6, 7)]),
    (3, 2, 10, 0, 20, [(6, 8, 10), (8, 10, 12), (10, 12, 14)]),
    (2, 3, 4, 0, 6, [(1, 4)]),
    (1, 5, 4, 0, 6, [(4,)])])
def test_runs_hold_the_key_frame_and_lie_in_the_video(length, stride, key, start, stop, expected):
    drawn = runs(length, stride, key, start, stop)
    assert sorted(drawn) == expected
    assert min(drawn.values()) > 200 / len(expected) / 2


@pytest.mark.parametrize(('length', 'stride', 'key', 'start', 'stop', 'expected'), [
    (5, 1, 11, 10, 13, (10, 11, 12, 12, 12)),
    (4, 2, 13, 10, 15, (11, 13, 13, 13)),
    (3, 2, 1, 0, 5, (1, 3, 3)),
    (3, 1, 7, 7, 8, (7, 7, 7))])
def test_short_videos_stand_still_at_their_end(length, stride, key, start, stop, expected):
    assert list(runs(length, stride, key, start, stop, rounds=5)) == [expected]


@pytest.mark.parametrize(('sampler', 'options'), [
    (KeyReferenceSampler, dict(scope=0)), (KeyReferenceSampler, dict(num_refs=0)),
    (KeyReferenceSampler, dict(scope=-1)), (NearbyFramesSampler, dict(num_frames=0, scope=3)),
    (NearbyFramesSampler, dict(num_frames=3, scope=0)), (ConsecutiveFramesSampler, dict(length=0)),
    (ConsecutiveFramesSampler, dict(length=3, stride=0))])
def test_refused_values(sampler, options):
    with pytest.raises(ValueError, match='must be positive'):
        sampler(**options)
