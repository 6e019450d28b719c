"""No association: for image-based systems (MaskAmodal, MaskJoint)."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS

from .base import Memory, Tracker


@MODELS.register_module()
class NoAssociation(Tracker):
    """Every detection is a track of its own, one frame long.

    Image-level metrics of such results are meaningful; video-level metrics
    are those of a system that does not track.
    """

    def assign(self, detections: InstanceData, frame_id: int,
               memory: Memory) -> tuple[InstanceData, Tensor]:
        """Give each of the N detections a fresh id."""
        return detections, memory.new_ids(torch.ones_like(detections.labels, dtype=torch.bool))
