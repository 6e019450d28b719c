from __future__ import annotations

import numpy as np
import pytest

from vatrack.evaluation.protocols import PROTOCOLS, get_protocol, track_category
from vatrack.structures import TrackRecord


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
    track = TrackRecord(1, 1, 9, .1, [0, 1, 2, 4, 5, 6, 9], {},
                        scores=[.1, .1, .1, .2, .2, .9, .1],
                        category_ids=[None, 3, 3, 2, 2, 5, 7])
    assert track_category(track, rule) == expected


def test_track_without_frame_classes_keeps_its_own():
    assert track_category(TrackRecord(1, 1, 9, .1, [], {}), 'majority') == 9
    assert track_category(TrackRecord(1, 1, 9, .1, [3], {}, category_ids=[None]), 'first') == 9


@pytest.mark.parametrize(('name', 'strata'), [
    ('sailvos', 'P H L M S'), ('sailvos-legacy', 'P medium H L M S'),
    ('sailvos-full', 'P H X L M S'),
    ('ytvis', 'L M S'), ('ovis', 'SO MO HO L M S'), ('a2vis', 'lt50 ge50'), ('savos', ''),
    ('savos-chewing-gum', ''),    ('savos-kins', '')])
def test_strata_of_each_protocol(name, strata):
    assert list(PROTOCOLS[name].strata) == ['all', *strata.split()]
    assert PROTOCOLS[name].name == name and PROTOCOLS[name].source


def test_bounds_of_ovis_and_a2vis():
    rates = [0, .25, .5, .75, 1]
    ovis = counted('ovis', [5] * 5, rates)
    assert ovis['SO'] == [True, True, False, False, False]
    assert ovis['MO'] == [False, True, True, False, False]
    assert ovis['HO'] == [False, False, True, True, True]
    a2vis = counted('a2vis', [5] * 5, rates)
    assert a2vis['lt50'] == [True, True, False, False, False]
    assert a2vis['ge50'] == [False, False, True, True, True]


def test_own_score_threshold_and_occlusion_bins():
    protocol = get_protocol('sailvos', score_thr=0, occlusion_bins=(0, .125, .3, 1))
    assert protocol.score_thr == 0 and PROTOCOLS['sailvos'].score_thr == .3
    assert protocol.occlusions == {'0-12.5': (0, .125), '12.5-30': (.125, .3), '30-100': (.3, 1)}
    assert list(protocol.strata) == ['all', *protocol.occlusions, 'L', 'M', 'S']
    assert protocol.max_occlusion == .75 and protocol.name == 'sailvos'
    assert get_protocol(protocol) is protocol


@pytest.mark.parametrize('bins', [(), (.5,), (.5, .5), (.5, .2), (-.1, 1), (0, 1.1), (0, np.nan)])
def test_wrong_occlusion_bins(bins):
    with pytest.raises(ValueError, match='two or more ascending rates between 0 and 1'):
        get_protocol('sailvos', occlusion_bins=bins)
