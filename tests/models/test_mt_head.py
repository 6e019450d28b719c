from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmdet.models.tracking_heads import RoIEmbedHead
from mmengine.structures import InstanceData
from tiny_model import build, config, objects, training_batch

from vatrack.models.association import FeatureClip, FrameBatch, MTEmbedHead
from vatrack.models.association.mt_head import _slots

BOXES = [[8, 8, 40, 40], [50, 10, 80, 50], [20, 30, 60, 60]]
MOVED = [[12, 8, 44, 40], [50, 14, 80, 54], [24, 30, 64, 60]]


@pytest.fixture(scope='module')
def model():
    return build(config(association='mt'))


def random_images(seed: int, *sizes: tuple[int, int]) -> tuple[list, list, list]:
    """Embeddings of R regions and M objects per image, and the slot of each region."""
    rng = torch.Generator().manual_seed(seed)
    keys = [torch.randn(r, 8, generator=rng) for r, _ in sizes]
    refs = [torch.randn(m, 8, generator=rng) for _, m in sizes]
    slots = [torch.randint(m + 1, (r,), generator=rng) for r, m in sizes]
    return keys, refs, slots


SIZES = [[(5, 3)], [(5, 3), (2, 7), (9, 1)], [(1, 1), (4, 0)], [(0, 3), (6, 2)], [(0, 0)]]


@pytest.mark.parametrize('sizes', SIZES)
def test_loss_equals_a_plain_reference(sizes):
    keys, refs, slots = random_images(0, *sizes)
    total = 0.
    for key, ref, slot in zip(keys, refs, slots, strict=True):
        of_image = 0.
        for region, answer in zip(key.double(), slot.tolist(), strict=True):
            logits = [0., *(float(region @ other) for other in ref.double())]
            of_image -= logits[answer] - torch.tensor(logits).logsumexp(0).item()
        total += of_image / max(len(slot), 1)
    losses = MTEmbedHead(num_fcs=2).loss(keys, refs, slots)
    assert set(losses) == {'loss_track'}
    assert losses['loss_track'].item() == pytest.approx(total / len(sizes), rel=1e-5)


def test_loss_equals_mmdets_but_for_the_normaliser():
    """Mmdet divides the sum over all regions by the number of those that are not new."""
    sizes = [(5, 3), (2, 7), (9, 1)]
    keys, refs, _ = random_images(1, *sizes)
    rng = torch.Generator().manual_seed(0)
    theirs, ours, expected = RoIEmbedHead(num_fcs=1), MTEmbedHead(num_fcs=1), []
    slots = []
    for (r, m), key, ref in zip(sizes, keys, refs, strict=True):
        ref_ids = torch.randperm(m + 2, generator=rng)[:m]  # id 0 among them or not
        ids = torch.arange(m + 2)
        assigned = torch.randint(len(ids), (r,), generator=rng)
        sampled = SimpleNamespace(pos_assigned_gt_inds=assigned, bboxes=torch.zeros(r + 4, 4),
                                  pos_bboxes=torch.zeros(r, 4))
        negatives = torch.randn(4, 8, generator=rng)
        loss = theirs.loss_by_feat([torch.cat([key, negatives])], [ref], [sampled], [ids],
                                   [ref_ids])['loss_match']
        slots.append(_slots(ids[assigned], ref_ids))
        expected.append(loss * max(int((slots[-1] > 0).sum()), 1) / r)
    assert (torch.cat(slots) == 0).any() and (torch.cat(slots) > 0).any()
    torch.testing.assert_close(ours.loss(keys, refs, slots)['loss_track'],
                               torch.stack(expected).mean())


@pytest.mark.parametrize('options', [
    dict(num_fcs=2), dict(num_fcs=1), dict(num_convs=2, num_fcs=1, conv_out_channels=4),
    dict(num_fcs=2, with_avg_pool=True)])
