"""The RoI head: a box head, or one per kind of box, and any set of mask heads."""
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

from .mask_ops import crop_mask_targets


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

    Args:
        mask_heads: Config of a mask head per kind; None leaves a kind out.
        mask_roi_extractor: Config of the extractor that all mask heads share.
        visible_bbox_head: Config of a box head for visible boxes, or None. The
            dataset must give them: ``box_kinds=('amodal', 'visible')``.
        **kwargs: As :class:`StandardRoIHead`, without ``mask_head``.

    Raises:
        ValueError: ``mask_heads`` is empty or has a kind that does not exist.
    """

    def __init__(self, mask_heads: dict, mask_roi_extractor: dict,
                 visible_bbox_head: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        mask_heads = {kind: cfg for kind, cfg in mask_heads.items() if cfg is not None}
        if not mask_heads or not set(mask_heads) <= set(MASK_KINDS):
            raise ValueError(f'mask_heads must name one or more of {MASK_KINDS}, got '
                             f'{list(mask_heads)}')
        self.mask_roi_extractor = MODELS.build(mask_roi_extractor)
        self.mask_heads = ModuleDict({kind: MODELS.build(cfg) for kind, cfg in mask_heads.items()})
        self.visible_bbox_head = visible_bbox_head and MODELS.build(visible_bbox_head)

    @property
    def mask_kinds(self) -> tuple[str, ...]:
        """Mask kinds that this head predicts."""
        return tuple(self.mask_heads)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Let a checkpoint with a single ``mask_head`` fill the visible one, else the amodal one.

        Such are mmdet's Mask R-CNN checkpoints that training starts from.
        """
        kind = 'visible' if 'visible' in self.mask_heads else self.mask_kinds[0]
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

    def loss(self, x: tuple[Tensor, ...], rpn_results_list: list[InstanceData],
             batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the box heads and of every mask head.

        Args:
            x: Feature maps (B, C, H_l, W_l) per level.
            rpn_results_list: Proposals per image, ``bboxes`` (P, 4).
            batch_data_samples: Ground truth per image.

        Returns:
            loss_cls, loss_bbox, acc and loss_{kind}_mask per kind; with two box
            heads also loss_visible_cls, loss_visible_bbox and visible_acc.

        Raises:
            ValueError: There are two box heads but no visible boxes.
        """
        truth = [sample.gt_instances for sample in batch_data_samples]
        sampled = self.sample(rpn_results_list, truth)
        losses = self._box_losses(self.bbox_head, x, sampled)
        if self.visible_bbox_head is None:
            return losses | self._mask_losses(x, sampled, truth, self.mask_kinds)
        visible = self.sample(rpn_results_list, [_visible_boxes(gt) for gt in truth])
        losses |= {_visible_name(name): value for name, value in
                   self._box_losses(self.visible_bbox_head, x, visible).items()}
        for kind in self.mask_kinds:
            losses |= self._mask_losses(x, visible if kind == 'visible' else sampled, truth, [kind])
        return losses

    def _box_losses(self, head: torch.nn.Module, x: tuple[Tensor, ...],
                    sampled: list[SamplingResult]) -> dict[str, Tensor]:
        rois = bbox2roi([s.priors for s in sampled])
        scores, deltas = self._forward_box_head(head, x, rois)
        return dict(head.loss_and_target(scores, deltas, rois, sampled,
                                         self.train_cfg)['loss_bbox'])

    def _forward_box_head(self, head: torch.nn.Module, x: tuple[Tensor, ...],
                          rois: Tensor) -> tuple[Tensor, Tensor]:
        return head(self.bbox_roi_extractor(x[:self.bbox_roi_extractor.num_inputs], rois))

    def _mask_losses(self, x: tuple[Tensor, ...], sampled: list[SamplingResult],
                     truth: list[InstanceData], kinds: Sequence[str]) -> dict[str, Tensor]:
        logits = self._forward_mask_heads(x, [s.pos_priors for s in sampled], kinds)
        labels = torch.cat([s.pos_gt_labels for s in sampled])
        size = logits[kinds[0]].shape[-2:]
        targets = torch.cat([
            crop_mask_targets(gt.masks, kinds, s.pos_priors, s.pos_assigned_gt_inds, size)
            for s, gt in zip(sampled, truth, strict=True)
        ])
        return {
            f'loss_{kind}_mask': self.mask_heads[kind].loss_mask(
                logits[kind], targets[:, i], _channels(logits[kind], labels))
            if len(labels) else logits[kind].sum() * 0
            for i, kind in enumerate(kinds)
        }

    def _forward_mask_heads(self, x: tuple[Tensor, ...], boxes: list[Tensor],
                            kinds: Sequence[str]) -> dict[str, Tensor]:
        """Logits (R, K, h, w) per kind; the features of the boxes are computed once."""
        features = self.mask_roi_extractor(x[:self.mask_roi_extractor.num_inputs],
                                           bbox2roi(boxes))
        return {kind: self.mask_heads[kind](features) for kind in kinds}

    def predict_boxes(self, x: tuple[Tensor, ...], proposals: list[InstanceData],
                      metas: list[dict]) -> list[InstanceData]:
        """Detections per image in pixels of the network input: bboxes, scores, labels."""
        return self.predict_bbox(x, metas, proposals, self.test_cfg, rescale=False)

    def predict_visible_boxes(self, x: tuple[Tensor, ...], detections: list[InstanceData],
                              metas: list[dict]) -> None:
        """Add ``visible_bboxes`` to detections; nothing is done with one box head.

        The boxes of all images are the proposals of one pass. As in the code of
        VATrack, which runs one pass per box, each yields the box of the
        likeliest class, and keeps the amodal box where no class is likely.

        Args:
            x: Feature maps per level.
            detections: Per image ``bboxes`` (N, 4) in pixels of the network
                input.
            metas: Metainfo per image.
        """
        head = self.visible_bbox_head
        if head is None:
            return
        rois = bbox2roi([d.bboxes for d in detections])
        scores, deltas = self._forward_box_head(head, x, rois)
        best, classes = scores.softmax(dim=1)[:, :-1].max(dim=1)
        if not head.reg_class_agnostic:
            deltas = deltas.view(-1, head.num_classes, 4)[torch.arange(len(deltas)), classes]
        boxes = head.bbox_coder.decode(rois[:, 1:], deltas)
        boxes = torch.where((best > self.test_cfg.score_thr)[:, None], boxes, rois[:, 1:])
        per_image = boxes.split([len(d) for d in detections])
        for found, own, meta in zip(detections, per_image, metas, strict=True):
            height, width = meta['img_shape'][:2]
            found.visible_bboxes = clip_boxes_to_image(own, (height, width))

    def predict_masks(self, x: tuple[Tensor, ...],
                      detections: list[InstanceData]) -> dict[str, list[Tensor]]:
        """Mask probabilities of detections, for the class of each.

        Args:
            x: Feature maps per level.
            detections: Per image ``bboxes`` (N, 4) in pixels of the network
                input, ``labels`` (N,) and, with two box heads,
                ``visible_bboxes`` (N, 4).

        Returns:
            {kind: per image (N, h, w) float32 in [0, 1]}.
        """
        logits = {}
        groups = [self.mask_kinds] if self.visible_bbox_head is None else zip(self.mask_kinds)
        for kinds in groups:
            boxes = [mask_boxes(kinds[0], d) for d in detections]
            logits |= self._forward_mask_heads(x, boxes, kinds)
        labels = torch.cat([d.labels for d in detections])
        counts = [len(d) for d in detections]
        return {kind: list(_of_class(logits[kind], labels).float().sigmoid().split(counts))
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


def _of_class(logits: Tensor, labels: Tensor) -> Tensor:
    """The channel of each region's label: (R, K, h, w), (R,) -> (R, h, w)."""
    index = _channels(logits, labels).view(-1, 1, 1, 1)
    return logits.gather(1, index.expand(-1, 1, *logits.shape[-2:]))[:, 0]


def _channels(logits: Tensor, labels: Tensor) -> Tensor:
    """Mask channel of each region: its label, or 0 where the head is class-agnostic."""
    return labels if logits.size(1) > 1 else torch.zeros_like(labels)
