"""Mean IoU of objects in single frames: of the full mask, and of its occluded region.

The measure of amodal completion (SaVos, Yao et al., NeurIPS 2022, Sec. E.3), for
tracks: each true object is held against one track, which its visible mask finds.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.files.track_selection import TrackSelection
from vatrack.structures import TrackRecord, rle
from vatrack.structures.rle import RLE

from .protocols import OverlapRules, Protocol
from .similarity import ComparedVideo, compare_video
from .truth import TruthTrack, check_kind

#: IoU of visible masks from which a track is that of an object (SaVos, KINS).
FOUND_THRESHOLD = .5
#: Regions of amodal masks whose IoU is taken; the last two under composed predictions only.
REGIONS = ('full', 'occluded', 'full_unrestricted', 'occluded_strict')

_NOT_COUNTED = float('nan')


@dataclass(frozen=True)
class _Rows:
    """N objects in frames; all (N,).

    The regions are IoUs, 0 where no track was ``found`` and NaN where the object
    does not count; ``leaked`` is NaN where nothing can leak; ``frames`` are image
    ids. Only leaks count where ``counts`` is 0.
    """

    frames: np.ndarray
    categories: np.ndarray
    areas: np.ndarray
    occlusions: np.ndarray
    counts: np.ndarray
    found: np.ndarray
    full: np.ndarray
    occluded: np.ndarray
    full_unrestricted: np.ndarray
    occluded_strict: np.ndarray
    leaked: np.ndarray


_COLUMNS = tuple(_Rows.__dataclass_fields__)


class MeanIoU:
    """mIoU of full masks and, of amodal ones, of their occluded region.

    Every number stands twice: of the objects for which a track was found, and
    ``_incl_misses``, with 0 for the others. ``_object`` is the mean over all
    objects in all frames; ``_frame`` the mean over frames of the mean over
    their objects. An object without a visible pixel in a frame cannot be found
    by it, and does not count there (unless the rules match whole videos); nor
    does one without a mask of the kind that is scored.

    Where the rules compose predictions, three things stand beside what they
    yield: ``full_unrestricted`` and ``occluded_strict`` are of the predictions as
    they are, the latter of objects only that others cover; and ``leak_rate`` is
    the share of the objects, covered by no other, whose prediction has a pixel
    where others are visible, ``leaked_area`` the mean of how many, as a fraction
    of the area of the truth.

    Args:
        protocol: The rules, :attr:`Protocol.overlap` among them.
        category_ids: Ids of the annotation file.
        metrics: Some of :attr:`names`.
        selection: Only its tracks count, in its frames; None: all.
    """

    names = ('mIoU',)
    level = 'image'
    #: Objects may lack the mask that is scored in some frames (KINS annotates few).
    partial_truth = True

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 metrics: Sequence[str] = names, selection: TrackSelection | None = None) -> None:
        self.protocol, self.selection = protocol, selection
        self.category_ids = list(category_ids)
        self.regions: tuple[str, ...] = REGIONS[:1]
        self._rows: list[_Rows] = []

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""
        rules, every = self.protocol.overlap, self.protocol.strata['all']
        if compared.kind == 'amodal':
            self.regions = REGIONS[:2] if rules.composed is None else REGIONS
            check_kind(compared.truths, 'visible', compared.video, 'the annotations')
        runs, scored = self._frames(compared)
        finder = _Finder(compared, rules, self.protocol.score_thr, runs)
        rows = []
        for index, frame in enumerate(compared.similarity.frames):
            scene = _Scene(compared, rules, finder.tracks, index)
            for i, area in zip(frame.truths, frame.truth_areas, strict=True):
                occlusion = compared.truths[i].instances[index].occlusion
                occlusion = np.nan if occlusion is None else occlusion
                if (not scored[i, index] or compared.truths[i].iscrowd
                        or not finder.can_find(i, index)
                        or every.excludes(np.array([area]), np.array([occlusion]))[0]):
                    continue
                counts = _is_between(occlusion, rules.occlusion)
                if counts or len(self.regions) == len(REGIONS):
                    found = finder.track(i, index)
                    rows.append((compared.video.frames[index].id, compared.truths[i].category_id,
                                 area, occlusion, counts, found is not None,
                                 *scene.overlaps(i, found)))
        self._rows.append(_Rows(*np.array(rows, float).reshape(-1, len(_COLUMNS)).T))

    def _frames(self, compared: ComparedVideo) -> tuple[np.ndarray, np.ndarray]:
        """Frames of each truth that count at all, and those that are scored: (M, T) bool each."""
        runs = np.zeros(compared.similarity.truth_areas.shape, bool)
        inside = runs.copy()
        for i, truth in enumerate(compared.truths):
            if self.selection is None:
                runs[i] = [instance is not None for instance in truth.instances]
                inside[i] = True
            else:
                key = compared.video.id, truth.instance_id
                runs[i, self.selection.run(*key)] = True
                inside[i, list(self.selection.scored(*key))] = True
        if self.protocol.overlap.drop_ends:
            around = np.pad(runs, ((0, 0), (1, 1)))
            inside &= around[:, :-2] & around[:, 2:]
        # Results for selected runs may hold nothing else: there alone are whole videos compared.
        return runs if self.selection is not None else np.ones_like(runs), inside & runs

    def merge(self, other: MeanIoU) -> None:
        """Take in what another has seen."""
        self.regions = max(self.regions, other.regions, key=len)
        self._rows += other._rows

    def compute(self) -> dict[str, float]:
        """Fractions by name, ``'image/mIoU_occluded_frame_incl_misses'``; -1 where none counts.

        ``mIoU_objects`` is the number of objects in frames that count,
        ``mIoU_found`` the share of them for which a track was found.
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
        return _Rows(*(np.concatenate([getattr(each, name) for each in self._rows]
                                      or [np.zeros(0)]) for name in _COLUMNS))

    def _means(self, rows: _Rows, inside: np.ndarray) -> dict[str, float]:
        found, counted = rows.found > 0, inside & (rows.counts > 0)
        values = {'image/mIoU_objects': int(counted.sum()),
                  'image/mIoU_found': _mean(found[counted])}
        for region in self.regions:
            iou = getattr(rows, region)
            for misses, chosen in {'': counted & found, '_incl_misses': counted}.items():
                chosen = chosen & ~np.isnan(iou)
                by_frame = _mean_by(rows.frames[chosen], iou[chosen])
                for level, each in {'frame': by_frame, 'object': iou[chosen]}.items():
                    values[f'image/mIoU_{region}_{level}{misses}'] = _mean(each)
        if len(self.regions) == len(REGIONS):
            leaked = rows.leaked[inside & ~np.isnan(rows.leaked)]
            values |= {'image/mIoU_leak_rate': _mean(leaked > 0),
                       'image/mIoU_leaked_area': _mean(leaked)}
        return values


