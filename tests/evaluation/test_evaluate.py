from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from ap_scenes import Object, Scene, random_scene, rectangle

from vatrack.evaluation.evaluate import METRICS, evaluate
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.files import ResultError, load_annotations
from vatrack.structures import TrackRecord
from vatrack.structures.rle import encode

SIZE = (128, 160)
KEYS = {'AP': ['', '50', '75', '50_P', '50_H', '50_L', '50_M', '50_S'],
        'AR': ['@1', '@10', '@100', '@100_P', '@100_H', '@100_L', '@100_M', '@100_S']}
IMAGE_KEYS = [f'{name}{key}' for name, keys in KEYS.items() for key in keys] + ['AR']
VIDEO_KEYS = [f'v{name}{key}' for name, keys in KEYS.items() for key in keys]


def still(mask, length):
    return np.stack([mask] * length)


def one_object(mask, prediction, occlusion=(0., 0.), **extras):
    """A still object and one track with still masks, both kinds alike."""
    scene = Scene(mask.shape, {1: len(occlusion)})
    both = {kind: still(mask, len(occlusion)) for kind in ('amodal', 'visible')}
    scene.objects[1] = [Object(0, 1, both, list(occlusion))]
    volume = still(prediction, len(occlusion))
    scene.predict(1, 1, .5, {'amodal': volume, 'visible': volume}, **extras)
    return scene


def score(scene, *args, **kwargs):
    return evaluate(scene.annotations(), scene.tracks, *args, **kwargs)


def perfect_scene(*rates):
    """Three classes, one object each of size S, M, L; predicted exactly.

    ``rates`` are the occlusions of each object in turn, over the frames in turn.
    """
    scene = Scene(SIZE, {3: 4, 1: 2})
    shapes = {1: (10, 10), 4: (50, 60), 9: (110, 120)}
    for video_id, length in scene.lengths.items():
        scene.objects[video_id] = []
        for number, (category, (height, width)) in enumerate(shapes.items()):
            amodal = still(rectangle(SIZE, 5, 7, height, width), length)
            visible = amodal.copy()
            visible[:, :, :9] = 0
            masks = {'amodal': amodal, 'visible': visible}
            own = rates[number % len(rates)]
            occlusion = [own[t % len(own)] for t in range(length)]
            scene.objects[video_id].append(Object(number, category, masks, occlusion))
            scene.predict(video_id, category, .9 - number / 10, masks)
    return scene


def test_names_of_the_metrics():
    found = score(perfect_scene([0., .5]))
    assert list(found) == [f'{kind}/{level}/{name}' for kind in ('amodal', 'visible')
                           for level, names in (('image', IMAGE_KEYS), ('video', VIDEO_KEYS))
                           for name in names]


def test_perfect_prediction_has_one_everywhere():
    found = score(perfect_scene([.2], [.5, .3], [.9]), protocol='sailvos-full')
    assert {'amodal/image/AP50_X', 'visible/video/vAP50_X'} < set(found)
    assert set(found.values()) == {1}


def test_perfect_prediction_of_removed_truth_is_wrong():
    """The rule of the published numbers: heavy truth is gone, its detections are errors."""
    found = score(perfect_scene([.2], [.9, .2], [.3]))
    assert found['amodal/image/AP50'] < 1
    assert found['amodal/video/vAP'] < 1
    assert set(score(perfect_scene([.2], [.75, .5])).values()) == {1}


@pytest.mark.parametrize(('pixels', 'ap', 'ap50', 'ap75'), [
    (9, .9, 1, 1), (15, .6, 1, 1), (14.8, .5, 1, 0), (10, .1, 1, 0), (9.98, 0, 0, 0)])
def test_iou_on_a_threshold_passes_it(pixels, ap, ap50, ap75):
    """IoU .9, .75, .74, .5 and .499: of ten thresholds so many are passed."""
    whole = 10 if pixels == 9 else 20
    truth = rectangle((10, 100), 0, 0, 10, 5 * whole)
    prediction = np.zeros_like(truth)
    prediction.T.flat[:round(pixels * 50)] = 1
    found = score(one_object(truth, prediction), kinds=['amodal'])
    for level in ('image/', 'video/v'):
        assert [found[f'amodal/{level}{name}'] for name in ('AP', 'AP50', 'AP75')] == (
            pytest.approx([ap, ap50, ap75], abs=1e-12))


@pytest.mark.parametrize(('height', 'width', 'sizes'), [
    (32, 32, 'MS'), (96, 96, 'LM'), (31, 33, 'S'), (95, 97, 'M'), (97, 96, 'L')])
