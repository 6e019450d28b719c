"""YouTube-VIS and OVIS: one JSON entry per track, with a list over the frames of its video.

As published (youtubevos.org/dataset/vis; Qi et al., *Occluded Video Instance Segmentation*, IJCV
2022)::

    categories   id, name
    videos       id, width, height, length, file_names (annotated frames, in time order)
    annotations  id, video_id, category_id, iscrowd, segmentations, bboxes, areas; OVIS: occlusion

The lists of a track are as long as its video, and hold null where the object is not visible. Masks
are polygons or RLE. Levels of ``occlusion`` become the rates with which the OVIS evaluator counts.
"""
from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import Entry, flag, integer
from vatrack.files.annotation_file import frame_size
from vatrack.files.whole_file import make_folder
from vatrack.structures import MASK_KINDS, Instance

from .command import Command, Converted, Note
from .common import ConversionError
from .parts.json_source import (
    EntriesOnDisk,
    check_box,
    file_name,
    located,
    read_category,
    read_tables,
    unique,
    unique_categories,
)
from .parts.json_video import (
    JsonFrame,
    JsonOptions,
    JsonVideo,
    add_source,
    distinct_names,
    options_of,
    write_videos,
)
from .parts.segmentation import KindJoiner, by_kind, read_segmentation

#: Occlusion rates of OVIS's levels.
OCCLUSION_LEVELS = {'no_occlusion': 0., 'slight_occlusion': .25, 'severe_occlusion': .75}

Tracks = dict[int, tuple[int, Entry]]


def convert_ytvis(source: str | Path, options: JsonOptions, amodal: str | Path | None = None,
                  note: Note = warnings.warn) -> Converted:
    """Convert a YouTube-VIS or OVIS file.

    Ids of videos, categories and tracks stay: the id of a track becomes the instance id.

    Args:
        source: The JSON file.
        options: How to convert. ``segmentations`` hold masks of ``options.kind``, or of
            the kind that has no key of its own (``amodal_segmentations``,
            ``visible_segmentations``).
        amodal: A file of the same format with the amodal masks of the same tracks.
        note: Told what was changed.

    Raises:
        AnnotationError: A file is cut off or not JSON, or a frame is missing.
        ConversionError: A file is not in the format, or the two are not of the
            same tracks; names file, video, entry and frame.
    """
    make_folder(options.out.parent)
    with (EntriesOnDisk(options.out.parent) as entries,
          EntriesOnDisk(options.out.parent) as amodal_entries):
        reader = _Reader(source, amodal, options.kind, entries, amodal_entries)
        videos = reader.read(note)
        return write_videos(videos, reader.categories, options, reader.objects, note)


class _Reader:
    """The tracks of one file, or of two that are joined track by track."""

    def __init__(self, path: str | Path, amodal: str | Path | None, kind: str,
                 entries: EntriesOnDisk, amodal_entries: EntriesOnDisk) -> None:
        self.categories: dict[int, str] = {}
        self._path, self._amodal, self._kind = path, amodal, kind
        self._entries, self._amodal_entries = entries, amodal_entries
        self._ids: set[int] = set()

    def read(self, note: Note) -> list[JsonVideo]:
        """Read the short lists, and put the long ones on disk."""
        tables = read_tables(self._path, {'categories': read_category, 'videos': _read_video},
                             self._entries, 'video_id')
        self.categories = unique_categories(self._path, tables['categories'])
        videos = unique(self._path, 'videos', [(video.id, video) for video in tables['videos']])
        names = distinct_names([video.name for video in videos.values()], list(videos), note)
        for video, name in zip(videos.values(), names, strict=True):
            video.name = name
        self._entries.require_known(videos, self._path, 'video_id', 'videos')
        if self._amodal is not None:
            read_tables(self._amodal, {}, self._amodal_entries, 'video_id')
            self._amodal_entries.require_known(videos, self._amodal, 'video_id', 'videos')
        return list(videos.values())

    def objects(self, video: JsonVideo, joiner: KindJoiner) -> list[list[Instance]]:
        """Objects of each frame of a video."""
        frames: list[list[Instance]] = [[] for _ in video.frames]
        others = self._amodal_tracks(video)
        for index, entry in self._entries.take(video.id):
            with located(self._path, 'annotations', index, entry, f"video '{video.name}'"):
                track_id = integer(entry, 'id')
                if track_id in self._ids:
                    raise AnnotationError(f"'id' {track_id} occurs twice; number the tracks anew")
                self._ids.add(track_id)
                amodal = self._partner(others, entry, len(video.frames))
                for frame, instance in self._track(entry, amodal, video, joiner):
                    frames[frame].append(instance)
        for track_id, (index, entry) in others.items():
            with located(self._amodal, 'annotations', index, entry, f"video '{video.name}'"):
                raise AnnotationError(f'{self._path} has no track {track_id} in this video; join '
                                      'files of the same tracks')
        return frames

    def _amodal_tracks(self, video: JsonVideo) -> Tracks:
        tracks: Tracks = {}
        for index, entry in self._amodal_entries.take(video.id):
            with located(self._amodal, 'annotations', index, entry, f"video '{video.name}'"):
                if integer(entry, 'id') in tracks:
                    raise AnnotationError(f"'id' {entry['id']} occurs twice; number the tracks "
                                          'anew')
                tracks[entry['id']] = index, entry
        return tracks

    def _partner(self, others: Tracks, entry: Entry, length: int) -> list[Any] | None:
        """The amodal masks of a track, if they are in a file of their own."""
        if self._amodal is None:
            return None
        if entry['id'] not in others:
            raise AnnotationError(f"{self._amodal} has no track {entry['id']} in this video; join "
                                  'files of the same tracks')
        index, other = others.pop(entry['id'])
        with located(self._amodal, 'annotations', index, other):
            if other.get('category_id') != entry.get('category_id'):
                raise AnnotationError(
                    f"'category_id' is {other.get('category_id')}, but {entry.get('category_id')} "
                    f'in {self._path}; join files of the same tracks')
            return _over_frames(other, 'segmentations', length) or _no_masks()

    def _track(self, entry: Entry, amodal: list[Any] | None, video: JsonVideo,
               joiner: KindJoiner) -> Iterator[tuple[int, Instance]]:
        """(frame, object) of the frames where a track has a pixel."""
        category_id = integer(entry, 'category_id')
        if category_id not in self.categories:
            raise AnnotationError(f"'category_id' {category_id} is unknown: no entry of "
                                  "'categories' has this id; add the category or remove this track")
        iscrowd, length = flag(entry, 'iscrowd'), len(video.frames)
        levels = _over_frames(entry, 'occlusion', length)
        boxes = _over_frames(entry, 'bboxes', length)
        masks = self._masks(entry, amodal, length)
        for frame in range(length):
            try:
                given = {kind: read_segmentation(values[frame], kind, video.size)
                         for kind, values in masks.items()}
                check_box(boxes and boxes[frame], 'bboxes')
                occlusion = _occlusion(levels and levels[frame])
                joined = joiner.join(given, video.size) if any(given.values()) else None
            except AnnotationError as error:
                raise AnnotationError(f"frame {frame} ('{video.frames[frame].file_name}'): "
                                      f'{error}') from None
            if joined:
                yield frame, Instance(0, entry['id'], category_id, joined, {}, occlusion, iscrowd)

    def _masks(self, entry: Entry, amodal: list[Any] | None, length: int) -> dict[str, list[Any]]:
        named = {kind: _over_frames(entry, f'{kind}_segmentations', length) for kind in MASK_KINDS}
        if amodal is not None:
            named['amodal'] = amodal
        masks = by_kind(named, _over_frames(entry, 'segmentations', length), self._kind)
        return masks or _no_masks()