class _Finder:
    """Finds the track of an object by their visible masks, those of whole videos in ``runs``."""

    def __init__(self, compared: ComparedVideo, rules: OverlapRules, score_thr: float,
                 runs: np.ndarray) -> None:
        self.tracks = [track for track in compared.tracks if track.score >= score_thr]
        visible = 'visible' if compared.kind == 'amodal' else compared.predicted_kind
        similarity = compare_video(compared.video, self.tracks, compared.truths, 'visible',
                                   visible).similarity
        self._frames = similarity.frames
        self._whole = similarity.iou_within(runs) if rules.match == 'video' else None

    def can_find(self, truth: int, index: int) -> bool:
        """Whether there is anything to find the track by."""
        return self._whole is not None or truth in self._frames[index].truths

    def track(self, truth: int, index: int) -> TrackRecord | None:
        """The track that stands for a truth in a frame, if it is there."""
        if self._whole is not None:
            tracks, iou = np.arange(len(self.tracks)), self._whole[:, truth]
        else:
            frame = self._frames[index]
            tracks, iou = frame.tracks, frame.iou[:, frame.truths == truth].ravel()
        if not iou.size or iou.max() < FOUND_THRESHOLD:
            return None
        track = self.tracks[tracks[iou.argmax()]]
        return None if track.position(index) is None else track


