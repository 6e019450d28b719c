"""Mask heads of regions: from the features of a region to a mask of each kind."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import ModuleDict
from torch import Tensor

from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS


@MODELS.register_module()
class SeparateMaskHeads(ModuleDict):
    """A mask head of mmdet for each kind; they share nothing but the features of the regions.

    A head that predicts kinds jointly has the same interface, and ``joint``
    true: it is always asked for all its kinds at once.

    Args:
        **heads: Config of a mask head per kind; None leaves a kind out.

    Raises:
        ValueError: No kind is left, or one does not exist.
    """

    joint = False

    def __init__(self, **heads: dict | None) -> None:
        heads = {kind: cfg for kind, cfg in heads.items() if cfg is not None}
        if not heads or not set(heads) <= set(MASK_KINDS):
            raise ValueError(f'mask_heads must name one or more of {MASK_KINDS}, got '
                             f'{list(heads)}')
        super().__init__({kind: MODELS.build(cfg) for kind, cfg in heads.items()})

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that are predicted, in the order of the config."""
        return tuple(self)

    def forward(self, features: Tensor, kinds: Sequence[str]) -> dict[str, Tensor]:
        """Logits by kind of R regions: (R, C, h, w) -> (R, K, 2h, 2w) for K classes, or 1."""
        return {kind: self[kind](features) for kind in kinds}

    def loss(self, logits: dict[str, Tensor], targets: Tensor,
             labels: Tensor) -> dict[str, Tensor]:
        """A loss for each kind in ``logits``.

        Args:
            logits: Those of :meth:`forward`.
            targets: (R, number of kinds, 2h, 2w) float of zeros and ones, kinds in
                the order of ``logits``.
            labels: (R,) int64.

        Returns:
            loss_{kind}_mask; 0, with a gradient of 0, where there is no region.
        """
        losses = {}
        for i, (kind, own) in enumerate(logits.items()):
            losses[f'loss_{kind}_mask'] = self[kind].loss_mask(
                own, targets[:, i], class_channels(own, labels)) if len(labels) else own.sum() * 0
        return losses


def class_channels(logits: Tensor, labels: Tensor) -> Tensor:
    """Mask channel (R,) of each region: its label, or 0 where the head is class-agnostic."""
    return labels if logits.size(1) > 1 else torch.zeros_like(labels)


def of_class(logits: Tensor, labels: Tensor) -> Tensor:
    """The channel of each region's label: (R, K, h, w), (R,) -> (R, h, w)."""
    index = class_channels(logits, labels).view(-1, 1, 1, 1)
    return logits.gather(1, index.expand(-1, 1, *logits.shape[-2:]))[:, 0]