def _read_video(entry: Entry) -> JsonVideo:
    names = entry.get('file_names')
    if not isinstance(names, list) or not names:
        raise AnnotationError("'file_names' must be a list of the frames of the video, and not "
                              'empty; add its frames or remove the video')
    frames = [JsonFrame(file_name({'file_names': name}, 'file_names')) for name in names]
    if entry.get('length', len(names)) != len(names):
        raise AnnotationError(f"'length' is {entry['length']!r}, but 'file_names' has {len(names)} "
                              'names; correct one of them')
    name = entry.get('name') or PurePosixPath(frames[0].file_name).parent.as_posix()
    return JsonVideo(integer(entry, 'id'), str(name),
                     [*frame_size(entry)], frames)


def _over_frames(entry: Entry, key: str, length: int) -> list[Any] | None:
    """An optional list with a value per frame."""
    values = entry.get(key)
    if values is not None and not (isinstance(values, list) and len(values) == length):
        found = f'has {len(values)} values' if isinstance(values, list) else 'is no list'
        raise AnnotationError(f"'{key}' {found}, but the video has {length} frames; give one per "
                              'frame, null where the object is absent')
    return values


def _no_masks() -> NoReturn:
    raise AnnotationError("has no key 'segmentations'; the converter needs masks: add them or "
                          'remove the track')


def _occlusion(level: Any) -> float | None:
    if level is None:
        return None
    if type(level) is not str or level not in OCCLUSION_LEVELS:
        raise AnnotationError(f"'occlusion' {level!r} is none of {sorted(OCCLUSION_LEVELS)}; "
                              'correct it, or set it to null')
    return OCCLUSION_LEVELS[level]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser, 'visible')
    parser.add_argument('--amodal', metavar='FILE',
                        help='file of the same format with the amodal masks of the same tracks')


def _run(args: argparse.Namespace, note: Note) -> Sequence[Converted]:
    if args.amodal is not None and args.kind == 'amodal':
        raise ConversionError('--amodal FILE gives the amodal masks, so those of SRC are visible: '
                              'leave out --kind amodal')
    return [convert_ytvis(args.source, options_of(args), args.amodal, note)]


YTVIS = Command('ytvis', 'YouTube-VIS, OVIS: JSON with an entry per track', """\
SRC is JSON as YouTube-VIS 2019 and 2021 and OVIS have it: an entry per track, with a mask or null
for every frame.

Examples:
    python tools/convert.py ytvis ovis/annotations_train.json --images ovis/train \\
        --out data/ovis --split train --frames link
    python tools/convert.py ytvis visible.json --amodal amodal.json --no-images --out data/mine
""", _add_arguments, _run)