class _Scene:
    """A frame: its objects, the tracks, and what each leaves to be seen of the others."""

    def __init__(self, compared: ComparedVideo, rules: OverlapRules,
                 tracks: Sequence[TrackRecord], index: int) -> None:
        self.rules, self.compared, self.index = rules, compared, index
        self.composed = rules.composed if compared.kind == 'amodal' else None
        around = {'truth': compared.truths, 'prediction': tracks}.get(self.composed, ())
        seen = [(each, mask) for each in around if (mask := _mask(each, 'visible', index))]
        self._owners, self._seen = [each for each, _ in seen], [mask for _, mask in seen]
        self._boxes = rle.bboxes(self._seen)

    def overlaps(self, position: int, found: TrackRecord | None) -> tuple[float, ...]:
        """The regions of an object, and what leaks, as :class:`_Rows` names them."""
        own = self.compared.truths[position]
        truth, visible = (_mask(own, kind, self.index) for kind in (self.compared.kind, 'visible'))
        prediction = _mask(found, self.compared.predicted_kind, self.index)
        sizes = _area(prediction, truth), _area(prediction) + _area(truth)
        if self.composed is None:
            return (self._iou(*sizes) if found else 0., self._hidden(truth, visible, prediction),
                    *[_NOT_COUNTED] * 3)
        if self.composed == 'prediction':
            own, visible = found, _mask(found, 'visible', self.index)
        others = self._others(own, [truth, visible, prediction])
        covered, spread = _area(truth, others), _area(prediction, others)
        both = _area(prediction, truth, others)
        strict = _plain_iou(both, spread + covered) if covered else _NOT_COUNTED
        if found is None:
            return 0., 0., 0., strict, _NOT_COUNTED
        common = _area(visible, truth) - _area(visible, others, truth) + both
        composed = _area(visible) - _area(visible, others) + spread
        return (self._iou(common, composed + _area(truth)), self._iou(both, spread + covered),
                _plain_iou(*sizes), strict, _NOT_COUNTED if covered else spread / _area(truth))

    def _hidden(self, truth: RLE, visible: RLE | None, prediction: RLE | None) -> float:
        """IoU of what the visible truth leaves of both; NaN if it leaves nothing of the truth."""
        hidden = _area(truth) - _area(truth, visible)
        if self.compared.kind != 'amodal' or not hidden:
            return _NOT_COUNTED
        if prediction is None:
            return 0.
        common = _area(prediction, truth) - _area(prediction, truth, visible)
        return self._iou(common, hidden + _area(prediction) - _area(prediction, visible))

    def _others(self, own: TruthTrack | TrackRecord | None, masks: list[RLE | None]) -> RLE | None:
        """What is visible of all but one, as far as it can touch some masks; None is empty."""
        low, high = np.split(rle.bboxes([mask for mask in masks if mask]), 2, axis=1)
        near = ((self._boxes[:, :2] < high.max(axis=0)) & (self._boxes[:, 2:] > low.min(axis=0)))
        chosen = [mask for owner, mask, is_near in zip(self._owners, self._seen, near.all(axis=1),
                                                       strict=True)
                  if is_near and owner is not own]
        return coco_mask.merge(chosen) if chosen else None

    def _iou(self, common: int, both: int) -> float:
        iou = (common + self.rules.smoothing) / (both - common + self.rules.smoothing)
        return _NOT_COUNTED if self.rules.drop_perfect and iou == 1 else iou


def _plain_iou(common: int, both: int) -> float:
    return common / max(both - common, 1)


def _mask(track: TruthTrack | TrackRecord | None, kind: str, index: int) -> RLE | None:
    if isinstance(track, TruthTrack):
        return track.instances[index] and track.instances[index].masks.get(kind)
    position = None if track is None else track.position(index)
    return None if position is None else track.masks[kind][position]


def _area(*masks: RLE | None) -> int:
    """Pixels that all masks share; None is empty."""
    if any(mask is None for mask in masks):
        return 0
    common = masks[0] if len(masks) == 1 else coco_mask.merge(list(masks), intersect=True)
    return int(coco_mask.area(common))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else -1.


def _mean_by(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means of the values of equal keys: one per distinct key."""
    _, which = np.unique(keys, return_inverse=True)
    return np.bincount(which, values) / np.maximum(np.bincount(which), 1)


def _is_between(value: float, bounds: tuple[float, float] | None) -> bool:
    return bounds is None or bounds[0] < value < bounds[1]
