"""VATrack with a second box head, which finds the visible box of each object."""
from __future__ import annotations

import copy

import pytest
import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from tiny_model import (
    HEIGHT,
    WIDTH,
    build,
    config,
    loss,
    mask_head,
    objects,
    predict,
    training_batch,
    video_batch,
)
from torchvision.ops import clip_boxes_to_image

from vatrack.structures import rle

BOXES = [[8, 8, 40, 40], [50, 10, 80, 50], [20, 30, 60, 60]]
OTHERS = [[2, 2, 30, 30], [40, 20, 90, 60]]


@pytest.fixture(scope='module')
def model():
    cfg = config(two_boxes=True)
    cfg.detector.train_cfg.rcnn.sampler.num = 400  # all regions: nothing is left to chance
    return build(cfg)


def features(model, frames: int) -> tuple[torch.Tensor, ...]:
    data = model.data_preprocessor(video_batch(range(0, 2 * frames, 2)))
    with torch.no_grad():
        return model.detector.extract_feat(data['inputs'][:, 0])


def mmdets_head(model, kind: str) -> StandardRoIHead:
    """A head of mmdet's with the box head and the mask head of ``kind``."""
    ours, cfg = model.detector.roi_head, config().detector
    head = StandardRoIHead(
        bbox_roi_extractor=cfg.roi_head.bbox_roi_extractor, bbox_head=cfg.roi_head.bbox_head,
        mask_roi_extractor=cfg.roi_head.mask_roi_extractor, mask_head=ConfigDict(mask_head()),
        train_cfg=ours.train_cfg, test_cfg=ours.test_cfg)
    head.bbox_head = ours.visible_bbox_head if kind == 'visible' else ours.bbox_head
    head.mask_head = ours.mask_heads[kind]
    return head


def random_proposals(seed: int, *truth: InstanceData) -> list[InstanceData]:
    """Around amodal and visible boxes, and anywhere."""
    rng = torch.Generator().manual_seed(seed)
    proposals = []
    for gt in truth:
        near = torch.cat([gt.bboxes, gt.visible_bboxes]).repeat(6, 1)
        near = near + torch.rand(near.shape, generator=rng) * 8 - 4
        corners = torch.rand(9, 2, generator=rng) * torch.tensor([60., 40.])
        boxes = torch.cat([near, torch.cat([corners, corners + 20], dim=1)])
        proposals.append(InstanceData(bboxes=clip_boxes_to_image(boxes, (HEIGHT, WIDTH))))
    return proposals


@pytest.mark.parametrize('kind', ['amodal', 'visible'])
def test_losses_equal_mmdets_of_a_model_for_that_kind(kind, model):
    """Boxes, labels and mask regions of a kind come from the assignment to its boxes alone."""
    truth = [objects(BOXES, labels=[5, 0, 3], two_boxes=True),
             objects(OTHERS, labels=[1, 2], two_boxes=True)]
    feats, proposals = features(model, 2), random_proposals(0, *truth)
    ours = model.detector.roi_head.loss([feats], proposals, [
        DetDataSample(gt_instances=gt) for gt in truth])
    own = [InstanceData(bboxes=gt.visible_bboxes if kind == 'visible' else gt.bboxes,
                        labels=gt.labels, masks=gt.masks.kind(kind)) for gt in truth]
    theirs = mmdets_head(model, kind).loss(feats, copy.deepcopy(proposals), [
        DetDataSample(gt_instances=gt) for gt in own])
    infix = 'visible_' if kind == 'visible' else ''
    for name, key in [(f'loss_{infix}cls', 'loss_cls'), (f'loss_{infix}bbox', 'loss_bbox'),
                      (f'{infix}acc', 'acc'), (f'loss_{kind}_mask', 'loss_mask')]:
        assert theirs[key] > 0
        torch.testing.assert_close(ours[name], theirs[key])
    assert len(ours) == 8
    assert all('priors' not in p for p in proposals)


def test_the_kinds_are_assigned_apart(model):
    """Not the regions, but the losses: visible boxes that lie elsewhere change their own only."""
    truth = objects(BOXES, two_boxes=True)
    moved = copy.deepcopy(truth)
    moved.visible_bboxes = moved.visible_bboxes + torch.tensor([0., 9., 0., 9.])
    feats, proposals = features(model, 1), random_proposals(1, truth)
    first, second = (model.detector.roi_head.loss([feats], proposals,
                                                  [DetDataSample(gt_instances=gt)])
                     for gt in (truth, moved))
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert {'loss_visible_cls', 'loss_visible_bbox', 'loss_visible_mask'} <= changed <= {
        'loss_visible_cls', 'loss_visible_bbox', 'loss_visible_mask', 'visible_acc'}


def test_visible_boxes_must_be_loaded(model):
    with pytest.raises(ValueError, match=r"no visible boxes; set box_kinds=\('amodal', 'visible'"):
        loss(model, training_batch((objects(BOXES), objects(BOXES))))


