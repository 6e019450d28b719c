from __future__ import annotations

import json

import pytest
from ap_scenes import Scene, random_scene

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import PROTOCOLS, get_protocol
from vatrack.evaluation.report import format_report, full_report, save_metrics, shown_number

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
    ('ytvis', ['75', 'L', 'M', 'S'], '_{}'),
    ('a2vis', ['75', 'lt50', 'ge50'], '_{}')])
def test_columns_follow_the_protocol(protocol, strata, name):
    values = {f'visible/video/vAP{suffix}': .5
              for suffix in ['', '50', '75', *(name.format(s) for s in strata)]}
    title, row = format_report(values, protocol, 'x').split('\n')[-2:]
    assert title.split()[2:] == ['AP', '50', *strata]
    assert row.split() == ['visible', 'video', *['50.0'] * (2 + len(strata))]


@pytest.mark.parametrize(('name', 'number'), [
    ('AP', 12.5), ('AP50', None), ('AP/MOTA', 0), ('IDSW', 3), ('IDSW_P', None), ('box/IDSW', 0),
    ('MOTA', -250), ('MOTA_P', None), ('MOTA_class_averaged', -250), ('MOTA/fish', None),
    ('IDTP', 0)])
def test_numbers_as_people_read_them(name, number):
    metrics = {'AP': .125, 'AP50': -1, 'AP/MOTA': 0, 'IDSW': 3, 'MOTA': -2.5, 'TP': 1, 'FN': 0,
               'IDSW_P': 0, 'MOTA_P': -1., 'TP_P': 0, 'FN_P': 0, 'MOTA_class_averaged': -2.5,
               'box/IDSW': 0, 'box/TP': 1, 'box/FN': 1, 'MOTA/fish': -1., 'TP/fish': 0,
               'FN/fish': 0, 'IDTP': 0}
    full = {f'amodal/video/{each}': value for each, value in metrics.items()}
    assert shown_number(full, f'amodal/video/{name}') == number


def test_legacy_has_recalls_at_50():
    values = {f'amodal/image/AR50_{name}': k / 4 for k, name in enumerate(('P', 'medium', 'H'))}
    *_, title, row = format_report(values, 'sailvos-legacy', 'x').split('\n')
    assert title.split() == ['masks', 'level', 'AR50_P', 'AR50_medium', 'AR50_H']
    assert row.split() == ['amodal', 'image', '0.0', '25.0', '50.0']


@pytest.fixture(scope='module')
def everything():
    """All metrics of random tracks, with numbers of each category."""
    scene = random_scene(2)
    annotations = scene.annotations()
    return annotations, evaluate(annotations, scene.tracks, 'all', 'sailvos-full',
                                 per_category=True)


def rows(text, *start):
    """Cells behind the labels of the rows that start so."""
    return [line.split()[len(start):] for line in text.split('\n')
            if line.split()[:len(start)] == list(start)]


def percent(*values):
    return ['n/a' if value == -1 else f'{100 * value:.1f}' for value in values]


@pytest.mark.parametrize('protocol', ['sailvos-full', 'sailvos-legacy', 'ovis', 'a2vis',
                                      'savos-kins'])
def test_lines_fit_the_screen(protocol):
    scene = random_scene(2)
    for track in scene.tracks:
        track.bboxes = [(0, 0, 1, 1)] * len(track.frames)
    annotations = scene.annotations()
    found = evaluate(annotations, scene.tracks, 'all', protocol, per_category=True)
    text = full_report(annotations, found, protocol)
    tables = text.split('\n\n')
    assert max(len(line) for table in tables[1:] for line in table.split('\n')) < 100
    assert all(f'\n{title}' in text for title in ('masks ', 'mIoU ', 'amodal ', 'visible '))


