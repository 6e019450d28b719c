from __future__ import annotations

import json

import pytest

from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.evaluation.report import format_report, save_metrics

NAMES = ['', '50', '50_P', '50_H', '50_L', '50_M', '50_S']


def metrics():
    image = {f'amodal/image/AP{name}': k / 8 for k, name in enumerate(NAMES)}
    video = {f'amodal/video/vAP{name}': -1. for name in NAMES}
    return image | video | {'amodal/image/AP75': .5}


def test_table():
    head, *_, title, image, video = format_report(metrics(), 'sailvos', 'valid.json').split('\n')
    assert head.startswith('protocol  sailvos: VATrack')
    assert title.split() == ['masks', 'level', 'AP', '50', 'P', 'H', 'L', 'M', 'S']
    assert image.split() == ['amodal', 'image', '0.0', '12.5', '25.0', '37.5', '50.0', '62.5',
                             '75.0']
    assert video.split() == ['amodal', 'video', *['n/a'] * 7]


def test_head_names_data_and_score_rule():
    text = format_report(metrics(), PROTOCOLS['sailvos'], 'data/valid.json')
    assert 'data      data/valid.json\n' in text
    assert 'video: score of the track' in text


@pytest.mark.parametrize(('protocol', 'strata', 'name'), [
    ('sailvos-full', ['P', 'H', 'X', 'L', 'M', 'S'], '50_{}'),
    ('ytvis', ['L', 'M', 'S'], '_{}')])
def test_columns_follow_the_protocol(protocol, strata, name):
    values = {f'visible/video/vAP{suffix}': .5
              for suffix in ['', '50', *(name.format(s) for s in strata)]}
    title, row = format_report(values, protocol, 'x').split('\n')[-2:]
    assert title.split()[2:] == ['AP', '50', *strata]
    assert row.split() == ['visible', 'video', *['50.0'] * (2 + len(strata))]


def test_saved_metrics_hold_their_protocol(tmp_path):
    save_metrics(tmp_path / 'new' / 'm.json', metrics(), 'sailvos', 'valid.json')
    saved = json.loads((tmp_path / 'new' / 'm.json').read_text())
    assert saved['metrics'] == metrics()
    assert saved['protocol']['name'] == 'sailvos'
    assert saved['protocol']['occlusions'] == {'P': [0, .25], 'H': [.25, .75]}
    assert saved['data'] == 'valid.json'
