from __future__ import annotations

import numpy as np
import pytest

from vatrack.track.base import DISCARDED, UNMATCHED, greedy_assign

NONE = UNMATCHED
CASES = {
    'clear': ([[.9, .1], [.2, .8]], [1, 1], [1, 1], [0, 1]),
    'best score takes first': ([[.6, .1], [.9, .2]], [1, 1], [1, 1], [0, NONE]),
    'second choice of a later one': ([[.9, .1], [.8, .7]], [1, 1], [1, 1], [0, 1]),
    'threshold is exclusive': ([[.5, .2]], [1, 1], [1], [NONE]),
    'just above': ([[np.nextafter(.5, 1), .2]], [1, 1], [1], [0]),
    'a backdrop absorbs': ([[.6, .9]], [1, 0], [1], [NONE]),
    'a backdrop is not used up': ([[.6, .9], [.6, .9]], [1, 0], [1, 1], [NONE, NONE]),
    'uncertain of a known track': ([[.8, .1]], [1, 1], [0], [DISCARDED]),
    'uncertain below the discard threshold': ([[.6, .1]], [1, 1], [0], [NONE]),
    'uncertain of a backdrop': ([[.1, .9]], [1, 0], [0], [NONE]),
    'uncertain does not take the track': ([[.8, .1], [.9, .1]], [1, 1], [0, 1], [DISCARDED, 0]),
    'after a match the entry is gone': ([[.9, .1], [.95, .1]], [1, 1], [1, 0], [0, NONE]),
    'no detections': (np.zeros((0, 2)), [1, 1], [], []),
    'not a number': ([[np.nan, .9]], [1, 1], [1], [NONE]),
    'other classes': ([[-np.inf, .9], [-np.inf, -np.inf]], [1, 1], [1, 1], [1, NONE]),
}


@pytest.mark.parametrize(('similarity', 'is_track', 'confident', 'expected'), CASES.values(),
                         ids=CASES)
def test_by_hand(similarity, is_track, confident, expected):
    similarity = np.array(similarity, dtype=np.float64)
    before = similarity.copy()
    columns = greedy_assign(similarity, np.array(is_track, bool), np.array(confident, bool),
                            match_thr=.5, discard_thr=.7)
    assert columns.dtype == np.int64 and columns.tolist() == expected
    np.testing.assert_array_equal(similarity, before)


def test_a_track_goes_to_one_detection_even_without_a_threshold():
    similarity = -np.ones((4, 2))
    columns = greedy_assign(similarity, np.ones(2, bool), np.ones(4, bool), -2, 0)
    assert sorted(columns.tolist()) == [UNMATCHED, UNMATCHED, 0, 1]