def test_every_metric_has_its_table(everything):
    annotations, found = everything
    text = full_report(annotations, found, 'sailvos-full')
    strata = 'PHXLMS'

    def get(*names):
        return [found[f'amodal/{name}'] for name in names]

    (ap, ar), (vap, var) = rows(text, 'amodal', 'image'), rows(text, 'amodal', 'video')
    assert vap[:2] == percent(*get('video/vAP', 'video/vAP50'))
    assert ap == percent(*get('image/AP', 'image/AP50', *(f'image/AP50_{s}' for s in strata)))
    assert ar == percent(*get('image/AR@1', 'image/AR@10', 'image/AR@100',
                              *(f'image/AR@100_{s}' for s in strata)))
    assert var[:3] == percent(*get('video/vAR@1', 'video/vAR@10', 'video/vAR@100'))
    hota, clear, identity = rows(text, 'amodal', 'box', 'pooled')
    assert hota == percent(*get(*(f'video/box/{name}' for name in (
        'HOTA', 'DetA', 'AssA', 'LocA', *(f'HOTA_{s}' for s in strata)))))
    assert clear[2:4] == [str(found['amodal/video/box/IDSW']), str(found['amodal/video/box/Frag'])]
    assert clear[0] == f'{100 * found["amodal/video/box/MOTA"]:.1f}'
    assert identity[0] == percent(*get('video/box/IDF1'))[0]
    averaged = rows(text, 'amodal', 'mask', 'cls', 'avg')
    assert averaged[0] == percent(*get(*(f'video/{name}_class_averaged' for name in (
        'HOTA', 'DetA', 'AssA', 'LocA'))))
    occluded, = rows(text, 'amodal', 'occluded', 'all')
    prefix = 'image/mIoU_occluded'
    assert occluded == percent(*get(
        f'{prefix}_frame_incl_misses', f'{prefix}_object_incl_misses', 'image/mIoU_found',
        *(f'{prefix}_object_incl_misses_{s}' for s in strata)))


def test_what_savos_rules_forgive_stands_in_the_tables():
    scene = random_scene(2)
    found = evaluate(scene.annotations(), scene.tracks, 'mIoU', 'savos-chewing-gum', ['amodal'])
    text = format_report(found, 'savos-chewing-gum', 'x')
    prefix = 'amodal/image/mIoU'
    strict, = rows(text, 'amodal', 'occluded', 'strict', 'found')
    assert strict == percent(found[f'{prefix}_occluded_strict_frame'],
                             found[f'{prefix}_occluded_strict_object'], found[f'{prefix}_found'])
    counts = rows(text, 'amodal')[-1]
    assert counts == [str(found[f'{prefix}_objects']),
                      *percent(found[f'{prefix}_leak_rate'], found[f'{prefix}_leaked_area'])]


def test_table_of_categories(everything):
    annotations, found = everything
    text = full_report(annotations, found, 'sailvos-full')
    assert ['AP', 'vAP', 'AR', 'vAR', 'HOTA', 'MOTA', 'IDF1', 'mIoU', 'occ'] in rows(text, 'amodal')
    amodal, visible = rows(text, 'crab')
    assert amodal[:5] == percent(*(found[f'amodal/{name}/crab'] for name in (
        'image/AP', 'video/vAP', 'image/AR', 'video/vAR@100', 'video/HOTA')))
    assert len(visible) == len(amodal) - 1  # visible masks have no occluded region


def test_rules_in_the_head(everything):
    _, found = everything
    protocol = get_protocol('sailvos-full', score_thr=.45, occlusion_bins=(0, .1, 1))
    head = format_report(found, protocol, 'x').split('\n\n')[0].split('\n')
    assert 'occlusion 0-10 0 to 0.1, 10-100 0.1 to 1' in [' '.join(line.split()) for line in head]
    text = '\n'.join(head)
    assert 'L 96² to any, M 32² to 96², S 0 to 32² px (COCO)' in text
    assert 'score >= 0.45 (of HOTA, CLEAR, IDF1 and mIoU)' in text
    assert 'mIoU      predictions as they are' in text
    assert 'score >=' not in format_report(metrics(), 'sailvos', 'x')


def test_negative_mota_is_a_number():
    scene = random_scene(2)
    scene.objects = {7: scene.objects[7][:1]}
    annotations = scene.annotations()
    text = full_report(annotations, evaluate(annotations, scene.tracks, 'CLEAR', 'sailvos-full'),
                       'sailvos-full')
    mota, *_, large, medium, small = rows(text, 'amodal', 'mask', 'pooled')[0]
    assert float(mota) < -100 and float(small) < -100
    assert (large, medium) == ('n/a', 'n/a')
    empty = Scene((24, 32), {7: 6}).annotations()
    text = full_report(empty, evaluate(empty, [], 'CLEAR', 'sailvos-full'), 'sailvos-full')
    assert rows(text, 'amodal', 'mask', 'pooled')[0][:3] == ['n/a', 'n/a', '0']


def test_saved_metrics_hold_their_protocol(tmp_path):
    save_metrics(tmp_path / 'new' / 'm.json', metrics(), 'sailvos', 'valid.json')
    saved = json.loads((tmp_path / 'new' / 'm.json').read_text())
    assert saved['metrics'] == metrics()
    assert saved['protocol']['name'] == 'sailvos'
    assert saved['protocol']['occlusions'] == {'P': [0, .25], 'H': [.25, .75]}
    assert saved['data'] == 'valid.json'
