"""What a policy of association is: a rule without memory of its own."""
from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .memory import Memory


class Tracker(ABC):
    """Decides which detection continues which track.

    All that it remembers is the :class:`~vatrack.track.memory.Memory` that the
    caller hands in, so that one policy serves any number of open videos. It
    works on the host: its matrices are small, its steps many and dependent on
    each other, and each would make the host wait for a GPU.

    Attributes:
        needs_embeds: Whether detections must have ``embeds`` (N, E).
    """

    needs_embeds = False

    def begin(self) -> Memory:
        """Memory of a new video."""
        return Memory()

    @torch.no_grad()
    def track(self, detections: InstanceData, frame_id: int, memory: Memory) -> InstanceData:
        """Give ids to the detections of one frame.

        Args:
            detections: On the host, in any order: ``bboxes`` (N, 4), ``scores``
                (N,), ``labels`` (N,) and, where needed, ``embeds`` (N, E).
            frame_id: Position of the frame in time; frames come in order.
            memory: Of this video; changed in place.

        Returns:
            The detections that belong to tracks, with ``instances_id`` (M,) int64,
            unique within the frame.
        """
        detections, ids = self.assign(detections, frame_id, memory)
        kept = detections[ids >= 0]
        kept.instances_id = ids[ids >= 0]
        return kept

    @abstractmethod
    def assign(self, detections: InstanceData, frame_id: int,
               memory: Memory) -> tuple[InstanceData, Tensor]:
        """Detections in the order of the policy, and the id of each (N,); below 0: none."""


def best_first(detections: InstanceData) -> InstanceData:
    """Detections by descending score; equal ones keep their order."""
    return detections[detections.scores.sort(descending=True, stable=True).indices]
