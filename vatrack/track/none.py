"""No association: for image-based systems (MaskAmodal, MaskJoint)."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData

from vatrack.registry import MODELS


@MODELS.register_module()
class NoAssociation:
    """Every detection is a track of its own, one frame long.

    Image-level metrics of such results are meaningful; video-level metrics
    are those of a system that does not track.
    """

    needs_embeds = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new video starts; ids restart at 0."""
        self.next_id = 0

    def track(self, detections: InstanceData, frame_id: int) -> InstanceData:
        """Give each of the N detections a fresh id: adds ``instances_id`` (N,) int64."""
        count = len(detections)
        detections.instances_id = torch.arange(self.next_id, self.next_id + count,
                                               device=detections.labels.device)
        self.next_id += count
        return detections
