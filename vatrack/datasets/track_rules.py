"""Which tracks SaVos is trained and tested on (Yao et al., NeurIPS 2022): its rules for FISHBOWL.

A track is an object in one run of frames in which it is whole in the picture, large and visible;
those whose visible shape changes are trained on, those that are partly covered are tested on. The
full masks that decide are those of the truth: a little of it is used even where training is
called self-supervised.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from tqdm import tqdm

from vatrack.files import AnnotationError, AnnotationIndex, SelectedTrack, TrackSelection
from vatrack.structures import Instance, Video
from vatrack.structures import rle as rle_ops
from vatrack.structures.rle import RLE

# Cells along either side of the full box in which "never visible" is asked.
_GRID = 16


@dataclass(frozen=True)
class TrackRule:
    """What makes a track.

    Attributes:
        by: Kind of the mask that is the whole object.
        min_area: It has more pixels than this in each frame of the run,
        border: and its tight box keeps this distance from the edges of the frame, in pixels.
        min_visible: More pixels than this are visible.
        longer_than: The run has more frames than this.
        lag: Visible shapes are compared over so many frames.
        changed_below: Their IoU is below this in some frame; None: any track.
        occlusion: The occlusion rate is strictly between these in some frame; None: any track.
        subsets: Whether the hard subsets are listed.
        low_iou: Limit of ``test3``, by which it is about as large as the paper's.
        box_ratio: Limit of ``test1``.
    """

    by: Literal['amodal', 'visible'] = 'amodal'
    min_area: int = 400
    border: int = 16
    min_visible: int = 64
    longer_than: int = 0
    lag: int = 4
    changed_below: float | None = None
    occlusion: tuple[float, float] | None = None
    subsets: bool = False
    box_ratio: float = 1.5
    low_iou: float = .7


#: The rules by name.
TRACK_RULES: Mapping[str, TrackRule] = {
    'savos-train': TrackRule(longer_than=20, changed_below=.6),
    'savos-test': TrackRule(longer_than=10, occlusion=(.1, .7), subsets=True)}

#: What the hard subsets hold. The paper's fourth, of large motion, needs optical flow.
SUBSETS = {'test1': 'the full box is more than 1.5 times as high or wide as the visible one',
           'test2': 'a covered part is visible in no frame of the run',
           'test3': 'the visible shape differs from that of the frame before, occlusion below .5'}


def select_tracks(index: AnnotationIndex, rule: TrackRule,
                  categories: Collection[str] | None = None,
                  progress: bool = False) -> TrackSelection:
    """Select tracks, in memory of one video.

    Args:
        index: The annotations.
        rule: What makes a track.
        categories: Names of the classes whose objects are selected; None: all.
        progress: Show a progress bar on stderr, if that is a terminal.

    Raises:
        AnnotationError: A class is unknown, or an object lacks the mask that
            decides; names it.
    """
    unknown = sorted(set(categories or ()) - set(index.categories.values()))
    if unknown:
        raise AnnotationError(f'{index.path}: has no classes {unknown}, only '
                              f'{list(index.categories.values())}; correct their names')
    wanted = {id_ for id_, name in index.categories.items()
              if categories is None or name in categories}
    tracks = {}
    for position in tqdm(range(len(index.video_ids)), 'selecting', unit='video',
                         disable=None if progress else True):
        video = index.video(position)
        selected = _select_in(video, rule, wanted, index.path)
        if selected:
            tracks[video.id] = selected
    return TrackSelection(index.path, tracks)


def aligned_iou(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two masks, each cropped to its tight box, laid over each other top left.

    Args:
        first: (h1, w1) bool or uint8.
        second: (h2, w2) likewise.
    """
    height, width = np.minimum(first.shape, second.shape)
    common = np.count_nonzero(first[:height, :width] & second[:height, :width])
    return common / max(np.count_nonzero(first) + np.count_nonzero(second) - common, 1)


@dataclass(frozen=True)
class _Object:
    """An object in the n frames where it is annotated; arrays are (n,) or, boxes, (n, 4) xyxy."""

    frames: np.ndarray
    masks: dict[str, list[RLE]]
    areas: dict[str, np.ndarray]
    boxes: dict[str, np.ndarray]
    occlusions: np.ndarray

    def part(self, chosen: slice) -> _Object:
        """Some of its frames."""
        by_kind = ({kind: values[chosen] for kind, values in each.items()}
                   for each in (self.masks, self.areas, self.boxes))
        return _Object(self.frames[chosen], *by_kind, self.occlusions[chosen])

    def crops(self, kind: str, around: str | None = None) -> list[np.ndarray]:
        """Masks of a kind, cropped to the boxes of that kind or of another: n (h, w) uint8."""
        return [rle_ops.decode_window(mask, tuple(box)) for mask, box in zip(
            self.masks[kind], self.boxes[around or kind].astype(int).tolist(), strict=True)]


