"""Tracks whose visible masks are given, by truth or tracker, and clips cut around them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vatrack.files import AnnotationError, AnnotationIndex, ResultError, ResultIndex
from vatrack.flow import DIRECTIONS, FlowFiles
from vatrack.structures import TrackRecord, Video
from vatrack.structures.object_clips import ClipSource, ObjectClips
from vatrack.structures.rle import bboxes, decode

from .object_windows import LookRule, cut
from .transforms import LoadFrame


class GivenTracks:
    """The tracks of each video of an annotation file, as records with visible masks.

    Args:
        index: The annotation file.
        results: Result file whose tracks are taken; None takes the objects of
            the annotations, crowds left out, with their amodal masks if they
            have some.

    Raises:
        AnnotationError: An annotation has no visible mask.
        ResultError: The result file is damaged, does not fit the annotations, or
            its tracks have no visible masks.
    """

    def __init__(self, index: AnnotationIndex, results: str | None = None) -> None:
        self.index = index
        self.results = None if results is None else ResultIndex.open(results, index.outline())
        if self.results is not None and 'visible' not in self.results.mask_kinds:
            raise ResultError(f'{results}: its tracks have {list(self.results.mask_kinds)} masks; '
                              'completion starts from visible ones: take the results of a model '
                              'that predicts them')

    def video(self, position: int) -> Video:
        """A video and its frames, without objects."""
        return self.index.bare_video(position)

    def of(self, position: int) -> list[TrackRecord]:
        """Tracks of the video at a position of the file, by id.

        The ids of annotated objects are one higher than their instance ids, as
        track ids begin at 1.
        """
        if self.results is not None:
            return self.results.tracks(int(self.index.video_ids[position]))
        return _annotated(self.index, position)


def _annotated(index: AnnotationIndex, position: int) -> list[TrackRecord]:
    first, last = index.video_starts[position:position + 2].tolist()
    starts = index.frame_starts[first:last + 1]
    rows = np.arange(starts[0], starts[-1])
    rows = rows[~index.iscrowd[rows]]
    where = f"{index.path}: video '{index.video_names[position]}'"
    if not index.has_mask('visible', rows).all():
        raise AnnotationError(f'{where}: some objects have no visible mask; completion starts from '
                              'these: annotate or convert them too')
    frames = np.searchsorted(starts, rows, side='right') - 1
    size = tuple(index.video_sizes[position].tolist())
    kinds = [kind for kind in ('visible', 'amodal') if index.has_mask(kind, rows).any()]
    categories = np.array(list(index.categories))[index.category_positions[rows]]
    tracks = []
    for instance_id in np.unique(index.instance_ids[rows]).tolist():
        own = np.flatnonzero(index.instance_ids[rows] == instance_id)
        masks = {}
        for kind in kinds:
            there = index.has_mask(kind, rows[own])
            masks[kind] = [mask if known else None for mask, known in zip(
                index.masks(kind, rows[own], size), there, strict=True)]
        tracks.append(TrackRecord(int(index.video_ids[position]), instance_id + 1,
                                  int(categories[own[0]]), 1., frames[own].tolist(), masks))
    return tracks


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The frames of a dataset and, if there is any, their optical flow.

    Attributes:
        images: Folder that the ``file_name`` of frames is relative to.
        flow: Folder of flow, see :class:`vatrack.flow.FlowFiles`; None: there is none.
    """

    images: Path
    flow: Path | None = None

    def image(self, video: Video, t: int) -> NDArray[np.uint8]:
        """Frame t: (3, H, W) RGB.

        Raises:
            AnnotationError: It is missing, damaged, or has another size.
        """
        loaded = LoadFrame().transform(dict(
            img_path=str(self.images / video.frames[t].file_name), video_name=video.name,
            frame_id=t, height=video.height, width=video.width))
        return loaded['img'][..., ::-1].transpose(2, 0, 1)

    def motion(self, video: Video, t: int, direction: str) -> NDArray[np.float16]:
        """Flow of frame t: (2, H, W), x before y.

        The last frame of a video has no next one: it repeats the flow of the
        frame before; likewise the first one backward. A video of one frame does
        not move.

        Raises:
            FlowError: A field is missing, damaged, or has another size.
        """
        size = video.height, video.width
        if len(video.frames) == 1:
            return np.zeros((2, *size), np.float16)
        last = len(video.frames) - 1
        t = min(t, last - 1) if direction == 'forward' else max(t, 1)
        field = FlowFiles(self.flow).read(video.frames[t].file_name, direction, size)
        return field.transpose(2, 0, 1).astype(np.float16)


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Which frames of a track a clip has, and where its windows lie in them."""

    track: TrackRecord
    frames: range
    boxes: np.ndarray
    origins: np.ndarray
    size: tuple[int, int]

    @classmethod
    def make(cls, track: TrackRecord, frames: range, rule: LookRule,
             frame_size: tuple[int, int]) -> ClipPlan:
        """Plan a clip of a track.

        Args:
            track: With visible masks.
            frames: Positions in time, all between the first and the last frame
                in which the track is visible.
            rule: Which region around the visible part counts.
            frame_size: (H, W).
        """
        visible = visible_boxes(track)
        start = track.frames[0]
        dense = np.full((track.frames[-1] - start + 1, 4), np.nan)
        dense[np.array(track.frames) - start] = visible
        boxes = rule.boxes(dense)[frames.start - start:frames.stop - start]
        return cls(track, frames, boxes, *rule.windows(boxes, frame_size))


def visible_boxes(track: TrackRecord) -> np.ndarray:
    """Tight boxes of the visible masks of a track: (N, 4) xyxy, NaN without a pixel."""
    boxes = np.full((len(track.frames), 4), np.nan)
    masks = track.masks['visible']
    known = [row for row, mask in enumerate(masks) if mask is not None]
    tight = bboxes([masks[row] for row in known])
    tight[tight[:, 2] <= tight[:, 0]] = np.nan
    boxes[known] = tight
    return boxes


def seen_frames(track: TrackRecord) -> range:
    """From the first to the last frame in which a track has a visible pixel."""
    seen = np.array(track.frames)[~np.isnan(visible_boxes(track)[:, 0])]
    return range(int(seen[0]), int(seen[-1]) + 1) if len(seen) else range(0)


def cut_clips(video: Video, tracks: Sequence[TrackRecord], plans: Sequence[ClipPlan],
              files: FrameFiles, needs: frozenset[str]) -> list[ObjectClips]:
    """Cut clips out of a video; each of its frames is read once for all of them.

    Args:
        video: The video.
        tracks: All its tracks: those that may cover others.
        plans: What to cut, of some of the tracks.
        files: Where frames and flow are.
        needs: 'image', 'flow' or both.

    Returns:
        A clip per plan, each of one object.

    Raises:
        AnnotationError: A frame is missing, damaged, or has another size.
        FlowError: Likewise of flow.
    """
    arrays = [_allocate(plan, needs) for plan in plans]
    first = min((plan.frames.start for plan in plans), default=0)
    last = max((plan.frames.stop for plan in plans), default=0)
    for t in range(first, last):
        alive = [i for i, plan in enumerate(plans) if t in plan.frames]
        if not alive:
            continue
        pictures = _pictures(video, t, files, needs)
        masks, rows = _visible_masks(video, tracks, t)
        covered = masks.sum(axis=0, dtype=np.uint8 if len(masks) < 256 else np.uint16)
        for i in alive:
            plan, array = plans[i], arrays[i]
            place = t - plan.frames.start
            window = plan.origins[place], plan.size
            around = cut(covered, *window)
            row = rows.get(plan.track.track_id)
            if row is not None:
                own = cut(masks[row], *window) > 0
                array['visible'][place] = own
                around[own] = 0  # where tracks overlap, a pixel of its own covers no object
            array['others'][place] = around > 0
            amodal = _mask(plan.track, 'amodal', t) if 'amodal' in array else None
            if amodal is not None:
                array['amodal'][place] = cut(decode([amodal], covered.shape)[0], *window) > 0
            for name, picture in pictures.items():
                array[name][place] = cut(picture, *window)
    return [_clip(video, plan, array) for plan, array in zip(plans, arrays, strict=True)]


def _allocate(plan: ClipPlan, needs: frozenset[str]) -> dict[str, np.ndarray]:
    shapes = {'visible': ((), bool), 'others': ((), bool)}
    if 'amodal' in plan.track.masks:
        shapes['amodal'] = (), bool
    if 'image' in needs:
        shapes['image'] = (3,), np.uint8
    if 'flow' in needs:
        shapes |= dict.fromkeys(DIRECTIONS, ((2,), np.float16))
    return {name: np.zeros((len(plan.frames), *channels, *plan.size), dtype)
            for name, (channels, dtype) in shapes.items()}


def _pictures(video: Video, t: int, files: FrameFiles,
              needs: frozenset[str]) -> dict[str, np.ndarray]:
    pictures = {}
    if 'image' in needs:
        pictures['image'] = files.image(video, t)
    if 'flow' in needs:
        for direction in DIRECTIONS:
            pictures[direction] = files.motion(video, t, direction)
    return pictures


def _visible_masks(video: Video, tracks: Sequence[TrackRecord],
                   t: int) -> tuple[np.ndarray, dict[int, int]]:
    """Visible masks of frame t, (N, H, W) uint8, and the row of each track that is there."""
    there = {track.track_id: mask for track in tracks
             if (mask := _mask(track, 'visible', t)) is not None}
    rows = {track_id: row for row, track_id in enumerate(there)}
    return decode(list(there.values()), (video.height, video.width)), rows


def _mask(track: TrackRecord, kind: str, t: int) -> dict | None:
    position = track.position(t)
    return None if position is None else track.masks[kind][position]


def _clip(video: Video, plan: ClipPlan, array: dict[str, np.ndarray]) -> ObjectClips:
    source = ClipSource(video.id, video.name, plan.track.track_id, plan.frames,
                        (video.height, video.width))
    return ObjectClips(
        origins=torch.from_numpy(plan.origins)[None], boxes=torch.from_numpy(plan.boxes)[None],
        valid=torch.ones(1, len(plan.frames), dtype=torch.bool), sources=(source,),
        **{name: torch.from_numpy(value)[None] for name, value in array.items()})