def test_area_on_a_bound_belongs_to_both(height, width, sizes):
    mask = rectangle(SIZE, 3, 3, height, width)
    found = score(one_object(mask, mask), kinds=['amodal'])
    for level in ('image/', 'video/v'):
        counted = {name for name in 'LMS' if found[f'amodal/{level}AP50_{name}'] == 1}
        assert counted == set(sizes)
        assert all(found[f'amodal/{level}AP50_{name}'] == -1 for name in set('LMS') - counted)


@pytest.mark.parametrize(('rate', 'strata'), [
    (0., 'P'), (.25, 'PH'), (.5, 'H'), (.75, 'H'), (np.nextafter(.75, 1), 'X'), (1., 'X')])
def test_occlusion_on_a_bound(rate, strata):
    mask = rectangle(SIZE, 3, 3, 9, 9)
    found = score(one_object(mask, mask, [rate]), kinds=['amodal'], protocol='sailvos-full')
    for level in ('image/', 'video/v'):
        assert {name for name in 'PHX' if found[f'amodal/{level}AP50_{name}'] == 1} == set(strata)


def test_unknown_occlusion_counts_but_in_no_occlusion_stratum():
    mask = rectangle(SIZE, 3, 3, 9, 9)
    found = score(one_object(mask, mask, [None, None]), kinds=['amodal'])
    for level in ('image/', 'video/v'):
        values = [found[f'amodal/{level}{name}'] for name in ('AP', 'AP50_S', 'AP50_P', 'AP50_H')]
        assert values == [1, 1, -1, -1]


def test_no_predictions_are_zero_and_absent_truth_is_minus_one():
    annotations = perfect_scene([.5]).annotations()
    found = evaluate(annotations, [])
    assert found['amodal/image/AP'] == found['visible/video/vAR@10'] == 0
    assert found['amodal/video/vAP50_P'] == -1
    empty = Scene(SIZE, {1: 2})
    assert set(score(empty).values()) == {-1}
    volume = still(rectangle(SIZE, 0, 0, 4, 4), 2)
    empty.predict(1, 1, .4, {'amodal': volume})
    assert set(score(empty, kinds=['amodal']).values()) == {-1}


def test_class_without_truth_is_left_out_of_the_mean():
    scene = perfect_scene([0.])
    volume = still(rectangle(SIZE, 0, 0, 4, 4), 2)
    scene.predict(1, 12, 1., {'amodal': volume, 'visible': volume})
    assert score(scene)['amodal/image/AP'] == 1


def test_order_of_videos_and_of_distinct_scores_does_not_matter():
    scene = random_scene(8)
    rng = np.random.default_rng(0)
    for track in scene.tracks:
        track.score = float(rng.random())
        track.scores = rng.random(len(track.scores)).tolist()
    expected = evaluate(scene.annotations(), scene.tracks)
    shuffled = [scene.tracks[i] for i in rng.permutation(len(scene.tracks))]
    order = sorted(scene.lengths, key=lambda video_id: -video_id)
    assert evaluate(scene.annotations(order), iter(shuffled)) == expected


def test_equal_scores_rank_by_video_then_by_record():
    truth, wrong = rectangle(SIZE, 0, 0, 8, 8), rectangle(SIZE, 40, 40, 8, 8)
    scene = Scene(SIZE, {5: 1, 2: 1})
    scene.objects[2] = [Object(0, 1, {'amodal': truth[None]}, [0.])]
    scene.predict(5, 1, .5, {'amodal': wrong[None]})
    scene.predict(2, 1, .5, {'amodal': truth[None]})
    assert score(scene)['amodal/video/vAP'] == score(scene)['amodal/image/AP'] == 1
    scene.tracks[0].video_id = 2
    assert score(scene)['amodal/video/vAP'] == score(scene)['amodal/image/AP'] == .5


def test_image_level_ranks_by_frame_scores():
    truth, wrong = rectangle(SIZE, 0, 0, 8, 8), rectangle(SIZE, 40, 40, 8, 8)
    scene = Scene(SIZE, {1: 2})
    scene.objects[1] = [Object(0, 1, {'amodal': still(truth, 2)}, [0., 0.])]
    scene.predict(1, 1, .5, {'amodal': still(truth, 2)}, scores=[.9, .1])
    scene.predict(1, 1, .4, {'amodal': still(wrong, 2)}, scores=[None, .5])
    found = score(scene)
    assert found['amodal/video/vAP'] == 1
    # Ranked .9 right, .5 wrong, .4 (the track's) wrong, .1 right.
    assert found['amodal/image/AP'] == pytest.approx((51 * 1 + 50 * .5) / 101)


