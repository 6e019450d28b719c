"""What a strip shows: results of one video, some of its frames, one colour per identity."""
from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vatrack.evaluation.truth import truth_tracks
from vatrack.structures import MASK_KINDS, AnnotationFile, TrackRecord, Video
from vatrack.structures.rle import RLE, areas

from .draw import DrawnInstance
from .overlay import (
    Tube,
    drawn_tracks,
    drawn_truth,
    matched_pairs,
    track_tube,
    truth_tube,
    tube_iou,
)
from .palette import Color, distinct_colors

#: Labels of the rows that are no results.
INPUT, TRUTH = 'input', 'truth'


@dataclass(frozen=True, slots=True)
class Strip:
    """What is drawn of a video.

    Attributes:
        video: Its frames and size.
        image_root: Folder to which the file names of the frames are relative.
        positions: The frames that are shown.
        rows: By label, what is drawn on each of them.
        kind: The kind of mask that is drawn, filled; None: both, the visible
            one filled and the occluded part hatched.
    """

    video: Video
    image_root: Path
    positions: Sequence[int]
    rows: dict[str, list[list[DrawnInstance]]]
    kind: str | None = None


def find_video(annotations: AnnotationFile, name: str | None) -> Video:
    """The video of a name; None: the only one.

    Raises:
        ValueError: There is none of that name, or there are several to choose from.
    """
    names = [video.name for video in annotations.videos]
    for video in annotations.videos:
        if name == video.name or (name is None and len(names) == 1):
            return video
    if name is None:
        raise ValueError(f'{annotations.path} has {len(names)} videos, name one of '
                         f'{_some(names)}')
    similar = difflib.get_close_matches(name, names, 5, cutoff=.5)
    hint = f'similar are {", ".join(similar)}' if similar else f'it has {_some(names)}'
    raise ValueError(f'{annotations.path}: no video named {name!r}; {hint}')


def choose_frames(video: Video, frame_ids: Sequence[int] | None, count: int) -> list[int]:
    """Positions of frames by their ids, or of ``count`` frames spread evenly.

    Of fewer frames than ``count``, all are taken.

    Raises:
        ValueError: The video has no such frame, or ``count`` is below 1.
    """
    if frame_ids is None:
        if count < 1:
            raise ValueError(f'{count} frames: a strip needs at least one')
        last = len(video.frames) - 1
        return sorted(set(np.rint(np.linspace(0, last, count)).astype(int).tolist()))
    positions = {frame.frame_id: position for position, frame in enumerate(video.frames)}
    wrong = [frame_id for frame_id in frame_ids if frame_id not in positions]
    if wrong:
        raise ValueError(f'video {video.name} has no frame {", ".join(map(str, wrong))}; it has '
                         f'{len(positions)}, from {min(positions)} to {max(positions)}')
    return [positions[frame_id] for frame_id in frame_ids]


def build_strip(annotations: AnnotationFile, video: Video, image_root: str | Path,
                results: Mapping[str, Sequence[TrackRecord]], positions: Sequence[int], *,
                kind: str | None = None, with_input: bool = False,
                with_truth: bool = False) -> Strip:
    """Collect the rows of a strip, and give every identity its colour.

    The tracks that are in the frames shown are matched, one to one by video IoU,
    with the truth; without truth, with the first of the results. Those that
    match have the colour of what they match in all rows; each of the others has
    one of its own.

    Args:
        annotations: The video, and its truth if there is any.
        video: One of its videos.
        image_root: Folder to which the file names of frames are relative.
        results: Tracks of the video by label, in the order of rows.
        positions: Frames that are shown.
        kind: Kind of mask that is drawn, and matched; None: both are drawn.
        with_input: Whether there is a row of frames as they are.
        with_truth: Whether there is a row of the truth.

    Raises:
        ValueError: There is no row, truth is asked for where there is none, a
            result is called as another row, or has no masks of the kind.
    """
    kinds = MASK_KINDS if kind is None else (kind,)
    truths = truth_tracks(video, None, annotations.path)
    if with_truth and not any(any(truth.masks(each)) for each in kinds for truth in truths):
        raise ValueError(f'{annotations.path}: video {video.name} has no true masks to draw'
                         f'{f" of kind {kind}" if kind else ""}')
    if not (results or with_input or with_truth):
        raise ValueError('a strip needs a row: results, the truth or the input')
    _check_results(results, kind)
    # A long video may have as many tracks as detections: those not shown take no memory.
    results = {label: [track for track in tracks
                       if any(track.position(position) is not None for position in positions)]
               for label, tracks in results.items()}
    length = len(video.frames)
    layers = {TRUTH: {truth.instance_id: truth_tube(truth) for truth in truths}} | {
        label: {track.track_id: track_tube(track, length) for track in tracks}
        for label, tracks in results.items()}
    shown = [*([TRUTH] if with_truth else []), *results]
    colors = _colors(layers, TRUTH if truths else next(iter(results), TRUTH), shown, positions,
                     kinds)
    frames = [video.frames[position] for position in positions]
    rows = {INPUT: [[] for _ in positions]} if with_input else {}
    if with_truth:
        rows[TRUTH] = [drawn_truth(annotations, frame, colors[TRUTH]) for frame in frames]
    rows |= {label: [drawn_tracks(annotations, tracks, position, colors[label])
                     for position in positions] for label, tracks in results.items()}
    return Strip(video, Path(image_root), positions, {
        label: [_of_kinds(drawn, kinds) for drawn in row] for label, row in rows.items()}, kind)


