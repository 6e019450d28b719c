"""HOTA, CLEAR and IDF1 of annotation files and tracks: TrackEval on decoded masks, and by hand."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ap_scenes import CATEGORIES, Object, Scene, random_scene, rectangle
from tracking_cases import TRACKEVAL_NAMES

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.structures import rle

SIZE = (40, 60)
METRICS = ('HOTA', 'CLEAR', 'IDF1')
FULL = PROTOCOLS['sailvos-full']
SHAPES = {'mask': '', 'box': 'box/'}


@pytest.fixture(scope='module')
def oracle():
    """TrackEval's metrics."""
    metrics = pytest.importorskip('trackeval').metrics
    quiet = {'THRESHOLD': .5, 'PRINT_CONFIG': False}
    return metrics.HOTA(), metrics.CLEAR(quiet), metrics.Identity(quiet)


def score(scene, **options):
    options = {'protocol': FULL, 'metrics': METRICS, 'kinds': ['amodal']} | options
    return evaluate(scene.annotations(), scene.tracks, **options)


def still(top, left, length, height=10, width=10):
    return np.stack([rectangle(SIZE, top, left, height, width)] * length)


def one_object(length=4, occlusion=0., **changes):
    scene = Scene(SIZE, {1: length})
    scene.objects[1] = [Object(0, 1, {'amodal': still(5, 5, length)}, [occlusion] * length,
                               **changes)]
    return scene


def dense_volume(track, kind, length, size):
    volume = np.zeros((length, *size), bool)
    for t, mask in zip(track.frames, track.masks[kind], strict=True):
        if mask is not None:
            volume[t] = rle.decode([mask], size)[0]
    return volume


def filled_boxes(volume):
    """The tight box of every frame, as a mask."""
    boxes = np.zeros_like(volume)
    for box, mask in zip(boxes, volume, strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1] = True
    return boxes


def dense_data(truths, tracks):
    """TrackEval's form of a video from masks (T, H, W) of every truth and track."""
    truths, tracks = ([v for v in side if v.any()] for side in (truths, tracks))
    length = len((truths or tracks)[0])
    gt_ids, tracker_ids, similarity = [], [], []
    for t in range(length):
        g, d = ([i for i, v in enumerate(side) if v[t].any()] for side in (truths, tracks))
        gt_ids.append(np.array(g, int))
        tracker_ids.append(np.array(d, int))
        similarity.append(np.array([(truths[i][t] & tracks[j][t]).sum()
                                    / (truths[i][t] | tracks[j][t]).sum() for i in g for j in d],
                                   float).reshape(len(g), len(d)))
    return {'num_timesteps': length, 'num_gt_ids': len(truths), 'num_tracker_ids': len(tracks),
            'num_gt_dets': sum(map(len, gt_ids)), 'num_tracker_dets': sum(map(len, tracker_ids)),
            'gt_ids': gt_ids, 'tracker_ids': tracker_ids, 'similarity_scores': similarity}


def trackeval_values(metric, scene, kind, shape, score_thr):
    """TrackEval's results: of the pool, and of each class."""
    groups = {None: {}} | {category: {} for category in CATEGORIES}
    for video_id, length in scene.lengths.items():
        tracks = [(t.category_id, dense_volume(t, kind, length, scene.size)) for t in scene.tracks
                  if t.video_id == video_id and t.score >= score_thr]
        # In the order of their ids: it decides between equal similarities.
        things = sorted(scene.objects.get(video_id, []), key=lambda thing: thing.instance_id)
        truths = [(thing.category_id, thing.masks[kind].astype(bool)) for thing in things]
        if shape == 'box':
            tracks, truths = ([(c, filled_boxes(v)) for c, v in side] for side in (tracks, truths))
        for category, results in groups.items():
            chosen = [[v for c, v in side if category in (None, c)] for side in (truths, tracks)]
            if any(v.any() for side in chosen for v in side):
                results[video_id] = metric.eval_sequence(dense_data(*chosen))
    return {category: metric.combine_sequences(results) for category, results in groups.items()
            if results}


