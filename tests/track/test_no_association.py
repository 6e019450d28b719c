from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from tracker_input import Tracking

from vatrack.track import NoAssociation


def found(count: int) -> InstanceData:
    return InstanceData(bboxes=torch.rand(count, 4), labels=torch.zeros(count, dtype=torch.int64),
                        scores=torch.rand(count))


def test_every_detection_is_a_track():
    tracker = Tracking(NoAssociation())
    ids = [tracker.track(found(count), frame).instances_id
           for frame, count in enumerate([2, 0, 3])]
    assert [i.tolist() for i in ids] == [[0, 1], [], [2, 3, 4]]
    assert all(i.dtype == torch.int64 for i in ids)
    assert not NoAssociation.needs_embeds


def test_detections_stay_as_they_are():
    detections = found(3)
    tracked = Tracking(NoAssociation()).track(detections.clone(), 0)
    for field in ('bboxes', 'labels', 'scores'):
        torch.testing.assert_close(tracked[field], detections[field])
