from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmdet.models.trackers import MaskTrackRCNNTracker
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torchvision.ops import box_iou
from tracker_input import Tracking, axis, found, random_video

from vatrack.track import MTTracker


def logits(embeds: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.zeros(len(embeds), 1), embeds @ memory.T], dim=1)


def by_mmdet(tracker: MaskTrackRCNNTracker, detections: InstanceData,
             frame_id: int) -> InstanceData:
    head = SimpleNamespace(extract_roi_feats=lambda feats, boxes: (detections.embeds, None),
                           predict=logits)
    sample = DetDataSample(metainfo=dict(frame_id=frame_id))
    sample.pred_instances = InstanceData(
        bboxes=detections.bboxes, labels=detections.labels, scores=detections.scores,
        masks=torch.zeros(len(detections), 1, 1))
    return tracker.track(SimpleNamespace(track_head=head), None, sample, rescale=False)


def without_clashes(tracker: MaskTrackRCNNTracker, detections: InstanceData) -> InstanceData:
    """Only the first of the detections that pick one track: mmdet gives its id to several."""
    if tracker.empty or not len(detections):
        return detections
    slots = tracker.get_match_score(
        detections.bboxes, detections.labels, detections.scores, tracker.get('bboxes'),
        tracker.get('labels'), logits(detections.embeds, tracker.get('roi_feats'))).argmax(1)
    slots = slots.tolist()
    return detections[torch.tensor([s == 0 or s not in slots[:i] for i, s in enumerate(slots)])]


# Mmdet refreshes the class of a track, which makes no difference with one class, with a weight
# that no other class outweighs, or with none.
SETTINGS = {
    'one class': (dict(classes=1), {}),
    'classes kept apart': (dict(changing=.3), dict(label_weight=1e3)),
    'any class': (dict(changing=.3), dict(label_weight=0.)),
    'overlap alone': (dict(classes=1, size=.1), dict(iou_weight=30.)),
    'appearance alone': (dict(classes=1, size=1.5), dict(iou_weight=0., score_weight=0.)),
    'short memory': (dict(changing=0.), dict(label_weight=1e3, memo_frames=2)),
    'long memory': (dict(classes=1), dict(memo_frames=None)),
}


@pytest.mark.parametrize(('video', 'settings'), SETTINGS.values(), ids=SETTINGS)
def test_equals_mmdets_tracker(video, settings):
    policy = MTTracker(**settings)
    weights = dict(det_score=policy.score_weight, iou=policy.iou_weight,
                   det_label=policy.label_weight)
    theirs = MaskTrackRCNNTracker(weights, num_frames_retain=policy.memo_frames or 10**6)
    continued = new = 0
    for seed in range(3):
        ours = Tracking(policy)
        theirs.reset()
        for frame_id, detections in enumerate(random_video(seed, **({'size': 1.} | video))):
            detections = without_clashes(theirs, detections)
            before = theirs.num_tracks
            expected = by_mmdet(theirs, detections, frame_id)
            tracked = ours.track(detections, frame_id)
            assert tracked.instances_id.tolist() == expected.instances_id.tolist()
            for field in ('bboxes', 'labels', 'scores'):
                assert torch.equal(tracked[field], expected[field])
            new += theirs.num_tracks - before
            continued += len(tracked) - (theirs.num_tracks - before)
            known = ours.memory.tracks
            assert ([] if known is None else known.ids.tolist()) == theirs.ids
    assert continued > 100 and new > 10


class PlainTracker:
    """The rule in loops (MaskTrack R-CNN, Eq. 4; the best of several detections wins)."""

    def __init__(self, init_score_thr: float, memo_frames: int) -> None:
        self.init_score_thr, self.memo_frames = init_score_thr, memo_frames
        self.tracks: dict[int, tuple] = {}
        self.next_id = 0

    def track(self, found: InstanceData, frame_id: int) -> list[int]:
        """Id of each detection, or -1."""
        picks: dict[int, list] = {}
        ids = [-1] * len(found)
        for i in range(len(found)):
            values = [10., *(
                2. * float(box_iou(found.bboxes[i:i + 1], box[None]))
                + 10. * float(found.labels[i] == label) for _, label, box, _ in
                self.tracks.values())]
            dots = torch.tensor([0., *(found.embeds[i] @ embed
                                       for embed, *_ in self.tracks.values())])
            values = torch.tensor(values) + dots.log_softmax(0) + found.scores[i].log()
            picks.setdefault(int(values.argmax()), []).append((-float(values.max()), i))
        known = list(self.tracks)
        for slot, rivals in picks.items():
            if slot > 0:
                ids[min(rivals)[1]] = known[slot - 1]
        for _, i in sorted(picks.get(0, []), key=lambda pick: pick[1]):
            if found.scores[i] > self.init_score_thr:
                ids[i], self.next_id = self.next_id, self.next_id + 1
        for i, id_ in enumerate(ids):
            if id_ >= 0:
                label = self.tracks[id_][1] if id_ in self.tracks else found.labels[i]
                self.tracks[id_] = found.embeds[i], label, found.bboxes[i], frame_id
        if len(found):
            self.tracks = {id_: track for id_, track in self.tracks.items()
                           if frame_id - track[3] < self.memo_frames}
        return ids


