"""The association of MaskTrack R-CNN, the policy of the MT systems."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from vatrack.registry import MODELS

from .base import DISCARDED, UNMATCHED, Memory, Tracker, TrackTable

#: The slot of 'new object'; slot m + 1 is row m of the memory.
_NEW = 0


@MODELS.register_module()
class MTTracker(Tracker):
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
        match_score_thr: Least probability, exclusive, that a detection is the
            object of the track it picks, by appearance alone (the softmax of
            MaskTrack R-CNN, Eq. 1); below it the detection counts as a new
            object. 0.5 in the supplement of VATrack, section B; None as in the
            code of MaskTrack R-CNN, whose rule has no threshold.
    """

    needs_embeds = True

    def __init__(self, init_score_thr: float = 0.0, score_weight: float = 1.0,
                 iou_weight: float = 2.0, label_weight: float = 10.0,
                 memo_frames: int | None = 20, match_score_thr: float | None = None) -> None:
        if match_score_thr is not None and not 0 <= match_score_thr <= 1:
            raise ValueError(f'match_score_thr must be a probability, got {match_score_thr}')
        self.init_score_thr = init_score_thr
        self.score_weight = score_weight
        self.iou_weight = iou_weight
        self.label_weight = label_weight
        self.memo_frames = memo_frames
        self.match_score_thr = match_score_thr

    def match(self, detections: InstanceData, frame_id: int,
              memory: Memory) -> tuple[InstanceData, Tensor]:
        """Give each detection the track that it picks, if no better one picks it too."""
        slots, wins = self._pick(detections, memory.tracks)
        ids = torch.where(slots == _NEW, UNMATCHED, DISCARDED)
        ids[wins] = memory.tracks.ids[slots[wins] - 1]
        return detections, ids

    def _pick(self, detections: InstanceData, tracks: TrackTable) -> tuple[Tensor, Tensor]:
        """The slot (N,) that each detection picks, and whether it gets that slot's track (N,)."""
        appearance = _appearance(detections, tracks)
        likelihood, slots = self._likelihood(appearance, detections, tracks).max(dim=1)
        if self.match_score_thr is not None:
            probability = appearance.gather(1, slots[:, None])[:, 0].exp()
            slots[~(probability > self.match_score_thr)] = _NEW  # so that NaN is new, too
        return slots, _winners(likelihood, slots)

    def _likelihood(self, appearance: Tensor, detections: InstanceData,
                    tracks: TrackTable) -> Tensor:
        """(N, M + 1) logarithm of the likelihood of 'new' and of every track (Eq. 4)."""
        same_class = detections.labels[:, None] == tracks.labels[None]
        overlap = _with_new(box_iou(detections.bboxes.float(), tracks.bboxes).nan_to_num(), 0.)
        total = (appearance + self.score_weight * detections.scores.float().log()[:, None]
                 + self.iou_weight * overlap
                 + self.label_weight * _with_new(same_class.float(), 1.))
        return total.nan_to_num(nan=-torch.inf)  # so that NaN matches nothing

    def remember(self, detections: InstanceData, ids: Tensor, frame_id: int,
                 memory: Memory) -> None:
        """Keep the latest state of each track, but its first class."""
        kept = ids >= 0
        seen = TrackTable.of(detections[kept], ids[kept], frame_id)
        rows, known = memory.tracks.locate(seen.ids)
        seen.labels = seen.labels.clone()  # or those of the detections would change
        seen.labels[rows] = memory.tracks.labels[known]
        tracks = memory.tracks.update(seen)
        if self.memo_frames is not None:
            tracks = tracks.select(frame_id - tracks.last_seen < self.memo_frames)
        memory.tracks = tracks


def _appearance(detections: InstanceData, tracks: TrackTable) -> Tensor:
    """(N, M + 1) logarithm of the probability of 'new' and of every track by looks (Eq. 1)."""
    # Float32 on purpose, also under autocast: the likelihoods of near objects are close.
    with torch.autocast('cpu', enabled=False):
        similarity = detections.embeds.float() @ tracks.embeds.T
    return _with_new(similarity, 0.).log_softmax(dim=1)


def _winners(likelihood: Tensor, slots: Tensor) -> Tensor:
    """Which detections get the track that they pick: (N,), (N,) -> (N,) bool.

    Of several detections that pick one track the likeliest gets it, of equally
    likely ones the first. Slot 0 is 'new', and no track.
    """
    rivals = (slots[:, None] == slots[None]) & (slots[:, None] != _NEW)
    better = likelihood[None] > likelihood[:, None]
    earlier = torch.ones_like(rivals).tril(diagonal=-1) & (likelihood[None] == likelihood[:, None])
    return (slots != _NEW) & ~(rivals & (better | earlier)).any(dim=1)


def _with_new(values: Tensor, new: float) -> Tensor:
    """Put the column of 'new object' in front: (N, M) -> (N, M + 1)."""
    return torch.nn.functional.pad(values, (1, 0), value=new)
