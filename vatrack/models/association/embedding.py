"""Association by learnt embeddings: a head that embeds regions, a policy that compares them."""
from __future__ import annotations

from typing import Any

from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.tracking_heads import QuasiDenseTrackHead
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS

from .base import FeatureClip, TrackerAssociation


class TrackHead(QuasiDenseTrackHead):
    """RoI extractor, embedding network, assigner and sampler, as mmdet configures them."""

    def embed(self, feats: tuple[Tensor, ...], bboxes: list[Tensor]) -> list[Tensor]:
        """Embeddings of boxes in pixels of the network input: per image (R, E)."""
        embeds = self.embed_head(self.extract_roi_feats(feats, bboxes))
        return list(embeds.split([len(b) for b in bboxes]))

    def sample(self, proposals: InstanceData, sample: DetDataSample) -> SamplingResult:
        """Assign the proposals of an image to its ground truth and sample; changes neither."""
        priors = InstanceData(priors=proposals.bboxes)
        assigned = self.bbox_assigner.assign(priors, sample.gt_instances)
        return self.bbox_sampler.sample(assigned, priors, sample.gt_instances)


@MODELS.register_module()
class EmbeddingAssociation(TrackerAssociation):
    """An embedding head and the policy that compares its embeddings: QDTrack, MaskTrack R-CNN.

    Args:
        head: Config of a :class:`~.track_head.TrackHead`.
        tracker: Config of a policy, see :mod:`vatrack.track`.
    """

    frames = 'pair'

    def __init__(self, head: dict, tracker: dict, init_cfg: dict | None = None) -> None:
        super(TrackerAssociation, self).__init__(init_cfg)
        self.head = MODELS.build(head)
        self.tracker = MODELS.build(tracker)

    def loss(self, clip: FeatureClip) -> dict[str, Tensor]:
        """Losses of the head."""
        return self.head.loss(clip)

    def step(self, feats: tuple[Tensor, ...], detections: list[InstanceData], metas: list[dict],
             memory: Any) -> list[InstanceData]:
        """Embed the detections of all frames at once, then track frame by frame."""
        embeds = self.head.embed(feats, [each.bboxes for each in detections])
        for found, embed in zip(detections, embeds, strict=True):
            found.embeds = embed
        kept = self._track(detections, metas, memory)
        for each in kept:
            del each.embeds
        return kept