@pytest.mark.parametrize('init_score_thr', [0., .5])
@pytest.mark.parametrize(('size', 'classes'), [(1., 1), (2., 3), (.3, 2)])
def test_equals_a_plain_implementation(init_score_thr, size, classes):
    """On all detections, several of a track and of changing classes among them."""
    tracker = Tracking(MTTracker(init_score_thr, memo_frames=4))
    plain = PlainTracker(init_score_thr, 4)
    dropped = 0
    for frame_id, detections in enumerate(random_video(7, 50, classes=classes, size=size)):
        ids = plain.track(detections, frame_id)
        tracked = tracker.track(detections, frame_id)
        assert tracked.instances_id.tolist() == [i for i in ids if i >= 0]
        assert torch.equal(tracked.scores, detections.scores[torch.tensor(ids) >= 0])
        dropped += ids.count(-1)
    assert dropped > 20


def clashing(rng: torch.Generator) -> InstanceData:
    """Detections from few places, looks and scores: many are alike in all of them."""
    count = int(torch.randint(12, (), generator=rng))

    def pick(number: int) -> torch.Tensor:
        return torch.randint(number, (count,), generator=rng)
    corners = pick(3)[:, None] * torch.tensor([[7., 0.]])
    return InstanceData(
        embeds=torch.eye(4)[pick(4)] * torch.tensor([0., 1., 40.])[pick(3)][:, None],
        labels=pick(2), scores=torch.tensor([0., .3, .3, .9, 1.])[pick(5)],
        bboxes=torch.cat([corners, corners + torch.tensor([[10., 10.]])], dim=1))


@pytest.mark.parametrize('settings', [
    {}, dict(label_weight=0.), dict(iou_weight=0., score_weight=0., label_weight=0.),
    dict(memo_frames=1), dict(memo_frames=None, init_score_thr=.5)])
def test_ids_are_unique_whatever_comes(settings):
    rng = torch.Generator().manual_seed(0)
    tracker = Tracking(MTTracker(**settings))
    highest = -1
    for frame_id in range(150):
        detections = clashing(rng)
        tracked = tracker.track(detections, frame_id)
        ids = tracked.instances_id.tolist()
        assert len(set(ids)) == len(ids) and len(ids) <= len(detections)
        new = [i for i in ids if i > highest]
        assert new == list(range(highest + 1, highest + 1 + len(new)))
        highest = max([highest, *ids])
        if tracker.memory.tracks is not None:
            assert len(tracker.memory.tracks.ids.unique()) == len(tracker.memory.tracks)


RIVALS: dict = {
    'score': dict(scores=[.5, .9, .7], bboxes=[[0., 0., 10., 10.]] * 3),
    'overlap': dict(scores=[.9] * 3, bboxes=[[0., 0., 10., 5.], [0., 0., 10., 9.], [5., 5., 9, 9]]),
    'class': dict(scores=[.9] * 3, bboxes=[[0., 0., 10., 10.]] * 3, labels=[1, 0, 1]),
}


@pytest.mark.parametrize('rivals', RIVALS.values(), ids=RIVALS)
@pytest.mark.parametrize('order', [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]])
def test_best_rival_wins_whatever_the_order(rivals, order):
    """And the others are dropped, not given an id of their own. The second is the best."""
    tracker = Tracking(MTTracker())
    tracker.track(found(axis(0), bboxes=[[0., 0., 10., 10.]]), 0)
    detections = found(axis(0, 0, 0), **rivals)[torch.tensor(order)]
    best = detections[torch.tensor([order.index(1)])]
    tracked = tracker.track(detections, 1)
    assert tracked.instances_id.tolist() == [0] and tracker.memory.next_id == 1
    assert torch.equal(tracked.bboxes, best.bboxes)
    assert torch.equal(tracked.scores, best.scores)
    assert torch.equal(tracker.memory.tracks.bboxes, best.bboxes)


def test_the_first_of_equal_rivals_wins():
    tracker = Tracking(MTTracker())
    tracker.track(found(axis(0)), 0)
    tracked = tracker.track(found(axis(0, 0), scores=[.5, .5], bboxes=[[0., 0., 10., 10.]] * 2), 1)
    assert tracked.instances_id.tolist() == [0]


def test_the_class_of_a_track_is_never_refreshed():
    tracker = Tracking(MTTracker(label_weight=1.))
    tracker.track(found(axis(0, 1), labels=[2, 1]), 0)
    for frame_id in range(1, 4):
        tracked = tracker.track(found(axis(0, 1), labels=[0, 1]), frame_id)
        assert tracked.instances_id.tolist() == [0, 1]
        assert tracked.labels.tolist() == [0, 1]  # what was detected in this frame
        assert tracker.memory.tracks.labels.tolist() == [2, 1]