def _select_in(video: Video, rule: TrackRule, wanted: set[int],
               path: str) -> dict[int, SelectedTrack]:
    """Selected tracks of a video by instance id."""
    instances: dict[int, list[tuple[int, Instance]]] = defaultdict(list)
    for position, frame in enumerate(video.frames):
        for instance in frame.instances:
            if instance.category_id in wanted and not instance.iscrowd:
                instances[instance.instance_id].append((position, instance))
    where = f'{path}: video {video.id} ({video.name})'
    objects = {key: _gather(found, rule, where) for key, found in instances.items()}
    selected = {}
    for instance_id, each in sorted(objects.items()):
        run = _run_of(each, rule, (video.height, video.width))
        if run is not None:
            selected[instance_id] = SelectedTrack(
                video.name, int(run.frames[0]), int(run.frames[-1]),
                _subsets(run, rule) if rule.subsets else {})
    return selected


def _gather(found: Sequence[tuple[int, Instance]], rule: TrackRule, where: str) -> _Object:
    """Measure the masks of an object, all in a few calls."""
    kinds = {rule.by, 'visible'}
    for _, instance in found:
        lacking = kinds - set(instance.masks)
        if lacking:
            raise AnnotationError(
                f'{where}: annotation {instance.id} has no {min(lacking)} mask, which decides on '
                'tracks; annotate it' + (', or let visible masks decide (--by visible)'
                                         if min(lacking) == 'amodal' else ''))
    masks = {kind: [instance.masks[kind] for _, instance in found] for kind in kinds}
    rates = [np.nan if each.occlusion is None else each.occlusion for _, each in found]
    return _Object(np.array([frame for frame, _ in found]), masks,
                   {kind: rle_ops.areas(each) for kind, each in masks.items()},
                   {kind: rle_ops.bboxes(each) for kind, each in masks.items()}, np.array(rates))


def _run_of(each: _Object, rule: TrackRule, size: tuple[int, int]) -> _Object | None:
    """The object in its run; None if it is no track."""
    low, high = each.boxes[rule.by][:, :2], each.boxes[rule.by][:, 2:]
    # The last row and column of a box, inclusive, are one less than its far corner.
    edges = np.array(size[::-1]) - rule.border + 1
    whole = ((each.areas[rule.by] > rule.min_area) & (low >= rule.border).all(axis=1)
             & (high <= edges).all(axis=1))
    run = each.part(_first_run(each.frames, whole))
    run = run.part(_first_run(run.frames, run.areas['visible'] > rule.min_visible))
    if len(run.frames) <= rule.longer_than or not len(run.frames):
        return None
    if rule.occlusion is not None:
        low_rate, high_rate = rule.occlusion
        if not ((run.occlusions > low_rate) & (run.occlusions < high_rate)).any():
            return None
    if rule.changed_below is not None:
        crops = run.crops('visible')
        pairs = zip(crops[rule.lag:], crops[:-rule.lag], strict=True)
        if not any(aligned_iou(*pair) < rule.changed_below for pair in pairs):
            return None
    return run


def _first_run(frames: np.ndarray, valid: np.ndarray) -> slice:
    """Where, among ascending frames, the first run of valid ones without a gap is."""
    kept = np.flatnonzero(valid)
    if not len(kept):
        return slice(0, 0)
    breaks = np.flatnonzero((np.diff(kept) > 1) | (np.diff(frames[kept]) > 1))
    last = kept[breaks[0]] if len(breaks) else kept[-1]
    return slice(int(kept[0]), int(last) + 1)


def _subsets(run: _Object, rule: TrackRule) -> dict[str, tuple[int, ...]]:
    """Frames of the hard subsets, see :data:`SUBSETS`; those without a frame are left out.

    The released code names them without definitions: the details are ours.
    """
    sides = {kind: boxes[:, 2:] - boxes[:, :2] for kind, boxes in run.boxes.items()}
    beyond = (sides[rule.by] > rule.box_ratio * sides['visible']).any(axis=1)
    crops = run.crops('visible')
    iou = np.array([1., *(aligned_iou(*pair) for pair in zip(crops[1:], crops[:-1], strict=True))])
    chosen = {'test1': beyond, 'test2': _never_seen(run, rule.by),
              'test3': (iou < rule.low_iou) & (run.occlusions < .5)}
    return {name: tuple(run.frames[where].tolist()) for name, where in chosen.items()
            if where.any()}


def _never_seen(run: _Object, whole: str) -> np.ndarray:
    """Frames where a covered part is visible in no frame of the run: (n,) bool.

    Parts are cells of a grid over the full box, which moves and grows with the object.
    """
    seen = np.zeros((_GRID, _GRID), bool)
    covered = np.zeros((len(run.frames), _GRID, _GRID), bool)
    pairs = zip(run.crops('visible', around=whole), run.crops(whole), strict=True)
    for position, (visible, full) in enumerate(pairs):
        rows, columns = (np.arange(side) * _GRID // side for side in full.shape)
        for cells, mask in ((seen, visible), (covered[position], full > visible)):
            y, x = np.nonzero(mask)
            cells[rows[y], columns[x]] = True
    return (covered & ~seen).any(axis=(1, 2))