def test_frame_classes_and_the_class_rule():
    mask = rectangle(SIZE, 0, 0, 8, 8)
    scene = one_object(mask, mask, [0., 0., 0.], category_ids=[4, 1, 1])
    scene.tracks[0].category_id = 4
    found = score(scene, kinds=['amodal'])
    assert found['amodal/video/vAP'] == 1
    # One frame of three is missed: recall 2/3 covers the points 0 to .66.
    assert found['amodal/image/AP'] == pytest.approx(67 / 101)
    first = replace(PROTOCOLS['sailvos'], class_rule='first')
    assert score(scene, protocol=first, kinds=['amodal'])['amodal/video/vAP'] == 0


def test_visible_masks_against_amodal_truth():
    scene = perfect_scene([.2])
    for track in scene.tracks:
        for index, mask in enumerate(track.masks['visible']):
            track.masks['visible'][index] = mask if track.category_id == 1 else None
    found = score(scene, predicted_kind={'amodal': 'visible'}, kinds=['amodal'])
    assert {name.split('/')[0] for name in found} == {'amodal'}
    assert found['amodal/video/vAP'] < score(scene)['amodal/video/vAP'] == 1
    with pytest.raises(ValueError, match=r"unknown mask kinds.*'modal'"):
        score(scene, predicted_kind={'amodal': 'modal'})


def test_crowd_is_plain_iou_in_videos_and_share_of_the_detection_in_images():
    """Parts of a crowd: no error in an image, an error in a video."""
    scene = one_object(rectangle(SIZE, 50, 50, 8, 8), rectangle(SIZE, 50, 50, 8, 8))
    crowd = still(rectangle(SIZE, 0, 0, 20, 40), 2)
    masks = {'amodal': crowd, 'visible': crowd}
    scene.objects[1].append(Object(5, 1, masks, [0., 0.], crowd=True))
    for left in (0, 20):
        part = still(rectangle(SIZE, 0, left, 20, 15), 2)
        scene.predict(1, 1, .9, {'amodal': part, 'visible': part})
    found = score(scene)
    assert found['amodal/image/AP'] == 1
    assert found['amodal/video/vAP'] == pytest.approx(1 / 3)


def test_unmatched_detection_counts_only_in_the_stratum_of_its_area():
    scene = one_object(rectangle(SIZE, 0, 0, 8, 8), rectangle(SIZE, 0, 0, 8, 8))
    large = still(rectangle(SIZE, 10, 10, 100, 100), 2)
    scene.predict(1, 1, .9, {'amodal': large, 'visible': large})
    found = score(scene)
    for level in ('image/', 'video/v'):
        assert found[f'amodal/{level}AP50_S'] == 1
        assert found[f'amodal/{level}AP50_P'] == .5


def test_detection_without_a_pixel_is_a_false_positive_of_its_frame():
    """An empty mask is a detection of area 0, None is none; a video only asks for the sums."""
    truth, nothing = rectangle(SIZE, 0, 0, 8, 8), np.zeros(SIZE, np.uint8)
    scene = one_object(truth, truth)
    track = scene.predict(1, 1, .9, {kind: still(nothing, 2) for kind in ('amodal', 'visible')})
    track.masks['amodal'], track.masks['visible'] = [encode(nothing[None])[0]] * 2, [None] * 2
    track.frames, track.score = [0, 1], .9
    found = score(scene)
    for name, expected in {'AP': .5, 'AP50_S': .5, 'AP50_P': .5, 'AR@100': 1, 'AR@1': 0}.items():
        assert found[f'amodal/image/{name}'] == expected, name
        assert found[f'visible/image/{name}'] == 1, name
    assert found['amodal/video/vAP'] == found['visible/video/vAP'] == .5


def test_legacy_takes_areas_from_boxes_and_rounds():
    small, cross = rectangle(SIZE, 0, 0, 8, 8), np.zeros(SIZE, np.uint8)
    cross[20:60, 20] = cross[20, 20:60] = 1
    scene = one_object(small, small, bboxes=[(0, 0, 8, 8)] * 2)
    boxes = [(20., 20., 60., 60.)] * 2
    scene.predict(1, 1, .9, {'amodal': still(cross, 2), 'visible': still(cross, 2)}, bboxes=boxes)
    third = rectangle(SIZE, 100, 100, 8, 8)
    scene.predict(1, 1, .7, {'amodal': still(third, 2), 'visible': still(third, 2)}, bboxes=boxes)
    found = score(scene, protocol='sailvos-legacy')
    # The cross has few pixels but a medium box; video level keeps mask areas.
    assert found['amodal/image/AP50_S'] == 1
    assert found['amodal/video/vAP50_S'] == .333
    assert found['amodal/image/AP50'] == .333
    assert {'amodal/image/AR@300', 'amodal/image/AR@1000'} < set(found)
    # Other protocols do not look at boxes, even where there are any.
    assert score(scene, kinds=['amodal'])['amodal/image/AP50_S'] == pytest.approx(1 / 3)
    scene.tracks[1].bboxes = None
    with pytest.raises(ValueError, match='track 2 of video 1 has no boxes'):
        score(scene, protocol='sailvos-legacy')


