"""Every repair on scenes where only its error exists."""
from __future__ import annotations

import math

import numpy as np
import pytest
from error_scenes import CRAB, FISH, LENGTH, Scene, ap_of, box, during, losses_of, random_scene

from vatrack.analysis.causes import CAUSES
from vatrack.evaluation.evaluate import evaluate

A, B, NOWHERE = box(5), box(30), box(5, top=28)
EARLY, LATE = range(5), range(5, LENGTH)


def missed() -> Scene:
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B)
    scene.track(.9, A)
    return scene


def duplicate() -> Scene:
    scene = missed()
    scene.track(.8, A)
    scene.track(.7, B)
    return scene


def wrong_class() -> Scene:
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B, category=CRAB)
    scene.track(.9, A, category=CRAB)
    scene.track(.8, B, category=CRAB)
    return scene


def absent_frames() -> Scene:
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, during(A, range(4)))
    return scene


def further_frames() -> Scene:
    scene = Scene()
    scene.object(0, A, frames=range(4))
    scene.track(.9, A)
    return scene


def lacks_visible_part() -> Scene:
    """The track has the occluded 20 pixels and 20 of the 80 visible ones."""
    scene = Scene()
    scene.object(0, A, visible=box(5, width=8))
    scene.track(.9, box(11, width=4), visible=box(5, width=8))
    return scene


def lacks_occluded_part() -> Scene:
    """The track has the visible 30 pixels and 10 of the 70 occluded ones."""
    scene = Scene()
    scene.object(0, A, visible=box(5, width=3))
    scene.track(.9, box(5, width=4), visible=box(5, width=3))
    return scene


def too_large() -> Scene:
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, box(5, width=25), visible=A)
    return scene


def switch() -> Scene:
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B)
    scene.track(.9, during(A, EARLY) | during(B, LATE))
    scene.track(.8, during(B, EARLY) | during(A, LATE))
    return scene


def fragments() -> Scene:
    scene = Scene()
    scene.object(0, A)
    for score, frames in ((.7, range(4)), (.9, range(4, 7)), (.8, range(7, LENGTH))):
        scene.track(score, during(A, frames))
    return scene


def background() -> Scene:
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, NOWHERE)
    scene.track(.8, A)
    return scene


def other() -> Scene:
    """A second track has a part of an object that is found."""
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, box(5, width=4), visible=A)
    scene.track(.8, A)
    return scene


ONLY = [
    (missed, {'missed'}, 1 - ap_of(True, num_truth=2), 1),
    (duplicate, {'duplicate'}, 1 - ap_of(True, False, True, num_truth=2), 1),
    (wrong_class, {'class'}, 1 - (0 + ap_of(False, True, num_truth=1)) / 2, 1),
    (absent_frames, {'frames'}, 1, 1),
    (further_frames, {'frames'}, 1, 1),
    (lacks_visible_part, {'mask', 'mask-visible'}, 1, 1),
    (lacks_occluded_part, {'mask', 'mask-occluded'}, 1, 1),
    (too_large, {'mask', 'mask-outside'}, 1, 1),
    (switch, {'switch'}, 1, 2),
    (fragments, {'fragmentation'}, 1, 2),
    (background, {'background'}, 1 - ap_of(False, True, num_truth=1), 1),
    (other, {'other'}, 1 - ap_of(False, True, num_truth=1), 1),
]


@pytest.mark.parametrize(('build', 'causes', 'loss', 'count'), ONLY,
                         ids=[build.__name__ for build, *_ in ONLY])
def test_a_lone_error_is_found_under_its_cause_alone(build, causes, loss, count):
    found = losses_of(build().errors())
    for name, each in found.items():
        if CAUSES[name].is_total:
            continue
        expected = loss if name in causes else 0
        assert each.dvAP50 == pytest.approx(expected, abs=1e-12), name
        # Everything else is exact in these scenes, so all IoU thresholds lose the same.
        assert each.dvAP == pytest.approx(expected, abs=1e-12), name
        assert each.count == (count if name in causes else 0), name
        assert bool(each.worst) == (name in causes), name


@pytest.mark.parametrize(('build', 'part', 'total'), [
    (missed, 'missed', 'unfound'), (duplicate, 'duplicate', 'false-positives'),
    (background, 'background', 'false-positives'), (other, 'other', 'false-positives'),
    (absent_frames, 'frames', 'localisation'), (too_large, 'mask', 'localisation')])
def test_a_total_has_what_its_parts_have(build, part, total):
    found = losses_of(build().errors())
    assert CAUSES[total].is_total
    assert found[total].dvAP50 == found[part].dvAP50 > 0
    assert found[total].count == 1


