"""The two losses of quasi-dense similarity learning (QDTrack, section 3.3)."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vatrack.registry import MODELS


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
        matched = positive.any(dim=1)
        similarity, positive = _at_least_float32(similarity)[matched], positive[matched]
        # Takes an entry out of a sum; -inf would make the gradient of a row without others NaN.
        absent = torch.finfo(similarity.dtype).min
        pull = torch.where(positive, -similarity, absent).logsumexp(dim=1)
        push = torch.where(positive, absent, similarity).logsumexp(dim=1)
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
        limit = int(self.max_neg_ratio * len(pull))
        if len(push) > limit:
            push = push.topk(limit).values
        return self.loss_weight * (pull.sum() + push.sum()) / max(len(pull) + len(push), 1)


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
