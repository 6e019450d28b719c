"""One annotation format for every dataset: reading it.

The format is described in ``docs/annotations.md``. It is CocoVID-style JSON;
the joint files published by the VATrack authors (``bbox=amdl_bbox``,
``bbox=both_bbox``, ``bbox=visb_bbox``) and their single-kind files satisfy it
unchanged.
"""
from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from vatrack.structures import AnnotationFile, Frame, Instance, Video

from .annotation_entry import (
    Entry,
    flag,
    integer,
    new_name,
    read_boxes,
    read_masks,
    read_occlusion,
    text,
    wrong_runs,
)
from .errors import AnnotationError
from .json_stream import JsonStream

#: Top-level lists in the order in which they are read: entries refer to those of earlier lists.
LISTS = ('categories', 'videos', 'images', 'annotations')

# Objects whose masks are checked together.
_TOGETHER = 128


def frame_size(entry: Entry) -> tuple[int, int]:
    """(H, W) in pixels by ``height`` and ``width``; run lengths count up to 2**31 pixels."""
    height, width = integer(entry, 'height', 1), integer(entry, 'width', 1)
    if height * width >= 1 << 31:
        raise AnnotationError(f"'height' {height} and 'width' {width} make more than 2**31 pixels, "
                              'which masks cannot have; correct them, or make the frames smaller')
    return height, width


def _add(frames: Sequence[Frame], objects: Sequence[Instance]) -> None:
    for frame, instance in zip(frames, objects, strict=True):
        frame.instances.append(instance)