def random_detections(seed: int, *counts: int) -> list[InstanceData]:
    rng = torch.Generator().manual_seed(seed)
    frames = []
    for count in counts:
        corners = torch.rand(count, 2, generator=rng) * torch.tensor([70., 40.])
        sizes = 6 + torch.rand(count, 2, generator=rng) * 18
        frames.append(InstanceData(bboxes=torch.cat([corners, corners + sizes], dim=1),
                                   labels=torch.randint(6, (count,), generator=rng),
                                   scores=torch.rand(count, generator=rng)))
    return frames


def one_at_a_time(model, feats, frames: list[InstanceData], score_thr: float) -> list[torch.Tensor]:
    """As VATrack's code: each box is the only proposal, its likeliest visible box the result."""
    head = mmdets_head(model, 'visible')
    cfg = ConfigDict(score_thr=score_thr, nms=dict(type='nms', iou_threshold=.999), max_per_img=50)
    results = []
    for i, frame in enumerate(frames):
        level = tuple(f[i:i + 1] for f in feats)
        boxes = []
        for box in frame.bboxes:
            found, = head.predict_bbox(level, [dict(img_shape=(HEIGHT, WIDTH))],
                                       [InstanceData(bboxes=box[None])], cfg)
            boxes.append(found.bboxes[found.scores.argmax()] if len(found) else box)
        results.append(torch.stack(boxes) if boxes else torch.zeros(0, 4))
    return results


@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize(('score_thr', 'kept'), [(0., 'none'), (.9, 'some'), (1., 'all')])
@pytest.mark.parametrize('counts', [(7, 5, 9), (8, 0, 6)])
def test_visible_boxes_equal_those_of_one_box_at_a_time(agnostic, score_thr, kept, counts):
    """Where no class is likely enough the amodal box is kept."""
    cfg = config(two_boxes=True)
    cfg.detector.roi_head.visible_bbox_head.reg_class_agnostic = agnostic
    cfg.detector.test_cfg.rcnn.score_thr = score_thr
    model = build(cfg)
    feats, frames = features(model, len(counts)), random_detections(0, *counts)
    with torch.no_grad():
        expected = one_at_a_time(model, feats, frames, score_thr)
        model.detector.roi_head.predict_visible_boxes(
            [feats], frames, [dict(img_shape=(HEIGHT, WIDTH))] * len(frames))
    same = []
    for frame, boxes in zip(frames, expected, strict=True):
        torch.testing.assert_close(frame.visible_bboxes, boxes, atol=1e-3, rtol=1e-4)
        same.append((frame.visible_bboxes == frame.bboxes).all(dim=1))
    same = torch.cat(same)
    assert {'none': not same.any(), 'all': same.all(),
            'some': 0 < same.sum() < len(same)}[kept]


def test_visible_boxes_stay_inside_the_frame(model):
    feats, frames = features(model, 1), random_detections(1, 30)
    frames[0].bboxes = frames[0].bboxes * torch.tensor([1.3, 1.6, 1.3, 1.6])
    with torch.no_grad():
        model.detector.roi_head.predict_visible_boxes([feats], frames, [dict(img_shape=(50, 80))])
    boxes = frames[0].visible_bboxes
    assert boxes.min() == 0 and boxes[:, 0::2].max() == 80 and boxes[:, 1::2].max() == 50


@pytest.mark.parametrize('head', ['bbox_head', 'visible_bbox_head'])
def test_all_boxes_of_all_frames_in_one_pass(head, model):
    """And for the boxes that the tracker kept only."""
    passes = []
    hook = getattr(model.detector.roi_head, head).register_forward_hook(
        lambda module, inputs, outputs: passes.append(len(inputs[0])))
    frames = predict(model, video_batch(range(4)))
    hook.remove()
    tracked = sum(map(len, frames))
    assert passes == ([tracked] if head == 'visible_bbox_head' else [4 * 12]) and tracked > 10


def test_the_visible_box_is_not_that_of_the_main_head(model):
    frame, = predict(model, video_batch([0]))
    assert (frame.visible_bboxes - frame.bboxes).abs().amax(dim=1).min() > .5


def test_masks_lie_in_the_box_of_their_kind():
    """Heads that fill their region, in pixels of the frame half as large as the network input."""
    model = build(config(two_boxes=True))
    for head in model.detector.roi_head.mask_heads.values():
        torch.nn.init.zeros_(head.conv_logits.weight)
        torch.nn.init.constant_(head.conv_logits.bias, 50.)
    size = HEIGHT // 2, WIDTH // 2
    frames = predict(model, video_batch([0, 1], scale_factor=(2., 2.), ori_shape=size))
    plain = predict(model, video_batch([0, 1]))
    for frame, full in zip(frames, plain, strict=True):
        torch.testing.assert_close(frame.visible_bboxes * 2, full.visible_bboxes)
        for kind, boxes in (('visible', frame.visible_bboxes), ('amodal', frame.bboxes)):
            filled = torch.from_numpy(rle.bboxes(frame[f'{kind}_masks'])).float()
            assert (filled - boxes).abs().max() <= .5 + 1e-3