def test_visible_masks_have_no_parts():
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, box(5, width=4))
    found = losses_of(scene.errors('visible'))
    assert not {'mask-visible', 'mask-occluded', 'mask-outside'} & set(found)
    assert found['mask'].dvAP50 == 1


def test_amodal_truth_without_visible_masks_has_no_parts():
    scene = too_large()
    annotations = scene.annotations()
    for _, frame in annotations.frames:
        for instance in frame.instances:
            instance.masks.pop('visible', None)
    scene.annotations = lambda: annotations
    found = losses_of(scene.errors())
    assert 'mask-outside' not in found
    assert found['mask'].dvAP50 == 1


def test_mask_quality_of_a_track_that_is_right_at_half():
    """vIoU 100 / 160 passes three of ten thresholds."""
    scene = Scene()
    scene.object(0, box(5, height=16))
    scene.track(.9, box(5, height=10))
    found = losses_of(scene.errors())
    for name in ('mask', 'mask-visible'):
        assert found[name].dvAP50 == 0
        assert found[name].dvAP == pytest.approx(.7)
        assert found[name].count == 0
    assert found['mask-outside'].dvAP == 0


def test_perfect_tracks_lose_nothing():
    scene = Scene()
    scene.object(0, A, visible=box(5, width=3))
    scene.object(1, B, category=CRAB, frames=EARLY)
    scene.track(.9, A, visible=box(5, width=3))
    scene.track(.2, during(B, EARLY), category=CRAB)
    for kind in ('amodal', 'visible'):
        errors = scene.errors(kind)
        assert (errors.vAP, errors.vAP50, errors.num_found) == (1, 1, 2)
        for loss in errors.causes:
            assert (loss.dvAP, loss.dvAP50, loss.count) == (0, 0, 0), loss.cause
            assert loss.worst == []


def test_a_class_error_on_a_found_object_is_removed():
    """As its class it would be a duplicate, which is no gain."""
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B, category=CRAB)
    scene.track(.9, A, category=CRAB)
    scene.track(.8, B, category=CRAB)
    scene.track(.7, A)
    assert losses_of(scene.errors())['class'].dvAP50 == pytest.approx(
        1 - (1 + ap_of(False, True, num_truth=1)) / 2)


def test_the_best_of_two_tracks_gets_the_class():
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B, category=CRAB)
    scene.track(.9, B, category=CRAB)
    scene.track(.6, A, category=CRAB)
    scene.track(.5, A, category=CRAB)
    loss = losses_of(scene.errors())['class']
    assert (loss.dvAP50, loss.count) == (.5, 2)


def test_a_track_that_leaves_an_object_for_another_is_cut():
    """Its second piece joins the track of that object; frames on nothing go with the piece."""
    scene = Scene()
    scene.object(0, A, frames=range(7))
    scene.object(1, B)
    scene.track(.9, during(A, range(6)) | during(NOWHERE, [6]) | during(B, range(7, LENGTH)))
    scene.track(.8, during(B, range(4)))
    errors = scene.errors()
    # Before: vIoU 6 / 11 and 4 / 10. After: 6 / 8, and B in 7 of 10 frames.
    assert errors.vAP50 == pytest.approx(ap_of(True, False, num_truth=2))
    assert losses_of(errors)['switch'].dvAP50 == pytest.approx(1 - errors.vAP50)


def test_a_short_piece_that_finds_nothing_is_dropped():
    """Cutting adds no false positive."""
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B)
    scene.track(.9, during(A, range(9)) | during(B, [9]))
    loss = losses_of(scene.errors())['switch']
    assert (loss.dvAP50, loss.count) == (0, 1)


def test_a_track_keeps_its_object_while_it_is_on_it():
    """Of two objects that overlap, the one a track was on before counts, as in CLEAR MOT."""
    scene = Scene()
    scene.object(0, A)
    scene.object(1, box(8))
    scene.track(.9, during(A, EARLY) | during(box(7), LATE))
    assert losses_of(scene.errors())['switch'].count == 0


def test_tracks_at_the_same_time_are_no_fragments():
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, during(A, range(6)))
    scene.track(.8, during(A, range(1, 7)))
    assert losses_of(scene.errors())['fragmentation'].count == 0


def test_frames_that_another_track_has_are_not_missing():
    scene = fragments()
    assert losses_of(scene.errors())['frames'].dvAP50 == 0


