"""The quasi-dense embedding head: training of what association compares."""
from __future__ import annotations

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.tracking_heads import QuasiDenseEmbedHead
from mmdet.structures import DetDataSample
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from vatrack.registry import MODELS

from .base import FeatureClip, TrackHead


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
        key_embeds = self.embed(clip.keys.feats, [s.pos_priors for s in key])
        ref_embeds = self.embed(clip.references.feats, [s.priors for s in ref])
        same = list(map(_same_instance, key, ref, clip.keys.samples, clip.references.samples))
        return self.embed_head.loss(key_embeds, ref_embeds, same)


def _same_instance(key: SamplingResult, ref: SamplingResult, key_sample: DetDataSample,
                   ref_sample: DetDataSample) -> Tensor:
    """(R, S) bool: positives of the key frame against all samples of the reference frame."""
    key_ids = key_sample.gt_instances.instances_id[key.pos_assigned_gt_inds]
    ref_ids = ref_sample.gt_instances.instances_id[ref.pos_assigned_gt_inds]
    # Positives come first among the samples of a frame; what follows are negatives, of no id.
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


@MODELS.register_module()
class MultiPositiveCELoss(nn.Module):
    """Cross entropy with several positives per row (QDTrack, Eq. 5).

    Per row, log(1 + sum_pos exp(-s) * sum_neg exp(s)), written as
    softplus(logsumexp(-s_pos) + logsumexp(s_neg)): no overflow, no clamp and
    no (rows, columns^2) tensor. Averaged over the rows that have a positive.

    Args:
        loss_weight: Factor of the loss (VATrack: 0.25).
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, similarity: Tensor, positive: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            similarity: (R, S) float dot products of key and reference regions.
            positive: (R, S) bool, true where both show the same instance.

        Returns:
            Scalar; 0 with a gradient when no row has a positive.
        """
        # Rows without a positive teach nothing; counted in the mean they would weaken the others.
        matched = positive.any(dim=1)
        similarity, positive = _at_least_float32(similarity)[matched], positive[matched]
        # Takes an entry out of a sum; -inf would make the gradient of a row without others NaN.
        absent = torch.finfo(similarity.dtype).min
        pull = torch.where(positive, -similarity, absent).logsumexp(dim=1)
        push = torch.where(positive, absent, similarity).logsumexp(dim=1)
        # Eq. 5: sum over pairs of exp(s_neg - s_pos) is the product of two sums.
        loss = softplus(pull + push).sum() / max(len(similarity), 1)
        return self.loss_weight * loss


@MODELS.register_module()
class CosineMarginLoss(nn.Module):
    """Squared error of cosine similarities, 1 for positives and at most a margin for negatives.

    The auxiliary loss of QDTrack (Eq. 7) with hard negative mining.

    Args:
        neg_margin: Cosine below which a negative costs nothing (VATrack: 0.3).
        max_neg_ratio: Keep at most this many negatives per positive, those
            with the largest error.
        loss_weight: Factor of the loss (VATrack: 1.0).
    """

    def __init__(self, neg_margin: float = 0.3, max_neg_ratio: float = 3,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        self.neg_margin = neg_margin
        self.max_neg_ratio = max_neg_ratio
        self.loss_weight = loss_weight

    def forward(self, cosine: Tensor, positive: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            cosine: (R, S) float in [-1, 1].
            positive: (R, S) bool.

        Returns:
            Scalar mean over the entries kept; 0 when there is no positive.
        """
        cosine = _at_least_float32(cosine)
        pull = (cosine[positive].clamp(0, 1) - 1).square()
        push = (cosine[~positive] - self.neg_margin).clamp(0, 1).square()
        # Hard negatives only: there are a hundred times as many negatives as positives.
        limit = int(self.max_neg_ratio * len(pull))
        if len(push) > limit:
            push = push.topk(limit).values
        return self.loss_weight * (pull.sum() + push.sum()) / max(len(pull) + len(push), 1)


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
