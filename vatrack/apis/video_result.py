"""What inference gives: the objects of a frame, and the tracks of a video as files."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.structures import InstanceData

from vatrack.files import AnnotationWriter, write_results
from vatrack.files.foreign.coco import export_coco
from vatrack.files.foreign.ytvis import export_ytvis
from vatrack.structures import (
    MASK_KINDS,
    AnnotationFile,
    Box,
    Frame,
    TrackRecord,
    Video,
    bboxes_field,
    masks_field,
)
from vatrack.structures.rle import RLE
from vatrack.visualization import DrawnInstance, DrawStyle, draw_instances


@dataclass(slots=True)
class TrackedInstance:
    """One object in one frame.

    Attributes:
        track_id: Identity in the video, from 1.
        label: 0-based class of this frame.
        category: Its name.
        score: Confidence in [0, 1].
        masks: RLE (H, W) by kind, 'amodal' and 'visible'; kinds that the model
            does not predict are absent. A visible mask without pixels says that
            the object is hidden.
        boxes: (x1, y1, x2, y2) in pixels by kind; a further kind is present only
            if the model predicts it.
    """

    track_id: int
    label: int
    category: str
    score: float
    masks: dict[str, RLE]
    boxes: dict[str, Box]


@dataclass(slots=True, eq=False)
class FrameResult:
    """The objects of one frame.

    Attributes:
        index: Position in the video, from 0.
        time: Seconds since the first frame.
        image: (H, W, 3) uint8 RGB.
        instances: Its objects.
    """

    index: int
    time: float
    image: np.ndarray
    instances: list[TrackedInstance]

    def draw(self, style: DrawStyle | None = None, scale: float = 1.0) -> np.ndarray:
        """The frame with its objects: RGB, see :func:`vatrack.visualization.draw_instances`."""
        drawn = [DrawnInstance(each.track_id, each.masks, each.category, each.score,
                               boxes=each.boxes) for each in self.instances]
        return draw_instances(self.image, drawn, scale=scale, style=style)


def read_instances(predicted: InstanceData, classes: Sequence[str]) -> list[TrackedInstance]:
    """The objects of ``pred_track_instances``, see ``vatrack/structures/fields.py``."""
    kinds = [kind for kind in MASK_KINDS if masks_field(kind) in predicted]
    boxes = {kind: predicted[bboxes_field(kind)].tolist() for kind in MASK_KINDS
             if bboxes_field(kind) in predicted}
    # The main kind is amodal unless all is visible.
    boxes[kinds[0]] = predicted.bboxes.tolist()
    values = zip(predicted.instances_id.tolist(), predicted.labels.tolist(),
                 predicted.scores.tolist(), strict=True)
    return [TrackedInstance(track_id + 1, label, classes[label], score,
                            {kind: predicted[masks_field(kind)][row] for kind in kinds},
                            {kind: tuple(listed[row]) for kind, listed in boxes.items()})
            for row, (track_id, label, score) in enumerate(values)]


@dataclass(slots=True)
class VideoResult:
    """The tracks of one video.

    Attributes:
        name: Name of the video.
        width: Width of its frames in pixels.
        height: Height in pixels.
        fps: Frames per second, None if unknown.
        file_names: Names of the T frames in an annotation file: of the images
            they were read from, else ``000000.jpg`` and so on.
        categories: Class name by category id, which is the label + 1.
        kinds: Kinds of masks that the model predicts.
        tracks: Tracks with ``video_id`` 1, by track id.
    """

    name: str
    width: int
    height: int
    fps: float | None
    file_names: list[str]
    categories: Mapping[int, str]
    kinds: tuple[str, ...]
    tracks: list[TrackRecord]

    @property
    def annotations(self) -> AnnotationFile:
        """Video, frames and categories that the tracks refer to, without truth."""
        frames = [Frame(index + 1, index, name) for index, name in enumerate(self.file_names)]
        return AnnotationFile(self.name, dict(self.categories), [
            Video(1, self.name, self.width, self.height, frames)])

    def to_json(self, path: str | Path) -> Path:
        """Write a result file, and beside it the annotation file that it refers to.

        Every tool of this project that takes results takes the two together.

        Args:
            path: Result file, see ``docs/result-files.md``.

        Returns:
            The annotation file: ``out.annotations.json`` beside ``out.json``.

        Raises:
            AnnotationError: The video has no frame.
        """
        beside = Path(path).with_suffix('.annotations.json')
        with AnnotationWriter(beside, self.categories) as writer:
            writer.add_video(self.name, self.width, self.height)
            for name in self.file_names:
                writer.add_frame(name, [])
        write_results(path, self.tracks, self.annotations)
        return beside

    def to_coco(self, path: str | Path, kind: str | None = None) -> None:
        """Write the masks of one kind as COCO results; ``image_id`` is the frame's index + 1.

        Args:
            path: JSON file, or zip archive.
            kind: 'amodal' or 'visible'; None: amodal, if that is predicted.

        Raises:
            ResultError: The model does not predict this kind.
        """
        export_coco(self.tracks, self.annotations, path, kind or self.kinds[0])

    def to_ytvis(self, path: str | Path, kind: str | None = None) -> None:
        """Write the masks of one kind as YouTube-VIS results; arguments as :meth:`to_coco`."""
        export_ytvis(self.tracks, self.annotations, path, kind or self.kinds[0])
