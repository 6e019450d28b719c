"""Association by overlap: gives image-based systems tracks without training."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from vatrack.registry import MODELS

from .base import UNMATCHED, Memory, Tracker, TrackTable, best_first, greedy_assign


@MODELS.register_module()
class IoUTracker(Tracker):
    """Continues the track of the same class whose latest box overlaps most.

    Not a system of the VATrack paper: an explicit choice that turns MaskAmodal
    or MaskJoint into a simple video system.

    Args:
        match_iou_thr: Least IoU of a match, exclusive.
        init_score_thr: Detections above it start tracks.
        memo_frames: A track not seen for this many frames is deleted.
    """

    def __init__(self, match_iou_thr: float = 0.5, init_score_thr: float = 0.01,
                 memo_frames: int = 5) -> None:
        self.match_iou_thr = match_iou_thr
        self.init_score_thr = init_score_thr
        self.memo_frames = memo_frames

    def assign(self, detections: InstanceData, frame_id: int,
               memory: Memory) -> tuple[InstanceData, Tensor]:
        """Match boxes greedily, best score first, within each class."""
        detections = best_first(detections)
        if memory.tracks is None:
            memory.tracks = TrackTable.of(detections, detections.labels, frame_id).select(slice(0))
        tracks = memory.tracks.select(frame_id - memory.tracks.last_seen <= self.memo_frames)
        ids = torch.full_like(detections.labels, UNMATCHED)
        if len(tracks) and len(detections):
            # Boxes without area have an IoU of NaN with one another.
            overlap = box_iou(detections.bboxes, tracks.bboxes).nan_to_num()
            overlap[detections.labels[:, None] != tracks.labels[None]] = 0
            columns = torch.from_numpy(greedy_assign(
                overlap.numpy(), [True] * len(tracks), [True] * len(detections),
                self.match_iou_thr, self.match_iou_thr))
            ids = torch.where(columns >= 0, tracks.ids[columns.clamp(min=0)], columns)
        is_new = (ids == UNMATCHED) & (detections.scores > self.init_score_thr)
        ids[is_new] = memory.new_ids(is_new)
        seen = ids >= 0
        memory.tracks = tracks.update(TrackTable.of(detections[seen], ids[seen], frame_id))
        return detections, ids
