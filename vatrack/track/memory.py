"""What is known of live tracks: one row each, the latest state only."""
from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass
class Memory:
    """Rows that detections are compared with.

    Attributes:
        ids: (M,) int64 track ids; -1 for backdrops.
        labels: (M,) int64.
        bboxes: (M, 4) float32 in pixels of the network input.
        embeds: (M, E) float32; E is 0 for policies without embeddings.
        last_seen: (M,) int64 frame ids.
    """

    ids: Tensor
    labels: Tensor
    bboxes: Tensor
    embeds: Tensor
    last_seen: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, detections: InstanceData, ids: Tensor, frame_id: int) -> Memory:
        """Rows of N detections with ``ids`` (N,)."""
        bboxes = detections.bboxes.float()
        embeds = detections.get('embeds', bboxes[:, :0]).float()
        return cls(ids, detections.labels, bboxes, embeds, torch.full_like(ids, frame_id))

    def select(self, index: Tensor | slice) -> Memory:
        """Rows chosen by an index, a bool mask or a slice."""
        return Memory(*(getattr(self, f.name)[index] for f in fields(self)))

    @staticmethod
    def cat(parts: list[Memory]) -> Memory:
        """All rows of ``parts``, in order."""
        return Memory(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Memory)))

    def locate(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Positions of ids that are known: (P,) in ``ids`` and (P,) in the memory."""
        return (ids[:, None] == self.ids[None]).nonzero(as_tuple=True)

    def update(self, seen: Memory) -> Memory:
        """Rows of known ids replaced by those of ``seen``, new ones appended, order kept."""
        rows, known = self.locate(seen.ids)
        for f in fields(self):
            getattr(self, f.name)[known] = getattr(seen, f.name)[rows]
        is_new = torch.ones_like(seen.ids, dtype=torch.bool)
        is_new[rows] = False
        return Memory.cat([self, seen.select(is_new)])


def new_ids(is_new: Tensor, first: int) -> tuple[Tensor, int]:
    """Consecutive ids for the rows that ``is_new`` (N,) marks, and the next id after them."""
    count = int(is_new.sum())
    return torch.arange(first, first + count, device=is_new.device), first + count
