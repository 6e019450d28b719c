from __future__ import annotations

import copy

import pytest
import torch
from mmdet.structures.bbox import bbox2roi, bbox_overlaps
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from tiny_model import SYSTEMS, build, config, loss, objects, training_batch

BOXES = [[8, 8, 40, 40], [50, 10, 80, 50], [20, 30, 60, 60]]
MOVED = [[12, 8, 44, 40], [50, 14, 80, 54], [24, 30, 64, 60]]
IMAGE_LOSSES = {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'loss_visible_mask',
                'loss_amodal_mask'}
LOSSES = {'qd': IMAGE_LOSSES | {'loss_track', 'loss_track_aux'},
          'mt': IMAGE_LOSSES | {'loss_track'}}
LOSSES['two boxes'] = LOSSES['qd'] | {'loss_visible_cls', 'loss_visible_bbox'}


@pytest.fixture(scope='module')
def model():
    return build()


@pytest.fixture(scope='module', params=SYSTEMS)
def system(request):
    """Name and model of each system."""
    return request.param, build(config(**SYSTEMS[request.param]))


@pytest.fixture
def batch() -> dict:
    return training_batch((things(BOXES), things(MOVED, masks=False)),
                          (things(BOXES[:1]), things(MOVED[:2], masks=False)))


def things(*args, **changes):
    """Ground truth for any system."""
    return objects(*args, two_boxes=True, **changes)


def assert_trainable(model, losses) -> None:
    total = sum(value for name, value in losses.items() if 'loss' in name)
    assert torch.isfinite(total)
    model.zero_grad()
    total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def has_gradient(module) -> bool:
    return any(p.grad is not None and p.grad.any() for p in module.parameters())


def test_losses_reach_every_part(system, batch):
    name, model = system
    losses = loss(model, batch)
    assert set(losses) == LOSSES[name] | {'acc', *(['visible_acc'] if name == 'two boxes' else [])}
    assert all(losses[name] > 0 for name in LOSSES[name])
    assert_trainable(model, losses)
    detector, track = model.detector, model.association.head
    for part in (detector.backbone, detector.neck, detector.rpn_head, *detector.roi_head.bbox_heads,
                 *detector.roi_head.mask_heads.values(), track.embed_head):
        assert has_gradient(part)
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


EMPTY = things([])
DIFFICULT = {
    'key frame without objects': (EMPTY, things(BOXES)),
    'reference frame without objects': (things(BOXES), EMPTY),
    'both without objects': (EMPTY, EMPTY),
    'nothing in common': (things(BOXES, ids=[0, 1, 2]), things(MOVED, ids=[3, 4, 5])),
    'one pixel': (things([[5, 5, 6, 6]]), things([[6, 5, 7, 6]])),
    'whole frame': (things([[0, 0, 96, 64]]), things([[0, 0, 96, 64]])),
    'same place': (things([BOXES[0]] * 3), things([BOXES[0]] * 3)),
}


@pytest.mark.parametrize('clip', DIFFICULT.values(), ids=DIFFICULT)
@pytest.mark.parametrize('alone', [True, False])
def test_difficult_clips(clip, alone, system):
    name, model = system
    normal = (things(BOXES), things(MOVED))
    batch = training_batch(clip) if alone else training_batch(clip, normal)
    losses = loss(model, batch)
    assert_trainable(model, losses)
    if alone and clip[0] is EMPTY:
        assert losses['loss_visible_mask'] == losses['loss_amodal_mask'] == 0
    if alone and name != 'mt' and not (
            set(clip[0].instances_id.tolist()) & set(clip[1].instances_id.tolist())):
        assert losses['loss_track'] == losses['loss_track_aux'] == 0


@pytest.mark.parametrize('clip', [(things(BOXES), things(MOVED)), (EMPTY, EMPTY)])
def test_no_proposals(clip, system, monkeypatch):
    _, model = system
    rpn = model.detector.rpn_head
    none = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0),
                        labels=torch.zeros(0, dtype=torch.int64))
    original = rpn.loss_and_predict

    def without_proposals(*args, **kwargs):
        return original(*args, **kwargs)[0], [copy.copy(none)]
    monkeypatch.setattr(rpn, 'loss_and_predict', without_proposals)
    monkeypatch.setattr(rpn, 'predict', lambda *args, **kwargs: [copy.copy(none)])
    assert_trainable(model, loss(model, training_batch(clip)))


def proposals_of_the_head(model, batch, monkeypatch) -> tuple[list[InstanceData], dict]:
    """Proposals and samples after a training step."""
    proposals = []
    original = model.association.head.loss

    def spy(clip):
        losses = original(clip)
        proposals.extend([*clip.keys.proposals, *clip.references.proposals])
        return losses
    monkeypatch.setattr(model.association.head, 'loss', spy)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    model(**data, mode='loss')
    return proposals, data


