"""One video as the page gets it: its tracks, what is wrong with them, and outlines by frame."""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from vatrack.evaluation.similarity import ComparedVideo, compare_video
from vatrack.evaluation.truth import truth_tracks
from vatrack.structures import MASK_KINDS, TrackRecord, Video, rle
from vatrack.structures.rle import RLE
from vatrack.visualization.overlay import masks_at
from vatrack.visualization.palette import track_color

from .frame_errors import errors_by_threshold
from .outlines import UNIT, mask_paths

#: Pairs of lower IoU in a frame are not listed.
_LEAST_IOU = .05
#: Occlusion in a span of frames: tenths from 0 to 9, all of it, and not known.
_HIDDEN, _UNKNOWN = 10, -1


class Scene:
    """A video with its truth and its predictions, both compared.

    Objects are referred to by their row: truths in order of instance id, tracks
    in file order. Frames are positions in time.

    Args:
        video: Frames and true objects.
        tracks: Predictions.
        predicted_kinds: Kinds of mask that the predictions of all videos have.
        category_ids: Ids of the annotation file, in file order; the page gets
            positions among them.
        path: Name of the annotation file, for messages.

    Raises:
        AnnotationError: The truth contradicts itself.
    """

    def __init__(self, video: Video, tracks: Sequence[TrackRecord],
                 predicted_kinds: Sequence[str], category_ids: Sequence[int], path: str) -> None:
        self.video, self.tracks = video, tracks
        self._predicted_kinds = predicted_kinds
        self.truths = truth_tracks(video, None, path)
        self._labels = {category: label for label, category in enumerate(category_ids)}

    @cached_property
    def compared(self) -> dict[str, ComparedVideo]:
        """Overlaps by kind of mask, for the kinds that truth and tracks both have."""
        return {kind: compare_video(self.video, self.tracks, self.truths, kind, kind)
                for kind in MASK_KINDS if kind in self._predicted_kinds
                and any(any(truth.masks(kind)) for truth in self.truths)}

    def summary(self, thresholds: Sequence[float]) -> dict[str, Any]:
        """All but the outlines, as JSON: tracks of both layers and their errors."""
        video, kind = self.video, next(iter(self.compared), None)
        truths = [self._truth_summary(row) for row in range(len(self.truths))]
        tracks = [self._track_summary(row) for row in range(len(self.tracks))]
        return {
            'id': video.id, 'name': video.name, 'width': video.width, 'height': video.height,
            'unit': UNIT, 'frameIds': [frame.frame_id for frame in video.frames],
            'files': [frame.file_name for frame in video.frames], 'comparedKind': kind,
            'layers': {'truth': truths, 'prediction': tracks},
            'levels': errors_by_threshold(self.compared[kind], thresholds) if kind else []}

    def frame(self, index: int) -> dict[str, list[dict[str, Any]]]:
        """The objects of a frame by layer, as JSON."""
        ious = self._ious(index)
        return {
            'truth': [_object(row, instance.masks, instance.bboxes, instance.occlusion)
                      for row, truth in enumerate(self.truths)
                      if (instance := truth.instances[index])],
            'prediction': [self._track_object(row, index) | {'ious': ious.get(row, [])}
                           for row, track in enumerate(self.tracks)
                           if track.position(index) is not None]}

    def _truth_summary(self, row: int) -> dict[str, Any]:
        truth = self.truths[row]
        rates = [(t, instance.occlusion) for t, instance in enumerate(truth.instances) if instance]
        return {'id': truth.instance_id, 'label': self._labels[truth.category_id],
                'color': _hex(row), 'crowd': truth.iscrowd,
                'occlusion': _percent(truth.occlusion), 'spans': _spans(rates)}

    def _track_summary(self, row: int) -> dict[str, Any]:
        track = self.tracks[row]
        rates = _track_occlusions(track)
        known = [rate for rate in rates if rate is not None]
        return {'id': track.track_id, 'label': self._labels[track.category_id],
                'score': round(track.score, 4), 'color': _hex(len(self.truths) + row),
                'occlusion': _percent(float(np.mean(known)) if known else None),
                'spans': _spans(list(zip(track.frames, rates, strict=True)))}

    def _track_object(self, row: int, index: int) -> dict[str, Any]:
        track = self.tracks[row]
        masks = masks_at(track, index)
        found = _object(row, masks, _boxes(track, index), _occlusion(masks))
        return found | {'score': round(track.frame_score(index), 4),
                        'label': self._labels[track.frame_category(index)]}

    def _ious(self, index: int) -> dict[int, list[list]]:
        """By track, the truths that it overlaps: [truth, IoU of each compared kind]."""
        pairs: dict[tuple[int, int], list[float | None]] = {}
        for position, compared in enumerate(self.compared.values()):
            frame = compared.similarity.frames[index]
            for d, g in np.argwhere(frame.iou >= _LEAST_IOU).tolist():
                values = pairs.setdefault((int(frame.tracks[d]), int(frame.truths[g])),
                                          [0.] * len(self.compared))
                values[position] = round(float(frame.iou[d, g]), 3)
        found: dict[int, list[list]] = {}
        for (track, truth), values in pairs.items():
            found.setdefault(track, []).append([truth, dict(zip(self.compared, values,
                                                                strict=True))])
        return found


