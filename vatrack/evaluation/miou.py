"""Mean IoU of objects in single frames: of the full mask, and of its occluded region.

The measure of amodal completion (SaVos, Yao et al., NeurIPS 2022, Sec. E.3), for
tracks: each true object is held against one track, which its visible mask finds.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.structures import TrackRecord
from vatrack.structures.rle import RLE

from .protocols import OverlapRules, Protocol
from .similarity import ComparedVideo, compare_video
from .truth import check_kind

#: IoU of visible masks from which a track is that of an object (SaVos, KINS).
FOUND_THRESHOLD = .5

_NOT_COUNTED = float('nan')


@dataclass(frozen=True)
class _Rows:
    """N objects in frames; all (N,).

    ``full`` and ``occluded`` are IoUs, 0 where no track was ``found`` and NaN
    where the object does not count; ``frames`` are image ids.
    """

    frames: np.ndarray
    categories: np.ndarray
    areas: np.ndarray
    occlusions: np.ndarray
    found: np.ndarray
    full: np.ndarray
    occluded: np.ndarray


class MeanIoU:
    """mIoU of full masks and, of amodal ones, of their occluded region.

    Every number stands twice: of the objects for which a track was found, and
    ``_incl_misses``, with 0 for the others. ``_object`` is the mean over all
    objects in all frames; ``_frame`` the mean over frames of the mean over
    their objects. An object without a visible pixel in a frame cannot be found
    by it, and does not count there (unless the rules match whole videos).

    Args:
        protocol: The rules, :attr:`Protocol.overlap` among them.
        category_ids: Ids of the annotation file.
        metrics: Some of :attr:`names`.
    """

    names = ('mIoU',)
    level = 'image'

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 metrics: Sequence[str] = names) -> None:
        self.protocol = protocol
        self.category_ids = list(category_ids)
        self.regions: tuple[str, ...] = ('full',)
        self._rows: list[_Rows] = []

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        rules, every = self.protocol.overlap, self.protocol.strata['all']
        if compared.kind == 'amodal':
            self.regions = 'full', 'occluded'
            check_kind(compared.truths, 'visible', compared.video, 'the annotations')
        finder = _Finder(compared, rules, self.protocol.score_thr)
        rows = []
        for index, frame in enumerate(compared.similarity.frames):
            for i, area in zip(frame.truths, frame.truth_areas, strict=True):
                occlusion = compared.truths[i].instances[index].occlusion
                occlusion = np.nan if occlusion is None else occlusion
                if (compared.truths[i].iscrowd or not finder.can_find(i, index)
                        or every.excludes(np.array([area]), np.array([occlusion]))[0]
                        or not _is_between(occlusion, rules.occlusion)):
                    continue
                found = finder.track(i, index)
                scene = _Scene(compared, rules, finder.tracks, i, index, found)
                rows.append((compared.video.frames[index].id, compared.truths[i].category_id, area,
                             occlusion, found is not None, scene.full(), scene.occluded()))
        self._rows.append(_Rows(*np.array(rows, float).reshape(-1, 7).T))

    def merge(self, other: MeanIoU) -> None:
        """Take in what another has seen."""
        self.regions = max(self.regions, other.regions, key=len)
        self._rows += other._rows

    def compute(self) -> dict[str, float]:
        """Fractions by name, ``'image/mIoU_occluded_frame_incl_misses'``; -1 where none counts.

        ``mIoU_found`` is the share of objects for which a track was found.
        """
        rows = self._all_rows()
        values: dict[str, float] = {}
        for name, stratum in self.protocol.strata.items():
            inside = ~stratum.excludes(rows.areas, rows.occlusions)
            suffix = '' if name == 'all' else f'_{name}'
            values |= {f'{key}{suffix}': value for key, value in self._means(rows, inside).items()}
        return values

    def by_category(self) -> dict[int, dict[str, float]]:
        """Numbers of each category by id, named as in :meth:`compute`."""
        rows = self._all_rows()
        return {each: self._means(rows, rows.categories == each) for each in self.category_ids}

    def _all_rows(self) -> _Rows:
        names = _Rows.__dataclass_fields__
        rows = [np.concatenate([getattr(each, name) for each in self._rows] or [np.zeros(0)])
                for name in names]
        return _Rows(*rows)

    def _means(self, rows: _Rows, inside: np.ndarray) -> dict[str, float]:
        found = rows.found > 0
        values = {'image/mIoU_found': float(found[inside].mean()) if inside.any() else -1.}
        for region in self.regions:
            iou = getattr(rows, region)
            for misses, chosen in {'': inside & found, '_incl_misses': inside}.items():
                chosen = chosen & ~np.isnan(iou)
                by_frame = _mean_by(rows.frames[chosen], iou[chosen])
                for level, each in {'frame': by_frame, 'object': iou[chosen]}.items():
                    name = f'image/mIoU_{region}_{level}{misses}'
                    values[name] = float(each.mean()) if each.size else -1.
        return values


class _Finder:
    """Finds the track of an object by their visible masks."""

    def __init__(self, compared: ComparedVideo, rules: OverlapRules, score_thr: float) -> None:
        self.tracks = [track for track in compared.tracks if track.score >= score_thr]
        visible = 'visible' if compared.kind == 'amodal' else compared.predicted_kind
        self._similarity = compare_video(compared.video, self.tracks, compared.truths, 'visible',
                                         visible).similarity
        self._whole = rules.match == 'video'

    def can_find(self, truth: int, index: int) -> bool:
        """Whether there is anything to find the track by."""
        return self._whole or truth in self._similarity.frames[index].truths

    def track(self, truth: int, index: int) -> TrackRecord | None:
        """The track that stands for a truth in a frame, if it is there."""
        if self._whole:
            tracks, iou = np.arange(len(self.tracks)), self._similarity.iou[:, truth]
        else:
            frame = self._similarity.frames[index]
            tracks, iou = frame.tracks, frame.iou[:, frame.truths == truth].ravel()
        if not iou.size or iou.max() < FOUND_THRESHOLD:
            return None
        track = self.tracks[tracks[iou.argmax()]]
        return None if track.position(index) is None else track


class _Scene:
    """An object in a frame, the track that was found for it, and the others around."""

    def __init__(self, compared: ComparedVideo, rules: OverlapRules,
                 tracks: Sequence[TrackRecord], truth: int, index: int,
                 found: TrackRecord | None) -> None:
        self.rules, self.kind = rules, compared.kind
        instance = compared.truths[truth].instances[index]
        self.truth = instance.masks[compared.kind]
        self.visible_truth = instance.masks.get('visible')
        self.found = found is not None
        self.prediction = _mask(found, compared.predicted_kind, index)
        if compared.kind == 'amodal' and rules.composed is not None:
            others = [_mask(track, 'visible', index) for track in tracks if track is not found]
            self.visible = _mask(found, 'visible', index)
            if rules.composed == 'truth':
                others = [other.instances[index].masks.get('visible')
                          for i, other in enumerate(compared.truths)
                          if i != truth and other.instances[index] is not None]
                self.visible = self.visible_truth
            self.others = _union(others)

    def full(self) -> float:
        """IoU of the whole mask; 0 without a track, NaN if it does not count."""
        if not self.found:
            return 0.
        truth, prediction = self.truth, self.prediction
        if self.kind != 'amodal' or self.rules.composed is None:
            return self._iou(_area(prediction, truth), _area(prediction) + _area(truth))
        visible, others = self.visible, self.others
        common = (_area(visible, truth) - _area(visible, others, truth)
                  + _area(prediction, others, truth))
        composed = _area(visible) - _area(visible, others) + _area(prediction, others)
        return self._iou(common, composed + _area(truth))

    def occluded(self) -> float:
        """IoU of the occluded region; 0 without a track, NaN if it does not count."""
        truth, visible, prediction = self.truth, self.visible_truth, self.prediction
        if self.kind != 'amodal':
            return _NOT_COUNTED
        if self.rules.composed is not None:
            if not self.found:
                return 0.
            others = self.others
            return self._iou(_area(prediction, others, truth),
                             _area(prediction, others) + _area(truth, others))
        hidden = _area(truth) - _area(truth, visible)
        if not hidden or not self.found:
            return 0. if hidden else _NOT_COUNTED
        common = _area(prediction, truth) - _area(prediction, truth, visible)
        return self._iou(common, hidden + _area(prediction) - _area(prediction, visible))

    def _iou(self, common: int, both: int) -> float:
        iou = (common + self.rules.smoothing) / (both - common + self.rules.smoothing)
        return _NOT_COUNTED if self.rules.drop_perfect and iou == 1 else iou


def _mask(track: TrackRecord | None, kind: str, index: int) -> RLE | None:
    position = None if track is None else track.position(index)
    return None if position is None else track.masks[kind][position]


def _area(*masks: RLE | None) -> int:
    """Pixels that all masks share; None is empty."""
    if any(mask is None for mask in masks):
        return 0
    common = masks[0] if len(masks) == 1 else coco_mask.merge(list(masks), intersect=True)
    return int(coco_mask.area(common))


def _union(masks: Sequence[RLE | None]) -> RLE | None:
    present = [mask for mask in masks if mask is not None]
    return coco_mask.merge(present) if present else None


def _mean_by(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means of the values of equal keys: one per distinct key."""
    _, which = np.unique(keys, return_inverse=True)
    return np.bincount(which, values) / np.maximum(np.bincount(which), 1)


def _is_between(value: float, bounds: tuple[float, float] | None) -> bool:
    return bounds is None or bounds[0] < value < bounds[1]
