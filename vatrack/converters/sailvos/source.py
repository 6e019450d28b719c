"""The JSON of SAIL-VOS as published: its tables in memory, its annotations as a stream.

Hu et al., *SAIL-VOS: Semantic Amodal Instance Level Video Object Segmentation*, 2019. One file per
split, with these lists::

    categories   id (with gaps), name, supercategory
    models       category_id, ...: the 3-D assets
    videos       vid_name (or name), ...: the folder of the frames
    images       id, file_name '<video>/images/000003.bmp', frame_id from 0, width, height
    annotations  id, image_id, category_id, obj_id (identity within a video), model_id, bbox,
                 bbox_visible, segmentation (amodal), visible_mask, invisible_mask, area,
                 area_visible, occlude_rate, occlu_depth, iscrowd

The annotations are gigabytes and never held in memory.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import Entry, integer, text
from vatrack.files.json_stream import stream_json

from ..common import ConversionError
from ..parts.json_source import file_progress
from ..parts.json_source import located as located_entry

#: The classes on which SAIL-VOS is evaluated, in label order.
CLASSES = ('person', 'car', 'motorcycle', 'truck', 'bird', 'dog', 'handbag', 'suitcase', 'bottle',
           'cup', 'bowl', 'chair', 'potted plant', 'bed', 'dining table', 'tv', 'laptop',
           'cell phone', 'bag', 'bin', 'box', 'door', 'road barrier', 'stick')

_REMEDY = 'give the JSON of SAIL-VOS as published'
located = partial(located_entry, remedy=_REMEDY)


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A frame: image id, 0-based position in time, ``<video>/images/000003.bmp``, ``000003``."""

    id: int
    frame_id: int
    file_name: str
    base_name: str


@dataclass(slots=True)
class SourceVideo:
    """A video of one split: its folder name, (width, height), and frames in time order."""

    name: str
    size: tuple[int, int]
    frames: list[SourceFrame] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """Everything in the JSON of a split but its annotations.

    Attributes:
        path: The file.
        categories: Kept categories with ids from 1, as they are written.
        category_ids: New id by id in the file; None for a category left out.
        models: 3-D assets of the kept categories, as they are written.
        videos: Videos that have frames, in file order.
    """

    path: Path
    categories: list[Entry]
    category_ids: dict[int, int | None]
    models: list[Entry]
    videos: list[SourceVideo]


def read_source(path: str | Path, all_classes: bool = False) -> Source:
    """Read the tables of an official JSON.

    Reading ends at the annotations if, as published, they come last.

    Args:
        path: The file.
        all_classes: Keep every category instead of :data:`CLASSES` only.

    Raises:
        AnnotationError: The file is missing, cut off or not JSON.
        ConversionError: A list is missing or an entry is wrong; names it.
    """
    tables: dict[str, list[Any]] = {name: [] for name in _READERS}
    with file_progress(path, f'{Path(path).name}: frames') as on_read:
        stream = stream_json(path, on_read)
        with closing(iter(stream)) as entries:
            for key, entry in entries:
                if key == 'annotations' and tables.keys() <= set(stream.keys):
                    break
                if key in tables:
                    with located(path, key, len(tables[key]), entry):
                        tables[key].append(_READERS[key](entry))
    missing = {'categories', 'videos', 'images', 'annotations'} - stream.lists
    if missing:
        raise ConversionError(f'{path}: has no list {sorted(missing)}; {_REMEDY}')
    categories, category_ids = _number_categories(path, tables['categories'], all_classes)
    models = [model | {'category_id': category_ids[model['category_id']]}
              for model in tables['models'] if category_ids.get(model['category_id'])]
    videos = _collect_videos(path, tables['videos'], tables['images'])
    return Source(Path(path), categories, category_ids, models, videos)


