"""Films and a contact sheet of truth and predictions, drawn on the frames of a dataset."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from vatrack.evaluation.similarity import video_similarity
from vatrack.evaluation.truth import TruthTrack, truth_tracks
from vatrack.files import AnnotationError, resolve_image, write_image
from vatrack.structures import MASK_KINDS, AnnotationFile, Frame, TrackRecord, Video
from vatrack.structures.rle import RLE, encode
from vatrack.video import VideoWriter
from vatrack.video.image_file import ImageError, image_head, read_image

from .contact_sheet import contact_sheet, stack_sheets
from .draw import DrawnInstance, draw_instances, resize_image
from .style import Color, track_color

#: Masks of one object by kind: one for each of the T frames of a video, None where there is none.
Tube = dict[str, list[RLE | None]]

_PANEL_WIDTH = 640
_CELL_WIDTH = 400
_SHEET_FRAMES = 4
#: A sheet of more videos would be too tall for picture viewers.
_SHEET_VIDEOS = 12
_MIN_IOU = 0.1


@dataclass(slots=True)
class VideoScene:
    """A video with all that is drawn on it.

    Attributes:
        video: Frames and size.
        image_root: Folder to which the file names of the frames are relative.
        layers: Per layer (``'truth'``, ``'prediction'``) the T lists of drawn
            instances; a layer that does not exist is absent.
    """

    video: Video
    image_root: Path
    layers: dict[str, list[list[DrawnInstance]]]

    def panels(self, index: int, width: int) -> dict[str, np.ndarray]:
        """Pictures of one frame, ``width`` pixels wide: ``'input'``, then one per layer."""
        image = read_frame(self.image_root, self.video, self.video.frames[index])
        scale = width / image.shape[1]
        return {'input': resize_image(image, scale)} | {
            name: draw_instances(image, frames[index], scale=scale)
            for name, frames in self.layers.items()}


def render_results(annotations: AnnotationFile, tracks: Sequence[TrackRecord] | None,
                   image_root: str | Path, out_dir: str | Path, *, score_thr: float = 0.3,
                   videos: Iterable[str] | None = None, max_videos: int | None = None,
                   fps: float = 10.0) -> list[Path]:
    """Write one film per video and one contact sheet of the first 12 videos.

    Films show truth and prediction side by side; the sheet adds the input.
    A prediction has the colour of the true object that it matches best by
    video IoU, one to one; all others have colours of their own. Films are
    written frame by frame, so their length does not matter.

    Args:
        annotations: Videos, and truth where the file has any.
        tracks: Predicted tracks, checked by ``read_results``; None draws truth only.
        image_root: Folder to which ``file_name`` is relative.
        out_dir: Gets ``<video id>_<video name>.mp4`` and ``contact_sheet.png``.
        score_thr: Tracks with a lower track score are left out.
        videos: Names of the videos to draw; None takes all.
        max_videos: Stop after so many videos.
        fps: Frames per second of the films.

    Returns:
        Paths of the files written, the sheet last.

    Raises:
        ValueError: A name in ``videos`` is unknown, there is no video to draw,
            or a frame is missing, broken or of another size.
        OSError: A file cannot be written.
    """
    written, sheets = [], []
    for video in choose_videos(annotations, videos, max_videos):
        kept = None if tracks is None else [
            track for track in tracks if track.video_id == video.id and track.score >= score_thr]
        scene = build_scene(annotations, video, kept, Path(image_root))
        name = re.sub(r'[^0-9A-Za-z._-]+', '-', video.name)
        written.append(Path(out_dir) / f'{video.id:04d}_{name}.mp4')
        write_film(scene, written[-1], fps)
        if len(sheets) < _SHEET_VIDEOS:
            sheets.append(scene_sheet(scene))
    written.append(Path(out_dir) / 'contact_sheet.png')
    write_image(written[-1], stack_sheets(sheets))
    return written


def choose_videos(annotations: AnnotationFile, names: Iterable[str] | None,
                  limit: int | None) -> list[Video]:
    """Videos by name in file order, at most ``limit``.

    Raises:
        ValueError: A name is unknown, or no video is left.
    """
    known = {video.name for video in annotations.videos}
    wanted = known if names is None else set(names)
    if wanted - known:
        raise ValueError(f'{annotations.path}: no video named {sorted(wanted - known)}; it has '
                         f'{", ".join(sorted(known)[:20])}')
    chosen = [video for video in annotations.videos if video.name in wanted]
    if not chosen[:limit]:
        raise ValueError(f'{annotations.path}: no video to draw; the file has '
                         f'{len(annotations.videos)}, the limit is {limit}')
    return chosen[:limit]


def build_scene(annotations: AnnotationFile, video: Video, tracks: list[TrackRecord] | None,
                image_root: Path) -> VideoScene:
    """Collect the layers of a video and give every object its colour."""
    truth_colors, track_colors = colors_by_id(annotations, video, tracks or [])
    layers = {}
    if truth_colors:
        layers['truth'] = [drawn_truth(annotations, frame, truth_colors)
                           for frame in video.frames]
    if tracks is not None:
        layers['prediction'] = [drawn_tracks(annotations, tracks, index, track_colors)
                                for index in range(len(video.frames))]
    return VideoScene(video, image_root, layers)


def drawn_truth(annotations: AnnotationFile, frame: Frame,
                colors: Mapping[int, Color]) -> list[DrawnInstance]:
    """The true objects of a frame, in colours by instance id."""
    return [DrawnInstance(instance.instance_id, instance.masks,
                          annotations.categories[instance.category_id],
                          color=colors[instance.instance_id]) for instance in frame.instances]


def drawn_tracks(annotations: AnnotationFile, tracks: Iterable[TrackRecord], index: int,
                 colors: Mapping[int, Color]) -> list[DrawnInstance]:
    """The tracks that are in a frame, the ``index``-th, in colours by track id."""
    return [DrawnInstance(track.track_id, masks,
                          annotations.categories[track.frame_category(index)],
                          track.frame_score(index), colors[track.track_id])
            for track in tracks if (masks := masks_at(track, index))]


def masks_at(track: TrackRecord, index: int) -> dict[str, RLE]:
    """Masks of a track in one frame by kind; empty where the track is absent.

    A kind without a mask, while another has one, is drawn as hidden: as a mask
    without a pixel.
    """
    position = track.position(index)
    if position is None:
        return {}
    present = {kind: masks[position] for kind, masks in track.masks.items() if masks[position]}
    if not present or len(present) == len(track.masks):
        return present
    size = next(iter(present.values()))['size']
    return {kind: present.get(kind) or _empty(size) for kind in track.masks}


def colors_by_id(annotations: AnnotationFile, video: Video,
                 tracks: list[TrackRecord]) -> tuple[dict[int, Color], dict[int, Color]]:
    """Colours of a video by instance id and by track id; matched ones are equal.

    Ids are replaced by their rank in the video, since neighbouring numbers
    have the colours that differ most.
    """
    truths = truth_tracks(video, None, annotations.path)
    length = len(video.frames)
    iou = tube_iou([track_tube(track, length) for track in tracks],
                   [truth_tube(truth) for truth in truths], length)
    return pair_colors([truth.instance_id for truth in truths],
                       [track.track_id for track in tracks], iou)


def track_tube(track: TrackRecord, length: int) -> Tube:
    """Masks of a track over the frames of a video of ``length``."""
    return {kind: track.spread(masks, length) for kind, masks in track.masks.items()}


def truth_tube(truth: TruthTrack) -> Tube:
    """Masks of a true object over the frames of its video."""
    return {kind: truth.masks(kind) for kind in MASK_KINDS}


def tube_iou(tubes: Sequence[Tube], others: Sequence[Tube], length: int,
             kinds: Sequence[str] = MASK_KINDS) -> np.ndarray:
    """Video IoU (N, M), by the first of ``kinds`` of which both sides have a mask; else zeros."""
    for kind in kinds:
        pair = [[tube.get(kind, [None] * length) for tube in side] for side in (tubes, others)]
        if all(any(map(any, side)) for side in pair):
            return video_similarity(*pair, length).iou
    return np.zeros((len(tubes), len(others)))


def pair_colors(truth_ids: Sequence[int], track_ids: Sequence[int], iou: np.ndarray
                ) -> tuple[dict[int, Color], dict[int, Color]]:
    """Colours by id of M truths, and of N tracks: equal where they match by ``iou`` (N, M)."""
    colors = {id_: track_color(rank) for rank, id_ in enumerate(truth_ids)}
    matched = {track_ids[row]: colors[truth_ids[column]] for row, column in matched_pairs(iou)}
    others = sorted(set(track_ids) - matched.keys())
    return colors, matched | {id_: track_color(len(truth_ids) + rank)
                              for rank, id_ in enumerate(others)}


def matched_pairs(iou: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of a track and a truth, one to one, that are drawn in one colour.

    Args:
        iou: (N, M) spatio-temporal IoU.
    """
    return [(int(row), int(column))
            for row, column in zip(*linear_sum_assignment(iou, maximize=True), strict=True)
            if iou[row, column] >= _MIN_IOU]


