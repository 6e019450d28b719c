"""Association by overlap: gives image-based systems tracks without training."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from vatrack.registry import MODELS

from .base import UNMATCHED, Memory, Tracker, TrackTable, greedy_assign


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

    best_first = True

    def __init__(self, match_iou_thr: float = 0.5, init_score_thr: float = 0.01,
                 memo_frames: int = 5) -> None:
        self.match_iou_thr = match_iou_thr
        self.init_score_thr = init_score_thr
        self.memo_frames = memo_frames

    def match(self, detections: InstanceData, frame_id: int,
              memory: Memory) -> tuple[InstanceData, Tensor]:
        """Match boxes greedily within each class."""
        tracks = memory.tracks
        memory.tracks = tracks = tracks.select(frame_id - tracks.last_seen <= self.memo_frames)
        if not len(tracks):
            return detections, torch.full_like(detections.labels, UNMATCHED)
        # Boxes without area have an IoU of NaN with one another.
        overlap = box_iou(detections.bboxes, tracks.bboxes).nan_to_num()
        overlap[detections.labels[:, None] != tracks.labels[None]] = 0
        columns = torch.from_numpy(greedy_assign(
            overlap.numpy(), [True] * len(tracks), [True] * len(detections),
            self.match_iou_thr, self.match_iou_thr))
        return detections, torch.where(columns >= 0, tracks.ids[columns.clamp(min=0)], columns)

    def remember(self, detections: InstanceData, ids: Tensor, frame_id: int,
                 memory: Memory) -> None:
        """Keep the latest box of each track."""
        seen = ids >= 0
        memory.tracks = memory.tracks.update(TrackTable.of(detections[seen], ids[seen], frame_id))
