"""Images of a COCO-style JSON, put together to videos by one of several rules."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import Entry, integer
from vatrack.files.annotation_file import frame_size
from vatrack.video.source import natural_key

from ..command import Note
from ..common import ConversionError
from ..parts.json_source import (
    EntriesOnDisk,
    file_name,
    located,
    read_category,
    read_tables,
    unique,
    unique_categories,
)
from ..parts.json_video import JsonFrame, JsonVideo, distinct_names

#: Keys of an image for its position in time, the first that is there counts: CocoVID, TAO.
ORDER_KEYS = ('frame_id', 'frame_index')

#: Category of the objects of a file without categories (COCOA).
ONLY_CLASS = (1, 'object')


@dataclass(frozen=True, slots=True)
class Image:
    """An entry of ``images``: ``video_id`` and ``position`` are None where it has none."""

    id: int
    file_name: str
    size: list[int]
    video_id: int | None
    position: int | None


#: Gives the video of an image: a value that sorts images into videos, and the name of the video.
Grouping = Callable[[Image], tuple[object, str]]


@dataclass(frozen=True, slots=True)
class CocoSource:
    """Everything in a COCO-style JSON but its annotations, which stay on disk, by image id."""

    categories: dict[int, str]
    videos: list[JsonVideo]


def read_coco(path: str | Path, entries: EntriesOnDisk, grouping: Grouping | None,
              note: Note) -> CocoSource:
    """Read a COCO-style JSON.

    Args:
        path: The file.
        entries: Takes its annotations.
        grouping: What makes videos of images; None: ``videos`` of the file, or
            the folders of the images if it has no such list.
        note: Told of videos that are named anew, and of missing classes.

    Raises:
        ConversionError: A list is missing, an entry is wrong, or images of a
            video differ in size; names it.
    """
    readers = {'categories': read_category, 'videos': _read_video, 'images': _read_image}
    tables = read_tables(path, readers, entries, 'image_id')
    if not tables['categories']:
        note(f"{path} has no 'categories': all objects are of one class, '{ONLY_CLASS[1]}'")
        tables['categories'] = [ONLY_CLASS]
    categories = unique_categories(path, tables['categories'])
    images = unique(path, 'images', [(image.id, image) for image in tables['images']])
    entries.require_known(images, path, 'image_id', 'images')
    if grouping is None and tables['videos']:
        videos = _listed_videos(path, unique(path, 'videos', tables['videos']), images)
    else:
        videos = _grouped_videos(path, grouping or by_folder, images)
    names = distinct_names([video.name for video in videos],
                           [video.frames[0].id if video.id is None else video.id
                            for video in videos], note)
    for video, name in zip(videos, names, strict=True):
        video.name = name
    return CocoSource(categories, videos)


def by_folder(image: Image) -> tuple[object, str]:
    """Images of a folder are a video."""
    folder = PurePosixPath(image.file_name).parent.as_posix()
    return folder, folder


def one_by_one(image: Image) -> tuple[object, str]:
    """Every image is a video of its own."""
    path = PurePosixPath(image.file_name)
    return image.id, (path.parent / path.stem).as_posix()


class ByPattern:
    """Images are a video if a pattern finds the same in their names.

    Args:
        pattern: Regular expression for part of a file name; its group ``video``,
            or its first group, is the name of the video.

    Raises:
        ConversionError: It is no regular expression, or has no group.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise ConversionError(f"'{pattern}' is no regular expression ({error}); correct "
                                  '--video-pattern') from None
        if not self._pattern.groups:
            raise ConversionError(f"'{pattern}' has no group in parentheses for the name of the "
                                  r"video; write, for example, --video-pattern '(.+)_\d+'")
        self._group = 'video' if 'video' in self._pattern.groupindex else 1

    def __call__(self, image: Image) -> tuple[object, str]:
        """The video of an image."""
        found = self._pattern.search(image.file_name)
        if found is None or not found[self._group]:
            raise AnnotationError(f"'{self._pattern.pattern}' finds no video in the file name "
                                  f"'{image.file_name}'; correct --video-pattern")
        return found[self._group], found[self._group]


def _read_video(entry: Entry) -> tuple[int, str]:
    return integer(entry, 'id'), str(entry.get('name') or entry['id'])


def _read_image(entry: Entry) -> Image:
    video_id = entry.get('video_id')
    position = next((integer(entry, key) for key in ORDER_KEYS if entry.get(key) is not None), None)
    return Image(integer(entry, 'id'), file_name(entry),
                 [*frame_size(entry)],
                 None if video_id is None else integer(entry, 'video_id'), position)


def _listed_videos(path: str | Path, names: dict[int, str],
                   images: dict[int, Image]) -> list[JsonVideo]:
    members: dict[int, list[Image]] = {id_: [] for id_ in names}
    for index, image in enumerate(images.values()):
        if image.video_id not in members:
            raise ConversionError(f"{path}: images[{index}] (id {image.id}): 'video_id' is "
                                  f"{image.video_id}, but no entry of 'videos' has this id; add "
                                  'the video or correct the image')
        members[image.video_id].append(image)
    empty = [id_ for id_, frames in members.items() if not frames]
    if empty:
        raise ConversionError(f"{path}: video '{names[empty[0]]}' (id {empty[0]}) has no frame: no "
                              "entry of 'images' has this 'video_id'; add its images or remove the "
                              f'video ({len(empty)} of {len(names)} have none)')
    return [_video(path, id_, names[id_], frames) for id_, frames in members.items()]


def _grouped_videos(path: str | Path, grouping: Grouping,
                    images: dict[int, Image]) -> list[JsonVideo]:
    members: dict[object, tuple[str, list[Image]]] = {}
    for index, image in enumerate(images.values()):
        with located(path, 'images', index, {'id': image.id}):
            key, name = grouping(image)
        members.setdefault(key, (name, []))[1].append(image)
    return [_video(path, None, name, frames) for name, frames in members.values()]


def _video(path: str | Path, id_: int | None, name: str, images: Sequence[Image]) -> JsonVideo:
    """A video of images in time order: by position where all have one, else by file name."""
    if all(image.position is not None for image in images):
        images = sorted(images, key=lambda image: image.position)
        twice = next((b for a, b in pairwise(images) if a.position == b.position), None)
        if twice is not None:
            raise ConversionError(f"{path}: video '{name}': two of its images have the position "
                                  f"{twice.position}, one is '{twice.file_name}' (id {twice.id}); "
                                  'number its frames 0, 1, 2, ...')
    else:
        images = sorted(images, key=lambda image: natural_key(image.file_name))
    for image in images:
        if image.size != images[0].size:
            raise ConversionError(
                f"{path}: video '{name}': image '{image.file_name}' (id {image.id}) is "
                f"{image.size} [H, W], but '{images[0].file_name}' {images[0].size}; frames of a "
                'video have one size: correct it, or make several videos of it')
    return JsonVideo(id_, name, images[0].size,
                     [JsonFrame(image.file_name, image.id) for image in images])
