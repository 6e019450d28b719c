"""Thumbnails of single errors: the truth outlined, the tracks filled, cut out of their frames."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vatrack.evaluation.protocols import Protocol, get_protocol
from vatrack.evaluation.truth import TruthTrack, truth_tracks
from vatrack.structures import AnnotationFile, TrackRecord, Video
from vatrack.structures.rle import RLE, bboxes
from vatrack.video.image_file import encode_image
from vatrack.visualization.draw import DrawnInstance, DrawStyle, draw_instances
from vatrack.visualization.overlay import read_frame
from vatrack.visualization.style import Color

from .collector import Example

#: Colours of the first and the second track, and of the first and the second object.
TRACK_COLORS: tuple[Color, Color] = ((255, 140, 40), (70, 150, 255))
TRUTH_COLORS: tuple[Color, Color] = ((60, 235, 120), (250, 235, 70))
_GROUND = 96
_SIDE = 300
_GAP = 6
_QUALITY = 80
_STYLE = DrawStyle({'visible', 'amodal'}, fill_opacity=.42, line_width=2)


@dataclass(frozen=True)
class Picture:
    """A JPEG and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


class Painter:
    """Paints examples of errors.

    Args:
        annotations: Truth.
        tracks: Predictions.
        protocol: The rules; truth that they remove is not painted.
        image_root: Folder to which file names are relative; None paints on plain ground.
    """

    def __init__(self, annotations: AnnotationFile, tracks: Iterable[TrackRecord],
                 protocol: str | Protocol, image_root: str | Path | None = None) -> None:
        self.annotations = annotations
        self.image_root = None if image_root is None else Path(image_root)
        self.videos = {video.id: video for video in annotations.videos}
        self._protocol = get_protocol(protocol)
        self._tracks = {track.track_id: track for track in tracks}
        self._truths: dict[int, dict[int, TruthTrack]] = {}

    def paint(self, kind: str, example: Example) -> Picture:
        """Paint the one or two frames of an example side by side.

        Raises:
            AnnotationError: A frame is missing or damaged, or its size is not that of the
                video.
        """
        panels = [self._panel(kind, example, frame) for frame in example.case.frames]
        gap = np.full((panels[0].shape[0], _GAP, 3), _GROUND // 2, np.uint8)
        image = np.hstack([part for panel in panels for part in (gap, panel)][1:])
        return Picture(encode_image(image, '.jpg', quality=_QUALITY), *image.shape[1::-1])

    def shows(self, track_id: int, frames: Iterable[int]) -> bool:
        """Whether a track is in any of some frames (positions in time)."""
        return any(self._tracks[track_id].position(frame) is not None for frame in frames)

    def _panel(self, kind: str, example: Example, frame: int) -> np.ndarray:
        video = self.videos[example.video_id]
        tracks = [(color, mask) for color, id_ in zip(TRACK_COLORS, example.track_ids, strict=False)
                  if (mask := self._track_mask(id_, kind, frame))]
        truths = [(color, masks) for color, id_ in zip(TRUTH_COLORS, example.instance_ids,
                                                      strict=False)
                  if (masks := self._truth_masks(video, id_, kind, frame))]
        shown = [mask for _, mask in tracks] + [masks[kind] for _, masks in truths]
        left, top, width, height = window(bboxes(shown), video.width, video.height)
        # An outline is dashed where the object is hidden.
        instances = [DrawnInstance(0, {'visible': mask}, color=color) for color, mask in tracks]
        instances += [DrawnInstance(0, masks, color=color, filled=False)
                      for color, masks in truths]
        scale = _SIDE / max(width, height)
        drawn = draw_instances(self._ground(video, frame), instances, scale=scale, style=_STYLE)
        x, y = round(left * scale), round(top * scale)
        panel = drawn[y:y + round(height * scale), x:x + round(width * scale)]
        # All windows have the shape of the frame, but for the rounding of their corners.
        longer = max(video.width, video.height)
        size = (max(round(_SIDE * video.width / longer), 1),
                max(round(_SIDE * video.height / longer), 1))
        return panel if panel.shape[1::-1] == size else cv2.resize(panel, size)

    def _ground(self, video: Video, frame: int) -> np.ndarray:
        if self.image_root is None:
            return np.full((video.height, video.width, 3), _GROUND, np.uint8)
        return read_frame(self.image_root, video, video.frames[frame])

    def _track_mask(self, track_id: int, kind: str, frame: int) -> RLE | None:
        track = self._tracks[track_id]
        position = track.position(frame)
        return None if position is None else track.masks[kind][position]

    def _truth_masks(self, video: Video, instance_id: int, kind: str,
                     frame: int) -> dict[str, RLE]:
        if video.id not in self._truths:
            truths = truth_tracks(video, self._protocol.max_occlusion, self.annotations.path)
            self._truths[video.id] = {truth.instance_id: truth for truth in truths}
        instance = self._truths[video.id][instance_id].instances[frame]
        if instance is None or kind not in instance.masks:
            return {}
        return instance.masks if kind == 'amodal' else {kind: instance.masks[kind]}


def window(boxes: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """The part of a frame, of its shape, that shows some xyxy boxes with room around them.

    Args:
        boxes: (N, 4) pixels; empty ones do not count.
        width: Of the frame.
        height: Of the frame.

    Returns:
        Left, top, width, height in pixels: at least a quarter of the frame each
        way, the whole frame where there is no box.
    """
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    if not len(boxes):
        return 0, 0, width, height
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    share = float(np.clip(1.6 * ((high - low) / (width, height)).max(), .25, 1))
    size = np.ceil(share * np.array([width, height])).astype(int)
    corner = np.clip((low + high - size) / 2, 0, np.array([width, height]) - size).astype(int)
    return int(corner[0]), int(corner[1]), int(size[0]), int(size[1])
