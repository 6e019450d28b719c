"""The quasi-dense embedding head: training of what association compares."""
from __future__ import annotations

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.tracking_heads import QuasiDenseEmbedHead
from mmdet.structures import DetDataSample, SampleList
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.functional import normalize

from vatrack.registry import MODELS

from .track_head import TrackHead


@MODELS.register_module()
class QDTrackHead(TrackHead):
    """Samples regions of key and reference frames and embeds them.

    Network and config are mmdet's. The loss differs where mmdet's departs
    from VATrack's: instance id 0 is an id like any other, proposals are not
    renamed in place, and the reference frame is assigned by itself alone.
    """

    def loss(self, key_feats: tuple[Tensor, ...], ref_feats: tuple[Tensor, ...],
             key_proposals: list[InstanceData], ref_proposals: list[InstanceData],
             key_samples: SampleList, ref_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the embeddings (QDTrack, section 3.3).

        Args:
            key_feats: Feature maps (B, C, H_l, W_l) of the key frames.
            ref_feats: The same of the reference frames.
            key_proposals: Proposals per key frame, ``bboxes`` (P, 4).
            ref_proposals: Proposals per reference frame.
            key_samples: Ground truth of the key frames.
            ref_samples: Ground truth of the reference frames.

        Returns:
            loss_track and, if configured, loss_track_aux.
        """
        key = [self.sample(p, s) for p, s in zip(key_proposals, key_samples, strict=True)]
        ref = [self.sample(p, s) for p, s in zip(ref_proposals, ref_samples, strict=True)]
        same = [_same_instance(*args) for args in zip(key, ref, key_samples, ref_samples,
                                                      strict=True)]
        key_embeds = self.embed(key_feats, [s.pos_priors for s in key])
        ref_embeds = self.embed(ref_feats, [s.priors for s in ref])
        return self.embed_head.loss(key_embeds, ref_embeds, same)


def _same_instance(key: SamplingResult, ref: SamplingResult, key_sample: DetDataSample,
                   ref_sample: DetDataSample) -> Tensor:
    """(R, S) bool: positives of the key frame against all samples of the reference frame."""
    key_ids = key_sample.gt_instances.instances_id[key.pos_assigned_gt_inds]
    ref_ids = ref_sample.gt_instances.instances_id[ref.pos_assigned_gt_inds]
    same = torch.zeros(len(key_ids), len(ref.priors), dtype=torch.bool, device=key_ids.device)
    same[:, :len(ref_ids)] = key_ids[:, None] == ref_ids[None]
    return same


@MODELS.register_module()
class QDEmbedHead(QuasiDenseEmbedHead):
    """mmdet's embedding network with losses that are finite for any input."""

    def loss(self, key_embeds: list[Tensor], ref_embeds: list[Tensor],
             same: list[Tensor]) -> dict[str, Tensor]:
        """Mean over images of the track loss and the auxiliary loss.

        Args:
            key_embeds: Per image (R, E).
            ref_embeds: Per image (S, E).
            same: Per image (R, S) bool, true for the same instance.
        """
        track, aux = [], []
        # Float32 also under autocast: dot products of raw embeddings are large.
        with torch.autocast(key_embeds[0].device.type, enabled=False):
            for key, ref, positive in zip(key_embeds, ref_embeds, same, strict=True):
                key, ref = key.float(), ref.float()
                track.append(self.loss_track(key @ ref.T, positive))
                if self.loss_track_aux is not None:
                    cosine = normalize(key, dim=1) @ normalize(ref, dim=1).T
                    aux.append(self.loss_track_aux(cosine, positive))
        losses = dict(loss_track=torch.stack(track).mean())
        if aux:
            losses['loss_track_aux'] = torch.stack(aux).mean()
        return losses
