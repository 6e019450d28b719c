"""One annotation format for every dataset: reading it.

The format is described in ``docs/annotations.md``. It is CocoVID-style JSON;
the joint files published by the VATrack authors (``bbox=amdl_bbox``,
``bbox=both_bbox``, ``bbox=visb_bbox``) and their single-kind files satisfy it
unchanged.
"""
from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .annotation_entry import (
    AnnotationError,
    Box,
    Entry,
    flag,
    integer,
    read_boxes,
    read_masks,
    read_occlusion,
    text,
)
from .rle import RLE

#: Suffixes under which :func:`resolve_image` looks for a frame.
IMAGE_SUFFIXES = ('.png', '.bmp', '.jpg')

_LISTS = ('categories', 'videos', 'images', 'annotations')


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


def load_annotations(path: str | Path) -> AnnotationFile:
    """Read an annotation file.

    Structure, values, references and mask sizes are checked, but no mask is
    decoded: :func:`~vatrack.structures.annotation_check.check_annotations`
    goes deeper.

    Raises:
        AnnotationError: The file is missing, is not JSON (for example cut off
            in the middle), or an entry is wrong; the message names the file,
            the entry and the key, and the remedy.
    """
    with paused_collector():
        return parse_annotations(read_json(path), path, _refuse)


