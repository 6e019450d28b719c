from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from tiny_model import CLASSES, HEIGHT, SYSTEMS, WIDTH, build, config, predict, video_batch

from vatrack.models.detectors.roi_head import mask_boxes
from vatrack.structures import rle

NONE = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0),
                    labels=torch.zeros(0, dtype=torch.int64))


@pytest.fixture(scope='module', params=SYSTEMS.values(), ids=SYSTEMS)
def model(request):
    return build(config(**request.param))


def assert_same(one: InstanceData, other: InstanceData) -> None:
    assert one.instances_id.tolist() == other.instances_id.tolist()
    assert one.labels.tolist() == other.labels.tolist()
    torch.testing.assert_close(one.scores, other.scores, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.bboxes, other.bboxes, atol=1e-3, rtol=1e-4)
    assert set(one.keys()) == set(other.keys())
    if 'visible_bboxes' in one:
        torch.testing.assert_close(one.visible_bboxes, other.visible_bboxes, atol=1e-3, rtol=1e-4)
    for field in ('visible_masks', 'amodal_masks'):
        pixels = [rle.decode(i[field], (HEIGHT, WIDTH)) for i in (one, other)]
        assert (pixels[0] != pixels[1]).mean() < 1e-3


def test_batch_of_frames_equals_single_frames(model):
    together = predict(model, video_batch(range(4)))
    alone = [predict(model, video_batch([frame_id]))[0] for frame_id in range(4)]
    for one, other in zip(together, alone, strict=True):
        assert len(one) > 2
        assert_same(one, other)


def test_frames_of_one_clip_equal_clips_of_one_frame(model):
    batch = video_batch(range(4))
    clip = batch['data_samples'][0]
    clip.video_data_samples = [sample[0] for sample in batch['data_samples']]
    as_clip = dict(inputs=[torch.cat(batch['inputs'])], data_samples=[clip])
    for one, other in zip(predict(model, video_batch(range(4))), predict(model, as_clip),
                          strict=True):
        assert_same(one, other)


@pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=[
    pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')])])
def test_fields(device, model):
    """All of them on the host."""
    boxes = model.detector.roi_head.bbox_heads
    for instances in predict(copy.deepcopy(model).to(device), video_batch(range(3))):
        count = len(instances)
        assert count > 0
        assert set(instances.keys()) == {
            'bboxes', 'scores', 'labels', 'instances_id', 'visible_masks', 'amodal_masks',
            *(['visible_bboxes'] if len(boxes) == 2 else [])}
        assert all(value.device.type == 'cpu' for value in instances.values()
                   if isinstance(value, torch.Tensor))
        assert instances.bboxes.shape == (count, 4)
        assert instances.bboxes.dtype == instances.scores.dtype == torch.float32
        assert instances.labels.dtype == instances.instances_id.dtype == torch.int64
        assert instances.scores.min() >= .01 and instances.scores.max() <= 1
        assert instances.scores.tolist() == sorted(instances.scores.tolist(), reverse=True)
        assert instances.labels.min() >= 0 and instances.labels.max() < CLASSES
        assert len(instances.instances_id.unique()) == count
        for kind in ('visible', 'amodal'):
            masks = instances[f'{kind}_masks']
            assert len(masks) == count
            assert all(m['size'] == [HEIGHT, WIDTH] and isinstance(m['counts'], str) for m in masks)


@pytest.mark.parametrize('association', ['qd', 'mt'])
def test_objects_keep_their_ids(association):
    """Frames 2k and 2k + 1 look the same."""
    frames = predict(build(config(association=association)), video_batch(range(6)))
    for t in range(0, 6, 2):
        places, again = (dict(zip(f.instances_id.tolist(), f.bboxes.tolist(), strict=True))
                         for f in frames[t:t + 2])
        known = places.keys() & again.keys()
        assert len(known) > .5 * len(places)
        assert all(places[track] == pytest.approx(again[track], abs=1e-3) for track in known)
    assert frames[0].instances_id.tolist() == list(range(len(frames[0])))
    assert not torch.equal(frames[1].bboxes, frames[2].bboxes)


@pytest.mark.parametrize('scale', [(2., 2.), (.5, 4.)])
def test_results_are_in_original_pixels(scale, model):
    size = round(HEIGHT / scale[1]), round(WIDTH / scale[0])
    frames = predict(model, video_batch([0, 1], scale_factor=scale, ori_shape=size))
    for scaled, plain in zip(frames, predict(model, video_batch([0, 1])), strict=True):
        for kind in ('visible', 'amodal'):
            masks, boxes, original = scaled[f'{kind}_masks'], *(
                mask_boxes(kind, instances) for instances in (scaled, plain))
            torch.testing.assert_close(boxes * torch.tensor(scale * 2), original)
            assert (boxes >= 0).all()
            assert (boxes <= torch.tensor([size[1], size[0]] * 2) + 1e-3).all()
            assert all(m['size'] == list(size) for m in masks)
            inside = rle.bboxes(masks)
            allowed = boxes.numpy() + np.array([-1, -1, 1, 1])
            some = rle.areas(masks) > 0
            assert some.any()
            assert (inside[some, :2] >= allowed[some, :2]).all()
            assert (inside[some, 2:] <= allowed[some, 2:]).all()


def test_masks_equal_mmdets(model):
    """The mask head of each kind, pasted by mmdet, for the boxes that were tracked."""
    meta = dict(scale_factor=(2., 2.), ori_shape=(HEIGHT // 2, WIDTH // 2))
    batch = video_batch([0], **meta)
    tracked, = predict(model, batch)
    head = model.detector.roi_head
    data = model.data_preprocessor(copy.deepcopy(batch))
    with torch.no_grad():
        feats = model.detector.extract_feat(data['inputs'][:, 0])
        for kind, mask_head in head.mask_heads.items():
            boxes = mask_boxes(kind, tracked) * 2
            logits = mask_head(head.mask_roi_extractor(feats, bbox2roi([boxes])))
            results = InstanceData(bboxes=boxes.clone(), labels=tracked.labels)
            expected, = mask_head.predict_by_feat([logits], [results], [meta], head.test_cfg,
                                                  rescale=True)
            pasted = rle.decode(tracked[f'{kind}_masks'], meta['ori_shape'])
            assert (pasted != expected.masks.numpy()).sum() <= 1
            assert pasted.any()


@pytest.mark.parametrize(('first', 'second', 'message'), [
    ([0, 1], [3], r'frame 3 of video 1 follows frame 1 of video 1.*VideoSampler'),
    ([0, 1], [1], 'frame 1 of video 1 follows frame 1 of video 1'),
    ([0, 2], [], 'frame 2 of video 1 follows frame 0 of video 1'),
    ([2], [], 'frame 2 of video 1 follows no other')])
def test_frames_out_of_order_are_refused(first, second, message):
    model = build()
    with pytest.raises(ValueError, match=message):
        predict(model, video_batch(first))
        predict(model, video_batch(second))


def test_another_video_must_start_at_its_beginning():
    model = build()
    predict(model, video_batch([0], video_id=1))
    with pytest.raises(ValueError, match='frame 1 of video 2 follows frame 0 of video 1'):
        predict(model, video_batch([1], video_id=2))


def test_a_new_video_starts_anew(model):
    expected = predict(model, video_batch(range(3), video_id=2))
    predict(model, video_batch(range(5), video_id=1))
    again = predict(model, video_batch(range(3), video_id=2))
    first, second = video_batch([0, 1], video_id=1), video_batch(range(3), video_id=2)
    mixed = predict(model, {key: first[key] + second[key] for key in first})[2:]
    for one, other, third in zip(expected, again, mixed, strict=True):
        assert_same(one, other)
        assert_same(one, third)


def test_training_in_between_leaves_tracks_alone(model):
    """Validation during training: every run over the videos gives the same."""
    first = predict(model, video_batch(range(2)))
    second = predict(model, video_batch(range(2)))
    for one, other in zip(first, second, strict=True):
        assert_same(one, other)


def assert_empty(instances: InstanceData, kinds=('visible', 'amodal')) -> None:
    assert len(instances) == 0
    assert instances.bboxes.shape == (0, 4) and instances.scores.shape == (0,)
    assert instances.labels.dtype == instances.instances_id.dtype == torch.int64
    assert all(instances[f'{kind}_masks'] == [] for kind in kinds)
    assert 'embeds' not in instances


ALL = SYSTEMS | {'none': dict(association='none')}


@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('system', ALL.values(), ids=ALL)
def test_nothing_detected(system, agnostic):
    cfg = config(**system)
    cfg.detector.test_cfg.rcnn.score_thr = 1.1
    for head in ('bbox_head', 'visible_bbox_head'):
        if cfg.detector.roi_head[head] is not None:
            cfg.detector.roi_head[head].reg_class_agnostic = agnostic
    for instances in predict(build(cfg), video_batch(range(3))):
        assert_empty(instances)


@pytest.mark.parametrize('empty', [[0], [1], [0, 1, 2]])
@pytest.mark.parametrize('system', ALL.values(), ids=ALL)
def test_nothing_proposed(system, empty, monkeypatch):
    model = build(config(**system))
    rpn = model.detector.rpn_head
    original = rpn.predict

    def lacking(*args, **kwargs):
        return [copy.copy(NONE) if i in empty else proposals
                for i, proposals in enumerate(original(*args, **kwargs))]
    monkeypatch.setattr(rpn, 'predict', lacking)
    for i, instances in enumerate(predict(model, video_batch(range(3)))):
        if i in empty:
            assert_empty(instances)
        else:
            assert len(instances) > 0


@pytest.mark.parametrize('kinds', [('visible',), ('amodal',), ('amodal', 'visible')])
def test_kinds_are_a_matter_of_config(kinds):
    instances, = predict(build(config(kinds)), video_batch([0]))
    assert {f for f in instances.keys() if 'masks' in f} == {  # noqa: SIM118
        f'{kind}_masks' for kind in kinds}


def test_the_kinds_are_not_swapped():
    """The visible head predicts nothing here, the amodal one everything."""
    model = build()
    heads = model.detector.roi_head.mask_heads
    for kind, bias in (('visible', -50.), ('amodal', 50.)):
        torch.nn.init.zeros_(heads[kind].conv_logits.weight)
        torch.nn.init.constant_(heads[kind].conv_logits.bias, bias)
    instances, = predict(model, video_batch([0]))
    assert not rle.areas(instances.visible_masks).any()
    assert rle.areas(instances.amodal_masks).all()


def test_mask_of_the_predicted_class():
    model = build()
    head = model.detector.roi_head.mask_heads['amodal']
    torch.nn.init.zeros_(head.conv_logits.weight)
    with torch.no_grad():
        head.conv_logits.bias.copy_(torch.where(torch.arange(CLASSES) % 2 == 0, 50., -50.))
    instances = InstanceData.cat(predict(model, video_batch(range(6))))
    assert len(instances.labels.unique()) > 1
    assert ((rle.areas(instances.amodal_masks) > 0) == (instances.labels.numpy() % 2 == 0)).all()


def test_class_agnostic_mask_heads():
    cfg = config()
    for head in cfg.detector.roi_head.mask_heads.values():
        head.class_agnostic = True
    instances, = predict(build(cfg), video_batch([0]))
    assert len(instances.amodal_masks) == len(instances) > 0


def test_without_association():
    model = build(config(association='none'))
    frames = predict(model, video_batch(range(3)))
    ids = torch.cat([f.instances_id for f in frames])
    assert ids.tolist() == list(range(len(ids))) and len(ids) > 6


def test_with_gradients_and_under_autocast(model):
    """Neither torch.no_grad nor float32 is the caller's duty."""
    expected = predict(model, video_batch(range(2)))
    data = model.data_preprocessor(video_batch(range(2)))
    video, = model(**data, mode='predict')
    for frame, one in zip(video.video_data_samples, expected, strict=True):
        assert_same(frame.pred_track_instances, one)
    with torch.autocast('cpu', torch.bfloat16):
        for instances in predict(model, video_batch(range(2))):
            assert instances.bboxes.dtype == instances.scores.dtype == torch.float32
            assert not torch.equal(instances.bboxes, instances.bboxes.bfloat16().float())
            assert len(instances.amodal_masks) == len(instances) > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_gpu_equals_cpu(model):
    for one, other in zip(predict(build().cuda(), video_batch(range(4))),
                          predict(model, video_batch(range(4))), strict=True):
        assert len(one) == len(other)
        overlap = [rle.decode(i.amodal_masks, (HEIGHT, WIDTH)).any(0) for i in (one, other)]
        assert (overlap[0] & overlap[1]).sum() > .9 * (overlap[0] | overlap[1]).sum()