def read_frame(image_root: Path, video: Video, frame: Frame) -> np.ndarray:
    """Read a frame as it is shown: (H, W, 3) uint8 RGB.

    Raises:
        AnnotationError: The image is missing or damaged, or its size is not that of the video.
    """
    path = resolve_image(image_root, frame.file_name, video.name)
    try:
        image = read_image(path)
    except ImageError as error:
        raise AnnotationError(f'{path}: {error.fault} (frame {frame.frame_id} of video '
                              f'{video.name}); copy or extract it again') from None
    if image.shape[:2] != (video.height, video.width):
        raise AnnotationError(f'{path} is {image_head(path)}, but video {video.name} is annotated '
                              f'at {video.width} x {video.height}; use the original frames')
    return image


def write_film(scene: VideoScene, path: Path, fps: float) -> None:
    """Write a scene to MP4: its layers side by side, or the input if it has none."""
    total = len(scene.video.frames)
    with VideoWriter(path, fps) as film:
        for index in range(total):
            panels = scene.panels(index, _PANEL_WIDTH)
            names = list(scene.layers) or ['input']
            film.write(contact_sheet([panels[name] for name in names], len(names), names,
                                     f'{scene.video.name}   {index + 1} / {total}', margin=16))


def scene_sheet(scene: VideoScene) -> np.ndarray:
    """Some frames of a scene: time runs to the right, one row each for input and layers."""
    total = len(scene.video.frames)
    times = sorted({int((k + 0.5) * total / _SHEET_FRAMES) for k in range(_SHEET_FRAMES)})
    columns = [scene.panels(index, _CELL_WIDTH) for index in times]
    rows = [(column[name], f'{name}, frame {scene.video.frames[index].frame_id}')
            for name in columns[0] for index, column in zip(times, columns, strict=True)]
    return contact_sheet([image for image, _ in rows], len(times), [text for _, text in rows],
                         scene.video.name)


def _empty(size: list[int]) -> RLE:
    height, width = size
    return encode(np.zeros((1, height, width), np.uint8))[0]
