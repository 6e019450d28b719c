"""What finds and segments objects in single frames."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from mmdet.structures import SampleList
from mmengine.structures import InstanceData
from torch import Tensor, nn

#: Feature maps (B, C, H_l, W_l) of B frames, per level.
Feats = tuple[Tensor, ...]


class FrameDetector:
    """The detector of a :class:`~vatrack.models.TrackedDetector`; also an mmdet detector.

    *Views* are the feature pyramids over which its heads average their outputs,
    at the point that its paper says. Without calibration there is one, the
    features of the frames themselves; calibration makes one for each
    neighbouring frame.

    Attributes:
        mask_kinds: Kinds of masks that it predicts.
    """

    mask_kinds: tuple[str, ...]

    @abstractmethod
    def loss(self, feats: Feats, samples: SampleList,
             views: Sequence[Feats]) -> tuple[dict[str, Tensor], list[InstanceData]]:
        """Losses of B frames, and the proposals or detections that associations learn from.

        Args:
            feats: Of the frames.
            samples: Their ground truth.
            views: V pyramids like ``feats``.

        Returns:
            Losses by name; per frame ``bboxes`` (P, 4) in pixels of the network
            input.
        """

    @abstractmethod
    def propose(self, feats: Feats, samples: SampleList) -> list[InstanceData]:
        """The same of frames without losses, such as reference frames; without gradient."""

    @abstractmethod
    def detect(self, feats: Feats, metas: list[dict],
               views: Sequence[Feats]) -> list[InstanceData]:
        """Detections per frame, without masks.

        Returns:
            ``bboxes`` (N, 4) in pixels of the network input, ``scores`` (N,),
            ``labels`` (N,) int64, and whatever ``segment`` needs.
        """

    @abstractmethod
    def segment(self, feats: Feats, detections: list[InstanceData], metas: list[dict],
                views: Sequence[Feats]) -> None:
        """Add ``{kind}_masks`` to detections and move boxes to original pixels, in place.

        Args:
            feats: Of the frames.
            detections: Those of :meth:`detect` that were kept, on the host.
            metas: Metainfo per frame.
            views: As for :meth:`detect`.
        """


def to_float32(part: nn.Module, inputs: Any, outputs: Any) -> Any:
    """Forward hook of a part: under autocast, keep boxes and scores out of half precision.

    Boxes are decoded in the dtype of a head's outputs, and mmdet's extractors
    round regions to the dtype of the features. Bfloat16 has no more than every
    eighth pixel between 1024 and 2048. RoIAlign works in float32 in any case.
    """
    if isinstance(outputs, Tensor):
        return outputs.float()
    return type(outputs)(to_float32(part, inputs, output) for output in outputs)
