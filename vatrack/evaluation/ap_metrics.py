"""AP of single frames and vAP of whole videos, under a protocol."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .average_precision import Curves, PrecisionRecall, Unit
from .protocols import Budgets, Protocol, track_category
from .similarity import ComparedVideo, mean_areas


class ImageAP:
    """AP, AP50, AP75, AP by stratum, AR: an instance in one frame is matched by mask IoU.

    Detections are the tracks of the frame with their frame scores and classes
    (VATrack scores the output of its tracker, not raw detections).

    Args:
        protocol: The rules.
        category_ids: Ids of the annotation file.
    """

    level = 'image'

    def __init__(self, protocol: Protocol, category_ids: Sequence[int]) -> None:
        self.protocol = protocol
        self.curves = PrecisionRecall(protocol.strata.values(), category_ids,
                                      protocol.image.all[-1])

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        for index, frame in enumerate(compared.similarity.frames):
            if len(frame.tracks) or len(frame.truths):
                self.curves.add(self._unit(compared, index))

    def compute(self) -> dict[str, float]:
        """Fractions in [0, 1] by name, ``'image/AP50'``; -1 where there is no truth."""
        budgets = self.protocol.image
        curves = {budget: self.curves.curves(budget) for budget in budgets.all}
        values = _summarise(curves, self.protocol, budgets, 'image/')
        return values | {'image/AR': _mean(curves[budgets.ap].recall[:, 0])}

    def _unit(self, compared: ComparedVideo, index: int) -> Unit:
        frame = compared.similarity.frames[index]
        tracks = [compared.tracks[i] for i in frame.tracks]
        truths = [compared.truths[i].instances[index] for i in frame.truths]
        crowd = np.array([truth.iscrowd for truth in truths], bool)
        # Any part of a crowd is a match: COCO divides by the detection alone.
        iou = np.where(crowd, frame.intersections / frame.track_areas[:, None], frame.iou)
        by_id = np.argsort([truth.id for truth in truths], kind='stable').astype(np.int64)
        return Unit(
            compared.video.frames[index].id,
            iou[:, by_id],
            np.array([track.frame_score(index) for track in tracks], float),
            np.array([track.frame_category(index) for track in tracks], np.int64),
            self._areas(compared, index),
            np.array([truth.category_id for truth in truths], np.int64)[by_id],
            frame.truth_areas[by_id],
            _occlusions([truth.occlusion for truth in truths])[by_id],
            crowd[by_id],
        )

    def _areas(self, compared: ComparedVideo, index: int) -> np.ndarray:
        frame = compared.similarity.frames[index]
        if self.protocol.image_detection_area == 'mask':
            return frame.track_areas
        areas = []
        for track in (compared.tracks[i] for i in frame.tracks):
            box = track.bboxes[index] if track.bboxes is not None else None
            if box is None:
                raise ValueError(
                    f'protocol {self.protocol.name!r} takes areas from boxes, but track '
                    f'{track.track_id} of video {track.video_id} has no box in frame {index}; '
                    "write bboxes into the results, or choose the protocol 'sailvos'")
            areas.append((box[2] - box[0]) * (box[3] - box[1]))
        return np.array(areas, float)


class VideoAP:
    """vAP, vAP50, vAP75, vAP by stratum, vAR: tracks are matched by spatio-temporal IoU.

    Area is the mean over the frames with a mask, of truth and of tracks;
    occlusion see :attr:`TruthTrack.occlusion`. Truth that never has a pixel of
    the kind evaluated does not count.

    Args:
        protocol: The rules.
        category_ids: Ids of the annotation file.
    """

    level = 'video'

    def __init__(self, protocol: Protocol, category_ids: Sequence[int]) -> None:
        self.protocol = protocol
        self.curves = PrecisionRecall(protocol.strata.values(), category_ids,
                                      protocol.video.all[-1])

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        similarity = compared.similarity
        present = np.flatnonzero(similarity.truth_areas.any(axis=1))
        truths = [compared.truths[i] for i in present]
        # Unlike at image level, a crowd has the plain IoU (youtubevos/cocoapi).
        self.curves.add(Unit(
            compared.video.id,
            similarity.iou[:, present],
            np.array([track.score for track in compared.tracks], float),
            np.array([track_category(track, self.protocol.class_rule)
                      for track in compared.tracks], np.int64),
            mean_areas(similarity.track_areas),
            np.array([truth.category_id for truth in truths], np.int64),
            mean_areas(similarity.truth_areas[present]),
            _occlusions([truth.occlusion for truth in truths]),
            np.array([truth.iscrowd for truth in truths], bool),
        ))

    def compute(self) -> dict[str, float]:
        """Fractions in [0, 1] by name, ``'video/vAP50'``; -1 where there is no truth."""
        budgets = self.protocol.video
        curves = {budget: self.curves.curves(budget) for budget in budgets.all}
        return _summarise(curves, self.protocol, budgets, 'video/v')


def _summarise(curves: Mapping[int, Curves], protocol: Protocol, budgets: Budgets,
               prefix: str) -> dict[str, float]:
    """Metrics of one level; threshold 0 is IoU .50, 5 is .75, stratum 0 is 'all'."""
    fixed = curves[budgets.fixed].precision
    values = {'AP': _mean(curves[budgets.ap].precision[:, 0]),
              'AP50': _mean(fixed[:, 0, 0]), 'AP75': _mean(fixed[:, 0, 5])}
    for s, name in enumerate(protocol.strata):
        if s and protocol.strata_at_50:
            values[f'AP50_{name}'] = _mean(fixed[:, s, 0])
        elif s:
            values[f'AP_{name}'] = _mean(fixed[:, s])
    for budget in budgets.recall:
        values[f'AR@{budget}'] = _mean(curves[budget].recall[:, 0])
    return {f'{prefix}{name}': value for name, value in values.items()}


def _mean(values: np.ndarray) -> float:
    """Mean over the classes with truth; -1 if there is none."""
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.


def _occlusions(rates: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if rate is None else rate for rate in rates], float)
