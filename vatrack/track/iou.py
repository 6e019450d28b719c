"""Association by overlap: gives image-based systems tracks without training."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torchvision.ops import box_iou

from vatrack.registry import MODELS

from .assign import UNMATCHED, greedy_assign
from .memory import Memory, new_ids


@MODELS.register_module()
class IoUTracker:
    """Continues the track of the same class whose latest box overlaps most.

    Not a system of the VATrack paper: an explicit choice that turns MaskAmodal
    or MaskJoint into a simple video system.

    Args:
        match_iou_thr: Least IoU of a match, exclusive.
        init_score_thr: Detections above it start tracks.
        memo_frames: A track not seen for this many frames is deleted.
    """

    needs_embeds = False

    def __init__(self, match_iou_thr: float = 0.5, init_score_thr: float = 0.01,
                 memo_frames: int = 5) -> None:
        self.match_iou_thr = match_iou_thr
        self.init_score_thr = init_score_thr
        self.memo_frames = memo_frames
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new video starts."""
        self.tracks: Memory | None = None
        self.next_id = 0

    @torch.no_grad()
    def track(self, detections: InstanceData, frame_id: int) -> InstanceData:
        """Give ids to the detections of one frame.

        Args:
            detections: ``bboxes`` (N, 4), ``scores`` (N,) and ``labels`` (N,),
                in any order.
            frame_id: Position of the frame in time; frames come in order.

        Returns:
            The detections that belong to tracks, best score first, with
            ``instances_id`` (M,) int64, unique within the frame.
        """
        detections = detections[detections.scores.sort(descending=True, stable=True).indices]
        if self.tracks is None:
            self.tracks = Memory.of(detections, detections.labels, frame_id).select(slice(0))
        self.tracks = self.tracks.select(frame_id - self.tracks.last_seen <= self.memo_frames)
        ids = torch.full_like(detections.labels, UNMATCHED)
        if len(self.tracks) and len(detections):
            overlap = box_iou(detections.bboxes, self.tracks.bboxes).nan_to_num()
            overlap[detections.labels[:, None] != self.tracks.labels[None]] = 0
            columns = torch.from_numpy(greedy_assign(
                overlap.cpu().numpy(), [True] * len(self.tracks), [True] * len(detections),
                self.match_iou_thr, self.match_iou_thr)).to(ids.device)
            ids = torch.where(columns >= 0, self.tracks.ids[columns.clamp(min=0)], columns)
        is_new = (ids == UNMATCHED) & (detections.scores > self.init_score_thr)
        ids[is_new], self.next_id = new_ids(is_new, self.next_id)
        kept = detections[ids >= 0]
        kept.instances_id = ids[ids >= 0]
        self.tracks = self.tracks.update(Memory.of(kept, kept.instances_id, frame_id))
        return kept
