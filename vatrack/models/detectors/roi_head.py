"""The RoI head: a box head, or one per kind of box, and mask heads by kind."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.model import ModuleDict
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import clip_boxes_to_image

from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS, bboxes_field

from .base import Feats
from .region_masks import crop_mask_targets


@MODELS.register_module()
class SeparateMaskHeads(ModuleDict):
    """A mask head of mmdet for each kind; they share nothing but the features of the regions.

    A head that predicts kinds jointly has the same interface, and ``joint``
    true: it is always asked for all its kinds at once.

    Args:
        **heads: Config of a mask head per kind; None leaves a kind out.

    Attributes:
        kinds: Kinds that are predicted, in the order of the config.

    Raises:
        ValueError: No kind is left, or one does not exist.
    """

    joint = False

    def __init__(self, **heads: dict | None) -> None:
        heads = {kind: cfg for kind, cfg in heads.items() if cfg is not None}
        if not heads or not set(heads) <= set(MASK_KINDS):
            raise ValueError(f'mask_heads must name one or more of {MASK_KINDS}, got '
                             f'{list(heads)}')
        super().__init__({kind: MODELS.build(cfg) for kind, cfg in heads.items()})
        self.kinds = tuple(heads)

    def forward(self, features: Tensor, kinds: Sequence[str]) -> dict[str, Tensor]:
        """Logits by kind of R regions: (R, C, h, w) -> (R, K, 2h, 2w) for K classes, or 1."""
        return {kind: self[kind](features) for kind in kinds}

    def loss(self, logits: dict[str, Tensor], targets: Tensor,
             labels: Tensor) -> dict[str, Tensor]:
        """A loss for each kind in ``logits``.

        Args:
            logits: Those of :meth:`forward`.
            targets: (R, number of kinds, 2h, 2w) float of zeros and ones, kinds in
                the order of ``logits``.
            labels: (R,) int64.

        Returns:
            loss_{kind}_mask; 0, with a gradient of 0, where there is no region.
        """
        losses = {}
        for i, (kind, own) in enumerate(logits.items()):
            losses[f'loss_{kind}_mask'] = self[kind].loss_mask(
                own, targets[:, i], class_channels(own, labels)) if len(labels) else own.sum() * 0
        return losses


@MODELS.register_module()
class AmodalRoIHead(StandardRoIHead):
    """Box head plus mask heads by kind; which kinds is a matter of config.

    ``mask_heads=dict(visible=..., amodal=...)`` is VATrack and MaskJoint,
    ``dict(amodal=...)`` AmodalTrack and MaskAmodal, ``dict(visible=...)``
    QDTrack and MaskTrack R-CNN. All kinds share the positive regions and their
    features; the weight of a kind's loss (lambda1 visible, lambda2 amodal of
    VATrack's Eq. 2) is ``mask_heads.KIND.loss_mask.loss_weight``.

    With ``visible_bbox_head`` it is VATrack with two box heads: ``bbox_head``
    finds objects by their amodal boxes, as before, and the second one regresses
    the visible box of each, from which the visible mask is then cut. In
    training the same proposals are assigned to visible boxes a second time.

    Every method takes *views*, the pyramids over which outputs are averaged
    (:class:`~.base.FrameDetector`).

    Args:
        mask_heads: Config of a mask head per kind, as of
            :class:`SeparateMaskHeads`; with a ``type`` that of a
            head that predicts its kinds jointly.
        mask_roi_extractor: Config of the extractor that all mask heads share.
        visible_bbox_head: Config of a box head for visible boxes, or None. The
            dataset must give them: ``box_kinds=('amodal', 'visible')``.
        **kwargs: As :class:`StandardRoIHead`, without ``mask_head``.

    Raises:
        ValueError: ``mask_heads`` is empty or has a kind that does not exist, or
            a joint head is to work on two kinds of boxes.
    """

    def __init__(self, mask_heads: dict, mask_roi_extractor: dict,
                 visible_bbox_head: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.mask_roi_extractor = MODELS.build(mask_roi_extractor)
        self.mask_heads = MODELS.build({'type': 'SeparateMaskHeads', **mask_heads})
        self.mask_kinds: tuple[str, ...] = self.mask_heads.kinds
        self.visible_bbox_head = visible_bbox_head and MODELS.build(visible_bbox_head)
        if self.visible_bbox_head is not None and self.mask_heads.joint:
            raise ValueError(f'{type(self.mask_heads).__name__} predicts all kinds from one box; '
                             'leave visible_bbox_head out')

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Let a checkpoint with a single ``mask_head`` fill the visible one, else the amodal one.

        Such are mmdet's Mask R-CNN checkpoints that training starts from.
        """
        # COCO's masks are those of visible pixels.
        kind = 'visible' if 'visible' in self.mask_kinds else self.mask_kinds[0]
        single = f'{prefix}mask_head.'
        for key in [key for key in state_dict if key.startswith(single)]:
            state_dict[f'{prefix}mask_heads.{kind}.{key[len(single):]}'] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @property
    def bbox_heads(self) -> list[torch.nn.Module]:
        """The main box head and, where there is one, that for visible boxes."""
        return [self.bbox_head] + ([self.visible_bbox_head] if self.visible_bbox_head else [])

    def sample(self, proposals: list[InstanceData],
               truth: list[InstanceData]) -> list[SamplingResult]:
        """Assign proposals to ground truth and sample regions, per image.

        ``proposals`` are left as they are (mmdet's own head renames their
        boxes in place, so that a second user finds none).
        """
        results = []
        for proposal, gt in zip(proposals, truth, strict=True):
            priors = InstanceData(priors=proposal.bboxes)
            assigned = self.bbox_assigner.assign(priors, gt)
            results.append(self.bbox_sampler.sample(assigned, priors, gt))
        return results

    def loss(self, views: Sequence[Feats], proposals: list[InstanceData],
             samples: SampleList) -> dict[str, Tensor]:
        """Losses of the box heads and of every mask head.

        Args:
            views: V pyramids of B frames.
            proposals: Per frame ``bboxes`` (P, 4).
            samples: Ground truth per frame.

        Returns:
            loss_cls, loss_bbox, acc and loss_{kind}_mask per kind; with two box
            heads also loss_visible_cls, loss_visible_bbox and visible_acc.

        Raises:
            ValueError: There are two box heads but no visible boxes.
        """
        truth = [sample.gt_instances for sample in samples]
        sampled = self.sample(proposals, truth)
        losses = self._box_losses(self.bbox_head, views, sampled)
        if self.visible_bbox_head is None:
            return losses | self._mask_losses(views, sampled, truth, self.mask_kinds)
        # A proposal may lie well on the visible part of one object and the full shape of another.
        visible = self.sample(proposals, [_visible_boxes(gt) for gt in truth])
        losses |= {_visible_name(name): value for name, value in
                   self._box_losses(self.visible_bbox_head, views, visible).items()}
        for kind in self.mask_kinds:
            losses |= self._mask_losses(views, visible if kind == 'visible' else sampled, truth,
                                        [kind])
        return losses

    def _box_losses(self, head: torch.nn.Module, views: Sequence[Feats],
                    sampled: list[SamplingResult]) -> dict[str, Tensor]:
        rois = bbox2roi([s.priors for s in sampled])
        scores, deltas = self._forward_box_head(head, views, rois)
        return dict(head.loss_and_target(scores, deltas, rois, sampled,
                                         self.train_cfg)['loss_bbox'])

    def _forward_box_head(self, head: torch.nn.Module, views: Sequence[Feats],
                          rois: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits and box deltas of R regions, averaged over the views."""
        levels = self.bbox_roi_extractor.num_inputs
        outputs = [head(self.bbox_roi_extractor(view[:levels], rois)) for view in views]
        if len(views) == 1:
            return outputs[0]
        scores, deltas = (torch.stack(each).mean(dim=0) for each in zip(*outputs, strict=True))
        return scores, deltas

    def _bbox_forward(self, x: Sequence[Feats], rois: Tensor) -> dict[str, Tensor]:
        """What mmdet's ``predict_bbox`` asks for; ``x`` are the views that it was given."""
        scores, deltas = self._forward_box_head(self.bbox_head, x, rois)
        return dict(cls_score=scores, bbox_pred=deltas)

    def _mask_losses(self, views: Sequence[Feats], sampled: list[SamplingResult],
                     truth: list[InstanceData], kinds: Sequence[str]) -> dict[str, Tensor]:
        logits = self._forward_mask_heads(views, [s.pos_priors for s in sampled], kinds)
        labels = torch.cat([s.pos_gt_labels for s in sampled])
        # The head says how large its masks are, not train_cfg.mask_size: the two cannot differ.
        size = logits[kinds[0]].shape[-2:]
        targets = torch.cat([
            crop_mask_targets(gt.masks, kinds, s.pos_priors, s.pos_assigned_gt_inds, size)
            for s, gt in zip(sampled, truth, strict=True)
        ])
        return self.mask_heads.loss(logits, targets, labels)

    def _forward_mask_heads(self, views: Sequence[Feats], boxes: list[Tensor],
                            kinds: Sequence[str]) -> dict[str, Tensor]:
        """Logits (R, K, h, w) per kind, averaged over the views.

        The features of the boxes are computed once for all kinds.
        """
        rois, levels = bbox2roi(boxes), self.mask_roi_extractor.num_inputs
        outputs = [self.mask_heads(self.mask_roi_extractor(view[:levels], rois), kinds)
                   for view in views]
        if len(views) == 1:
            return outputs[0]
        return {kind: torch.stack([output[kind] for output in outputs]).mean(dim=0)
                for kind in kinds}

    def predict_boxes(self, views: Sequence[Feats], proposals: list[InstanceData],
                      metas: list[dict]) -> list[InstanceData]:
        """Detections per frame in pixels of the network input: bboxes, scores, labels."""
        return self.predict_bbox(views, metas, proposals, self.test_cfg, rescale=False)

    def predict_visible_boxes(self, views: Sequence[Feats], detections: list[InstanceData],
                              metas: list[dict]) -> None:
        """Add ``visible_bboxes`` to detections on the host; nothing is done with one box head.

        The boxes of all frames are the proposals of one pass. As in the code of
        VATrack, which runs one pass per box, each yields the box of the
        likeliest class, and keeps the amodal box where no class is likely.

        Args:
            views: V pyramids of B frames.
            detections: Per frame ``bboxes`` (N, 4) in pixels of the network
                input.
            metas: Metainfo per frame.
        """
        head = self.visible_bbox_head
        if head is None:
            return
        rois = bbox2roi(_on_device([d.bboxes for d in detections], views))
        scores, deltas = self._forward_box_head(head, views, rois)
        best, classes = scores.softmax(dim=1)[:, :-1].max(dim=1)
        if not head.reg_class_agnostic:
            deltas = deltas.view(-1, head.num_classes, 4)
            deltas = deltas.gather(1, classes.view(-1, 1, 1).expand(-1, 1, 4))[:, 0]
        boxes = head.bbox_coder.decode(rois[:, 1:], deltas)
        boxes = torch.where((best > self.test_cfg.score_thr)[:, None], boxes, rois[:, 1:]).cpu()
        per_frame = boxes.split([len(d) for d in detections])
        for found, own, meta in zip(detections, per_frame, metas, strict=True):
            height, width = meta['img_shape'][:2]
            found.visible_bboxes = clip_boxes_to_image(own, (height, width))

    def predict_masks(self, views: Sequence[Feats],
                      detections: list[InstanceData]) -> dict[str, list[Tensor]]:
        """Mask probabilities of detections, for the class of each.

        Args:
            views: V pyramids of B frames.
            detections: Per frame, on the host, ``bboxes`` (N, 4) in pixels of the
                network input, ``labels`` (N,) and, with two box heads,
                ``visible_bboxes`` (N, 4).

        Returns:
            {kind: per frame (N, h, w) float32 in [0, 1]}, on the device.
        """
        logits = {}
        groups = [self.mask_kinds] if self.visible_bbox_head is None else zip(self.mask_kinds)
        for kinds in groups:
            boxes = _on_device([mask_boxes(kinds[0], d) for d in detections], views)
            logits |= self._forward_mask_heads(views, boxes, kinds)
        labels = torch.cat(_on_device([d.labels for d in detections], views))
        counts = [len(d) for d in detections]
        return {kind: list(of_class(logits[kind], labels).float().sigmoid().split(counts))
                for kind in self.mask_kinds}


def mask_boxes(kind: str, detections: InstanceData) -> Tensor:
    """The boxes (N, 4) that masks of ``kind`` are cut from and pasted into."""
    return detections.get(bboxes_field(kind), detections.bboxes)


def _visible_boxes(gt: InstanceData) -> InstanceData:
    field = bboxes_field('visible')
    if field not in gt:
        raise ValueError('the model has a visible_bbox_head, but the dataset gives no visible '
                         "boxes; set box_kinds=('amodal', 'visible') in the training dataset")
    return InstanceData(bboxes=gt[field], labels=gt.labels)


def _visible_name(loss: str) -> str:
    return loss.replace('loss_', 'loss_visible_') if 'loss_' in loss else f'visible_{loss}'


def _on_device(tensors: list[Tensor], views: Sequence[Feats]) -> list[Tensor]:
    """Tensors of the host where the features are, in one copy."""
    together = torch.cat(tensors).to(views[0][0].device, non_blocking=True)
    return list(together.split([len(each) for each in tensors]))


def class_channels(logits: Tensor, labels: Tensor) -> Tensor:
    """Mask channel (R,) of each region: its label, or 0 where the head is class-agnostic."""
    return labels if logits.size(1) > 1 else torch.zeros_like(labels)


def of_class(logits: Tensor, labels: Tensor) -> Tensor:
    """The channel of each region's label: (R, K, h, w), (R,) -> (R, h, w)."""
    index = class_channels(logits, labels).view(-1, 1, 1, 1)
    return logits.gather(1, index.expand(-1, 1, *logits.shape[-2:]))[:, 0]