def _object(row: int, masks: dict[str, RLE], boxes: dict[str, Sequence[float]],
            occlusion: float | None) -> dict[str, Any]:
    areas = dict(zip(masks, rle.areas(list(masks.values())).tolist(), strict=True))
    tight = {kind: rle.bboxes([mask])[0].tolist() for kind, mask in masks.items()
             if kind not in boxes and areas[kind]}
    boxes = {kind: [round(float(side), 1) for side in box] for kind, box in (boxes | tight).items()}
    return {'row': row, 'occlusion': _percent(occlusion), 'areas': areas, 'boxes': boxes,
            'paths': mask_paths(masks)}


def _boxes(track: TrackRecord, index: int) -> dict[str, Sequence[float]]:
    """Predicted boxes in a frame by kind."""
    main = 'visible' if list(track.masks) == ['visible'] else 'amodal'
    position = track.position(index)
    lists = {main: track.bboxes, 'visible': track.visible_bboxes or (
        track.bboxes if main == 'visible' else None)}
    return {kind: boxes[position] for kind, boxes in lists.items() if boxes and boxes[position]}


def _track_occlusions(track: TrackRecord) -> list[float | None]:
    """Occlusion in each frame of a track, None where its masks do not tell."""
    if set(track.masks) != set(MASK_KINDS):
        return [None] * len(track.frames)
    amodal, visible = (_areas(track.masks[kind]) for kind in ('amodal', 'visible'))
    rates = 1 - visible / np.maximum(amodal, 1)
    return [float(np.clip(rate, 0, 1)) if area else None
            for rate, area in zip(rates.tolist(), amodal.tolist(), strict=True)]


def _occlusion(masks: dict[str, RLE]) -> float | None:
    if set(masks) != set(MASK_KINDS):
        return None
    amodal, visible = rle.areas([masks['amodal'], masks['visible']]).tolist()
    return float(np.clip(1 - visible / amodal, 0, 1)) if amodal else None


def _areas(masks: Sequence[RLE | None]) -> np.ndarray:
    """Pixels, 0 for None: (N,) int64."""
    areas = np.zeros(len(masks), np.int64)
    present = [position for position, mask in enumerate(masks) if mask]
    areas[present] = rle.areas([masks[position] for position in present])
    return areas


def _spans(rates: Sequence[tuple[int, float | None]]) -> list[list[int]]:
    """[first frame, frame after the last, tenths of occlusion] from (frame, occlusion)."""
    spans: list[list[int]] = []
    for frame, rate in rates:
        tenth = _tenth(rate)
        if spans and spans[-1][1:] == [frame, tenth]:
            spans[-1][1] += 1
        else:
            spans.append([frame, frame + 1, tenth])
    return spans


def _tenth(rate: float | None) -> int:
    if rate is None:
        return _UNKNOWN
    return _HIDDEN if rate >= 1 else int(10 * rate)


def _percent(rate: float | None) -> int | None:
    return None if rate is None or np.isnan(rate) else round(100 * rate)


def _hex(rank: int) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*track_color(rank))
