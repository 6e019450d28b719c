"""The embedding head of MaskTrack R-CNN: which known object is this region, or is it new?"""
from __future__ import annotations

import torch
from mmdet.models.tracking_heads import RoIEmbedHead
from torch import Tensor

from vatrack.registry import MODELS

from .base import FeatureClip, TrackHead


@MODELS.register_module()
class MTTrackHead(TrackHead):
    """Embeds sampled regions of the key frame and the true boxes of the reference frame."""

    def loss(self, clip: FeatureClip) -> dict[str, Tensor]:
        """Loss of the embeddings (MaskTrack R-CNN, Eq. 2).

        Args:
            clip: Key frames with their proposals, and reference frames.

        Returns:
            loss_track.
        """
        sampled = list(map(self.sample, clip.keys.proposals, clip.keys.samples))
        truth = [sample.gt_instances for sample in clip.references.samples]
        slots = [_slots(key.gt_instances.instances_id[s.pos_assigned_gt_inds], gt.instances_id)
                 for s, key, gt in zip(sampled, clip.keys.samples, truth, strict=True)]
        key_embeds = self.embed(clip.keys.feats, [s.pos_priors for s in sampled])
        ref_embeds = self.embed(clip.references.feats, [gt.bboxes for gt in truth])
        return self.embed_head.loss(key_embeds, ref_embeds, slots)


def _slots(ids: Tensor, ref_ids: Tensor) -> Tensor:
    """(R,) 1 + index of each id in the reference frame, or 0 where it is not there."""
    same = ids[:, None] == ref_ids[None]
    # In front a column of zeros: argmax takes it, the first of equals, where nothing is the same.
    return torch.nn.functional.pad(same, (1, 0)).byte().argmax(dim=1)


@MODELS.register_module()
class MTEmbedHead(RoIEmbedHead):
    """Fully connected layers on the pixels of a region, ReLU between them.

    mmdet's head has one after the last layer too. All products of embeddings
    are positive then, and 'new object', whose logit is 0, is never the
    likeliest. Weights start as in the code of MaskTrack R-CNN.
    """

    def __init__(self, *args, init_cfg: dict | None = None, **kwargs) -> None:
        start = dict(type='Normal', layer='Linear', std=0.01, bias=0.)
        super().__init__(*args, init_cfg=init_cfg or start, **kwargs)

    def forward(self, x: Tensor) -> Tensor:
        """Embed region features: (R, C, h, w) -> (R, E)."""
        for conv in self.convs:
            x = conv(x)
        if self.with_avg_pool:
            x = self.avg_pool(x)
        x = x.flatten(1)
        for i, fc in enumerate(self.fcs):
            x = fc(self.relu(x) if i else x)
        return x

    def loss(self, key_embeds: list[Tensor], ref_embeds: list[Tensor],
             slots: list[Tensor]) -> dict[str, Tensor]:
        """Cross-entropy over the objects of the reference frame and 'new', mean over images.

        An image contributes the mean over its regions, as in the code of
        MaskTrack R-CNN (mmdet divides by the number of regions that are not
        new).

        Args:
            key_embeds: Per image (R, E).
            ref_embeds: Per image (M, E).
            slots: Per image (R,) int64: 0 for new, m for the m-th object.
        """
        losses = []
        # Float32 also under autocast: dot products of raw embeddings are large.
        with torch.autocast(key_embeds[0].device.type, enabled=False):
            for key, ref, slot in zip(key_embeds, ref_embeds, slots, strict=True):
                logits = torch.nn.functional.pad(key.float() @ ref.float().T, (1, 0))
                losses.append(self.loss_match(logits, slot, avg_factor=max(len(slot), 1)))
        return dict(loss_track=torch.stack(losses).mean())