class AnnotationParser:
    """Turns entries into dataclasses, list by list in the order of :data:`LISTS`.

    Args:
        path: The file, for messages.
        report: Called with one message per wrong entry, which is left out.
        keep: Called with the frames of some objects, and the objects; by
            default each frame collects its own.
    """

    def __init__(self, path: str | Path, report: Callable[[str], None],
                 keep: Callable[[Sequence[Frame], Sequence[Instance]], None] = _add) -> None:
        self.path, self.report = path, report
        self.categories: dict[int, str] = {}
        self.videos: dict[int, Video] = {}
        self._keep = keep
        self._video_indices: dict[int, int] = {}
        # By image id; the last part maps the instance ids of the frame to annotation ids.
        self._images: dict[int, tuple[Frame, Video, list[int], dict[int, int]]] = {}
        self._positions: set[tuple[int, int]] = set()
        self._annotation_ids: set[int] = set()
        # What waits to be checked together: indices of entries, their frames, their objects.
        self._waiting: tuple[list[int], list[Frame], list[Instance]] = [], [], []
        self._index = 0

    def read(self, name: str, index: int, entry: Any) -> None:
        """Read entry number ``index`` of the list ``name``, or report what is wrong with it."""
        self._index = index
        try:
            if type(entry) is not dict:
                raise AnnotationError(f'must be an object, got a {type(entry).__name__}; '
                                      'convert the dataset with tools/convert.py')
            self._READERS[name](self, entry)
            if name == 'videos':
                self._video_indices[entry['id']] = index
        except AnnotationError as error:
            self._keep_waiting()
            self._report(name, index, entry, str(error))

    def read_all(self, name: str, entries: Iterable[Any]) -> None:
        """Read the whole list ``name``; after images, frames are complete and in order."""
        for index, entry in enumerate(entries):
            self.read(name, index, entry)
        if name == 'images':
            self._order_frames()
        self._keep_waiting()

    def result(self) -> AnnotationFile:
        """All that was read."""
        return AnnotationFile(str(self.path), self.categories, list(self.videos.values()))

    def _report(self, name: str, index: int, entry: Any, fault: str) -> None:
        label = f" (id {entry['id']})" if type(entry) is dict and 'id' in entry else ''
        self.report(f'{self.path}: {name}[{index}]{label}: {fault}')

    def _keep_waiting(self) -> None:
        """Keep the objects that wait, and report those whose masks are damaged."""
        (indices, frames, objects), self._waiting = self._waiting, ([], [], [])
        faults = dict(wrong_runs([instance.masks for instance in objects]))
        for position, fault in faults.items():
            self._report('annotations', indices[position], {'id': objects[position].id}, fault)
        for position in reversed(faults):
            del frames[position], objects[position]
        if objects:
            self._keep(frames, objects)

    def _order_frames(self) -> None:
        for video in self.videos.values():
            video.frames.sort(key=lambda frame: frame.frame_id)
            if not video.frames:
                index = self._video_indices[video.id]
                self.report(f"{self.path}: videos[{index}] (id {video.id}): has no frame: no entry "
                            "of 'images' has this 'video_id'; add its images or remove the video")

    def _category(self, entry: Entry) -> None:
        category_id = _new_id(entry, self.categories)
        taken = [*self.categories.values()]
        # It is known all the same: its annotations are not to blame.
        self.categories[category_id] = text(entry, 'name')
        new_name(entry, taken)

    def _video(self, entry: Entry) -> None:
        video_id = _new_id(entry, self.videos)
        name, (height, width) = text(entry, 'name'), frame_size(entry)
        self.videos[video_id] = Video(video_id, name, width, height)

    def _image(self, entry: Entry) -> None:
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
        self._images[image_id] = frame, video, [video.height, video.width], {}
        video.frames.append(frame)

    def _annotation(self, entry: Entry) -> None:
        annotation_id = _new_id(entry, self._annotation_ids)
        image_id = _known(entry, 'image_id', self._images, 'images')
        frame, video, size, owners = self._images[image_id]
        if 'video_id' in entry and entry['video_id'] != video.id:
            raise AnnotationError(f"'video_id' is {entry['video_id']!r}, but image {image_id} "
                                  f'belongs to video {video.id}; correct or remove the key')
        instance_id = integer(entry, 'instance_id')
        if instance_id in owners:
            raise AnnotationError(
                f"'instance_id' {instance_id} occurs twice in image {image_id}, also in annotation "
                f'(id {owners[instance_id]}); an object has one entry per frame: remove one')
        category_id = _known(entry, 'category_id', self.categories, 'categories')
        masks = read_masks(entry, size)
        made = Instance(
            annotation_id, instance_id, category_id, masks, read_boxes(entry, masks),
            read_occlusion(entry, masks), flag(entry, 'iscrowd'))
        indices, frames, objects = self._waiting
        indices.append(self._index)
        frames.append(frame)
        objects.append(made)
        owners[instance_id] = annotation_id
        self._annotation_ids.add(annotation_id)
        if len(objects) == _TOGETHER:
            self._keep_waiting()

    _READERS: ClassVar = dict(categories=_category, videos=_video, images=_image,
                              annotations=_annotation)


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


#: Suffixes under which :func:`resolve_image` looks for a frame.
IMAGE_SUFFIXES = ('.png', '.bmp', '.jpg')


def load_annotations(path: str | Path) -> AnnotationFile:
    """Read an annotation file.

    Structure, values, references and mask sizes are checked, but no mask is
    decoded: :func:`~vatrack.files.annotation_check.check_annotations`
    goes deeper.

    Raises:
        AnnotationError: The file is missing, is not JSON (for example cut off
            in the middle), or an entry is wrong; the message names the file,
            the entry and the key, and the remedy.
    """
    parser = AnnotationParser(path, refuse)
    with paused_collector():
        parse_stream(JsonStream(path), parser)
    return parser.result()


