"""A detector with mask and embedding heads that runs in milliseconds, and clips to feed it."""
from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from vatrack.models import TrackedDetector
from vatrack.models.association import EmbeddingAssociation
from vatrack.registry import MODELS
from vatrack.structures import rle
from vatrack.structures.by_kind import MasksByKind

HEIGHT, WIDTH, CLASSES = 64, 96, 6
#: Arguments of :func:`config`.
SYSTEMS = {'qd': {}, 'mt': dict(association='mt'), 'two boxes': dict(two_boxes=True)}
_CHANNELS = 16
_STRIDES = [4, 8, 16, 32]


def _extractor(size: int) -> dict:
    return dict(type='SingleRoIExtractor', out_channels=_CHANNELS, featmap_strides=_STRIDES,
                roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0))


def _coder(stds: Sequence[float]) -> dict:
    return dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=list(stds))


def _assigner(positive: float, negative: float, least: float, low_quality: bool) -> dict:
    return dict(type='MaxIoUAssigner', pos_iou_thr=positive, neg_iou_thr=negative,
                min_pos_iou=least, match_low_quality=low_quality, ignore_iof_thr=-1)


def mask_head(**changes: Any) -> dict:
    loss = dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0)
    return dict(type='FCNMaskHead', num_convs=1, in_channels=_CHANNELS, num_classes=CLASSES,
                conv_out_channels=_CHANNELS, loss_mask=loss) | changes


def _bbox_head() -> dict:
    return dict(type='Shared2FCBBoxHead', in_channels=_CHANNELS, fc_out_channels=32,
                roi_feat_size=7, num_classes=CLASSES, bbox_coder=_coder([.1, .1, .2, .2]),
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0))


def _detector(kinds: Sequence[str], two_boxes: bool) -> dict:
    return dict(
        type='AmodalMaskRCNN',
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8,
                      out_indices=(0, 1, 2, 3), norm_eval=True),
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=_CHANNELS, num_outs=4),
        rpn_head=dict(
            type='RPNHead', in_channels=_CHANNELS, feat_channels=_CHANNELS,
            anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[0.5, 1.0, 2.0],
                                  strides=_STRIDES),
            bbox_coder=_coder([1.] * 4),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9, loss_weight=1.0)),
        roi_head=dict(
            type='AmodalRoIHead',
            bbox_roi_extractor=_extractor(7),
            bbox_head=_bbox_head(),
            visible_bbox_head=_bbox_head() if two_boxes else None,
            mask_roi_extractor=_extractor(14),
            mask_heads={kind: mask_head() for kind in kinds}),
        train_cfg=dict(
            rpn=dict(assigner=_assigner(.7, .3, .3, True),
                     sampler=dict(type='RandomSampler', num=32, pos_fraction=0.5, neg_pos_ub=-1,
                                  add_gt_as_proposals=False),
                     allowed_border=-1, pos_weight=-1, debug=False),
            rpn_proposal=dict(nms_pre=50, max_per_img=20, min_bbox_size=1,
                              nms=dict(type='nms', iou_threshold=0.7)),
            rcnn=dict(assigner=_assigner(.5, .5, .5, False),
                      sampler=dict(type='RandomSampler', num=24, pos_fraction=0.25, neg_pos_ub=-1,
                                   add_gt_as_proposals=True),
                      mask_size=28, pos_weight=-1, debug=False)),
        test_cfg=dict(
            rpn=dict(nms_pre=30, max_per_img=12, min_bbox_size=1,
                     nms=dict(type='nms', iou_threshold=0.7)),
            rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=8,
                      mask_thr_binary=0.5)))


def _qd_head() -> dict:
    return dict(
        type='QDTrackHead',
        roi_extractor=_extractor(7),
        embed_head=dict(
            type='QDEmbedHead', num_convs=1, num_fcs=1, in_channels=_CHANNELS,
            conv_out_channels=_CHANNELS, fc_out_channels=32, embed_channels=16,
            norm_cfg=dict(type='GN', num_groups=4),
            loss_track=dict(type='MultiPositiveCELoss', loss_weight=0.25),
            loss_track_aux=dict(type='CosineMarginLoss', neg_margin=0.3, max_neg_ratio=3)),
        train_cfg=dict(
            assigner=_assigner(.7, .3, .5, False),
            sampler=dict(type='CombinedSampler', num=24, pos_fraction=0.5, neg_pos_ub=3,
                         add_gt_as_proposals=True,
                         pos_sampler=dict(type='InstanceBalancedPosSampler'),
                         neg_sampler=dict(type='IoUBalancedNegSampler', floor_thr=-1,
                                          floor_fraction=0, num_bins=3))))


def _mt_head() -> dict:
    return dict(
        type='MTTrackHead',
        roi_extractor=_extractor(7),
        embed_head=dict(type='MTEmbedHead', num_fcs=2, in_channels=_CHANNELS, fc_out_channels=32),
        train_cfg=dict(
            assigner=_assigner(.5, .5, .5, True),
            sampler=dict(type='RandomSampler', num=24, pos_fraction=0.25, neg_pos_ub=-1,
                         add_gt_as_proposals=True)))


_ASSOCIATIONS = {
    'qd': dict(type='EmbeddingAssociation', head=_qd_head(), tracker=dict(type='QDTracker')),
    'mt': dict(type='EmbeddingAssociation', head=_mt_head(), tracker=dict(type='MTTracker')),
    'none': dict(type='TrackerAssociation', tracker=dict(type='NoAssociation')),
}