def test_inputs_stay_as_they_are(system, batch, monkeypatch):
    """Mmdet's QDTrack zeroes the labels, and its heads rename the boxes of proposals."""
    _, model = system
    proposals, data = proposals_of_the_head(model, batch, monkeypatch)
    before = model.data_preprocessor(copy.deepcopy(batch), training=True)['data_samples']
    for clip, old in zip(data['data_samples'], before, strict=True):
        for frame, was in zip(clip.video_data_samples, old.video_data_samples, strict=True):
            assert set(frame.gt_instances.keys()) == set(was.gt_instances.keys())
            for field in ('bboxes', 'visible_bboxes', 'labels', 'instances_id'):
                assert torch.equal(frame.gt_instances[field], was.gt_instances[field])
    assert len(proposals) == 4
    assert all('bboxes' in p and 'priors' not in p and len(p) > 0 for p in proposals)


def test_region_proposals_know_one_class(model):
    clips = [(objects(BOXES, labels=labels), objects(MOVED)) for labels in ([0] * 3, [5, 4, 1])]
    zero, other = (loss(model, training_batch(clip)) for clip in clips)
    assert zero['loss_rpn_cls'] == other['loss_rpn_cls']
    assert zero['loss_rpn_bbox'] == other['loss_rpn_bbox']
    for name in ('loss_cls', 'loss_visible_mask', 'loss_amodal_mask'):
        assert zero[name] != other[name]


def test_instance_id_zero_is_an_id(system):
    _, model = system
    losses = [loss(model, training_batch((things(BOXES, ids=ids), things(MOVED, ids=ids))))
              for ids in ([0, 1, 2], [70, 1, 2])]
    assert losses[0]['loss_track'] == losses[1]['loss_track'] > 0
    only = loss(model, training_batch((things(BOXES[:1], ids=[0]), things(MOVED[:1], ids=[0]))))
    assert only['loss_track'] > 0


def test_reference_masks_are_not_needed_and_key_masks_are(model, batch):
    with_masks = training_batch((objects(BOXES), objects(MOVED)),
                                (objects(BOXES[:1]), objects(MOVED[:2])))
    assert loss(model, batch) == loss(model, with_masks)
    lacking = training_batch((objects(BOXES, kinds=['amodal']), objects(MOVED)))
    with pytest.raises(KeyError, match=r"'visible' masks were not loaded.*mask_kinds"):
        loss(model, lacking)


def test_pairs_of_regions(model, monkeypatch):
    """Key positives against all reference samples: the same instance, each frame by itself."""
    seen = {}
    head = model.association.head
    monkeypatch.setattr(head, 'embed', lambda feats, boxes: boxes)
    monkeypatch.setattr(head.embed_head, 'loss', lambda key, ref, same: seen.update(
        key=key, ref=ref, same=same) or {'loss_track': key[0].sum()})
    key_gt, ref_gt = objects(BOXES, ids=[0, 7, 4]), objects(MOVED[::-1], ids=[7, 5, 0])
    loss(model, training_batch((key_gt, ref_gt)))
    key_overlap, key_of = bbox_overlaps(seen['key'][0], key_gt.bboxes).max(1)
    ref_overlap, ref_of = bbox_overlaps(seen['ref'][0], ref_gt.bboxes).max(1)
    assert (key_overlap >= .7).all() and len(key_of.unique()) == 3
    ref_ids = torch.where(ref_overlap >= .7, ref_gt.instances_id[ref_of], -1)
    assert torch.equal(seen['same'][0], key_gt.instances_id[key_of][:, None] == ref_ids[None])
    assert seen['same'][0].any() and (ref_ids == -1).any()


@pytest.mark.parametrize('agnostic', [False, True])
def test_mask_losses_equal_mmdets(agnostic):
    cfg = config()
    for head in cfg.detector.roi_head.mask_heads.values():
        head.class_agnostic = agnostic
    model = build(cfg)
    head = model.detector.roi_head
    data = model.data_preprocessor(training_batch((objects(BOXES, labels=[5, 0, 3]),)),
                                   training=True)
    truth = [clip[0].gt_instances for clip in data['data_samples']]
    feats = model.detector.extract_feat(data['inputs'][:, 0])
    sampled = head.sample([InstanceData(bboxes=truth[0].bboxes + 2)], truth)
    losses = head._mask_losses([feats], sampled, truth, head.mask_kinds)
    rois = bbox2roi([s.pos_priors for s in sampled])
    for kind, mask_head in head.mask_heads.items():
        gt = InstanceData(masks=truth[0].masks.kind(kind))
        expected = mask_head.loss_and_target(
            mask_head(head.mask_roi_extractor(feats, rois)), sampled, [gt],
            ConfigDict(mask_size=28))
        torch.testing.assert_close(losses[f'loss_{kind}_mask'],
                                   expected['loss_mask']['loss_mask'])
    assert losses['loss_visible_mask'] != losses['loss_amodal_mask']


