"""AP of single frames and vAP of whole videos, under a protocol."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from vatrack.files import ResultError
from vatrack.structures import Box, TrackRecord

from .average_precision import PrecisionRecall, Samples
from .protocols import MaxDetections, Protocol, track_category
from .similarity import ComparedVideo, mean_areas


class ImageAP:
    """AP, AP50, AP75, AP by stratum, AR: an instance in one frame is matched by mask IoU.

    Detections are the tracks of the frame with their frame scores and classes
    (VATrack scores the output of its tracker, not raw detections). One whose
    mask has no pixel matches nothing and is a false positive, as in COCOeval; a
    track without a mask (None) is no detection. Truth without a pixel of the
    kind evaluated does not count.

    Args:
        protocol: The rules.
        category_ids: Ids of the annotation file.
        metrics: Some of :attr:`names`.
    """

    names = ('AP', 'AR')
    level = 'image'
    partial_truth = False

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 metrics: Sequence[str] = names) -> None:
        self.protocol = protocol
        self.metrics = tuple(metrics)
        self.curves = PrecisionRecall(protocol.strata.values(), category_ids,
                                      protocol.image.all[-1])

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        similarity = compared.similarity
        detections, truths, pairs = similarity.detections, similarity.truths, similarity.pairs
        pair_detections = np.flatnonzero(detections.areas)[pairs.tracks]
        instances = [compared.truths[i].instances[t]
                     for i, t in zip(truths.owners.tolist(), truths.frames.tolist(), strict=True)]
        crowd = np.array([instance.iscrowd for instance in instances], bool)
        # Any part of a crowd is a match: COCO divides by the detection alone.
        iou = np.where(crowd[pairs.truths],
                       pairs.intersections / detections.areas[pair_detections], pairs.iou)
        # Of equal overlaps the truth with the highest annotation id is taken.
        by_id = np.argsort([instance.id for instance in instances], kind='stable').astype(np.int64)
        place = np.argsort(by_id)
        self.curves.add(Samples(
            ids=np.array([frame.id for frame in compared.video.frames], np.int64),
            detection_samples=detections.frames,
            scores=_in_frames(compared, 'score', 'scores', float),
            categories=_in_frames(compared, 'category_id', 'category_ids', np.int64),
            areas=self._areas(compared),
            truth_categories=np.array([instance.category_id for instance in instances],
                                      np.int64)[by_id],
            truth_areas=truths.areas[by_id],
            truth_occlusions=_occlusions([instance.occlusion for instance in instances])[by_id],
            truth_iscrowd=crowd[by_id],
            pair_detections=pair_detections, pair_truths=place[pairs.truths], pair_iou=iou))

    def merge(self, other: ImageAP) -> None:
        """Take in what another has seen."""
        self.curves.merge(other.curves)

    def compute(self) -> dict[str, float]:
        """Fractions in [0, 1] by name, ``'image/AP50'``; -1 where there is no truth."""
        return _means(self._table())

    def by_category(self) -> dict[int, dict[str, float]]:
        """Numbers of each category by id, named as in :meth:`compute`."""
        return _means_by_category(self._table(), self.curves.category_ids)

    def _table(self) -> dict[str, np.ndarray]:
        table = {}
        if 'AP' in self.metrics:
            table |= _precisions(self.curves, self.protocol, self.protocol.image, 'image/AP')
        if 'AR' in self.metrics:
            table |= _recalls(self.curves, self.protocol, self.protocol.image, 'image/AR')
            table['image/AR'] = self.curves.recall(self.protocol.image.ap)[:, 0]
            if self.protocol.image_recall_at_50:
                at_50 = self.curves.recall(self.protocol.image.recall[-1])[..., 0]
                table |= {f'image/AR50_{name}': at_50[:, s] for s, name
                          in enumerate(self.protocol.strata) if name in self.protocol.occlusions}
        return table

    def _areas(self, compared: ComparedVideo) -> np.ndarray:
        detections = compared.similarity.detections
        if self.protocol.image_detection_area == 'mask':
            return detections.areas
        areas = []
        for i, index in zip(detections.owners.tolist(), detections.frames.tolist(), strict=True):
            track = compared.tracks[i]
            boxes = detection_boxes(track, compared.predicted_kind)
            box = None if boxes is None else boxes[track.position(index)]
            if box is None:
                raise ResultError(
                    f'protocol {self.protocol.name!r} takes areas from boxes, but track '
                    f'{track.track_id} of video {track.video_id} has no box in frame {index}; '
                    "write bboxes into the results, or choose the protocol 'sailvos'")
            areas.append((box[2] - box[0]) * (box[3] - box[1]))
        return np.array(areas, float)


def detection_boxes(track: TrackRecord, kind: str) -> list[Box | None] | None:
    """Boxes of the detections of a kind, in the frames of a track.

    Visible detections of models with two box heads have visible boxes, those
    of others the box of the main kind (released code of VATrack).
    """
    visible = kind == 'visible' and track.visible_bboxes is not None
    return track.visible_bboxes if visible else track.bboxes


class VideoAP:
    """vAP, vAP50, vAP75, vAP by stratum, vAR: tracks are matched by spatio-temporal IoU.

    Area is the mean over the frames with a mask, of truth and of tracks;
    occlusion see :attr:`TruthTrack.occlusion`. Truth that never has a pixel of
    the kind evaluated does not count.

    Args:
        protocol: The rules.
        category_ids: Ids of the annotation file.
        metrics: Some of :attr:`names`.
    """

    names = ('vAP', 'vAR')
    level = 'video'
    partial_truth = False

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 metrics: Sequence[str] = names) -> None:
        self.protocol = protocol
        self.metrics = tuple(metrics)
        self.curves = PrecisionRecall(protocol.strata.values(), category_ids,
                                      protocol.video.all[-1])

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        self.curves.add(video_sample(compared, self.protocol))

    def merge(self, other: VideoAP) -> None:
        """Take in what another has seen."""
        self.curves.merge(other.curves)

    def compute(self) -> dict[str, float]:
        """Fractions in [0, 1] by name, ``'video/vAP50'``; -1 where there is no truth."""
        return _means(self._table())

    def by_category(self) -> dict[int, dict[str, float]]:
        """Numbers of each category by id, named as in :meth:`compute`."""
        return _means_by_category(self._table(), self.curves.category_ids)

    def _table(self) -> dict[str, np.ndarray]:
        table = {}
        if 'vAP' in self.metrics:
            table |= _precisions(self.curves, self.protocol, self.protocol.video, 'video/vAP')
        if 'vAR' in self.metrics:
            table |= _recalls(self.curves, self.protocol, self.protocol.video, 'video/vAR')
        return table


def video_sample(compared: ComparedVideo, protocol: Protocol) -> Samples:
    """A video as one sample: its tracks, and the truths that ever have a pixel."""
    similarity = compared.similarity
    present = np.flatnonzero(similarity.truth_areas.any(axis=1))
    truths = [compared.truths[i] for i in present.tolist()]
    # Unlike at image level, a crowd has the plain IoU (youtubevos/cocoapi).
    iou = similarity.iou[:, present]
    pair_detections, pair_truths = np.nonzero(iou)
    return Samples(
        ids=np.array([compared.video.id]),
        detection_samples=np.zeros(len(compared.tracks), np.int64),
        scores=np.array([track.score for track in compared.tracks], float),
        categories=np.array([track_category(track, protocol.class_rule)
                             for track in compared.tracks], np.int64),
        areas=mean_areas(similarity.track_areas),
        truth_categories=np.array([truth.category_id for truth in truths], np.int64),
        truth_areas=mean_areas(similarity.truth_areas[present]),
        truth_occlusions=np.array([truth.occlusion for truth in truths], float),
        truth_iscrowd=np.array([truth.iscrowd for truth in truths], bool),
        pair_detections=pair_detections, pair_truths=pair_truths,
        pair_iou=iou[pair_detections, pair_truths])


def _precisions(curves: PrecisionRecall, protocol: Protocol, max_dets: MaxDetections,
                prefix: str) -> dict[str, np.ndarray]:
    """Precisions by metric, classes first; threshold 0 is IoU .50, 5 is .75, stratum 0 'all'."""
    fixed = curves.precision(max_dets.fixed)
    whole = fixed if max_dets.ap == max_dets.fixed else curves.precision(max_dets.ap)
    table = {'': whole[:, 0], '50': fixed[:, 0, 0], '75': fixed[:, 0, 5]}
    for s, name in enumerate(protocol.strata):
        if s:
            table |= ({f'50_{name}': fixed[:, s, 0]} if protocol.strata_at_50 else
                      {f'_{name}': fixed[:, s]})
    return {f'{prefix}{name}': values for name, values in table.items()}


def _recalls(curves: PrecisionRecall, protocol: Protocol, max_dets: MaxDetections,
             prefix: str) -> dict[str, np.ndarray]:
    """Recalls over all IoU thresholds by metric, classes first; strata at the largest number."""
    table = {f'{prefix}@{most}': curves.recall(most)[:, 0] for most in max_dets.recall}
    largest = curves.recall(max_dets.recall[-1])
    return table | {f'{prefix}@{max_dets.recall[-1]}_{name}': largest[:, s]
                    for s, name in enumerate(protocol.strata) if s}


def _means(table: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: _mean(values) for name, values in table.items()}


def _means_by_category(table: Mapping[str, np.ndarray],
                       category_ids: Iterable[int]) -> dict[int, dict[str, float]]:
    return {int(category): _means({name: values[k] for name, values in table.items()})
            for k, category in enumerate(category_ids)}


def _mean(values: np.ndarray) -> float:
    """Mean over the classes with truth; -1 if there is none."""
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.


def _occlusions(rates: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if rate is None else rate for rate in rates], float)


def _in_frames(compared: ComparedVideo, name: str, names: str, dtype: type) -> np.ndarray:
    """An attribute of the E detections, or else that of their track: (E,)."""
    table = np.zeros(compared.similarity.track_areas.shape, dtype)
    for row, track in zip(table, compared.tracks, strict=True):
        whole, single = getattr(track, name), getattr(track, names)
        row[track.frames] = whole if single is None else [
            whole if value is None else value for value in single]
    detections = compared.similarity.detections
    return table[detections.owners, detections.frames]
