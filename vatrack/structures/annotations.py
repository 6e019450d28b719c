"""What an annotation file holds: videos, their frames, and the objects in each."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .fields import Box
from .rle import RLE


@dataclass(slots=True)
class Instance:
    """One object in one frame.

    Attributes:
        id: Annotation id, unique in the file; 0 is valid.
        instance_id: Identity, unique in the video; 0 is valid.
        category_id: Category id of the file (not the 0-based label).
        masks: RLE by mask kind; a kind that is not annotated is absent. The
            visible mask of an object that is fully hidden in this frame is
            present and has no pixel.
        bboxes: xyxy box in pixels by kind; absent where not annotated, and for
            the visible kind of a fully hidden object.
        occlusion: 1 - area(visible) / area(amodal), or None if unknown.
        iscrowd: COCO crowd flag.
    """

    id: int
    instance_id: int
    category_id: int
    masks: dict[str, RLE]
    bboxes: dict[str, Box]
    occlusion: float | None = None
    iscrowd: bool = False


@dataclass(slots=True)
class Frame:
    """One image of a video; ``frame_id`` is its 0-based position in time."""

    id: int
    frame_id: int
    file_name: str
    instances: list[Instance] = field(default_factory=list)


@dataclass(slots=True)
class Video:
    """A video: ``frames`` are sorted by ``frame_id``; sizes in pixels."""

    id: int
    name: str
    width: int
    height: int
    frames: list[Frame] = field(default_factory=list)


@dataclass(slots=True)
class AnnotationFile:
    """A parsed annotation file. ``categories`` maps category id to name, in file order."""

    path: str
    categories: dict[int, str]
    videos: list[Video]

    @property
    def frames(self) -> Iterator[tuple[Video, Frame]]:
        """All (video, frame) pairs in order."""
        return ((video, frame) for video in self.videos for frame in video.frames)