@contextmanager
def paused_collector() -> Iterator[None]:
    """Hold the cyclic garbage collector while millions of acyclic objects are made.

    Its repeated passes over them take almost as long as reading the JSON.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_json(path: str | Path) -> dict[str, Any]:
    """Read the JSON of an annotation file and make sure that its four lists are there."""
    try:
        with open(path, encoding='utf-8') as file:
            raw = json.load(file)
    except FileNotFoundError:
        raise AnnotationError(f'{path}: no such annotation file; check the path, or make the file '
                              'with tools/convert.py') from None
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror}); check that it is a '
                              'readable file') from error
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f'{path}: not valid JSON at line {error.lineno}, column {error.colno} (character '
            f'{error.pos} of {len(error.doc)}): {error.msg}; the file is damaged or cut off: copy, '
            'download or convert it again') from None
    except UnicodeDecodeError as error:
        raise AnnotationError(f'{path}: not UTF-8 text at byte {error.start}; give the annotation '
                              'JSON itself, unpacked') from None
    if type(raw) is not dict:
        raise AnnotationError(f'{path}: the top level must be an object with the keys {_LISTS}, '
                              f'got a {type(raw).__name__}; convert with tools/convert.py')
    for key in _LISTS:
        if type(raw.get(key)) is not list:
            fault = 'must be a list' if key in raw else 'is missing'
            raise AnnotationError(f"{path}: the top-level key '{key}' {fault}; convert the dataset "
                                  'with tools/convert.py (an empty list is allowed)')
    return raw


def parse_annotations(raw: dict[str, Any], path: str | Path,
                      report: Callable[[str], None]) -> AnnotationFile:
    """Turn the JSON of an annotation file into dataclasses.

    Args:
        raw: Result of :func:`read_json`.
        path: The file, for messages.
        report: Called with one message per wrong entry. Where it returns, the
            entry is left out and parsing goes on.
    """
    parser = _Parser(path, report)
    parser.each(raw, 'categories', parser.category)
    parser.each(raw, 'videos', parser.video)
    parser.each(raw, 'images', parser.image)
    parser.each(raw, 'annotations', parser.annotation)
    parser.each(raw, 'videos', parser.finish)
    return AnnotationFile(str(path), parser.categories, list(parser.videos.values()))


def resolve_image(root: str | Path, file_name: str, video: str | None = None) -> Path:
    """Path of a frame on disk, whichever of .png, .bmp and .jpg it is stored as.

    SAIL-VOS ships BMP while the published annotation files say PNG.

    Args:
        root: Folder that ``file_name`` is relative to.
        file_name: Name in the annotation file; its own suffix is tried first.
        video: Name of the video, for the message.

    Raises:
        AnnotationError: The frame exists under none of the suffixes.
    """
    path = Path(root, file_name)
    if path.is_file():
        return path
    for suffix in IMAGE_SUFFIXES:
        other = path.with_suffix(suffix)
        if other.is_file():
            return other
    raise AnnotationError(
        f"video '{video or Path(file_name).parent}': no frame {path}, nor the same name with any "
        f'suffix of {", ".join(IMAGE_SUFFIXES)}; check the image folder, or extract the frames')


class _Parser:
    """Collects the entries; each method reads one entry of one list."""

    def __init__(self, path: str | Path, report: Callable[[str], None]) -> None:
        self.path, self.report = path, report
        self.categories: dict[int, str] = {}
        self.videos: dict[int, Video] = {}
        self._images: dict[int, tuple[Frame, Video, list[int]]] = {}
        self._positions: set[tuple[int, int]] = set()
        self._annotation_ids: set[int] = set()

    def each(self, raw: dict[str, Any], name: str, read: Callable[[Entry], None]) -> None:
        """Read every entry of the list ``name``; report those that are wrong."""
        for index, entry in enumerate(raw[name]):
            try:
                if type(entry) is not dict:
                    raise AnnotationError(f'must be an object, got a {type(entry).__name__}; '
                                          'convert the dataset with tools/convert.py')
                read(entry)
            except AnnotationError as error:
                label = f" (id {entry['id']})" if type(entry) is dict and 'id' in entry else ''
                self.report(f'{self.path}: {name}[{index}]{label}: {error}')

    def category(self, entry: Entry) -> None:
        category_id = _new_id(entry, self.categories)
        self.categories[category_id] = text(entry, 'name')

    def video(self, entry: Entry) -> None:
        video_id = _new_id(entry, self.videos)
        self.videos[video_id] = Video(video_id, text(entry, 'name'), integer(entry, 'width', 1),
                                      integer(entry, 'height', 1))

    def image(self, entry: Entry) -> None:
        image_id = _new_id(entry, self._images)
        video = self.videos[_known(entry, 'video_id', self.videos, 'videos')]
        frame = Frame(image_id, integer(entry, 'frame_id', 0), text(entry, 'file_name'))
        for key in ('width', 'height'):
            if key in entry and entry[key] != getattr(video, key):
                raise AnnotationError(f"'{key}' is {entry[key]!r}, but {getattr(video, key)} in "
                                      f"its video (id {video.id}); frames have the size of their "
                                      'video: correct one of them')
        if (video.id, frame.frame_id) in self._positions:
            raise AnnotationError(f"'frame_id' {frame.frame_id} occurs twice in the video (id "
                                  f'{video.id}); number its frames 0, 1, 2, ...')
        self._positions.add((video.id, frame.frame_id))
        self._images[image_id] = frame, video, [video.height, video.width]
        video.frames.append(frame)

    def annotation(self, entry: Entry) -> None:
        annotation_id = _new_id(entry, self._annotation_ids)
        image_id = _known(entry, 'image_id', self._images, 'images')
        frame, video, size = self._images[image_id]
        if 'video_id' in entry and entry['video_id'] != video.id:
            raise AnnotationError(f"'video_id' is {entry['video_id']!r}, but image {image_id} "
                                  f'belongs to video {video.id}; correct or remove the key')
        instance_id = integer(entry, 'instance_id')
        for other in frame.instances:
            if other.instance_id == instance_id:
                raise AnnotationError(
                    f"'instance_id' {instance_id} occurs twice in image {image_id}, also in "
                    f'annotation (id {other.id}); an object has one entry per frame: remove one')
        category_id = _known(entry, 'category_id', self.categories, 'categories')
        masks = read_masks(entry, size)
        frame.instances.append(Instance(
            annotation_id, instance_id, category_id, masks, read_boxes(entry, masks),
            read_occlusion(entry, masks), flag(entry, 'iscrowd')))
        self._annotation_ids.add(annotation_id)

    def finish(self, entry: Entry) -> None:
        """Put the frames of a video in order; ``entry`` is its entry in ``videos``."""
        video = self.videos.get(entry.get('id'))
        if video is None:
            return
        if not video.frames:
            raise AnnotationError("has no frame: no entry of 'images' has this 'video_id'; add "
                                  'its images or remove the video')
        video.frames.sort(key=lambda frame: frame.frame_id)


def _refuse(message: str) -> None:
    raise AnnotationError(message) from None


def _new_id(entry: Entry, taken: dict[int, Any] | set[int]) -> int:
    value = integer(entry, 'id')
    if value in taken:
        raise AnnotationError(f"'id' {value} occurs twice in this list; number the entries anew")
    return value


def _known(entry: Entry, key: str, known: dict[int, Any], name: str) -> int:
    value = integer(entry, key)
    if value not in known:
        raise AnnotationError(f"'{key}' {value} is unknown: no entry of '{name}' has this id; add "
                              'the missing entry or remove this one')
    return value
