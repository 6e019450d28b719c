"""What all embedding heads share: sampling regions and embedding boxes."""
from __future__ import annotations

from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.tracking_heads import QuasiDenseTrackHead
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor


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
