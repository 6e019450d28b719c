from __future__ import annotations

import math

import numpy as np
import pytest
from ap_scenes import Object, Scene, rectangle

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.truth import has_truth, truth_kinds, truth_tracks
from vatrack.files import AnnotationError

SIZE = (8, 8)


def scene_of(occlusion, **changes):
    """One object in one video, as long as the list of its occlusions."""
    volume = np.stack([rectangle(SIZE, 1, 1, 4, 4)] * len(occlusion))
    scene = Scene(SIZE, {1: len(occlusion)})
    scene.objects[1] = [Object(0, 1, {'amodal': volume, 'visible': volume.copy()}, occlusion,
                               **changes)]
    return scene


def tracks_of(scene, max_occlusion=None):
    annotations = scene.annotations()
    return truth_tracks(annotations.videos[0], max_occlusion, annotations.path)


@pytest.mark.parametrize(('rates', 'expected'), [
    ([.5], .5), ([.1, .3], .3), ([.1, .2, .4], .3), ([0, .25, .5, .75], .625),
    ([None, .4, None], .4), ([0, None, .2, .2], .2)])
def test_occlusion_is_the_mean_of_the_upper_half(rates, expected):
    assert tracks_of(scene_of(rates))[0].occlusion == pytest.approx(expected, abs=1e-15)


def test_occlusion_without_any_rate_is_unknown():
    assert math.isnan(tracks_of(scene_of([None, None]))[0].occlusion)


def test_heavy_frames_are_removed():
    scene = scene_of([.75, np.nextafter(.75, 1), .1, None])
    track, = tracks_of(scene, .75)
    assert [instance is not None for instance in track.instances] == [True, False, True, True]
    assert track.masks('amodal')[1] is None


def test_changing_category_is_refused():
    annotations = scene_of([0, 0]).annotations()
    annotations.videos[0].frames[1].instances[0].category_id = 4
    with pytest.raises(AnnotationError, match=r'made\.json: video 1 .*frame 1: instance 0 has '
                                              r'category 4, earlier 1'):
        truth_tracks(annotations.videos[0], None, annotations.path)


def test_doubled_instance_is_refused():
    annotations = scene_of([0, 0]).annotations()
    frame = annotations.videos[0].frames[1]
    frame.instances.append(frame.instances[0])
    with pytest.raises(AnnotationError, match=r'frame 1: instance 0 is annotated twice'):
        truth_tracks(annotations.videos[0], None, annotations.path)


def test_missing_mask_is_refused_and_named():
    annotations = scene_of([0, .3]).annotations()
    annotations.videos[0].frames[1].instances[0].masks.pop('visible')
    with pytest.raises(AnnotationError, match=r'annotation 1 has no visible mask'):
        evaluate(annotations, [], kinds=['visible'])
    assert evaluate(annotations, [], kinds=['amodal'])['amodal/video/vAP'] == 0


def test_wholly_hidden_object_needs_no_visible_mask():
    annotations = scene_of([0, 1.]).annotations()
    annotations.videos[0].frames[1].instances[0].masks.pop('visible')
    assert evaluate(annotations, [], kinds=['visible'], protocol='sailvos-full')[
        'visible/video/vAP'] == 0


def test_kinds_and_whether_there_is_truth():
    annotations = scene_of([0.]).annotations()
    assert truth_kinds(annotations) == ['amodal', 'visible']
    assert has_truth(annotations, 'amodal')
    annotations.videos[0].frames[0].instances[0].masks.pop('amodal')
    assert truth_kinds(annotations) == ['visible']
    assert not has_truth(annotations, 'amodal')


def test_only_empty_or_removed_truth_is_none():
    scene = scene_of([.9])
    assert not has_truth(scene.annotations(), 'amodal')
    assert has_truth(scene.annotations(), 'amodal', 'sailvos-full')
    empty = scene_of([0.], present=np.array([True]))
    empty.objects[1][0].masks['visible'][:] = 0
    assert not has_truth(empty.annotations(), 'visible')
    assert truth_kinds(Scene(SIZE, {1: 2}).annotations()) == ['amodal', 'visible']
