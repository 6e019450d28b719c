"""No association: for image-based systems (MaskAmodal, MaskJoint)."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS

from .base import UNMATCHED, Memory, Tracker


@MODELS.register_module()
class NoAssociation(Tracker):
    """Every detection is a track of its own, one frame long.

    Image-level metrics of such results are meaningful; video-level metrics
    are those of a system that does not track.
    """

    def match(self, detections: InstanceData, frame_id: int,
              memory: Memory) -> tuple[InstanceData, Tensor]:
        """Match nothing."""
        return detections, torch.full_like(detections.labels, UNMATCHED)