def assert_named(found, expected, prefix, suffix, names):
    for ours, theirs in names.items():
        assert found[f'{prefix}{ours}{suffix}'] == pytest.approx(
            np.mean(expected[theirs]), abs=1e-9), f'{prefix}{ours}{suffix}'


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize(('seed', 'kind', 'score_thr'), [(2, 'amodal', .3), (8, 'visible', 0.)])
def test_equals_trackeval(oracle, seed, kind, score_thr, shape):
    scene = random_scene(seed)
    for things in scene.objects.values():
        for thing in things:
            thing.crowd = False
    protocol = replace(FULL, score_thr=score_thr)
    found = score(scene, protocol=protocol, kinds=[kind], per_category=True)
    prefix = f'{kind}/video/{SHAPES[shape]}'
    for metric, names in zip(oracle, TRACKEVAL_NAMES.values(), strict=True):
        by_class = trackeval_values(metric, scene, kind, shape, score_thr)
        assert_named(found, by_class.pop(None), prefix, '', names)
        assert_named(found, metric.combine_classes_det_averaged(by_class), prefix, '_det_averaged',
                     names)
        true = {thing.category_id for things in scene.objects.values() for thing in things
                if thing.masks[kind].any()}
        averaged = metric.combine_classes_class_averaged(
            {c: values for c, values in by_class.items() if c in true})
        ratios = {ours: theirs for ours, theirs in names.items() if f'{prefix}{ours}_class_averaged'
                  in found}
        assert ratios
        assert_named(found, averaged, prefix, '_class_averaged', ratios)
        for category in true:
            assert_named(found, by_class[category], prefix, f'/{CATEGORIES[category]}', names)


def test_perfect_prediction():
    scene = Scene(SIZE, {1: 3, 2: 2})
    for video_id, length in scene.lengths.items():
        scene.objects[video_id] = []
        for number, category in enumerate((1, 4, 9)):
            masks = {'amodal': still(3 * number, 15 * number, length)}
            scene.objects[video_id].append(Object(number, category, masks, [.2, .6, .9][:length]))
            scene.predict(video_id, category, .3, masks)
    found = score(scene)
    counts = {name.split('/')[-1].partition('_')[0] for name, value in found.items()
              if value not in (1, -1)}
    assert counts <= {'TP', 'IDTP', 'MT', 'IDSW', 'Frag', 'ML', 'FN', 'FP', 'IDFN', 'IDFP'}
    for shape in SHAPES.values():
        for name, value in {'HOTA': 1, 'AssA_det_averaged': 1, 'MOTA_class_averaged': 1, 'IDSW': 0,
                            'IDF1_H': 1, 'TP': 15, 'FP': 0, 'MT': 6, 'HOTA_S': 1,
                            'HOTA_L': -1}.items():
            assert found[f'amodal/video/{shape}{name}'] == value, name


def test_no_prediction_and_no_truth():
    scene = one_object()
    found = score(scene)
    assert [found[f'amodal/video/{name}'] for name in ('HOTA', 'MOTA', 'IDF1', 'FN', 'ML')] == [
        0, 0, 0, 4, 1]
    scene.objects = {}
    scene.predict(1, 1, .9, {'amodal': still(5, 5, 4)})
    found = score(scene)
    assert [found[f'amodal/video/{name}'] for name in ('HOTA', 'MOTA', 'IDF1', 'FP')] == [
        -1, -1, -1, 4]


@pytest.mark.parametrize(('threshold', 'mota'), [(.5, 1), (.6, 1), (.61, 0)])
def test_tracks_below_the_score_threshold_do_not_exist(threshold, mota):
    scene = one_object()
    scene.predict(1, 1, .6, {'amodal': still(5, 5, 4)}, scores=[.9, .1, .9, .5])
    assert score(scene, score_thr=threshold)['amodal/video/MOTA'] == mota


def test_a_wrong_class_is_right_in_the_pool_only():
    scene = one_object()
    scene.predict(1, 4, .6, {'amodal': still(5, 5, 4)})
    found = score(scene, per_category=True)
    assert found['amodal/video/HOTA'] == found['amodal/video/IDF1'] == 1
    assert found['amodal/video/HOTA_det_averaged'] == found['amodal/video/HOTA_class_averaged'] == 0
    assert found['amodal/video/MOTA_det_averaged'] == -1  # 4 false negatives, 4 false positives
    assert found['amodal/video/MOTA_class_averaged'] == 0  # of fish alone: there are no crabs
    assert found['amodal/video/HOTA/fish'] == 0
    assert found['amodal/video/HOTA/crab'] == -1 and found['amodal/video/FP/crab'] == 4


def test_boxes_of_masks():
    """A frame-shaped and a full prediction of a square: equal boxes, other masks."""
    scene = one_object()
    ring = still(5, 5, 4)
    ring[:, 7:13, 7:13] = 0
    scene.predict(1, 1, .6, {'amodal': ring})
    found = score(scene)
    assert found['amodal/video/box/HOTA'] == found['amodal/video/box/MOTP'] == 1
    assert found['amodal/video/MOTP'] == pytest.approx(.64, abs=1e-12)
    # Similarity .64 passes the thresholds .05 to .60.
    assert found['amodal/video/HOTA'] == pytest.approx(12 / 19, abs=1e-12)


