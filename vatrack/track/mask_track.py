"""The association of MaskTrack R-CNN, the policy of the MT systems."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from vatrack.registry import MODELS

from .memory import Memory, new_ids

#: The slot of 'new object'; slot m + 1 is row m of the memory.
_NEW = 0


@MODELS.register_module()
class MTTracker:
    """Each detection picks its most probable track, or a new one (MaskTrack R-CNN, Eq. 4).

    Appearance, score, overlap and class are weighed together. As in the code
    of MaskTrack R-CNN a track keeps its first class. Where several detections
    pick one track, the best one gets it and the others are dropped, whatever
    their order (mmdet gives one id to several).

    Args:
        init_score_thr: Detections above it start tracks; 0 in the paper.
        score_weight: Weight of the logarithm of the detection score.
        iou_weight: Weight of the box IoU with the track's latest box.
        label_weight: Weight of being of the track's class.
        memo_frames: A track not seen for this many frames is deleted, 20 in
            mmtracking; None keeps all, as in the code of MaskTrack R-CNN.
    """

    needs_embeds = True

    def __init__(self, init_score_thr: float = 0.0, score_weight: float = 1.0,
                 iou_weight: float = 2.0, label_weight: float = 10.0,
                 memo_frames: int | None = 20) -> None:
        self.init_score_thr = init_score_thr
        self.score_weight = score_weight
        self.iou_weight = iou_weight
        self.label_weight = label_weight
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
            detections: ``bboxes`` (N, 4), ``scores`` (N,), ``labels`` (N,) and
                ``embeds`` (N, E), in any order.
            frame_id: Position of the frame in time; frames come in order.

        Returns:
            The detections that belong to tracks, in the order given, with
            ``instances_id`` (M,) int64, unique within the frame.
        """
        if len(detections) == 0:
            detections.instances_id = detections.labels.new_zeros(0)
            return detections
        if self.tracks is None:
            self.tracks = Memory.of(detections, detections.labels, frame_id).select(slice(0))
        slots, wins = self._pick(detections)
        ids = torch.full_like(slots, -1)
        ids[wins] = self.tracks.ids[slots[wins] - 1]
        is_new = (slots == _NEW) & (detections.scores > self.init_score_thr)
        ids[is_new], self.next_id = new_ids(is_new, self.next_id)
        self._remember(detections[ids >= 0], ids[ids >= 0], frame_id)
        kept = detections[ids >= 0]
        kept.instances_id = ids[ids >= 0]
        return kept

    def _pick(self, detections: InstanceData) -> tuple[Tensor, Tensor]:
        """The slot that each detection picks, and whether it gets the track of that slot."""
        likelihood, slots = self._likelihood(detections).max(dim=1)
        rivals = (slots[:, None] == slots[None]) & (slots[:, None] != _NEW)
        better = likelihood[None] > likelihood[:, None]
        earlier = torch.ones_like(rivals).tril(diagonal=-1) & (
            likelihood[None] == likelihood[:, None])
        return slots, (slots != _NEW) & ~(rivals & (better | earlier)).any(dim=1)

    def _likelihood(self, detections: InstanceData) -> Tensor:
        """(N, M + 1) logarithm of the likelihood of 'new' and of every track."""
        memory = self.tracks
        # Float32 on purpose, also under autocast: the likelihoods of near objects are close.
        with torch.autocast(memory.embeds.device.type, enabled=False):
            similarity = detections.embeds.float() @ memory.embeds.T
        same_class = detections.labels[:, None] == memory.labels[None]
        appearance = _with_new(similarity, 0.).log_softmax(dim=1)
        overlap = _with_new(box_iou(detections.bboxes.float(), memory.bboxes).nan_to_num(), 0.)
        total = (appearance + self.score_weight * detections.scores.float().log()[:, None]
                 + self.iou_weight * overlap
                 + self.label_weight * _with_new(same_class.float(), 1.))
        return total.nan_to_num(nan=-torch.inf)  # so that NaN matches nothing

    def _remember(self, detections: InstanceData, ids: Tensor, frame_id: int) -> None:
        seen = Memory.of(detections, ids, frame_id)
        rows, known = self.tracks.locate(ids)
        seen.labels = seen.labels.clone()
        seen.labels[rows] = self.tracks.labels[known]
        self.tracks = self.tracks.update(seen)
        if self.memo_frames is not None:
            self.tracks = self.tracks.select(frame_id - self.tracks.last_seen < self.memo_frames)


def _with_new(values: Tensor, new: float) -> Tensor:
    """Put the column of 'new object' in front: (N, M) -> (N, M + 1)."""
    return torch.nn.functional.pad(values, (1, 0), value=new)
