"""Quasi-dense association (QDTrack), the policy of VATrack (QD)."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from vatrack.registry import MODELS

from .base import METRICS, UNMATCHED, Memory, Tracker, TrackTable, greedy_assign


@MODELS.register_module()
class QDTracker(Tracker):
    """Tracks objects by their embeddings.

    The rule is that of the VATrack code (its trackers equal QDTrack's). The
    memory holds the latest state of a track only, so it does not grow with
    the length of a track.

    Args:
        init_score_thr: Detections above it start tracks.
        obj_score_thr: Detections above it continue tracks.
        match_score_thr: Least similarity of a match.
        memo_tracklet_frames: A track not seen for this many frames is deleted.
        memo_backdrop_frames: Frames that unmatched detections are remembered.
        memo_momentum: Weight of the newest embedding of a track.
        nms_conf_thr: Similarity above which an uncertain detection of a
            known track is discarded.
        nms_backdrop_iou_thr: Duplicate IoU of uncertain detections.
        nms_class_iou_thr: Duplicate IoU of detections, across classes.
        with_cats: Match only within a class.
        match_metric: 'bisoftmax', 'softmax' or 'cosine'.

    Raises:
        ValueError: An unknown ``match_metric``, or a ``match_score_thr`` that no
            similarity reaches.
    """

    needs_embeds = True
    best_first = True

    def __init__(self,
                 init_score_thr: float = 0.01,
                 obj_score_thr: float = 0.01,
                 match_score_thr: float = 0.5,
                 memo_tracklet_frames: int = 32,
                 memo_backdrop_frames: int = 1,
                 memo_momentum: float = 0.8,
                 nms_conf_thr: float = 0.5,
                 nms_backdrop_iou_thr: float = 0.3,
                 nms_class_iou_thr: float = 0.7,
                 with_cats: bool = True,
                 match_metric: str = 'bisoftmax') -> None:
        if match_metric not in METRICS:
            raise ValueError(f'match_metric must be one of {list(METRICS)}, got {match_metric!r}')
        if not -1 <= match_score_thr <= 1:
            raise ValueError(f'match_score_thr must be a similarity, at most 1, got '
                             f'{match_score_thr}')
        self.init_score_thr = init_score_thr
        self.obj_score_thr = obj_score_thr
        self.match_score_thr = match_score_thr
        self.memo_tracklet_frames = memo_tracklet_frames
        self.memo_backdrop_frames = memo_backdrop_frames
        self.memo_momentum = memo_momentum
        self.nms_conf_thr = nms_conf_thr
        self.nms_backdrop_iou_thr = nms_backdrop_iou_thr
        self.nms_class_iou_thr = nms_class_iou_thr
        self.with_cats = with_cats
        self.similarity = METRICS[match_metric]

    def match(self, detections: InstanceData, frame_id: int,
              memory: Memory) -> tuple[InstanceData, Tensor]:
        """Match by similarity of embeddings, best score first (QDTrack, section 3.4)."""
        detections = self._remove_duplicates(detections)
        return detections, self._match(detections, memory)

    def _remove_duplicates(self, detections: InstanceData) -> InstanceData:
        """Drop what overlaps *any* better detection, dropped ones included."""
        thr = torch.where(detections.scores < self.obj_score_thr, self.nms_backdrop_iou_thr,
                          self.nms_class_iou_thr)
        return detections[~_overlaps_better(detections.bboxes, thr)]

    def _match(self, detections: InstanceData, memory: Memory) -> Tensor:
        """The id (N,) of each detection, or UNMATCHED or DISCARDED."""
        rows = [table for table in (memory.tracks, *memory.backdrops) if len(table)]
        if not rows:
            return torch.full_like(detections.labels, UNMATCHED)
        known = TrackTable.cat(rows)
        # Float32 on purpose, also under autocast: half precision would merge different objects.
        with torch.autocast('cpu', enabled=False):
            similarity = self.similarity(detections.embeds.float(), known.embeds)
        if self.with_cats:
            other = detections.labels[:, None] != known.labels[None]
            similarity = similarity.masked_fill(other, -torch.inf)
        columns = torch.from_numpy(greedy_assign(
            similarity.numpy(), (known.ids >= 0).numpy(),
            (detections.scores > self.obj_score_thr).numpy(), self.match_score_thr,
            self.nms_conf_thr))
        return torch.where(columns >= 0, known.ids[columns.clamp(min=0)], columns)

    def remember(self, detections: InstanceData, ids: Tensor, frame_id: int,
                 memory: Memory) -> None:
        """Keep the latest state of each track, and as backdrops what belongs to none."""
        now = TrackTable.of(detections, ids, frame_id)
        seen = now.select(ids >= 0)
        # The embedding of a track is a running mean, in which that of the newest frame weighs m.
        rows, known = memory.tracks.locate(seen.ids)
        m = self.memo_momentum
        seen.embeds[rows] = (1 - m) * memory.tracks.embeds[known] + m * seen.embeds[rows]
        tracks = memory.tracks.update(seen)
        memory.tracks = tracks.select(frame_id - tracks.last_seen < self.memo_tracklet_frames)
        covered = _overlaps_better(detections.bboxes, self.nms_backdrop_iou_thr)
        backdrop = now.select((ids == UNMATCHED) & ~covered)
        memory.backdrops = [backdrop, *memory.backdrops][:self.memo_backdrop_frames]


def _overlaps_better(bboxes: Tensor, thr: Tensor | float) -> Tensor:
    """Which of N boxes, best first, have an IoU above ``thr`` with an earlier one: (N,) bool.

    Boxes without area overlap nothing (their IoU is NaN).
    """
    return box_iou(bboxes, bboxes).tril(diagonal=-1).nan_to_num().amax(dim=1) > thr