def test_memory_is_the_latest_detection_of_a_track():
    tracker = Tracking(MTTracker())
    tracker.track(found([[6., 0.]]), 0)
    tracker.track(found([[6., 1.]], bboxes=[[1., 0., 11., 10.]]), 1)
    assert tracker.memory.tracks.embeds.tolist() == [[6., 1.]]
    assert tracker.memory.tracks.bboxes.tolist() == [[1., 0., 11., 10.]]
    assert tracker.memory.tracks.last_seen.tolist() == [1]


@pytest.mark.parametrize(('memo_frames', 'gap', 'found_again'), [
    (20, 1, True), (20, 20, True), (20, 21, False), (1, 1, True), (1, 2, False),
    (None, 60, True)])
def test_longest_gap(memo_frames, gap, found_again):
    tracker = Tracking(MTTracker(memo_frames=memo_frames))
    tracker.track(found(axis(0, 1), labels=[0, 1]), 0)
    for frame_id in range(1, gap):
        assert tracker.track(found(axis(1), labels=[1]), frame_id).instances_id.tolist() == [1]
    ids = tracker.track(found(axis(0, 1), labels=[0, 1]), gap).instances_id.tolist()
    assert ids == [0 if found_again else 2, 1]


@pytest.mark.parametrize(('thr', 'ids'), [(0., [0, 1, 2]), (.5, [0, 1]), (.8, [0]), (.95, [])])
def test_uncertain_detections_start_no_tracks(thr, ids):
    tracker = Tracking(MTTracker(init_score_thr=thr))
    detections = found(axis(0, 1, 2), scores=[.9, .8, .5])
    assert tracker.track(detections, 0).instances_id.tolist() == ids
    detections.scores = torch.full_like(detections.scores, .1)  # but they continue them
    assert tracker.track(detections, 1).instances_id.tolist() == ids


def test_impossible_detections_are_dropped():
    """The likelihood of a score of 0 is nought for every track and for a new one."""
    tracker = Tracking(MTTracker())
    tracked = [tracker.track(found(axis(0, 1), scores=[.9, 0.]), t) for t in range(2)]
    assert [t.instances_id.tolist() for t in tracked] == [[0], [0]]


def test_frames_without_detections():
    tracker = Tracking(MTTracker())
    for frame_id in range(2):
        empty = tracker.track(found(axis()), frame_id)
        assert empty.instances_id.tolist() == [] and empty.instances_id.dtype == torch.int64
    assert tracker.track(found(axis(3)), 2).instances_id.tolist() == [0]
    assert len(tracker.track(found(axis()), 3)) == 0
    assert tracker.track(found(axis(3)), 4).instances_id.tolist() == [0]


def test_similar_objects_stay_apart_under_autocast():
    """Their dot products, 900 and 898.5, are the same number in bfloat16."""
    tracker = Tracking(MTTracker(iou_weight=0.))
    for frame_id in range(3):
        with torch.autocast('cpu', torch.bfloat16):
            tracked = tracker.track(found([[29.95, 5.], [30., 0.]]), frame_id)
        assert tracked.instances_id.tolist() == [0, 1]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_embeddings(dtype):
    tracker = Tracking(MTTracker())
    for frame_id, given in enumerate([dtype, torch.float32, dtype]):
        detections = found(axis(0, 1, 2))
        detections.embeds = detections.embeds.to(given)
        assert tracker.track(detections, frame_id).instances_id.tolist() == [0, 1, 2]
        assert tracker.memory.tracks.embeds.dtype == torch.float32


def test_memory_keeps_no_graph_and_no_input():
    tracker = Tracking(MTTracker())
    for frame_id in range(2):
        detections = found(axis(0, 1))
        detections.embeds.requires_grad_()
        tracker.track(detections, frame_id)
        tracks = tracker.memory.tracks
        assert not tracks.embeds.requires_grad
        for field in ('embeds', 'labels', 'bboxes'):
            detections[field].data.fill_(3)
        assert tracks.embeds.abs().max() == 6 and not tracks.labels.any()
        assert tracks.bboxes.max() == 60


@pytest.mark.parametrize(('thr', 'ids'), [(None, [0]), (.5, [0]), (.7, [0]), (.75, [1])])
def test_improbable_matches_are_new_objects(thr, ids):
    """A dot product of 1 against 0 for 'new': 0.731 by appearance, whatever else speaks for it."""
    tracker = Tracking(MTTracker(match_score_thr=thr))
    for frame_id in range(2):
        tracked = tracker.track(found([[1., 0.]], bboxes=[[0., 0., 10., 10.]]), frame_id)
    assert tracked.instances_id.tolist() == ids


def test_an_improbable_rival_takes_no_track():
    """The likelier one by overlap does not look like the track: it is new, the other gets it."""
    tracker = Tracking(MTTracker(match_score_thr=.5, iou_weight=100.))
    tracker.track(found([[2., 0.]], bboxes=[[0., 0., 10., 10.]]), 0)
    rivals = found([[-1., 5.], [2., 0.]], bboxes=[[0., 0., 10., 10.], [0., 0., 10., 9.]])
    assert tracker.track(rivals, 1).instances_id.tolist() == [1, 0]