def test_truth_that_the_protocol_removed_shows_as_wrong_frames():
    """Under sailvos a track through a heavily hidden part is too long."""
    scene = Scene()
    scene.object(0, A, frames=range(4))
    scene.object(0, A, frames=range(4, LENGTH), visible=box(5, width=1))
    scene.track(.9, A)
    assert losses_of(scene.errors(protocol='sailvos-full'))['frames'].dvAP50 == 0
    assert losses_of(scene.errors(protocol='sailvos'))['frames'].dvAP50 == 1


def test_a_track_on_a_crowd_is_no_error():
    scene = Scene()
    scene.object(0, A, crowd=True)
    scene.object(1, B)
    scene.track(.9, A)
    scene.track(.8, B)
    errors = scene.errors()
    assert (errors.vAP50, sum(errors.false_scores), sum(errors.found_scores)) == (1, 0, 1)
    assert all(loss.dvAP50 == 0 and loss.count == 0 for loss in errors.causes)


def test_losses_fall_into_the_stratum_of_their_truth():
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B, visible=box(30, width=5), frames=range(4))
    scene.track(.9, A)
    loss = losses_of(scene.errors(lengths=(3, 8)))['missed']
    assert loss.strata == {'all': pytest.approx(1 - ap_of(True, num_truth=2)), 'P': 0, 'H': 1,
                           'X': None, '1-3': None, '4-8': 1, '9+': 0}


def test_strata_of_a_protocol_without_occlusion_are_quarters():
    assert list(missed().errors(protocol='ytvis').strata) == [
        'all', '0-25', '25-50', '50-75', '75-100', '1-5', '6-15', '16+']


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('protocol', ['sailvos', 'sailvos-full'])
def test_random_scenes(seed, protocol):
    scene = random_scene(seed)
    expected = evaluate(scene.annotations(), scene.tracks, ['vAP'], protocol)
    for kind in ('amodal', 'visible'):
        errors = scene.errors(kind, protocol=protocol)
        for name in ('vAP', 'vAP50'):
            assert getattr(errors, name) == pytest.approx(expected[f'{kind}/video/{name}'])
        for name in errors.occlusion_strata:
            value = expected[f'{kind}/video/vAP50_{name}']
            assert errors.strata[name]['vAP50'] == (pytest.approx(value) if value >= 0 else None)
        for loss in errors.causes:
            gains = [loss.dvAP, loss.dvAP50, *loss.strata.values()]
            assert all(gain is None or math.isfinite(gain) for gain in gains)
            assert -1 <= loss.dvAP50 <= 1 - errors.vAP50 + 1e-12
        # What only removes tracks or truth, or only brings a track closer, never hurts.
        found = losses_of(errors)
        for name in ('missed', 'duplicate', 'background', 'other', 'false-positives', 'unfound'):
            assert found[name].dvAP50 >= -1e-12, name
        assert sum(errors.found_scores) == errors.num_found
        assert len(errors.precision['0.50']) == 101


def test_any_number_of_processes_finds_the_same():
    scene = random_scene(1)
    assert scene.errors() == scene.errors(workers=2)


def test_no_tracks_and_no_truth():
    scene = Scene()
    scene.object(0, A)
    errors = scene.errors()
    assert (errors.vAP, losses_of(errors)['missed'].dvAP50) == (0, 1)
    empty = Scene()
    empty.track(.9, A)
    errors = empty.errors()
    assert errors.vAP is None
    assert all(loss.dvAP50 is None for loss in errors.causes)
    assert losses_of(errors)['background'].count == 1
    nothing = Scene().errors()
    assert (nothing.vAP, nothing.num_tracks) == (None, 0)


@pytest.mark.parametrize('lengths', [(0,), (5, 5), (6, 2)])
def test_impossible_lengths_are_refused(lengths):
    with pytest.raises(ValueError, match='ascending numbers of frames'):
        missed().errors(lengths=lengths)


def test_only_the_worst_are_kept():
    scene = Scene()
    scene.object(0, A)
    for score in (.1, .5, .3, .4):
        scene.track(score, NOWHERE, category=FISH)
    worst = losses_of(scene.errors(worst=2))['background'].worst
    assert [example.scores for example in worst] == [(.5,), (.4,)]


def test_scores_outside_of_0_to_1_are_counted():
    scene = missed()
    scene.track(-2., NOWHERE)
    scene.track(7., NOWHERE)
    errors = scene.errors()
    assert (errors.score_edges[0], errors.score_edges[-1]) == (-2, 7)
    assert (sum(errors.found_scores), sum(errors.false_scores)) == (1, 2)
    assert np.all(np.diff(errors.score_edges) > 0)
