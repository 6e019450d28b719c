"""The embedding head of MaskTrack R-CNN: which known object is this region, or is it new?"""
from __future__ import annotations

import torch
from mmdet.models.tracking_heads import RoIEmbedHead
from mmdet.structures import SampleList
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS

from .track_head import TrackHead


@MODELS.register_module()
class MTTrackHead(TrackHead):
    """Embeds sampled regions of the key frame and the true boxes of the reference frame."""

    needs_ref_proposals = False

    def loss(self, key_feats: tuple[Tensor, ...], ref_feats: tuple[Tensor, ...],
             key_proposals: list[InstanceData], ref_proposals: None,
             key_samples: SampleList, ref_samples: SampleList) -> dict[str, Tensor]:
        """Loss of the embeddings (MaskTrack R-CNN, Eq. 2).

        Args:
            key_feats: Feature maps (B, C, H_l, W_l) of the key frames.
            ref_feats: The same of the reference frames.
            key_proposals: Proposals per key frame, ``bboxes`` (P, 4).
            ref_proposals: Unused.
            key_samples: Ground truth of the key frames.
            ref_samples: Ground truth of the reference frames.

        Returns:
            loss_track.
        """
        sampled = [self.sample(p, s) for p, s in zip(key_proposals, key_samples, strict=True)]
        slots = [_slots(key.gt_instances.instances_id[s.pos_assigned_gt_inds],
                        ref.gt_instances.instances_id)
                 for s, key, ref in zip(sampled, key_samples, ref_samples, strict=True)]
        key_embeds = self.embed(key_feats, [s.pos_priors for s in sampled])
        ref_embeds = self.embed(ref_feats, [ref.gt_instances.bboxes for ref in ref_samples])
        return self.embed_head.loss(key_embeds, ref_embeds, slots)


def _slots(ids: Tensor, ref_ids: Tensor) -> Tensor:
    """(R,) 1 + index of each id in the reference frame, or 0 where it is not there."""
    same = ids[:, None] == ref_ids[None]
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
