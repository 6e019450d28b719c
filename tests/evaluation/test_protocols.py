from __future__ import annotations

import numpy as np
import pytest

from vatrack.evaluation.protocols import PROTOCOLS, get_protocol, track_category
from vatrack.structures.results import TrackRecord


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"'coco'.*sailvos-full.*sailvos-legacy"):
        get_protocol('coco')
    assert get_protocol(PROTOCOLS['ytvis']) is PROTOCOLS['ytvis']


def counted(protocol, areas, occlusions):
    areas, occlusions = np.array(areas, float), np.array(occlusions, float)
    return {name: (~stratum.excludes(areas, occlusions)).tolist()
            for name, stratum in PROTOCOLS[protocol].strata.items()}


def test_ranges_are_closed_at_both_ends():
    found = counted('sailvos', [1024, 9216, 1023, 9217], [.25, .75, 0, .5])
    assert found == {'all': [True] * 4, 'P': [True, False, True, False],
                     'H': [True, True, False, True], 'L': [False, True, False, True],
                     'M': [True, True, False, False], 'S': [True, False, True, False]}


def test_all_stops_at_the_bound_of_the_protocol():
    assert counted('sailvos', [5, 5], [.75, .76])['all'] == [True, False]
    full = counted('sailvos-full', [5, 5, 5], [.75, np.nextafter(.75, 1), 1])
    assert full['all'] == full['S'] == [True] * 3
    assert full['H'] == [True, False, False]
    assert full['X'] == [False, True, True]


def test_unknown_occlusion_counts_in_all_and_areas_only():
    found = counted('sailvos', [5], [np.nan])
    assert [name for name, inside in found.items() if inside[0]] == ['all', 'S']


@pytest.mark.parametrize(('rule', 'expected'), [('first', 3), ('majority', 2), ('score_sum', 5)])
def test_class_rules(rule, expected):
    track = TrackRecord(1, 1, 9, .1, {}, scores=[.1, .1, .1, .2, .2, .9, .1],
                        category_ids=[None, 3, 3, 2, 2, 5, 7])
    assert track_category(track, rule) == expected


def test_track_without_frame_classes_keeps_its_own():
    assert track_category(TrackRecord(1, 1, 9, .1, {}), 'majority') == 9
    assert track_category(TrackRecord(1, 1, 9, .1, {}, category_ids=[None]), 'first') == 9
