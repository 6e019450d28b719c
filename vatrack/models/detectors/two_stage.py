"""Two-stage detection with masks of any kinds: what knows of RPN and regions."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.detectors import MaskRCNN
from mmdet.structures import DetDataSample, SampleList
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS, bboxes_field, masks_field

from .base import Feats, FrameDetector, to_float32
from .region_masks import paste_masks
from .roi_head import mask_boxes


@MODELS.register_module()
class AmodalMaskRCNN(MaskRCNN, FrameDetector):
    """mmdet's Mask R-CNN with an ``AmodalRoIHead``, as the detector of a video model.

    Proposals come from the features of the frame itself, the heads read all
    views and average their outputs before the nonlinearity: class logits, box
    deltas, mask logits.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        features = self.neck if self.with_neck else self.backbone
        for part in (features, self.rpn_head, *self.roi_head.bbox_heads):
            part.register_forward_hook(to_float32)
        self.mask_kinds = self.roi_head.mask_kinds

    def loss(self, feats: Feats, samples: SampleList,
             views: Sequence[Feats]) -> tuple[dict[str, Tensor], list[InstanceData]]:
        """Losses of RPN and RoI head, and the proposals; see :class:`FrameDetector`."""
        losses, proposals = self._rpn_loss(feats, samples)
        return losses | self.roi_head.loss(views, proposals, samples), proposals

    def _rpn_loss(self, feats: Feats,
                  samples: SampleList) -> tuple[dict[str, Tensor], list[InstanceData]]:
        """RPN losses and proposals; the RPN knows one class, so labels become 0 in a copy."""
        boxes_only = []
        for sample in samples:
            gt = sample.gt_instances
            boxes_only.append(DetDataSample(
                metainfo=sample.metainfo,
                gt_instances=InstanceData(bboxes=gt.bboxes, labels=torch.zeros_like(gt.labels))))
        losses, proposals = self.rpn_head.loss_and_predict(
            feats, boxes_only, proposal_cfg=self.train_cfg.rpn_proposal)
        return {name if 'rpn' in name else f'rpn_{name}': loss
                for name, loss in losses.items()}, proposals

    @torch.no_grad()
    def propose(self, feats: Feats, samples: SampleList) -> list[InstanceData]:
        """Proposals as in testing: per frame ``bboxes`` (P, 4) in pixels of the network input."""
        return self.rpn_head.predict(feats, samples, rescale=False)

    def detect(self, feats: Feats, metas: list[dict],
               views: Sequence[Feats]) -> list[InstanceData]:
        """Boxes, scores and labels; see :class:`FrameDetector`."""
        proposals = self.propose(feats, [DetDataSample(metainfo=meta) for meta in metas])
        return self.roi_head.predict_boxes(views, proposals, metas)

    def segment(self, feats: Feats, detections: list[InstanceData], metas: list[dict],
                views: Sequence[Feats]) -> None:
        """Add masks, and visible boxes if there is a head for them; see :class:`FrameDetector`."""
        self.roi_head.predict_visible_boxes(views, detections, metas)
        probabilities = self.roi_head.predict_masks(views, detections)
        threshold = self.test_cfg.rcnn.mask_thr_binary
        for i, (instances, meta) in enumerate(zip(detections, metas, strict=True)):
            scale = instances.bboxes.new_tensor(meta['scale_factor']).repeat(2)
            for field in {'bboxes', *map(bboxes_field, MASK_KINDS)} & set(instances.keys()):
                instances[field] = instances[field] / scale
            for kind, masks in probabilities.items():
                instances.set_field(
                    paste_masks(masks[i], mask_boxes(kind, instances), meta['ori_shape'],
                                threshold), masks_field(kind))