def test_embeddings_equal_mmdets_before_the_last_relu(options):
    options |= dict(in_channels=4, fc_out_channels=16)
    ours, theirs = MTEmbedHead(**options), RoIEmbedHead(**options)
    theirs.load_state_dict(ours.state_dict())
    regions = torch.randn(6, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    embeds = ours(regions.clone())
    assert embeds.shape == (6, 16) and (embeds < 0).any()
    torch.testing.assert_close(embeds.relu(), theirs.extract_feat(regions.clone(), [6])[0])


def test_weights_start_as_in_mask_track_rcnn():
    head = MTEmbedHead(num_fcs=2, in_channels=16)
    head.init_weights()
    for fc in head.fcs:
        assert fc.weight.std().item() == pytest.approx(.01, rel=.05) and not fc.bias.any()


@pytest.mark.parametrize(('ids', 'ref_ids', 'expected'), [
    ([0, 4, 0, 9], [4, 0], [2, 1, 2, 0]), ([3, 3], [3], [1, 1]), ([0, 1], [], [0, 0]),
    ([], [1, 2], []), ([5, 6], [7, 8], [0, 0])])
def test_slots_by_hand(ids, ref_ids, expected):
    slots = _slots(torch.tensor(ids, dtype=torch.int64), torch.tensor(ref_ids, dtype=torch.int64))
    assert slots.tolist() == expected and slots.dtype == torch.int64


def no_proposals(*_):
    raise AssertionError('regions of the reference frame are its true boxes')


def head_loss(model, key_gt, ref_gt, seed: int = 0):
    """Loss of the head alone, and the features it is computed of."""
    data = model.data_preprocessor(training_batch((key_gt, ref_gt)), training=True)
    clip, = data['data_samples']
    with torch.no_grad():
        feats = [model.detector.extract_feat(data['inputs'][:, t]) for t in range(2)]
    feats = [tuple(level.requires_grad_() for level in frame) for frame in feats]
    torch.manual_seed(seed)
    proposals = [InstanceData(bboxes=key_gt.bboxes + 1)]
    losses = model.association.head.loss(FeatureClip(
        FrameBatch(feats[0], [clip[0]], lambda *_: proposals),
        FrameBatch(feats[1], [clip[1]], no_proposals)))
    return losses['loss_track'], feats


def test_gradient_reaches_key_and_reference_features(model):
    loss, feats = head_loss(model, objects(BOXES), objects(MOVED))
    loss.backward()
    for frame in feats:
        assert sum(level.grad.abs().sum() for level in frame) > 0
        assert all(level.grad.isfinite().all() for level in frame)


def test_only_true_boxes_of_the_reference_frame_are_slots(model, monkeypatch):
    seen = []
    original = model.association.head.embed
    monkeypatch.setattr(model.association.head, 'embed', lambda feats, boxes: seen.append(boxes)
                        or original(feats, boxes))
    key, ref = objects(BOXES, ids=[0, 7, 4]), objects(MOVED[::-1], ids=[7, 5, 0])
    head_loss(model, key, ref)
    (regions,), (slots,) = seen
    assert torch.equal(slots, ref.bboxes)
    assert len(regions) == 6  # the objects themselves and a proposal of each


@pytest.mark.parametrize('ref', [objects([]), objects(MOVED, ids=[7, 8, 9])])
def test_all_objects_are_new(model, ref):
    loss, feats = head_loss(model, objects(BOXES), ref)
    loss.backward()
    assert loss.isfinite() and (loss > 0) == (len(ref) > 0)
    assert all(level.grad is None or level.grad.isfinite().all() for f in feats for level in f)


def test_loss_is_computed_in_float32_under_autocast():
    keys, refs, slots = random_images(2, (5, 3), (6, 4))
    head = MTEmbedHead(num_fcs=2)
    exact = head.loss(keys, refs, slots)
    with torch.autocast('cpu', torch.bfloat16):
        assert head.loss(keys, refs, slots) == exact
        half = head.loss([k.bfloat16() for k in keys], [r.bfloat16() for r in refs], slots)
    assert half['loss_track'].dtype == torch.float32
    torch.testing.assert_close(half['loss_track'], exact['loss_track'], rtol=.05, atol=.05)


@pytest.mark.parametrize('size', [1e4, 1e8])
def test_large_embeddings_are_finite(size):
    keys, refs, slots = random_images(3, (5, 3))
    keys = [(k * size).requires_grad_() for k in keys]
    loss = MTEmbedHead(num_fcs=2).loss(keys, refs, slots)['loss_track']
    loss.backward()
    assert loss.isfinite() and keys[0].grad.isfinite().all()