def class_names(path: str | Path) -> tuple[str, ...]:
    """Names of the classes of an annotation file, in label order.

    Reading ends behind ``categories``, which the files that we write begin with.

    Raises:
        AnnotationError: As :func:`load_annotations`.
    """
    stream, parser = JsonStream(path), AnnotationParser(path, refuse)
    with closing(iter(stream)) as entries:
        for key, entry in entries:
            if key == 'categories':
                parser.read(key, len(parser.categories), entry)
            elif 'categories' in stream.lists:
                break
    if not parser.categories:
        raise AnnotationError(f"{path}: has no 'categories', or none in it; convert the dataset "
                              'with tools/convert.py')
    return tuple(parser.categories.values())


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
    stream, raw = JsonStream(path), {}
    for key, value in stream:
        if key in stream.lists:
            raw.setdefault(key, []).append(value)
        else:
            raw[key] = value
    _require_lists(stream)
    return {key: [] for key in LISTS} | raw


def parse_annotations(raw: dict[str, Any], path: str | Path,
                      report: Callable[[str], None]) -> AnnotationFile:
    """Turn the JSON of an annotation file into dataclasses.

    Args:
        raw: Result of :func:`read_json`.
        path: The file, for messages.
        report: Called with one message per wrong entry. Where it returns, the
            entry is left out and parsing goes on.
    """
    parser = AnnotationParser(path, report)
    for name in LISTS:
        parser.read_all(name, raw[name])
    return parser.result()


def parse_stream(stream: JsonStream, parser: AnnotationParser) -> None:
    """Feed a file to a parser without ever holding its annotations.

    The lists may stand in any order, but a file in which annotations come
    before what they refer to is read twice.
    """
    heads: dict[str, list[Any]] = {name: [] for name in LISTS[:-1]}
    members, is_read = iter(stream), False
    for key, entry in members:
        if key in heads:
            heads[key].append(entry)
        elif key == 'annotations' and stream.lists.issuperset(LISTS):
            _parse_heads(heads, parser)
            parser.read_all(key, _rest_of_list(key, entry, members))
            is_read = True
    _require_lists(stream)
    if not is_read:
        _parse_heads(heads, parser)
        parser.read_all('annotations', (entry for key, entry in stream if key == 'annotations'))


def refuse(message: str) -> None:
    """Report a wrong entry by raising: the first one ends the reading."""
    raise AnnotationError(message) from None


def resolve_image(root: str | Path, file_name: str, video: str | None = None) -> Path:
    """Path of a frame on disk, whichever of .png, .bmp and .jpg it is stored as.

    SAIL-VOS ships BMP while the published annotation files say PNG. A name with backslashes is
    also looked for with slashes.

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
        other = path.parent / f'{path.stem}{suffix}'
        if other.is_file():
            return other
    if '\\' in file_name:  # written on Windows
        return resolve_image(root, file_name.replace('\\', '/'), video)
    raise AnnotationError(
        f"video '{video or Path(file_name).parent}': no frame {path}, nor the same name with any "
        f'suffix of {", ".join(IMAGE_SUFFIXES)}; check the image folder, or extract the frames')


def _parse_heads(heads: dict[str, list[Any]], parser: AnnotationParser) -> None:
    for name, entries in heads.items():
        parser.read_all(name, entries)
        entries.clear()


def _rest_of_list(key: str, entry: Any, members: Iterator[tuple[str, Any]]) -> Iterator[Any]:
    """The entries of the list ``key`` from ``entry`` on; they follow one another."""
    yield entry
    for other, entry in members:
        if other != key:
            return
        yield entry


def _require_lists(stream: JsonStream) -> None:
    for key in LISTS:
        if key not in stream.lists:
            fault = 'must be a list' if key in stream.keys else 'is missing'
            raise AnnotationError(f"{stream.path}: the top-level key '{key}' {fault}; "
                                  f'{_remedy(stream.keys)}')


def _remedy(keys: list[str]) -> str:
    """What to do about a file with these top-level keys."""
    if 'videos' in keys and 'images' not in keys:
        return 'the file looks like YouTube-VIS or OVIS: convert it with tools/convert.py ytvis'
    if 'images' in keys and 'videos' not in keys:
        return ('the file looks like plain COCO: convert it with tools/convert.py kins (single '
                'images: KINS, COCOA) or coco-video (frames of videos)')
    return 'convert the dataset with tools/convert.py, or add the list (it may be empty)'
