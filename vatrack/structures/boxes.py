"""Boxes of several kinds that move as one through mmdet's transforms."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes

from .fields import MASK_KINDS


class BoxesByKind(HorizontalBoxes):
    """The boxes of N instances, one per kind: tensor (N, K, 4) float32, xyxy.

    Mmdet's horizontal boxes take any number of leading axes, so ``Resize``,
    ``RandomFlip`` and their like move all kinds alike. Transforms that leave
    instances out ask :meth:`is_inside`, which answers per instance. Without
    instances the shape may become (0, 4).
    """

    @classmethod
    def from_kinds(cls, boxes: Mapping[str, np.ndarray]) -> BoxesByKind:
        """Stack boxes by kind, each (N, 4), in the order of the mapping.

        Raises:
            ValueError: No kind, or an unknown one.
        """
        unknown = set(boxes) - set(MASK_KINDS)
        if unknown or not boxes:
            raise ValueError(f'box kinds must be some of {MASK_KINDS}, got {sorted(boxes)}')
        return cls(np.stack([np.asarray(each, dtype=np.float32).reshape(-1, 4)
                             for each in boxes.values()], axis=1), clone=False)

    def by_kind(self, kinds: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """The boxes of each kind, (N, 4); ``kinds`` as they were given to :meth:`from_kinds`."""
        boxes = self.tensor.reshape(-1, len(kinds), 4)
        return {kind: boxes[:, index].contiguous() for index, kind in enumerate(kinds)}

    def is_inside(self, img_shape: tuple[int, int], all_inside: bool = False,
                  allowed_border: int = 0) -> torch.Tensor:
        """Whether the boxes of all kinds lie in the image, at least in part: (N,) bool."""
        flat = HorizontalBoxes(self.tensor.reshape(-1, 4), clone=False)
        inside = flat.is_inside(img_shape, all_inside, allowed_border)
        return inside.reshape(len(self), -1).all(dim=1) if len(self) else inside
