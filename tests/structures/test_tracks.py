"""From the instances of frames to tracks; tests/evaluation/test_metric.py has the other half."""
from __future__ import annotations

import pytest
import torch
from mmengine.structures import InstanceData

from vatrack.structures import TrackCollector


def said(*rows: tuple[int, int, float]) -> InstanceData:
    """Id, label and score of each."""
    ids, labels, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return InstanceData(instances_id=torch.tensor(ids, dtype=torch.int64),
                        labels=torch.tensor(labels, dtype=torch.int64),
                        scores=torch.tensor(scores, dtype=torch.float64))


def frame(*rows: tuple[int, int, float]) -> InstanceData:
    """Instances of a frame; boxes and masks tell whose they are."""
    instances = said(*rows)
    instances.bboxes = instances.instances_id.float()[:, None].expand(-1, 4)
    instances.amodal_masks = [f'mask of {id_}, {score}' for id_, _, score in rows]
    return instances


@pytest.fixture
def collector() -> TrackCollector:
    """Track 4 in three frames, track 2 in two, track 7 in one; an empty frame between."""
    collector = TrackCollector(1, categories=(30, 10, 20), kinds=('amodal',))
    for each in (frame((4, 0, .5), (2, 1, .25)), frame((4, 2, 1.)), frame(),
                 frame((2, 1, .75), (7, 0, .5), (4, 0, .75))):
        collector.add(each)
    return collector


def test_a_track_is_what_its_frames_are(collector):
    tracks = list(collector.tracks())
    assert collector.length == 4
    assert [(t.track_id, t.category_id, t.score, t.frames) for t in tracks] == [
        (3, 10, .5, [0, 3]), (5, 30, .75, [0, 1, 3]), (8, 30, .5, [3])]
    assert tracks[1].scores == [.5, 1., .75] and tracks[1].category_ids == [30, 20, 30]
    assert tracks[0].category_ids is None


def test_classes_and_scores_of_the_end_hold_in_all_frames(collector):
    """And tracks that it leaves out are dropped."""
    first, second = collector.tracks(said((4, 1, .9), (2, 2, .125)))
    assert (first.track_id, first.category_id, first.score) == (3, 20, .125)
    assert (second.track_id, second.category_id, second.score) == (5, 10, .9)
    assert first.scores is first.category_ids is second.scores is second.category_ids is None
    assert {second.frame_score(t) for t in second.frames} == {.9}
    assert second.frames == [0, 1, 3] and second.bboxes == [(4., 4., 4., 4.)] * 3
    assert second.masks == {'amodal': ['mask of 4, 0.5', 'mask of 4, 1.0', 'mask of 4, 0.75']}


def test_one_identity_under_two_classes_becomes_two_tracks(collector):
    """The first row keeps the id, the others get ids above all that there were."""
    tracks = list(collector.tracks(said((4, 1, .5), (7, 0, .8), (4, 2, .9), (7, 1, .1))))
    assert [(t.track_id, t.category_id, t.score, t.frames) for t in tracks] == [
        (5, 10, .5, [0, 1, 3]), (8, 30, .8, [3]), (9, 20, .9, [0, 1, 3]), (10, 10, .1, [3])]
    assert tracks[0].masks == tracks[2].masks


def test_tracks_that_are_in_no_frame_are_dropped(collector):
    assert [t.track_id for t in collector.tracks(said((3, 0, .9), (2, 0, .9), (3, 1, .9)))] == [3]
    assert list(collector.tracks(said())) == []
