"""What a policy remembers of one video: live tracks, one row each, the latest state only."""
from __future__ import annotations

from dataclasses import dataclass, field, fields

import torch
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass
class TrackTable:
    """Rows that detections are compared with; all tensors on the host.

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
    def of(cls, detections: InstanceData, ids: Tensor, frame_id: int) -> TrackTable:
        """Rows of N detections with ``ids`` (N,)."""
        # Float32 whatever the model computed in: rows live through many momentum updates.
        bboxes = detections.bboxes.float()
        embeds = detections.get('embeds', bboxes[:, :0]).float()
        return cls(ids, detections.labels, bboxes, embeds, torch.full_like(ids, frame_id))

    def select(self, index: Tensor | slice) -> TrackTable:
        """Rows chosen by an index, a bool mask or a slice."""
        return TrackTable(*(getattr(self, f.name)[index] for f in fields(self)))

    @staticmethod
    def cat(parts: list[TrackTable]) -> TrackTable:
        """All rows of ``parts``, in order."""
        return TrackTable(*(torch.cat([getattr(p, f.name) for p in parts])
                            for f in fields(TrackTable)))

    def locate(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Positions of ids that are known: (P,) in ``ids`` and (P,) in the table."""
        return (ids[:, None] == self.ids[None]).nonzero(as_tuple=True)

    def update(self, seen: TrackTable) -> TrackTable:
        """Rows of known ids replaced by those of ``seen``, new ones appended, order kept.

        The order decides ties: of two rows that fit a detection equally well
        the older one gets it.
        """
        rows, known = self.locate(seen.ids)
        for f in fields(self):
            getattr(self, f.name)[known] = getattr(seen, f.name)[rows]
        is_new = torch.ones_like(seen.ids, dtype=torch.bool)
        is_new[rows] = False
        return TrackTable.cat([self, seen.select(is_new)])


@dataclass
class Memory:
    """All that is remembered of one video.

    Attributes:
        tracks: Live tracks; None before the first detection.
        backdrops: Unmatched detections of the latest frames, newest first, which
            start no track but keep detections from matching wrongly (QDTrack).
        next_id: Id of the next track; ids are never used again.
    """

    tracks: TrackTable | None = None
    backdrops: list[TrackTable] = field(default_factory=list)
    next_id: int = 0

    def new_ids(self, is_new: Tensor) -> Tensor:
        """Consecutive fresh ids for the rows that ``is_new`` (N,) bool marks: (sum,) int64."""
        first, self.next_id = self.next_id, self.next_id + int(is_new.sum())
        return torch.arange(first, self.next_id)
