"""A tiny Mask R-CNN of mmdet trains and predicts on the operators supplied."""
from __future__ import annotations

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

SIZE = 64

RESNET = dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, num_stages=4,
              norm_eval=False)
RESNEXT_DCN = dict(type='ResNeXt', depth=50, groups=4, base_width=4, base_channels=8,
                   stem_channels=8, dcn=dict(type='DCNv2', deform_groups=1),
                   stage_with_dcn=(False, False, True, True), norm_eval=False)


def region_head(kind: str, size: int, **head: object) -> dict:
    extractor = dict(type='SingleRoIExtractor', out_channels=8, featmap_strides=[4, 8, 16, 32],
                     roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0))
    return {f'{kind}_roi_extractor': extractor, f'{kind}_head': head}


def coder(*stds: float) -> dict:
    return dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=stds)


def assigner(positive: float, negative: float, minimum: float) -> dict:
    return dict(type='MaxIoUAssigner', pos_iou_thr=positive, neg_iou_thr=negative,
                min_pos_iou=minimum, match_low_quality=True)


def sampler(count: int, with_gt: bool) -> dict:
    return dict(type='RandomSampler', num=count, pos_fraction=0.5, neg_pos_ub=-1,
                add_gt_as_proposals=with_gt)


def mask_rcnn(backbone: dict, channels: list[int], nms_type: str) -> nn.Module:
    bce = dict(type='CrossEntropyLoss', use_sigmoid=True)
    proposals = dict(nms_pre=100, max_per_img=50, nms=dict(type='nms', iou_threshold=0.7),
                     min_bbox_size=0)
    return MODELS.build(ConfigDict(
        type='MaskRCNN',
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[128.] * 3, std=[64.] * 3,
                               pad_mask=True, pad_size_divisor=32),
        backbone=backbone,
        neck=dict(type='FPN', in_channels=channels, out_channels=8, num_outs=5),
        rpn_head=dict(
            type='RPNHead', in_channels=8, feat_channels=8, bbox_coder=coder(1., 1., 1., 1.),
            anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[0.5, 1., 2.],
                                  strides=[4, 8, 16, 32, 64]), loss_cls=bce),
        roi_head=dict(
            type='StandardRoIHead',
            **region_head('bbox', 7, type='Shared2FCBBoxHead', in_channels=8, fc_out_channels=16,
                          roi_feat_size=7, num_classes=2, bbox_coder=coder(.1, .1, .2, .2)),
            **region_head('mask', 14, type='FCNMaskHead', num_convs=1, in_channels=8,
                          conv_out_channels=8, num_classes=2)),
        train_cfg=dict(
            rpn=dict(assigner=assigner(0.7, 0.3, 0.3), sampler=sampler(32, False),
                     allowed_border=-1, pos_weight=-1, debug=False),
            rpn_proposal=proposals,
            rcnn=dict(assigner=assigner(0.5, 0.5, 0.5), sampler=sampler(16, True), mask_size=28,
                      pos_weight=-1, debug=False)),
        test_cfg=dict(
            rpn=proposals,
            rcnn=dict(score_thr=0., nms=dict(type=nms_type, iou_threshold=0.5), max_per_img=10,
                      mask_thr_binary=0.5))))


def batch() -> dict:
    boxes = torch.tensor([[8., 8., 40., 40.], [20., 24., 60., 56.]])
    samples = []
    for count in (2, 0):   # the second image shows no instance
        masks = torch.zeros(count, SIZE, SIZE, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=False):
            mask[y1:y2, x1:x2] = 1
        shape = (SIZE, SIZE)
        sample = DetDataSample(metainfo=dict(
            img_shape=shape, ori_shape=shape, pad_shape=shape, batch_input_shape=shape,
            scale_factor=(1., 1.)))
        sample.gt_instances = InstanceData(bboxes=boxes[:count], labels=torch.arange(count),
                                           masks=BitmapMasks(masks.numpy(), *shape))
        samples.append(sample)
    images = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8,
                           generator=torch.Generator().manual_seed(0))
    return dict(inputs=list(images), data_samples=samples)


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize(('backbone', 'channels', 'nms_type'), [
    (RESNET, [8, 16, 32, 64], 'nms'),
    (RESNEXT_DCN, [32, 64, 128, 256], 'soft_nms'),
], ids=['resnet', 'resnext-dcn'])
def test_trains_and_predicts(backbone: dict, channels: list[int], nms_type: str, autocast: bool,
                             device: torch.device) -> None:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = mask_rcnn(backbone, channels, nms_type).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        losses = model(mode='loss', **model.data_preprocessor(batch(), training=True))
        total, values = model.parse_losses(losses)
    total.backward()
    assert {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'loss_mask'} <= set(values)
    assert all(value.isfinite() for value in values.values())
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters()
               if parameter.requires_grad and parameter.grad is not None)
    assert model.backbone.layer4[-1].conv2.weight.grad.abs().sum() > 0

    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        results = model(mode='predict', **model.data_preprocessor(batch()))
    assert len(results) == 2
    for result in results:
        found = result.pred_instances
        assert 0 < len(found) <= 10
        assert found.masks.shape == (len(found), SIZE, SIZE) and found.masks.dtype == torch.bool
        assert (found.scores.diff() <= 0).all()