def test_visible_and_amodal_are_scored_apart():
    scene = one_object()
    scene.objects[1][0].masks['visible'] = still(5, 5, 4, width=3)
    scene.predict(1, 1, .6, {'amodal': still(5, 5, 4), 'visible': still(5, 12, 4, width=3)})
    found = score(scene, kinds=None)
    assert found['amodal/video/HOTA'] == 1 and found['visible/video/HOTA'] == 0
    crossed = score(scene, predicted_kind={'amodal': 'visible'})
    assert crossed['amodal/video/box/MOTA'] == -1


def test_strata_leave_out_other_truth_and_what_is_on_it():
    scene = Scene(SIZE, {1: 4})
    truth = {'partial': (5, .2), 'heavy': (25, .5)}
    scene.objects[1] = [Object(i, 1, {'amodal': still(5, left, 4)}, [rate] * 4)
                        for i, (left, rate) in enumerate(truth.values())]
    scene.predict(1, 1, .9, {'amodal': still(5, 5, 4)})
    scene.predict(1, 1, .9, {'amodal': still(7, 25, 4)})  # IoU 2/3
    scene.predict(1, 1, .9, {'amodal': still(25, 45, 4)})  # of nothing
    found = score(scene)
    values = {name: [found[f'amodal/video/{name}_{s}'] for s in 'PHX'] for name in (
        'MOTA', 'MOTP', 'IDF1', 'FP')}
    # The false track counts against either stratum.
    assert values['FP'] == [4, 4, 4]
    assert values['MOTA'] == [0, 0, -1]
    assert values['MOTP'][:2] == [pytest.approx(1), pytest.approx(2 / 3)]
    assert values['IDF1'][:2] == [pytest.approx(2 / 3)] * 2 and values['IDF1'][2] == -1
    assert found['amodal/video/MOTA'] == .5


@pytest.mark.parametrize(('rates', 'stratum'), [
    ([0., .1, .15, .3], 'P'),  # the highest is heavy
    ([0., 0., .3, .4], 'H'),  # the mean is partial
    ([.2, .2, .28], 'P')])  # of three, the two highest
def test_strata_are_those_of_whole_tracks(rates, stratum):
    """Occlusion: the higher half of the frames. Area: the mean over frames with a mask."""
    scene = Scene(SIZE, {1: len(rates) + 1})
    volume = still(5, 5, len(rates) + 1, 20, 20)
    volume[-1] = 0
    scene.objects[1] = [Object(0, 1, {'amodal': volume}, [*rates, None])]
    scene.predict(1, 1, .9, {'amodal': volume})
    found = score(scene)
    counted = {name for name in 'PHXSML' if found[f'amodal/video/HOTA_{name}'] == 1}
    assert counted == {stratum, 'S'}


def test_custom_occlusion_bins():
    scene = one_object(occlusion=.3)
    scene.predict(1, 1, .9, {'amodal': still(5, 5, 4)})
    found = score(scene, occlusion_bins=(0, .1, .3, 1))
    values = [found[f'amodal/video/HOTA_{name}'] for name in ('0-10', '10-30', '30-100')]
    assert values == [-1, 1, 1]
    assert 'amodal/video/HOTA_P' not in found


def test_crowd_is_ignored_with_any_part_of_it():
    scene = one_object()
    scene.objects[1].append(Object(1, 4, {'amodal': still(20, 5, 4, 18, 50)}, [0.] * 4, crowd=True))
    scene.predict(1, 1, .9, {'amodal': still(5, 5, 4)})
    for left in (10, 30):
        scene.predict(1, 1, .9, {'amodal': still(25, left, 4, 5, 5)})
    found = score(scene)
    for shape in SHAPES.values():
        assert found[f'amodal/video/{shape}HOTA'] == found[f'amodal/video/{shape}MOTA'] == 1
        assert found[f'amodal/video/{shape}TP'] == 4
    scene.objects[1][1].crowd = False
    assert score(scene)['amodal/video/MOTA'] == -.5


def test_switch_and_fragment_are_counted_over_an_absence():
    scene = one_object(length=5)
    volume = still(5, 5, 5)
    first, second = volume.copy(), volume.copy()
    first[2:] = 0
    second[:3] = 0
    scene.predict(1, 1, .9, {'amodal': first})
    scene.predict(1, 1, .9, {'amodal': second})
    found = score(scene)
    # Frame 2 has no track at all, so that the memory of the pair outlives it.
    counted = [found[f'amodal/video/{name}'] for name in ('IDSW', 'Frag', 'FN', 'IDTP')]
    assert counted == [1, 0, 1, 2]


def test_processes_do_not_matter():
    scene = random_scene(2)
    annotations = scene.annotations()
    one, two = (evaluate(annotations, scene.tracks, METRICS, FULL, workers=n) for n in (1, 2))
    assert one == two


def test_numbers_do_not_depend_on_what_else_is_asked_for():
    scene = random_scene(10)
    together = score(scene)
    for name in METRICS:
        alone = score(scene, metrics=[name])
        assert alone.items() <= together.items() and len(alone) < len(together)
