"""What a policy of association is: a rule without memory of its own."""
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.functional import normalize


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


class Tracker(ABC):
    """Decides which detection continues which track.

    All that it remembers is the :class:`Memory` that the caller hands in, so
    that one policy serves any number of open videos. It works on the host: its
    matrices are small, its steps many and dependent on each other, and each
    would make the host wait for a GPU.

    A sub-class says how detections are matched with what is remembered, and
    what is remembered of them.

    Attributes:
        needs_embeds: Whether detections must have ``embeds`` (N, E).
        best_first: Whether detections are matched by descending score; else in
            the order given.
        init_score_thr: Detections above it that match nothing start tracks.
    """

    needs_embeds = False
    best_first = False
    init_score_thr = -float('inf')

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
            The detections that belong to tracks, in the order of matching, with
            ``instances_id`` (M,) int64, unique within the frame.
        """
        if len(detections) == 0:
            detections.instances_id = detections.labels.new_zeros(0)
            return detections
        if self.best_first:  # equal scores keep their order
            order = detections.scores.sort(descending=True, stable=True).indices
            detections = detections[order]
        if memory.tracks is None:
            memory.tracks = TrackTable.of(detections, detections.labels, frame_id).select(slice(0))
        detections, ids = self.match(detections, frame_id, memory)
        is_new = (ids == UNMATCHED) & (detections.scores > self.init_score_thr)
        ids[is_new] = memory.new_ids(is_new)
        self.remember(detections, ids, frame_id, memory)
        kept = detections[ids >= 0]
        kept.instances_id = ids[ids >= 0]
        return kept

    @abstractmethod
    def match(self, detections: InstanceData, frame_id: int,
              memory: Memory) -> tuple[InstanceData, Tensor]:
        """Hold N > 0 detections against the memory.

        Returns:
            Those that are no duplicates, and for each the id (N,) int64 of its
            track, or UNMATCHED or DISCARDED.
        """

    def remember(self, detections: InstanceData, ids: Tensor, frame_id: int,  # noqa: B027
                 memory: Memory) -> None:
        """Put the detections, with the ids that they have now, into the memory."""


def bisoftmax(embeds: Tensor, memory: Tensor) -> Tensor:
    """Two-way softmax similarity (QDTrack, Eq. 6): (N, E), (M, E) -> (N, M) in [0, 1]."""
    logits = embeds @ memory.T
    return (logits.softmax(dim=1) + logits.softmax(dim=0)) / 2


def softmax(embeds: Tensor, memory: Tensor) -> Tensor:
    """Softmax over the memory: (N, E), (M, E) -> (N, M) in [0, 1]."""
    return (embeds @ memory.T).softmax(dim=1)


def cosine(embeds: Tensor, memory: Tensor) -> Tensor:
    """Cosine similarity: (N, E), (M, E) -> (N, M) in [-1, 1]."""
    return normalize(embeds, dim=1) @ normalize(memory, dim=1).T


METRICS = {'bisoftmax': bisoftmax, 'softmax': softmax, 'cosine': cosine}


#: Entries of an assignment that are not columns of the similarity matrix.
UNMATCHED, DISCARDED = -1, -2


def greedy_assign(similarity: np.ndarray, is_track: np.ndarray, confident: np.ndarray,
                  match_thr: float, discard_thr: float) -> np.ndarray:
    """Assign detections to tracks one after the other, best score first.

    A detection takes the most similar memory entry that no earlier one took,
    if the similarity exceeds ``match_thr`` and the entry is a track. A
    detection that is not ``confident`` never takes a track; it is discarded
    if the similarity exceeds ``discard_thr`` too (QDTrack, section 3.4).

    Args:
        similarity: (N, M) float, detections in descending order of score.
        is_track: (M,) bool; other columns are backdrops.
        confident: (N,) bool.
        match_thr: Least similarity of a match, exclusive.
        discard_thr: Least similarity that discards, exclusive.

    Returns:
        (N,) int64 column of each detection, or UNMATCHED or DISCARDED.
    """
    similarity = similarity.copy()
    columns = np.full(len(similarity), UNMATCHED, dtype=np.int64)
    for row in range(len(similarity)):
        best = int(similarity[row].argmax())
        value = similarity[row, best]
        if not (value > match_thr and is_track[best]):  # so that NaN matches nothing
            continue
        if confident[row]:
            columns[row] = best
            similarity[row + 1:, best] = -np.inf
        elif value > discard_thr:
            columns[row] = DISCARDED
    return columns