@pytest.mark.parametrize('kinds', [('visible',), ('amodal',), ('amodal', 'visible')])
def test_kinds_are_a_matter_of_config(kinds):
    model = build(config(kinds))
    losses = loss(model, training_batch((objects(BOXES, kinds=kinds), objects(MOVED))))
    assert {name for name in losses if 'mask' in name} == {f'loss_{k}_mask' for k in kinds}
    assert_trainable(model, losses)


def test_weights_of_the_kinds(batch):
    cfg = config()
    cfg.detector.roi_head.mask_heads.visible.loss_mask.loss_weight = .5
    cfg.detector.roi_head.mask_heads.amodal.loss_mask.loss_weight = 3.
    weighted, plain = loss(build(cfg), batch), loss(build(), batch)
    torch.testing.assert_close(weighted['loss_visible_mask'], .5 * plain['loss_visible_mask'])
    torch.testing.assert_close(weighted['loss_amodal_mask'], 3 * plain['loss_amodal_mask'])


@pytest.mark.parametrize('kinds', [(), ('modal',), ('amodal', 'bbox')])
def test_refused_kinds(kinds):
    with pytest.raises(ValueError, match='mask_heads must name one or more of'):
        build(config(kinds))


def test_image_based_model_trains_without_reference():
    model = build(config(association='none'))
    losses = loss(model, training_batch((objects(BOXES),), (EMPTY,)))
    assert set(losses) == IMAGE_LOSSES | {'acc'}
    assert_trainable(model, losses)


def test_aux_loss_is_optional(batch):
    cfg = config()
    cfg.association.head.embed_head.loss_track_aux = None
    assert set(loss(build(cfg), batch)) == LOSSES['qd'] - {'loss_track_aux'} | {'acc'}


def test_tracker_without_embeddings_is_refused():
    cfg = config()
    cfg.association = dict(type='TrackerAssociation', tracker=cfg.association.tracker)
    with pytest.raises(ValueError, match=r'QDTracker compares embeddings.*NoAssociation'):
        build(cfg)


def test_half_precision_training(system, batch):
    name, model = system
    with torch.autocast('cpu', torch.bfloat16):
        losses = loss(model, batch)
    assert_trainable(model, losses)
    exact = loss(model, batch)
    for key in LOSSES[name] - {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_bbox'}:
        assert losses[key].dtype == torch.float32
        assert losses[key].item() == pytest.approx(exact[key].item(), rel=.2, abs=.05)


def test_proposals_are_float32_under_autocast(model, batch, monkeypatch):
    """In bfloat16 they would lie on every eighth pixel at the right of a large frame."""
    with torch.autocast('cpu', torch.bfloat16):
        proposals, _ = proposals_of_the_head(model, batch, monkeypatch)
    assert len(proposals) == 4
    for bboxes in (p.bboxes for p in proposals):
        assert bboxes.dtype == torch.float32
        assert not torch.equal(bboxes, bboxes.bfloat16().float())


def test_embedding_losses_are_computed_in_float32_under_autocast(model):
    rng = torch.Generator().manual_seed(0)
    key, ref = torch.randn(5, 16, generator=rng) * 9, torch.randn(20, 16, generator=rng) * 9
    same = torch.rand(5, 20, generator=rng) < .2
    head = model.association.head.embed_head
    exact = head.loss([key], [ref], [same])
    with torch.autocast('cpu', torch.bfloat16):
        assert head.loss([key], [ref], [same]) == exact


def test_training_step_lowers_the_loss():
    model = build().train()
    batch = training_batch((objects(BOXES), objects(MOVED)))
    optimizer = torch.optim.SGD(model.parameters(), lr=.02, momentum=.9)
    totals = []
    for _ in range(12):
        total = sum(v for k, v in loss(model, batch).items() if 'loss' in k)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < .7 * totals[0]


@pytest.mark.parametrize('references', [0, 2])
def test_any_number_of_references_but_one_is_refused(model, references):
    clip = [objects(BOXES), *[objects(MOVED)] * references]
    with pytest.raises(ValueError, match=r'one reference frame per key frame.*KeyReferenceSampler'):
        loss(model, training_batch(clip))


def test_regions_are_not_rounded_under_autocast(model, batch, monkeypatch):
    """mmdet's extractors cast regions to the dtype of the features."""
    dtypes = []
    layer = type(model.detector.roi_head.bbox_roi_extractor.roi_layers[0])
    forward = layer.forward
    monkeypatch.setattr(layer, 'forward', lambda self, x, rois: dtypes.append(
        (x.dtype, rois.dtype)) or forward(self, x, rois))
    with torch.autocast('cpu', torch.bfloat16):
        loss(model, batch)
    assert set(dtypes) == {(torch.float32, torch.float32)}
