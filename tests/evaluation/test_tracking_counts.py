"""HOTA, CLEAR and Identity of sequences: TrackEval's values, and values worked out by hand."""
from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from tracking_cases import (
    ADVERSARIAL,
    TRACKEVAL_NAMES,
    frames_of,
    random_frames,
    trackeval_data,
)

from vatrack.evaluation.clear import ClearCounts, count_clear
from vatrack.evaluation.hota import HotaCounts, count_hota
from vatrack.evaluation.identity import IdentityCounts, count_identity
from vatrack.evaluation.tracked_frames import TrackedFrames

COUNTERS = {HotaCounts: count_hota, ClearCounts: count_clear, IdentityCounts: count_identity}
RANDOM = {f'random {seed}{" coarse" * coarse}': random_frames(seed, coarse=coarse)
          for seed in range(6) for coarse in (False, True)}
CASES = ADVERSARIAL | RANDOM


@pytest.fixture(scope='module')
def oracle():
    """TrackEval's metric by type of counts."""
    metrics = pytest.importorskip('trackeval').metrics
    quiet = {'THRESHOLD': .5, 'PRINT_CONFIG': False}
    return {HotaCounts: metrics.HOTA(), ClearCounts: metrics.CLEAR(quiet),
            IdentityCounts: metrics.Identity(quiet)}


def numbers(counts):
    return counts.scores() | counts.totals()


def assert_equal(counts, expected):
    found = numbers(counts)
    for name, theirs in TRACKEVAL_NAMES[type(counts)].items():
        value = float(np.mean(expected[theirs]))
        assert found[name] == pytest.approx(value, abs=1e-12), name
        assert not isinstance(found[name], int) or found[name] == expected[theirs], name
    assert set(found) == set(TRACKEVAL_NAMES[type(counts)])


@pytest.mark.parametrize('kind', COUNTERS)
@pytest.mark.parametrize('case', CASES)
def test_equals_trackeval(oracle, case, kind):
    frames = CASES[case]
    # Combined, as TrackEval does it for every table; of one sequence without truth MOTA is 0.
    expected = oracle[kind].combine_sequences(
        {'one': oracle[kind].eval_sequence(trackeval_data(frames))})
    assert_equal(COUNTERS[kind](frames), expected)


@pytest.mark.parametrize('kind', COUNTERS)
def test_sums_equal_trackevals_combinations(oracle, kind):
    counts = {name: COUNTERS[kind](frames) for name, frames in CASES.items()}
    expected = {name: oracle[kind].eval_sequence(trackeval_data(frames))
                for name, frames in CASES.items()}
    total = reduce(add, counts.values())
    assert_equal(total, oracle[kind].combine_sequences(expected))
    assert_equal(total, oracle[kind].combine_classes_det_averaged(expected))


