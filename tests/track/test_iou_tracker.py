from __future__ import annotations

import pytest
import torch
from tracker_input import Tracking, found, random_video

from vatrack.track import IoUTracker

BOX, NEAR, FAR = [0., 0., 10., 10.], [2., 0., 12., 10.], [50., 50., 60., 60.]  # IoU 2/3 and 0


def boxes(*given, scores=None, labels=None):
    """Detections without embeddings."""
    detections = found(torch.zeros(len(given), 1), scores, labels, list(given))
    del detections.embeds
    return detections


def track(tracker, *frames, start=0) -> list[list[int]]:
    return [tracker.track(frame, start + t).instances_id.tolist() for t, frame in enumerate(frames)]


CASES = {
    'continued': ([boxes(BOX), boxes(NEAR)], [[0], [0]]),
    'nothing near': ([boxes(BOX), boxes(FAR)], [[0], [1]]),
    'swapped': ([boxes(BOX, FAR), boxes(FAR, BOX)], [[0, 1], [1, 0]]),
    'another class': ([boxes(BOX), boxes(BOX, labels=[1])], [[0], [1]]),
    'its class overlaps less': ([boxes(BOX, NEAR, labels=[0, 1]), boxes(BOX, labels=[1])],
                                [[0, 1], [1]]),
    'most overlap': ([boxes([4., 0., 14., 10.], NEAR), boxes(BOX)], [[0, 1], [1]]),
    'best score first': ([boxes(BOX), boxes(NEAR, BOX, scores=[.9, .5])], [[0], [0, 1]]),
    'whatever the order': ([boxes(BOX), boxes(BOX, NEAR, scores=[.5, .9])], [[0], [0, 1]]),
    'the latest box': ([boxes(BOX), boxes(NEAR), boxes([4., 0., 14., 10.]),
                        boxes([6., 0., 16., 10.])], [[0], [0], [0], [0]]),
    'at the threshold': ([boxes(BOX), boxes([0., 0., 10., 5.])], [[0], [1]]),
    'no area': ([boxes([5., 5., 5., 5.]), boxes([5., 5., 5., 5.])], [[0], [1]]),
    'frames without detections': ([boxes(), boxes(BOX), boxes(), boxes(BOX)],
                                  [[], [0], [], [0]]),
}


@pytest.mark.parametrize(('frames', 'ids'), CASES.values(), ids=CASES)
def test_by_hand(frames, ids):
    assert track(Tracking(IoUTracker()), *frames) == ids


@pytest.mark.parametrize('between', [boxes(FAR), boxes()])
@pytest.mark.parametrize(('memo_frames', 'gap', 'found_again'), [
    (5, 5, True), (5, 6, False), (1, 1, True), (1, 2, False)])
def test_longest_gap(between, memo_frames, gap, found_again):
    """Frames without detections count too."""
    tracker = Tracking(IoUTracker(memo_frames=memo_frames))
    track(tracker, boxes(BOX), *[between] * (gap - 1))
    (id_,), = track(tracker, boxes(BOX), start=gap)
    assert (id_ == 0) is found_again


def test_uncertain_detections_continue_tracks_but_start_none():
    tracker = Tracking(IoUTracker(init_score_thr=.5))
    assert track(tracker, boxes(BOX, FAR, scores=[.9, .5]),
                 boxes(FAR, BOX, scores=[.3, .2])) == [[0], [0]]


@pytest.mark.parametrize('match_iou_thr', [0., .3, .5])
def test_ids_are_unique_and_results_in_order(match_iou_thr):
    tracker, seen = Tracking(IoUTracker(match_iou_thr)), set()
    continued = 0
    for frame_id, detections in enumerate(random_video(3, objects=20)):
        tracked = tracker.track(detections, frame_id)
        ids = tracked.instances_id
        assert ids.dtype == torch.int64
        assert len(ids.unique()) == len(ids) >= int((detections.scores > .01).sum())
        assert tracked.scores.tolist() == sorted(tracked.scores.tolist(), reverse=True)
        assert len(tracker.memory.tracks.ids.unique()) == len(tracker.memory.tracks)
        continued += len(seen & set(ids.tolist()))
        seen |= set(ids.tolist())
    assert continued > 50 and seen == set(range(len(seen)))


def test_input_stays_as_it_is():
    detections = boxes(BOX, NEAR, scores=[.3, .9])
    tracker = Tracking(IoUTracker())
    tracker.track(detections, 0)
    assert 'instances_id' not in detections
    assert detections.scores.tolist() == pytest.approx([.3, .9])
    tracker.track(boxes(BOX), 1)
    assert detections.bboxes.tolist() == [BOX, NEAR]