def test_legacy_takes_areas_of_visible_detections_from_visible_boxes():
    """Two box heads: the boxes of each kind bin its unmatched detections, even empty ones."""
    small = rectangle(SIZE, 0, 0, 8, 8)
    scene = one_object(small, small, bboxes=[(0, 0, 8, 8)] * 2, visible_bboxes=[(0, 0, 8, 8)] * 2)
    wrong, nothing = rectangle(SIZE, 60, 60, 4, 4), np.zeros(SIZE, np.uint8)
    little, medium = [(60., 60., 64., 64.)] * 2, [(60., 60., 100., 100.)] * 2
    track = scene.predict(1, 1, .9, {'amodal': still(wrong, 2), 'visible': still(wrong, 2)},
                          bboxes=little, visible_bboxes=medium)
    track.masks['visible'] = [encode(nothing[None])[0]] * 2

    def sizes():
        found = score(scene, protocol='sailvos-legacy')
        return found['amodal/image/AP50_S'], found['visible/image/AP50_S']

    assert sizes() == (.5, 1)
    # One box head: its boxes are those of both kinds.
    track.visible_bboxes = None
    assert sizes() == (.5, .5)
    track.bboxes, track.visible_bboxes = medium, little
    assert sizes() == (1, .5)
    track.bboxes = None
    assert score(scene, protocol='sailvos-legacy', kinds=['visible'])['visible/image/AP50_S'] == .5
    with pytest.raises(ResultError, match='track 2 of video 1 has no boxes'):
        score(scene, 'AP', protocol='sailvos-legacy', kinds=['amodal'])
    track.visible_bboxes = [None, little[0]]
    with pytest.raises(ResultError, match='track 2 of video 1 has no box in frame 0'):
        score(scene, 'AP', protocol='sailvos-legacy', kinds=['visible'])


@pytest.mark.parametrize(('arguments', 'message'), [
    ({'metrics': ['AP', 'mAP']}, r"unknown metrics \['mAP'\]; choose from \['AP', 'AR', 'vAP'"),
    ({'metrics': []}, 'choose from'),
    ({'protocol': 'coco'}, "unknown protocol 'coco'"),
    ({'score_thr': float('nan')}, 'threshold must be a finite number, got nan'),
    ({'kinds': ['modal']}, r"unknown mask kinds \['modal'\]"),
    ({'kinds': ['amodal', 'visible']}, r"the predictions \['amodal'\]")])
def test_wrong_arguments(arguments, message):
    scene = perfect_scene([0.])
    for track in scene.tracks:
        del track.masks['visible']
    with pytest.raises(ValueError, match=message):
        score(scene, **arguments)


def test_kinds_are_those_that_both_sides_hold():
    scene = perfect_scene([0.])
    annotations = scene.annotations()
    for _, frame in annotations.frames:
        for instance in frame.instances:
            del instance.masks['amodal']
    assert {name.split('/')[0] for name in evaluate(annotations, scene.tracks)} == {'visible'}
    with pytest.raises(ValueError, match=r"made\.json holds \['visible'\] masks"):
        evaluate(annotations, scene.tracks, kinds=['amodal'])
    for track in scene.tracks:
        del track.masks['visible']
    with pytest.raises(ValueError, match=r'cannot score amodal predictions against amodal truth '
                                         r'and visible .*; ask for kinds that both hold'):
        evaluate(annotations, scene.tracks)


def test_single_metric():
    assert list(score(perfect_scene([.5]), 'vAP', kinds=['visible'])) == [
        f'visible/video/vAP{key}' for key in KEYS['AP']]


def test_tracks_that_do_not_fit_are_refused():
    scene = perfect_scene([.5])
    scene.tracks[2].video_id = 77
    with pytest.raises(ResultError, match=r'predictions: record 2 \(video 77, track 3\)'):
        score(scene)


