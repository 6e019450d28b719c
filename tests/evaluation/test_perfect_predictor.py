"""What an exact prediction scores under each protocol; docs/evaluation.md shows the same table."""
from __future__ import annotations

import numpy as np
import pytest
from ap_scenes import Object, Scene, rectangle
from scripts import REPO

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import PROTOCOLS

SIZE = (60, 100)
COLUMNS = {'AP': 'image/AP', 'vAP': 'video/vAP', 'vAP50': 'video/vAP50', 'P': 'video/vAP50_P',
           'H': 'video/vAP50_H', 'HOTA': 'video/HOTA', 'box HOTA': 'video/box/HOTA',
           'MOTA': 'video/MOTA', 'IDF1': 'video/IDF1', 'mIoU': 'image/mIoU_full_frame_incl_misses',
           'occluded': 'image/mIoU_occluded_frame_incl_misses'}


@pytest.fixture(scope='module')
def scene():
    """Four videos of ten frames and two objects, one of which passes the other.

    Of 80 objects in frames 10 are more than .75 covered: 2 in video 1, 8 in video 2.
    """
    ways = {1: (8, 6), 2: (34, 1), 3: (0, 2), 4: (0, 3)}
    scene = Scene(SIZE, dict.fromkeys(ways, 10))
    for video_id, (start, step) in ways.items():
        front = np.stack([rectangle(SIZE, 2, start + step * t, 28, 20) for t in range(10)])
        back = np.stack([rectangle(SIZE, 5, 40, 20, 20)] * 10)
        masks = [{'amodal': front, 'visible': front}, {'amodal': back, 'visible': back & ~front}]
        for number, kinds in enumerate(masks):
            areas = {kind: volume.sum(axis=(1, 2)) for kind, volume in kinds.items()}
            rates = (1 - areas['visible'] / areas['amodal']).tolist()
            scene.objects.setdefault(video_id, []).append(Object(number, 1, kinds, rates))
            scene.predict(video_id, 1, 1., kinds, bboxes=[(0, 0, 1, 1)] * 10)
    return scene


@pytest.fixture(scope='module')
def found(scene):
    """Numbers by protocol."""
    return {name: evaluate(scene.annotations(), scene.tracks, 'all', name) for name in PROTOCOLS}


def row(name, metrics):
    values = [metrics.get(f'amodal/{key}', -1) for key in COLUMNS.values()]
    return f'| `{name}` | ' + ' | '.join('n/a' if value == -1 else f'{100 * value:.1f}'
                                         for value in values) + ' |'


@pytest.mark.parametrize('name', PROTOCOLS)
def test_documented_numbers(found, name):
    text = (REPO / 'docs/evaluation.md').read_text(encoding='utf-8')
    assert f'| perfect under | {" | ".join(COLUMNS)} |' in text
    assert row(name, found[name]) in text.splitlines(), row(name, found[name])


@pytest.mark.parametrize('name', ['sailvos-full', 'ytvis', 'ovis', 'a2vis', 'savos',
                                  'savos-chewing-gum'])
def test_perfect_is_one(found, name):
    """Every ratio is 1, and nothing is missed, wrong or switched.

    But AR@1: of two objects of a class in a frame or video, one prediction finds one.
    """
    metrics = found[name]
    counts = ('TP', 'IDTP', 'MT')
    wrong = ('IDSW', 'ML', 'FN', 'FP', 'IDFN', 'IDFP')
    for key, value in metrics.items():
        last = key.split('/')[-1].partition('_')[0]
        if last == 'Frag':  # a visible truth goes and comes back
            assert value <= key.startswith('visible'), key
        elif last in wrong:
            assert value == 0, key
        elif last in ('AR@1', 'vAR@1'):
            assert .5 <= value < 1, key
        elif 'mIoU_leak' in key:
            assert value in (0, -1), key
        elif last not in counts and 'mIoU_objects' not in key:
            assert value in (1, -1), key
    # In one frame an object has no visible pixel.
    assert (metrics['amodal/video/TP'], metrics['visible/video/box/IDTP']) == (80, 79)


def test_perfect_is_below_one_where_truth_was_removed(found):
    for name in COLUMNS.values():
        if 'mIoU' not in name:
            assert 0 < found['sailvos'][f'amodal/{name}'] < 1, name
    # The removed objects are false positives.
    assert found['sailvos']['amodal/video/FP'] == 10
    assert found['sailvos']['amodal/video/MOTA'] == pytest.approx(1 - 10 / 70)
    # Objects are scored one by one: what was removed is not asked for.
    assert found['sailvos']['amodal/image/mIoU_full_frame_incl_misses'] == 1


def test_kins_rule_leaves_nothing_of_a_perfect_prediction(found):
    numbers = {value for key, value in found['savos-kins'].items()
               if 'amodal' in key and ('mIoU_full_frame' in key or 'mIoU_occluded_frame' in key)}
    assert numbers == {-1}
    assert found['savos-kins']['amodal/image/mIoU_occluded_strict_object'] == 1
