"""The RoI head: one box head and any set of mask heads over the same regions."""
from __future__ import annotations

from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.model import ModuleDict
from mmengine.structures import InstanceData
from torch import Tensor, cat, zeros_like

from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS

from .mask_ops import crop_mask_targets


@MODELS.register_module()
class AmodalRoIHead(StandardRoIHead):
    """Box head plus mask heads by kind; which kinds is a matter of config.

    ``mask_heads=dict(visible=..., amodal=...)`` is VATrack and MaskJoint,
    ``dict(amodal=...)`` AmodalTrack and MaskAmodal, ``dict(visible=...)``
    QDTrack and MaskTrack R-CNN. All kinds share the positive regions and their
    features; the weight of a kind's loss (lambda1 visible, lambda2 amodal of
    VATrack's Eq. 2) is ``mask_heads.KIND.loss_mask.loss_weight``.

    Args:
        mask_heads: Config of a mask head per kind.
        mask_roi_extractor: Config of the extractor that all mask heads share.
        **kwargs: As :class:`StandardRoIHead`, without ``mask_head``.

    Raises:
        ValueError: ``mask_heads`` is empty or has a kind that does not exist.
    """

    def __init__(self, mask_heads: dict, mask_roi_extractor: dict, **kwargs) -> None:
        super().__init__(**kwargs)
        if not mask_heads or not set(mask_heads) <= set(MASK_KINDS):
            raise ValueError(f'mask_heads must name one or more of {MASK_KINDS}, got '
                             f'{list(mask_heads)}')
        self.mask_roi_extractor = MODELS.build(mask_roi_extractor)
        self.mask_heads = ModuleDict({kind: MODELS.build(cfg) for kind, cfg in mask_heads.items()})

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

    def sample(self, proposals: list[InstanceData], samples: SampleList) -> list[SamplingResult]:
        """Assign proposals to ground truth and sample regions, per image.

        ``proposals`` are left as they are (mmdet's own head renames their
        boxes in place, so that a second user finds none).
        """
        results = []
        for proposal, sample in zip(proposals, samples, strict=True):
            priors = InstanceData(priors=proposal.bboxes)
            assigned = self.bbox_assigner.assign(priors, sample.gt_instances)
            results.append(self.bbox_sampler.sample(assigned, priors, sample.gt_instances))
        return results

    def loss(self, x: tuple[Tensor, ...], rpn_results_list: list[InstanceData],
             batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the box head and of every mask head.

        Args:
            x: Feature maps (B, C, H_l, W_l) per level.
            rpn_results_list: Proposals per image, ``bboxes`` (P, 4).
            batch_data_samples: Ground truth per image.

        Returns:
            loss_cls, loss_bbox, acc and loss_{kind}_mask per kind.
        """
        sampled = self.sample(rpn_results_list, batch_data_samples)
        losses = dict(self.bbox_loss(x, sampled)['loss_bbox'])
        losses.update(self._mask_losses(x, sampled, batch_data_samples))
        return losses

    def _mask_losses(self, x: tuple[Tensor, ...], sampled: list[SamplingResult],
                     samples: SampleList) -> dict[str, Tensor]:
        features = self.mask_roi_extractor(x[:self.mask_roi_extractor.num_inputs],
                                           bbox2roi([s.pos_priors for s in sampled]))
        labels = cat([s.pos_gt_labels for s in sampled])
        logits = self._forward_mask_heads(features)
        size = next(iter(logits.values())).shape[-2:]
        targets = cat([
            crop_mask_targets(sample.gt_instances.masks, self.mask_kinds, s.pos_priors,
                              s.pos_assigned_gt_inds, size)
            for s, sample in zip(sampled, samples, strict=True)
        ])
        return {
            f'loss_{kind}_mask': head.loss_mask(logits[kind], targets[:, i],
                                                _channels(logits[kind], labels))
            if len(labels) else logits[kind].sum() * 0
            for i, (kind, head) in enumerate(self.mask_heads.items())
        }

    def _forward_mask_heads(self, features: Tensor) -> dict[str, Tensor]:
        return {kind: head(features) for kind, head in self.mask_heads.items()}

    def predict_boxes(self, x: tuple[Tensor, ...], proposals: list[InstanceData],
                      metas: list[dict]) -> list[InstanceData]:
        """Detections per image in pixels of the network input: bboxes, scores, labels."""
        return self.predict_bbox(x, metas, proposals, self.test_cfg, rescale=False)

    def predict_masks(self, x: tuple[Tensor, ...],
                      detections: list[InstanceData]) -> dict[str, list[Tensor]]:
        """Mask probabilities of detections, for the class of each.

        Args:
            x: Feature maps per level.
            detections: Per image ``bboxes`` (N, 4) in pixels of the network
                input and ``labels`` (N,).

        Returns:
            {kind: per image (N, h, w) float32 in [0, 1]}.
        """
        counts = [len(d) for d in detections]
        features = self.mask_roi_extractor(x[:self.mask_roi_extractor.num_inputs],
                                           bbox2roi([d.bboxes for d in detections]))
        labels = cat([d.labels for d in detections])
        return {
            kind: list(_of_class(logits, labels).float().sigmoid().split(counts))
            for kind, logits in self._forward_mask_heads(features).items()
        }


def _of_class(logits: Tensor, labels: Tensor) -> Tensor:
    """The channel of each region's label: (R, K, h, w), (R,) -> (R, h, w)."""
    index = _channels(logits, labels).view(-1, 1, 1, 1)
    return logits.gather(1, index.expand(-1, 1, *logits.shape[-2:]))[:, 0]


def _channels(logits: Tensor, labels: Tensor) -> Tensor:
    """Mask channel of each region: its label, or 0 where the head is class-agnostic."""
    return labels if logits.size(1) > 1 else zeros_like(labels)