@pytest.mark.parametrize(('terminal', 'asked', 'shown'), [
    (True, True, True), (True, False, False), (False, True, False)])
def test_progress_goes_to_stderr_if_that_is_a_terminal(monkeypatch, capsys, terminal, asked, shown):
    stderr = io.StringIO()
    stderr.isatty = lambda: terminal
    monkeypatch.setattr('sys.stderr', stderr)
    score(perfect_scene([.5]), progress=asked)
    assert ('2/2' in stderr.getvalue()) == shown
    assert capsys.readouterr().out == ''


def test_published_sample_predicted_perfectly(sailvos_sample):
    annotations = load_annotations(sailvos_sample)
    video, = annotations.videos
    tracks = {}
    for t, frame in enumerate(video.frames):
        for instance in frame.instances:
            track = tracks.setdefault(instance.instance_id, TrackRecord(
                video.id, len(tracks) + 1, instance.category_id, 1., [],
                {'amodal': [], 'visible': []}))
            track.frames.append(t)
            for kind, masks in track.masks.items():
                masks.append(instance.masks.get(kind))
    full = evaluate(annotations, tracks.values(), protocol='sailvos-full')
    for name in ('image/AP', 'image/AP50_P', 'image/AP50_H', 'video/vAP', 'image/AP50_X'):
        assert full[f'amodal/{name}'] == full[f'visible/{name}'] == 1
    removed = evaluate(annotations, tracks.values())
    assert removed['amodal/video/vAP'] < 1
    assert removed['visible/image/AP'] < 1


def test_all_is_what_the_data_and_the_protocol_admit():
    scene = perfect_scene([.2])
    found = score(scene, 'all', kinds=['amodal'])
    assert {'amodal/image/AP', 'amodal/image/AR@1', 'amodal/video/vAP', 'amodal/video/vAR@1',
            'amodal/video/HOTA', 'amodal/video/MOTA', 'amodal/video/box/IDF1',
            'amodal/image/mIoU_full_frame'} < set(found)
    assert set(score(scene, ['vAP', 'all'], kinds=['amodal'])) == set(found)
    # No boxes, which AP and AR of this protocol need at image level.
    legacy = score(scene, 'all', protocol='sailvos-legacy', kinds=['amodal'])
    assert not any('/AP' in name or '/AR' in name for name in legacy)
    assert 'amodal/video/vAP50_H' in legacy
    with pytest.raises(ResultError, match=r'AR cannot be computed: .* track 1 of video 3 has no'):
        score(scene, 'AR', protocol='sailvos-legacy')


def test_what_all_leaves_out_is_said(capfd):
    scene = perfect_scene([.2])
    for track in scene.tracks:
        del track.masks['visible']
    score(scene, 'all')
    text = ''.join(capfd.readouterr())
    assert 'all leaves out mIoU: the track of an amodal mask is found by the visible one' in text
    assert 'leaves out AP' not in text


def test_numbers_by_category():
    scene = perfect_scene([.2])
    scene.tracks[0].category_id = 9  # the fish of video 3
    found = score(scene, ['AP', 'vAP', 'vAR'], kinds=['amodal'], per_category=True)
    fish, crab = (found[f'amodal/video/vAP/{name}'] for name in ('fish', 'crab'))
    assert (fish, crab) == (pytest.approx(51 / 101), 1)
    assert found['amodal/image/AP/fish'] == pytest.approx(34 / 101)  # 2 of 6 frames
    assert found['amodal/video/vAP/never there'] == -1
    assert found['amodal/video/vAR@10/fish'] == .5
    named = [found[f'amodal/video/vAP50/{name}'] for name in ('fish', 'crab', 'ship')]
    assert found['amodal/video/vAP50'] == pytest.approx(np.mean(named))
    assert 'amodal/video/vAP/fish' not in score(scene, 'vAP')


def test_own_occlusion_bins_replace_those_of_the_protocol():
    found = score(perfect_scene([.2], [.4]), ['AP', 'vAR'], kinds=['amodal'],
                  occlusion_bins=(0, .3, .35, 1))
    named = [found[f'amodal/image/AP50_{name}'] for name in ('0-30', '30-35', '35-100')]
    assert named == [1, -1, 1]
    assert found['amodal/video/vAR@100_0-30'] == 1
    assert 'amodal/image/AP50_P' not in found and 'amodal/image/AP50_S' in found


def test_image_and_video_metrics_share_no_names():
    assert len({(METRICS[name].level, name) for name in METRICS}) == len(METRICS) == 8
    assert {name for name in METRICS if METRICS[name].level == 'image'} == {'AP', 'AR', 'mIoU'}