def stream_annotations(path: str | Path) -> Iterator[tuple[int, Entry]]:
    """Entries of ``annotations`` with their position, at constant memory."""
    with file_progress(path, f'{Path(path).name}: annotations') as on_read:
        entries = (entry for key, entry in stream_json(path, on_read) if key == 'annotations')
        yield from enumerate(entries)


def _read_category(entry: Entry) -> Entry:
    return entry | {'id': integer(entry, 'id'), 'name': text(entry, 'name')}


def _read_model(entry: Entry) -> Entry:
    return entry | {'category_id': integer(entry, 'category_id')}


def _read_video(entry: Entry) -> str:
    return text(entry, 'vid_name' if 'vid_name' in entry else 'name')


def _read_image(entry: Entry) -> tuple[str, SourceFrame, tuple[int, int]]:
    """Video, frame, (width, height)."""
    file_name = text(entry, 'file_name')
    video, slash, rest = file_name.partition('/')
    base_name = rest.rpartition('/')[2].rpartition('.')[0]
    if not (slash and video and base_name):
        raise AnnotationError(f"'file_name' must be <video>/images/<frame>.bmp, got {file_name!r}")
    frame = SourceFrame(integer(entry, 'id'), integer(entry, 'frame_id', 0), file_name, base_name)
    return video, frame, (integer(entry, 'width', 1), integer(entry, 'height', 1))


_READERS: dict[str, Callable[[Entry], Any]] = {
    'categories': _read_category, 'models': _read_model, 'videos': _read_video,
    'images': _read_image}


def _number_categories(path: str | Path, entries: list[Entry], all_classes: bool
                       ) -> tuple[list[Entry], dict[int, int | None]]:
    kept = [entry for entry in entries if all_classes or entry['name'] in CLASSES]
    if not kept:
        raise ConversionError(
            f"{path}: none of its categories {[entry['name'] for entry in entries][:5]} is one of "
            f"the {len(CLASSES)} SAIL-VOS classes ('{CLASSES[0]}', '{CLASSES[1]}', ...); {_REMEDY},"
            ' or keep all classes (--all-classes)')
    ids: dict[int, int | None] = {entry['id']: None for entry in entries}
    ids |= {entry['id']: number for number, entry in enumerate(kept, start=1)}
    if len(ids) < len(entries):
        raise ConversionError(f'{path}: two categories have the same id; {_REMEDY}')
    if len({entry['name'] for entry in kept}) < len(kept):
        raise ConversionError(f'{path}: two categories have the same name; {_REMEDY}')
    return [entry | {'id': ids[entry['id']]} for entry in kept], ids


def _collect_videos(path: str | Path, names: list[str],
                    images: list[tuple[str, SourceFrame, tuple[int, int]]]) -> list[SourceVideo]:
    """Put the frames into their videos; videos of the other split have none and are left out."""
    videos: dict[str, SourceVideo] = {}
    for name, frame, size in images:
        video = videos.setdefault(name, SourceVideo(name, size))
        if size != video.size:
            raise ConversionError(f"{path}: video '{name}', frame '{frame.file_name}': has (width, "
                                  f'height) {size}, but its video {video.size}; {_REMEDY}')
        video.frames.append(frame)
    if len({frame.id for _, frame, _ in images}) < len(images):
        raise ConversionError(f'{path}: two images have the same id; {_REMEDY}')
    unknown = videos.keys() - set(names)
    if unknown:
        raise ConversionError(f"{path}: 'images' has frames of '{min(unknown)}', but 'videos' does "
                              f'not list it; {_REMEDY}')
    for video in videos.values():
        video.frames.sort(key=lambda frame: frame.frame_id)
        for key in ('frame_id', 'base_name'):
            if len({getattr(frame, key) for frame in video.frames}) < len(video.frames):
                raise ConversionError(f"{path}: video '{video.name}': two frames have the same "
                                      f'{key}; {_REMEDY}')
    return [videos[name] for name in dict.fromkeys(names) if name in videos]
