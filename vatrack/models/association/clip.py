"""A batch of training clips as an association sees it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from mmdet.structures import SampleList
from mmengine.structures import InstanceData
from torch import Tensor

Propose = Callable[[tuple[Tensor, ...], SampleList], list[InstanceData]]


@dataclass
class FrameBatch:
    """B frames, one of each clip: features, truth, and what is computed when first asked for.

    Attributes:
        feats: Feature maps (B, C, H_l, W_l) per level.
        samples: Ground truth of each frame.
        propose: Makes the proposals of such a batch.
    """

    feats: tuple[Tensor, ...]
    samples: SampleList
    propose: Propose = field(repr=False)

    @cached_property
    def proposals(self) -> list[InstanceData]:
        """Proposals per frame, ``bboxes`` (P, 4) in pixels of the network input."""
        return self.propose(self.feats, self.samples)


@dataclass
class FeatureClip:
    """A batch of B training clips.

    Attributes:
        keys: The key frames; of clips whose frames all are keys, all frames,
            clip after clip.
        references: The reference frames, or None.
    """

    keys: FrameBatch
    references: FrameBatch | None = None
