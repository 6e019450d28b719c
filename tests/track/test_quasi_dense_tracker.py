from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmdet.models.trackers import QuasiDenseTracker
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from tracker_input import Tracking, axis, found, random_video

from vatrack.track import QDTracker


def by_mmdet(tracker: QuasiDenseTracker, detections: InstanceData, frame_id: int) -> InstanceData:
    model = SimpleNamespace(track_head=SimpleNamespace(
        predict=lambda feats, bboxes: detections.embeds))
    sample = DetDataSample(metainfo=dict(frame_id=frame_id))
    sample.pred_instances = InstanceData(bboxes=detections.bboxes, labels=detections.labels,
                                         scores=detections.scores)
    return tracker.track(model, None, None, sample, rescale=False)


VATRACK: dict = dict(init_score_thr=.01, obj_score_thr=.01, memo_tracklet_frames=32)
STRICT: dict = dict(init_score_thr=.9, obj_score_thr=.5, memo_tracklet_frames=30)
SETTINGS = {
    'vatrack': VATRACK,
    'all classes': VATRACK | dict(with_cats=False),
    'softmax': VATRACK | dict(match_metric='softmax'),
    'cosine': VATRACK | dict(match_metric='cosine'),
    'cosine, all classes': STRICT | dict(match_metric='cosine', with_cats=False),
    'backdrops': STRICT,
    'backdrops of two frames': STRICT | dict(memo_backdrop_frames=2, init_score_thr=.7),
    'no backdrops': STRICT | dict(memo_backdrop_frames=0),
    'short memory': dict(init_score_thr=.3, obj_score_thr=.2, memo_tracklet_frames=3),
    'momentum': VATRACK | dict(memo_momentum=.3, match_score_thr=.3),
    'other thresholds': dict(init_score_thr=.6, obj_score_thr=.4, nms_conf_thr=.7,
                             nms_backdrop_iou_thr=.1, nms_class_iou_thr=.5, match_score_thr=.4),
}


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
def test_equals_mmdets_tracker(settings):
    policy = QDTracker(**settings)
    settings = {'memo_tracklet_frames': 32} | settings
    theirs = QuasiDenseTracker(**settings)
    continued = 0
    for seed in range(3):
        ours = Tracking(policy)
        theirs.reset()
        known: set[int] = set()
        for frame_id, detections in enumerate(random_video(seed)):
            expected = by_mmdet(theirs, detections, frame_id)
            tracked = ours.track(detections, frame_id)
            assert tracked.instances_id.tolist() == expected.instances_id.tolist()
            for field in ('bboxes', 'labels', 'scores'):
                assert torch.equal(tracked[field], expected[field])
            ids = tracked.instances_id.tolist()
            assert len(set(ids)) == len(ids)
            continued += len(known & set(ids))
            known |= set(ids)
            assert len(ours.memory.tracks or ()) == len(theirs.tracks)
    assert continued > 100


def test_memory_holds_live_tracks_only():
    tracker = Tracking(QDTracker(memo_tracklet_frames=4))
    seen: list[set[int]] = []
    for frame_id, detections in enumerate(random_video(5, frames=60)):
        seen.append(set(tracker.track(detections, frame_id).instances_id.tolist()))
        if len(detections):
            live = set().union(*seen[-4:])
            assert set(tracker.memory.tracks.ids.tolist()) == live
            assert len(tracker.memory.tracks.embeds) == len(live)
    assert tracker.memory.next_id > 2 * len(tracker.memory.tracks)


@pytest.mark.parametrize(('gap', 'found_again'), [(1, True), (31, True), (32, True), (33, False)])
def test_longest_gap(gap, found_again):
    """A track is deleted after the matching of the 32nd frame without it."""
    tracker = Tracking(QDTracker(memo_tracklet_frames=32))
    assert tracker.track(found(axis(0, 1)), 0).instances_id.tolist() == [0, 1]
    for frame_id in range(1, gap):
        assert tracker.track(found(axis(1)), frame_id).instances_id.tolist() == [1]
    ids = tracker.track(found(axis(0, 1)), gap).instances_id.tolist()
    assert ids == [0 if found_again else 2, 1]


def test_nothing_ages_in_frames_without_detections():
    tracker = Tracking(QDTracker(memo_tracklet_frames=32))
    tracker.track(found(axis(0)), 0)
    for frame_id in range(1, 50):
        empty = tracker.track(found(axis()), frame_id)
        assert empty.instances_id.tolist() == [] and empty.instances_id.dtype == torch.int64
    assert tracker.track(found(axis(0)), 50).instances_id.tolist() == [0]


