"""mIoU on masks of a few pixels, and against plain numpy on random ones."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ap_scenes import Object, Scene, random_scene
from reference_miou import plain_miou

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.files import AnnotationError, ResultError, SelectedTrack, TrackSelection

FULL = PROTOCOLS['sailvos-full']
#: Rules of single frames.
SAVOS = replace(FULL, overlap=replace(PROTOCOLS['savos'].overlap, drop_ends=False))
EPSILON = 1e-6


def pixels(text):
    """Masks of one frame from rows of 4 characters: '#' is visible, '+' hidden."""
    grid = np.array([list(row.ljust(4)) for row in text.split('/')])
    return {'amodal': (grid != ' ').astype(np.uint8), 'visible': (grid == '#').astype(np.uint8)}


def volumes(*frames):
    masks = [pixels(text) for text in frames]
    return {kind: np.stack([each[kind] for each in masks]) for kind in ('amodal', 'visible')}


def scene_of(*objects, size=(4, 4)):
    """Objects as (frames, occlusions or None)."""
    scene = Scene(size, {1: len(objects[0][0])})
    scene.objects[1] = []
    for number, (frames, rates) in enumerate(objects):
        masks = volumes(*frames)
        areas = {kind: volume.sum(axis=(1, 2)) for kind, volume in masks.items()}
        own = 1 - areas['visible'] / np.maximum(areas['amodal'], 1)
        scene.objects[1].append(Object(number, 1, masks, rates or own.tolist()))
    return scene


def predict(scene, *tracks):
    for frames in tracks:
        scene.predict(1, 1, .9, volumes(*frames))
    return scene


def miou(scene, protocol=FULL, kind='amodal', **options):
    found = evaluate(scene.annotations(), scene.tracks, 'mIoU', protocol, [kind], **options)
    prefix = f'{kind}/image/mIoU_'
    return {name.removeprefix(prefix): value for name, value in found.items()}


ROWS = '    /    /    '
#: A row of four, two of them hidden by the object above.
HALF = f'##++/{ROWS}'


@pytest.mark.parametrize(('prediction', 'full', 'occluded'), [
    (HALF, 1, 1),
    (f'##+ /{ROWS}', 3 / 4, 1 / 2),
    (f'##  /{ROWS}', 2 / 4, 0),
    (f'##++/++++/{ROWS[5:]}', 4 / 8, 2 / 6),
    (f'##  /+   /{ROWS[5:]}', 2 / 5, 0),
    (f'#+++/{ROWS}', 1, 1)])  # the visible truth decides what is hidden
def test_full_and_occluded_region(prediction, full, occluded):
    found = miou(predict(scene_of(([HALF], None)), [prediction]))
    for level in ('frame', 'object'):
        for misses in ('', '_incl_misses'):
            assert found[f'full_{level}{misses}'] == pytest.approx(full, abs=1e-12)
            assert found[f'occluded_{level}{misses}'] == pytest.approx(occluded, abs=1e-12)
    assert found['found'] == 1


def test_unoccluded_objects_do_not_count_in_the_occluded_region():
    scene = scene_of(([f'####/{ROWS}'], None), ([f'    /##++/{ROWS[5:]}'], None))
    found = miou(predict(scene, [f'###+/{ROWS}'], [f'    /##+ /{ROWS[5:]}']))
    assert found['full_object'] == pytest.approx((1 + 3 / 4) / 2, abs=1e-12)
    assert found['occluded_object'] == pytest.approx(1 / 2, abs=1e-12)
    alone = scene_of(([f'####/{ROWS}'], None))
    assert miou(predict(alone, [f'####/{ROWS}']))['occluded_frame'] == -1


def test_frame_level_is_the_mean_of_frames():
    one, other = f'##++/{ROWS}', f'    /##++/{ROWS[5:]}'
    empty = '    /' + ROWS
    scene = scene_of(([one, one], None), ([other, empty], None))
    # IoU 1 and 1/2 in frame 0, 1/2 in frame 1.
    predict(scene, [one, f'##  /{ROWS}'], [f'    /##  /{ROWS[5:]}', empty])
    found = miou(scene)
    assert found['full_frame'] == pytest.approx((3 / 4 + 1 / 2) / 2, abs=1e-12)
    assert found['full_object'] == pytest.approx(2 / 3, abs=1e-12)
    assert found['occluded_frame'] == pytest.approx((1 / 2 + 0) / 2, abs=1e-12)
    assert found['occluded_object'] == pytest.approx(1 / 3, abs=1e-12)


@pytest.mark.parametrize(('visible', 'found'), [('##  ', 1), ('#   ', 1), ('### ', 1), ('  ##', 0)])
def test_track_is_found_by_visible_iou_of_a_half(visible, found):
    scene = predict(scene_of(([HALF], None)), [f'{visible}/{ROWS}'.replace(' ', '+', 0)])
    values = miou(scene)
    assert values['found'] == found
    assert values['full_object'] == (-1 if not found else pytest.approx(
        visible.count('#') / 4, abs=1e-12))
    assert values['full_object_incl_misses'] == max(values['full_object'], 0)


def test_missed_objects_are_zero_in_a_number_of_their_own():
    scene = scene_of(([HALF], None), ([f'    /##++/{ROWS[5:]}'], None))
    found = miou(predict(scene, [HALF]))
    assert (found['full_object'], found['full_object_incl_misses'], found['found']) == (1, .5, .5)
    assert (found['occluded_frame'], found['occluded_frame_incl_misses']) == (1, .5)
    nothing = miou(scene_of(([HALF], None)))
    assert (nothing['full_frame'], nothing['full_frame_incl_misses']) == (-1, 0)


def test_hidden_objects_count_only_where_videos_are_matched():
    hidden = f'++++/{ROWS}'
    scene = predict(scene_of(([HALF, hidden], None)), [HALF, f'++  /{ROWS}'])
    assert miou(scene)['full_object_incl_misses'] == 1
    video = replace(FULL, overlap=replace(FULL.overlap, match='video'))
    found = miou(scene, video)
    assert found['full_object'] == pytest.approx((1 + 1 / 2) / 2, abs=1e-12)
    assert found['occluded_object'] == pytest.approx((1 + 1 / 2) / 2, abs=1e-12)
    assert found['found'] == 1


def test_a_track_that_left_is_missing_there():
    video = replace(FULL, overlap=replace(FULL.overlap, match='video'))
    scene = scene_of(([HALF] * 3, None))
    scene.predict(1, 1, .9, volumes(HALF, HALF, '    /' + ROWS))
    assert scene.tracks[0].frames == [0, 1]
    found = miou(scene, video)
    assert (found['full_object'], found['found']) == (1, pytest.approx(2 / 3))


def test_best_track_wins_and_low_scores_do_not_exist():
    scene = predict(scene_of(([HALF], None)), [f'### /{ROWS}'], [HALF])
    assert miou(scene)['full_object'] == 1
    scene.tracks[1].score = .2
    assert miou(scene)['full_object'] == pytest.approx(3 / 4, abs=1e-12)
    assert miou(scene, score_thr=.1)['full_object'] == 1


def test_visible_masks_have_a_full_region_only():
    found = miou(predict(scene_of(([HALF], None)), [f'### /{ROWS}']), kind='visible')
    assert found['full_frame'] == pytest.approx(2 / 3, abs=1e-12)
    assert not any(name.startswith('occluded') for name in found)


def test_strata_categories_and_crowd():
    scene = scene_of(([HALF], [.2]), ([f'    /##++/{ROWS[5:]}'], [.5]),
                     (['    /    /####/    '], [.9]))
    scene.objects[1][1].category_id = 4
    scene.objects[1][2].crowd = True
    predict(scene, [HALF], [f'    /##+ /{ROWS[5:]}'])
    found = miou(scene, per_category=True)
    assert found['full_object'] == pytest.approx(7 / 8, abs=1e-12)
    assert (found['full_object_P'], found['full_object_H'], found['full_object_X']) == (1, .75, -1)
    assert (found['occluded_frame_P'], found['occluded_frame_H']) == (1, .5)
    assert (found['full_object/fish'], found['full_object/crab']) == (1, .75)
    assert found['found/ship'] == -1


BEHIND = f'##++/{ROWS}'
FRONT = '  ##/####/    /    '


def test_savos_counts_predictions_under_other_objects_only():
    """Leaks into the background and holes in the visible part are mended before scoring."""
    scene = scene_of(([BEHIND], [.5]), ([FRONT], [0.]))
    # Finds one of two hidden pixels, leaks one to the front and one to the background.
    scene.predict(1, 1, .9, {'amodal': pixels('#++ /+   /+   /    ')['amodal'][None],
                             'visible': pixels(BEHIND)['visible'][None]})
    found = miou(scene, SAVOS)
    # Composed: two visible pixels, one hidden, one leak onto the front: 3 of 5.
    assert found['full_object'] == pytest.approx((3 + EPSILON) / (5 + EPSILON), abs=1e-12)
    assert found['occluded_object'] == pytest.approx((1 + EPSILON) / (3 + EPSILON), abs=1e-12)
    # As they are: 3 of 6 pixels, and 1 of 4 outside of what is visible.
    strict = miou(scene)
    assert strict['full_object'] == pytest.approx(3 / 6, abs=1e-12)
    assert strict['occluded_object'] == pytest.approx(1 / 4, abs=1e-12)


@pytest.mark.parametrize(('rate', 'counts'), [
    (.1, False), (np.nextafter(.1, 1), True), (np.nextafter(.7, 0), True), (.7, False),
    (None, False)])
def test_savos_counts_objects_strictly_between_its_rates(rate, counts):
    scene = predict(scene_of(([BEHIND], [rate]), ([FRONT], [0.])), [BEHIND])
    assert miou(scene, SAVOS)['full_object'] == (1 if counts else -1)


def test_savos_without_anything_hidden_is_one():
    """Occluded by the background: no other object, so that the region is empty."""
    scene = predict(scene_of(([BEHIND], [.5])), [BEHIND])
    found = miou(scene, SAVOS)
    assert found['occluded_object'] == 1
    assert found['full_object'] == pytest.approx((2 + EPSILON) / (4 + EPSILON), abs=1e-12)


def test_savos_kins_takes_others_from_predictions_and_drops_ones():
    scene = scene_of(([BEHIND], [.5]), ([FRONT], [0.]))
    predict(scene, [BEHIND], ['   #/####/    /    '])
    found = miou(scene, 'savos-kins')
    # Behind: only pixel 3 is under a predicted object, so 3 of 4, and 1 of 1, which is dropped.
    # In front: nothing of another lies on it; 5 of 6, and an empty region, dropped too.
    assert found['full_object'] == pytest.approx(
        ((3 + EPSILON) / (4 + EPSILON) + (5 + EPSILON) / (6 + EPSILON)) / 2, abs=1e-12)
    assert found['occluded_object'] == -1
    assert miou(scene, SAVOS)['full_object'] == pytest.approx(1, abs=1e-12)


def test_savos_tells_what_its_rules_forgive():
    scene = scene_of(([BEHIND], [.5]), ([FRONT], [0.]))
    scene.predict(1, 1, .9, {'amodal': pixels('#++ /+   /+   /    ')['amodal'][None],
                             'visible': pixels(BEHIND)['visible'][None]})
    # The front has six pixels; its prediction leaks one onto what is visible behind it.
    scene.predict(1, 1, .9, {'amodal': pixels(' ###/### /    /    ')['amodal'][None],
                             'visible': pixels(FRONT)['visible'][None]})
    found = miou(scene, SAVOS)
    assert found['objects'] == 1  # the front is not occluded
    assert found['full_unrestricted_object'] == pytest.approx(3 / 6, abs=1e-12)
    assert found['occluded_strict_object'] == pytest.approx(1 / 3, abs=1e-12)
    assert (found['leak_rate'], found['leaked_area']) == (1, pytest.approx(1 / 6, abs=1e-12))
    all_rates = replace(SAVOS, overlap=replace(SAVOS.overlap, occlusion=None))
    found = miou(scene, all_rates)
    # Released: the leak makes the empty region of the front nearly 0; strictly, it has none.
    assert found['occluded_object'] == pytest.approx(
        ((1 + EPSILON) / (3 + EPSILON) + EPSILON / (1 + EPSILON)) / 2, abs=1e-12)
    assert found['occluded_strict_object'] == pytest.approx(1 / 3, abs=1e-12)


@pytest.mark.parametrize(('protocol', 'counted'), [('sailvos-full', [0, 1, 2, 3, 5, 6]),
                                                   ('savos-chewing-gum', [1, 2])])
def test_ends_of_runs_are_left_out(protocol, counted):
    empty = f'    /{ROWS}'
    frames = [HALF] * 4 + [empty] + [HALF] * 2
    scene = scene_of((frames, None))
    right = [t for t in range(7) if t not in (0, 3, 5, 6)]
    predict(scene, [HALF if t in right else f'##  /{ROWS}' for t in range(7)])
    found = miou(scene, protocol)
    assert found['objects'] == len(counted)
    if protocol != 'sailvos-full':
        assert found['full_unrestricted_object'] == 1


def selection(*tracks, subset=None):
    """Of (video, instance, first, last, subsets)."""
    chosen = {}
    for video, instance, first, last, subsets in tracks:
        chosen.setdefault(video, {})[instance] = SelectedTrack(f'video{video}', first, last,
                                                               subsets)
    return TrackSelection('selection.json', chosen, subset)


def test_only_selected_tracks_and_frames_count():
    scene = scene_of(([HALF] * 5, None), ([f'    /##++/{ROWS[5:]}'] * 5, None))
    # Results for the run alone, of which frame 2 is right.
    predict(scene, [f'    /{ROWS}', HALF, HALF, f'##  /{ROWS}', f'    /{ROWS}'])
    chosen = selection((1, 0, 1, 3, {'hard': (1, 2)}))
    found = miou(scene, selection=chosen)
    assert (found['objects'], found['found']) == (3, 1)
    assert found['full_object'] == pytest.approx((1 + 1 + 1 / 2) / 3, abs=1e-12)
    assert miou(scene, selection=chosen.with_subset('hard'))['full_object'] == 1
    # Ends are those of the run, and the whole video need not be matched.
    found = miou(scene, 'savos-chewing-gum', selection=selection((1, 0, 1, 3, {})))
    assert (found['objects'], found['found'], found['full_unrestricted_object']) == (1, 1, 1)
    # Others are others, selected or not.
    video = replace(FULL, overlap=replace(FULL.overlap, match='video'))
    assert miou(scene, video)['found'] < .5


def test_a_selection_restricts_miou_alone():
    scene = predict(scene_of(([HALF], None)), [HALF])
    chosen = selection((1, 0, 0, 0, {}))
    with pytest.raises(ResultError, match=r'vAP cannot be computed: selection.json selects'):
        evaluate(scene.annotations(), scene.tracks, 'vAP', FULL, selection=chosen)
    found = evaluate(scene.annotations(), scene.tracks, 'all', FULL, selection=chosen)
    assert {name.split('/')[2].partition('_')[0] for name in found} == {'mIoU'}
    with pytest.raises(AnnotationError, match=r"selection.json: video 2 'video2', .* no such"):
        miou(scene, selection=selection((2, 0, 0, 0, {})))


@pytest.mark.parametrize('match', ['frame', 'video'])
@pytest.mark.parametrize('rules', ['sailvos-full', 'savos', 'savos-kins', 'savos-chewing-gum'])
@pytest.mark.parametrize('seed', [2, 8])
def test_equals_plain_numpy(seed, rules, match):
    scene = random_scene(seed)
    annotations = scene.annotations()
    overlap = replace(PROTOCOLS[rules].overlap, match=match)
    protocol = replace(FULL, overlap=overlap, score_thr=.35)
    expected = plain_miou(annotations, scene.tracks, overlap, .35)
    found = miou(scene, protocol)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    if rules == 'sailvos-full' and match == 'frame':
        assert expected['full_frame'] != pytest.approx(expected['full_object'], abs=1e-3)
    # Some tracks, in some frames.
    runs = [(video.id, each.instance_id, first, len(video.frames) - 1)
            for video in annotations.videos for first in range(min(2, len(video.frames)))
            for each in video.frames[first].instances[first::2]
            if any(last.instance_id == each.instance_id for last in video.frames[-1].instances)]
    runs = list({run[:2]: run for run in runs}.values())
    chosen = selection(*((*run, {'part': tuple(range(run[2], run[3]))}) for run in runs),
                       subset='part')
    given = {run[:2]: (range(run[2], run[3] + 1), range(run[2], run[3])) for run in runs}
    expected = plain_miou(annotations, scene.tracks, overlap, .35, given)
    found = miou(scene, protocol, selection=chosen)
    assert expected['objects'] > 0
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_processes_do_not_matter():
    scene = random_scene(2)
    assert miou(scene, workers=2) == miou(scene)


def test_objects_without_an_amodal_mask_do_not_count():
    scene = predict(scene_of(([HALF] * 3, None)), [f'### /{ROWS}'] * 3)
    annotations = scene.annotations()
    for frame in annotations.videos[0].frames[:2]:
        del frame.instances[0].masks['amodal']
    found = evaluate(annotations, scene.tracks, 'mIoU', FULL, ['amodal'])
    assert found['amodal/image/mIoU_objects'] == 1
    assert found['amodal/image/mIoU_full_object'] == pytest.approx(3 / 4, abs=1e-12)
    with pytest.raises(AnnotationError, match=r'annotation 0 has no amodal mask; .* or mIoU of'):
        evaluate(annotations, scene.tracks, ['mIoU', 'vAP'], FULL, ['amodal'])


@pytest.mark.parametrize('side', ['predictions', 'truth'])
def test_without_visible_masks_no_track_is_found(side):
    scene = predict(scene_of(([HALF], None)), [HALF])
    if side == 'predictions':
        del scene.tracks[0].masks['visible']
    else:
        del scene.objects[1][0].masks['visible']
    with pytest.raises(ResultError, match=r'mIoU cannot be computed: .* found by the visible one'):
        miou(scene)
    found = evaluate(scene.annotations(), scene.tracks, 'all', FULL, ['amodal'])
    assert not any('mIoU' in name for name in found)


def test_a_single_missing_visible_mask_is_refused():
    scene = predict(scene_of(([HALF, HALF], None)), [HALF, HALF])
    annotations = scene.annotations()
    del annotations.videos[0].frames[1].instances[0].masks['visible']
    with pytest.raises(AnnotationError, match='annotation 1 has no visible mask'):
        evaluate(annotations, scene.tracks, 'mIoU', FULL, ['amodal'])
