"""The quasi-dense embedding head: training of what association compares."""
from __future__ import annotations

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.tracking_heads import QuasiDenseEmbedHead
from mmdet.structures import DetDataSample
from torch import Tensor
from torch.nn.functional import normalize

from vatrack.registry import MODELS

from .clip import FeatureClip
from .track_head import TrackHead


@MODELS.register_module()
class QDTrackHead(TrackHead):
    """Samples regions of key and reference frames and embeds them.

    Network and config are mmdet's. The loss differs where mmdet's departs
    from VATrack's: instance id 0 is an id like any other, proposals are not
    renamed in place, and the reference frame is assigned by itself alone.
    """

    def loss(self, clip: FeatureClip) -> dict[str, Tensor]:
        """Losses of the embeddings (QDTrack, section 3.3).

        Args:
            clip: Key and reference frames, with proposals of both.

        Returns:
            loss_track and, if configured, loss_track_aux.
        """
        key, ref = (list(map(self.sample, frames.proposals, frames.samples))
                    for frames in (clip.keys, clip.references))
        same = list(map(_same_instance, key, ref, clip.keys.samples, clip.references.samples))
        key_embeds = self.embed(clip.keys.feats, [s.pos_priors for s in key])
        ref_embeds = self.embed(clip.references.feats, [s.priors for s in ref])
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