def config(kinds: Sequence[str] = ('visible', 'amodal'), association: str = 'qd',
           two_boxes: bool = False) -> ConfigDict:
    """Config of a system at toy size; may be changed.

    Args:
        kinds: Mask heads.
        association: 'qd', 'mt' or 'none'.
        two_boxes: With a box head for visible boxes.
    """
    model = dict(
        type='TrackedDetector', detector=_detector(kinds, two_boxes),
        data_preprocessor=dict(type='TrackDataPreprocessor', mean=[127.] * 3, std=[64.] * 3,
                               bgr_to_rgb=True, pad_size_divisor=32),
        association=_ASSOCIATIONS[association])
    return ConfigDict(copy.deepcopy(model))


def build(model: ConfigDict | None = None, seed: int = 0) -> TrackedDetector:
    """The model with fixed random weights, in evaluation mode."""
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('vatrack'):
        built = MODELS.build(model or config())
        built.init_weights()
    # Random weights say much the same about every region and class; spread them.
    roi_head = built.detector.roi_head
    spread = [(roi_head.bbox_head.fc_cls, 2.), (built.detector.rpn_head.rpn_cls, 2.)]
    if isinstance(built.association, EmbeddingAssociation):
        head = built.association.head.embed_head
        spread.append((head.fc_embed, 2.) if hasattr(head, 'fc_embed') else (head.fcs[-1], .1))
    if roi_head.visible_bbox_head is not None:
        spread += [(roi_head.visible_bbox_head.fc_cls, 2.), (roi_head.visible_bbox_head.fc_reg, .3)]
    spread += [(head.conv_logits, 1.) for head in roi_head.mask_heads.values()]
    for layer, std in spread:
        torch.nn.init.normal_(layer.weight, std=std)
    return built.eval()


def objects(boxes: Sequence[Sequence[float]], ids: Sequence[int] | None = None,
            labels: Sequence[int] | None = None, masks: bool = True,
            kinds: Sequence[str] = ('amodal', 'visible'), two_boxes: bool = False) -> InstanceData:
    """Ground truth whose amodal masks fill ``boxes`` and whose visible ones their left half.

    With ``two_boxes`` it has the boxes of the visible masks too.
    """
    pixels = {kind: np.zeros((len(boxes), HEIGHT, WIDTH), np.uint8) for kind in kinds}
    covered = [max(x1 + 1, (x1 + x2) // 2) for x1, _, x2, _ in boxes]
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        for kind, filled in pixels.items():
            filled[i, y1:y2, x1:x2 if kind == 'amodal' else covered[i]] = 1
    count = len(boxes)
    gt = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(count, 4),
        labels=torch.arange(count) % CLASSES if labels is None else torch.tensor(labels),
        instances_id=torch.tensor(range(count) if ids is None else ids, dtype=torch.int64))
    gt.labels = gt.labels.long()
    if two_boxes:
        gt.visible_bboxes = gt.bboxes.clone()
        gt.visible_bboxes[:, 2] = torch.tensor(covered)
    if masks:
        gt.masks = MasksByKind.from_rles({k: rle.encode(m) for k, m in pixels.items()},
                                         (HEIGHT, WIDTH))
    return gt


def _frame(gt: InstanceData | None, **meta: Any) -> DetDataSample:
    frame = DetDataSample(metainfo=dict(
        img_shape=(HEIGHT, WIDTH), ori_shape=(HEIGHT, WIDTH), scale_factor=(1., 1.),
        video_length=9, img_path='v/000.png', video_name='v', video_id=1, frame_id=0) | meta)
    if gt is not None:
        frame.gt_instances = gt
    return frame


def training_batch(*clips: Sequence[InstanceData], seed: int = 0) -> dict:
    """Clips of the ground truth of a key frame and, where given, of a reference frame."""
    rng = torch.Generator().manual_seed(seed)
    samples = [TrackDataSample(
        video_data_samples=[_frame(gt, frame_id=i) for i, gt in enumerate(clip)],
        metainfo=dict(key_frames_inds=[0], ref_frames_inds=list(range(1, len(clip)))))
        for clip in clips]
    inputs = [torch.randint(256, (len(clip), 3, HEIGHT, WIDTH), generator=rng).byte()
              for clip in clips]
    return dict(inputs=inputs, data_samples=samples)


def video_batch(frame_ids: Sequence[int], video_id: int = 1, **meta: Any) -> dict:
    """Frames of a video, one per clip; a frame looks the same in every batch."""
    samples, inputs = [], []
    for frame_id in frame_ids:
        rng = torch.Generator().manual_seed(1000 * video_id + frame_id // 2)
        image = torch.rand(1, 3, HEIGHT // 8, WIDTH // 8, generator=rng) * 255
        inputs.append(torch.nn.functional.interpolate(image, scale_factor=8).byte())
        frame = _frame(None, frame_id=frame_id, video_id=video_id, **meta)
        samples.append(TrackDataSample(video_data_samples=[frame], metainfo=dict(
            key_frames_inds=[0], ref_frames_inds=[])))
    return dict(inputs=inputs, data_samples=samples)


def loss(model: TrackedDetector, batch: dict, seed: int = 0) -> dict[str, torch.Tensor]:
    """Losses by name, each a scalar, with a fixed choice of regions."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    losses = model(**data, mode='loss')
    return {name: sum(v.mean() for v in (value if isinstance(value, list) else [value]))
            for name, value in losses.items()}


def predict(model: TrackedDetector, batch: dict) -> list[InstanceData]:
    """Tracked instances of every frame of a batch."""
    with torch.no_grad():
        clips = model.test_step(copy.deepcopy(batch))
    return [frame.pred_track_instances for clip in clips for frame in clip.video_data_samples]