def test_first_frame_may_be_empty():
    tracker = Tracking(QDTracker())
    assert len(tracker.track(found(axis()), 0)) == 0
    assert tracker.track(found(axis(3)), 1).instances_id.tolist() == [0]


def test_best_score_first_whatever_the_input_order():
    detections = found(axis(0, 1, 2), scores=[.2, .9, .5])
    tracked = Tracking(QDTracker()).track(detections, 0)
    assert tracked.scores.tolist() == pytest.approx([.9, .5, .2])
    assert tracked.instances_id.tolist() == [0, 1, 2]
    assert tracked.embeds.argmax(1).tolist() == [1, 2, 0]


def test_a_track_keeps_to_its_class():
    tracker = Tracking(QDTracker())
    tracker.track(found(axis(0)), 0)
    assert tracker.track(found(axis(0), labels=[1]), 1).instances_id.tolist() == [1]
    free = Tracking(QDTracker(with_cats=False))
    free.track(found(axis(0)), 0)
    assert free.track(found(axis(0), labels=[1]), 1).instances_id.tolist() == [0]
    assert free.memory.tracks.labels.tolist() == [1]


def test_embeddings_move_by_the_momentum():
    tracker = Tracking(QDTracker(memo_momentum=.8))
    tracker.track(found([[6., 0.]]), 0)
    tracker.track(found([[6., 1.]]), 1)
    torch.testing.assert_close(tracker.memory.tracks.embeds, torch.tensor([[6., .8]]))
    assert tracker.memory.tracks.last_seen.tolist() == [1]


BOX = [0., 0., 10., 10.]
OVERLAPS = {
    'same place, other class': ([BOX, BOX], [.9, .8], 1),
    'below the threshold': ([BOX, [3., 0., 13., 10.]], [.9, .8], 2),
    # The second covers the first, the third only the second, which is gone itself.
    'dropped ones count too': ([BOX, [1., 0., 11., 10.], [2.5, 0., 12.5, 10.]], [.9, .8, .7], 1),
    'no area': ([[5., 5., 5., 5.], [5., 5., 5., 5.]], [.9, .8], 2),
}


@pytest.mark.parametrize(('bboxes', 'scores', 'kept'), OVERLAPS.values(), ids=OVERLAPS)
def test_duplicates(bboxes, scores, kept):
    detections = found(axis(*range(len(bboxes))), scores, list(range(len(bboxes))), bboxes)
    assert len(Tracking(QDTracker()).track(detections, 0)) == kept
    theirs = QuasiDenseTracker(**VATRACK)
    assert len(by_mmdet(theirs, detections, 0)) == kept


def test_uncertain_detections_are_duplicates_sooner():
    bboxes = [BOX, [4., 0., 14., 10.]]  # IoU 0.43
    policy = QDTracker(obj_score_thr=.5)
    for second, kept in [(.8, 2), (.4, 1)]:
        detections = found(axis(0, 1), [.9, second], bboxes=bboxes)
        assert len(Tracking(policy).track(detections, 0)) == kept


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_embeddings(dtype):
    tracker = Tracking(QDTracker())
    for frame_id, given in enumerate([dtype, torch.float32, dtype]):
        detections = found(axis(0, 1, 2))
        detections.embeds = detections.embeds.to(given)
        assert tracker.track(detections, frame_id).instances_id.tolist() == [0, 1, 2]
        assert tracker.memory.tracks.embeds.dtype == torch.float32


def test_similar_objects_stay_apart_under_autocast():
    """Their dot products, 900 and 898.5, are the same number in bfloat16."""
    tracker = Tracking(QDTracker())
    for frame_id in range(3):
        with torch.autocast('cpu', torch.bfloat16):
            tracked = tracker.track(found([[30., 0.], [29.95, 5.]]), frame_id)
        assert tracked.instances_id.tolist() == [0, 1]


def test_memory_keeps_no_graph_and_no_input():
    tracker = Tracking(QDTracker())
    for frame_id in range(2):
        detections = found(axis(0, 1))
        detections.embeds.requires_grad_()
        tracker.track(detections, frame_id)
        tracks = tracker.memory.tracks
        assert not tracks.embeds.requires_grad
        detections.embeds.data.fill_(0)
        detections.labels.fill_(2)
        assert tracks.embeds.abs().max() == 6 and not tracks.labels.any()


def test_unknown_metric():
    with pytest.raises(ValueError, match=r"one of \['bisoftmax', 'softmax', 'cosine'\], got 'l2'"):
        QDTracker(match_metric='l2')