def _check_results(results: Mapping[str, Sequence[TrackRecord]], kind: str | None) -> None:
    for label, tracks in results.items():
        if label in (INPUT, TRUTH):
            raise ValueError(f'a result cannot be called {label!r}, which is a row of its own')
        held = [] if not tracks else list(tracks[0].masks)
        if tracks and (not held or kind not in (None, *held)):
            raise ValueError(f'{label}: its tracks have no masks of kind {kind}; they have '
                             f'{held[0]} ones' if held else
                             f'{label}: its tracks are boxes alone, and a strip shows masks')


def _colors(layers: Mapping[str, Mapping[int, Tube]], reference: str, shown: Sequence[str],
            positions: Sequence[int], kinds: Sequence[str]) -> dict[str, dict[int, Color]]:
    """Colours by layer and id; those of the reference come first, in the order of its ids."""
    keys = {label: {id_: (label, id_) for id_ in tubes} for label, tubes in layers.items()}
    targets = list(keys.get(reference, {}).values())
    for label in keys.keys() - {reference}:
        ids = list(layers[label])
        keys[label] |= {ids[row]: targets[column] for row, column in matched_pairs(
            _iou(layers[label], layers[reference], kinds))}
    seen = dict.fromkeys(keys[label][id_] for label in shown for id_, tube in layers[label].items()
                         if _is_seen(tube, positions, kinds))
    first = [key for key in targets if key in seen]
    # What is not seen needs a colour only for the sake of completeness.
    others = list(dict.fromkeys([*seen, *(key for of in keys.values() for key in of.values())]))
    others = [key for key in others if key not in first]
    colors = dict(zip([*first, *others], distinct_colors(len(first), len(others)), strict=True))
    return {label: {id_: colors[key] for id_, key in of.items()} for label, of in keys.items()}


def _iou(tubes: Mapping[int, Tube], others: Mapping[int, Tube],
         kinds: Sequence[str]) -> np.ndarray:
    lengths = {len(masks) for tube in tubes.values() for masks in tube.values()}
    return tube_iou(list(tubes.values()), list(others.values()), max(lengths, default=0), kinds)


def _is_seen(tube: Tube, positions: Sequence[int], kinds: Sequence[str]) -> bool:
    masks = [tube[kind][position] for kind in kinds if kind in tube for position in positions]
    return _has_pixel(mask for mask in masks if mask)


def _of_kinds(drawn: Iterable[DrawnInstance], kinds: Sequence[str]) -> list[DrawnInstance]:
    """The instances with masks of some kinds only, where those have a pixel."""
    kept = [replace(each, masks={kind: mask for kind, mask in each.masks.items() if kind in kinds})
            for each in drawn]
    return [each for each in kept if _has_pixel(each.masks.values())]


def _has_pixel(masks: Iterable[RLE]) -> bool:
    return bool(areas(list(masks)).any())


def _some(names: Sequence[str], limit: int = 20) -> str:
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return f'{", ".join(names[:limit])}{more}'