def test_hota_by_hand():
    """One truth of four frames, half of it each with two tracks, all at IoU .7."""
    frames = frames_of(*[([0], [t // 2], [[.7]]) for t in range(4)])
    found = count_hota(frames).scores()
    # Thresholds to .7 are 14 of 19; there DetA is 1 and AssA 2 / (4 + 2 - 2).
    assert found['DetA'] == pytest.approx(14 / 19, abs=1e-12)
    assert found['AssA'] == pytest.approx(14 / 19 / 2, abs=1e-12)
    assert found['HOTA'] == pytest.approx(14 / 19 * .5 ** .5, abs=1e-12)
    assert found['LocA'] == pytest.approx((14 * .7 + 5) / 19, abs=1e-12)


def test_hota_is_the_mean_of_roots_and_its_matching_looks_at_the_whole_video():
    frames = frames_of(([0], [0, 1], [[.6, .7]]), ([0], [0], [[.9]]), ([0], [0], [[.9]]))
    counts = count_hota(frames)
    # Track 0 is kept in frame 0 although track 1 is nearer; above .6 it is no match there.
    assert counts.tp.tolist() == [3] * 12 + [2] * 6 + [0]
    assert counts.fp[0] == 1
    scores = counts.scores()
    assert abs(scores['HOTA'] - (scores['DetA'] * scores['AssA']) ** .5) > 1e-5


@pytest.mark.parametrize(('case', 'expected'), [
    ('switch', {'IDSW': 1, 'Frag': 0, 'MT': 1, 'ML': 0, 'TP': 3, 'FN': 0, 'FP': 0}),
    ('switch after a gap', {'IDSW': 1, 'Frag': 0, 'MT': 0, 'ML': 0, 'TP': 2, 'FN': 1, 'FP': 2}),
    ('stays although worse', {'IDSW': 0, 'Frag': 0, 'MT': 1, 'ML': 0, 'TP': 2, 'FN': 0, 'FP': 2}),
    ('lost and back', {'IDSW': 0, 'Frag': 1, 'MT': 0, 'ML': 0, 'TP': 2, 'FN': 1, 'FP': 1}),
    ('found for a fifth and four fifths',
     {'IDSW': 0, 'Frag': 0, 'MT': 0, 'ML': 0, 'TP': 5, 'FN': 5, 'FP': 0}),
    ('no track', {'IDSW': 0, 'Frag': 0, 'MT': 0, 'ML': 2, 'TP': 0, 'FN': 3, 'FP': 0})])
def test_clear_by_hand(case, expected):
    counts = count_clear(ADVERSARIAL[case])
    assert counts.totals() == expected
    truths = expected['TP'] + expected['FN']
    errors = expected['FN'] + expected['FP'] + expected['IDSW']
    assert counts.scores()['MOTA'] == pytest.approx(1 - errors / truths, abs=1e-12)


def test_many_false_positives_make_mota_negative():
    frames = frames_of(([0], [0, 1, 2, 3], [[.9, 0, 0, 0]]))
    assert count_clear(frames).scores() == {'MOTA': -2, 'MOTP': .9}


def test_identity_is_a_matching_of_whole_tracks():
    # Best pair by pair, 0-0 (3 frames), leaves nothing to truth 1; 0-1 and 1-0 share 2 + 2.
    rows = [([0, 1], [0, 1], [[.9, .0], [.9, .0]])] * 2 + [([0], [0, 1], [[.9, .9]])] + [
        ([0], [1], [[.9]])]
    counts = count_identity(frames_of(*rows))
    assert counts.totals() == {'IDTP': 4, 'IDFN': 2, 'IDFP': 3}
    assert counts.scores() == {'IDF1': 8 / 13, 'IDR': 4 / 6, 'IDP': 4 / 7}


@pytest.mark.parametrize('kind', COUNTERS)
def test_order_of_indices_in_a_frame_does_not_matter(kind):
    frames = random_frames(3)
    shuffled = frames_of(*[(g[::-1], d[::-1], s[::-1, ::-1]) for g, d, s in zip(
        frames.truths, frames.tracks, frames.similarity, strict=True)])
    found, expected = numbers(COUNTERS[kind](shuffled)), numbers(COUNTERS[kind](frames))
    assert found == pytest.approx(expected, abs=1e-12)


def with_other_ids(frames: TrackedFrames, seed: int) -> TrackedFrames:
    """Exchange the ids of truths and of tracks; in each frame they are in order, as ever."""
    rng = np.random.default_rng(seed)
    new_truths, new_tracks = rng.permutation(frames.num_truths), rng.permutation(frames.num_tracks)
    exchanged = []
    for g, d, s in zip(frames.truths, frames.tracks, frames.similarity, strict=True):
        g, d = new_truths[g], new_tracks[d]
        exchanged.append((np.sort(g), np.sort(d), s[g.argsort()][:, d.argsort()]))
    return TrackedFrames(*zip(*exchanged, strict=True), frames.num_truths, frames.num_tracks)


def changed_by_ids(evaluate, coarse: bool) -> list[int]:
    """Seeds of the random frames of which a number changes when ids are exchanged."""
    changed = []
    for seed in range(300):
        frames = random_frames(seed, coarse=coarse)
        one, other = (evaluate(each) for each in (frames, with_other_ids(frames, seed)))
        if one != pytest.approx(other, abs=1e-9):
            changed.append(seed)
    return changed


@pytest.mark.parametrize('kind', COUNTERS)
def test_ids_decide_between_equal_matchings_where_they_do_in_trackeval(oracle, kind):
    def theirs(frames):
        found = oracle[kind].combine_sequences(
            {'one': oracle[kind].eval_sequence(trackeval_data(frames))})
        return {name: float(np.mean(found[name])) for name in TRACKEVAL_NAMES[kind].values()}

    def ours(frames):
        return numbers(COUNTERS[kind](frames))

    assert changed_by_ids(ours, coarse=False) == []
    changed = changed_by_ids(ours, coarse=True)
    assert len(changed) == (52 if kind is ClearCounts else 0)
    assert changed == changed_by_ids(theirs, coarse=True)


def test_selected_truths_and_tracks_have_new_indices():
    frames = frames_of(([0, 2], [1, 0], [[.1, .2], [.3, .4]]), ([1], [0], [[.5]]))
    kept = frames.select(np.array([False, True, True]), np.array([True, False]))
    assert [each.tolist() for each in kept.truths] == [[1], [0]]
    assert [each.tolist() for each in kept.tracks] == [[0], [0]]
    assert [each.tolist() for each in kept.similarity] == [[[.4]], [[.5]]]
    assert (kept.num_truths, kept.num_tracks) == (2, 1)


@pytest.mark.parametrize(('similarity', 'left'), [
    ([[.6], [.4]], []),  # on the ignored truth
    ([[.6], [.7]], [0]),  # on the other
    ([[.6], [.6]], [0]),  # on both
    ([[.49], [0]], [0])])  # on none
def test_ignored_truth_takes_what_is_on_it(similarity, left):
    frames = frames_of(([0, 1], [0], similarity), ([1], [0], [[.2]]))
    kept = frames.without(np.array([True, False]))
    assert [each.tolist() for each in kept.truths] == [[0], [0]]
    assert [each.tolist() for each in kept.tracks] == [left, [0]]
    assert kept.similarity[0].tolist() == [[similarity[1][0]]] * 1 if left else True
    assert (kept.num_truths, kept.num_tracks) == (1, 1)


def test_ignored_truth_may_be_met_by_another_overlap():
    frames = frames_of(([0, 1], [0, 1], [[.1, .1], [0, .8]]))
    share = [np.array([[1., 1.], [0, .8]])]
    kept = frames.without(np.array([True, False]), share)
    assert kept.tracks[0].tolist() == []
    assert frames.without(np.array([False, False])) is frames
