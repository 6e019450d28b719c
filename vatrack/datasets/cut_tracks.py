"""Clips cut once and kept on disk, so that training reads nothing but what it looks at."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from vatrack.files.column_cache import (
    ColumnWriter,
    Texts,
    are_columns_sound,
    cached_folder,
    content_hash,
    map_columns,
)
from vatrack.structures.object_clips import ClipSource, ObjectClips

from .given_tracks import ClipPlan, FrameFiles, GivenTracks, cut_clips
from .object_windows import LookRule

# Count up whenever what is kept, or how it is worked out, changes.
_VERSION = 1
#: Frames of a video that are cut together; bounds the memory that building takes.
_STRETCH = 64
#: Channels and dtypes of what a clip may hold, in the order in which it is kept. Masks are bits.
_FIELDS = {'visible': (0, np.uint8), 'others': (0, np.uint8), 'amodal': (0, np.uint8),
           'image': (3, np.uint8), 'forward': (2, np.float16), 'backward': (2, np.float16)}


@dataclass(frozen=True, slots=True)
class CutRequest:
    """What is cut.

    Attributes:
        ann_file: The annotation file.
        results: Result file whose tracks are taken, or None.
        runs: By video id and track id, the frames of each track.
        rule: Where to look.
        files: Frames and flow.
        needs: 'image', 'flow' or both.
    """

    ann_file: str
    results: str | None
    runs: dict[int, dict[int, range]]
    rule: LookRule
    files: FrameFiles
    needs: frozenset[str]

    @property
    def key(self) -> str:
        """Names all that the outcome depends on, but the content of frames and fields."""
        said = [content_hash(self.ann_file), self.results and content_hash(self.results),
                {str(video): {str(track): [run.start, run.stop] for track, run in runs.items()}
                 for video, runs in self.runs.items()},
                asdict(self.rule), str(self.files.images.resolve()),
                self.files.flow and str(self.files.flow.resolve()), sorted(self.needs)]
        digest = hashlib.sha1(json.dumps(said).encode(), usedforsecurity=False).hexdigest()
        return f'tracks-{digest}-v{_VERSION}'


class CutTracks:
    """Tracks cut to their windows, on disk; see :meth:`open`.

    Frames of a track may lie in several places of the file: those of a stretch
    of the video lie together, of all tracks, as they were cut.

    Args:
        folder: The columns on disk.

    Attributes:
        lengths: (N,) int64, frames of each track.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        columns = map_columns(folder)
        self.lengths = columns['track_frames']
        self._columns = columns
        self._names = Texts(columns, 'video_names')
        self._fields = list(Texts(columns, 'fields'))
        self._first_rows = np.concatenate(([0], np.cumsum(self.lengths)))

    def __reduce__(self) -> tuple:
        return CutTracks, (self._folder,)

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def open(cls, request: CutRequest, tracks: GivenTracks) -> CutTracks:
        """The tracks that were cut from an annotation file, cutting them now if need be.

        They are kept where the index of the file is, see
        :mod:`vatrack.files.column_cache`. Remove the folder when frames or fields
        of flow have changed under their names.

        Raises:
            AnnotationError: A frame is missing or damaged, or there is no room.
            FlowError: A field is missing or damaged.
        """
        source = Path(request.ann_file)
        # A shelf of its own: the index of the file must not be removed for it.
        shelf = source.with_name(f'{source.stem}-{request.key[7:17]}{source.suffix}')

        def build(folder: Path) -> None:
            with ColumnWriter(folder) as writer:
                _write(request, tracks, writer)

        return cls(cached_folder(shelf, request.key, are_columns_sound, build))

    def clip(self, track: int, frames: range) -> ObjectClips:
        """Some consecutive frames of a track, counted from its first one."""
        rows = slice(self._first_rows[track] + frames.start, self._first_rows[track] + frames.stop)
        columns = self._columns
        height, width = columns['track_windows'][track].tolist()
        arrays = {name: [] for name in self._fields}
        for start in columns['frame_starts'][rows].tolist():
            for name in self._fields:
                channels, dtype = _FIELDS[name]
                if channels:
                    size = channels * height * width * np.dtype(dtype).itemsize
                    value = columns['windows'][start:start + size].view(dtype)
                    value = value.reshape(channels, height, width)
                else:
                    size = -(-height * width // 8)
                    value = np.unpackbits(columns['windows'][start:start + size],
                                          count=height * width).view(bool).reshape(height, width)
                arrays[name].append(value)
                start += size
        video_id, track_id, first, frame_height, frame_width = (
            columns['track_sources'][track].tolist())
        source = ClipSource(video_id, self._names[track], track_id,
                            range(first + frames.start, first + frames.stop),
                            (frame_height, frame_width))
        return ObjectClips(
            origins=torch.from_numpy(columns['frame_origins'][rows].copy())[None],
            boxes=torch.from_numpy(columns['frame_boxes'][rows].copy())[None],
            valid=torch.ones(1, len(frames), dtype=torch.bool), sources=(source,),
            **{name: torch.from_numpy(np.stack(values))[None] for name, values in arrays.items()})


def _write(request: CutRequest, tracks: GivenTracks, writer: ColumnWriter) -> None:
    videos = {int(id_): position for position, id_ in enumerate(tracks.index.video_ids)}
    plans, starts, names, sources, fields = [], [], [], [], None
    written = 0
    bar = tqdm(request.runs.items(), desc=f'cutting tracks of {Path(request.ann_file).name}',
               unit=' videos', disable=None)
    for video_id, runs in bar:
        video = tracks.index.bare_video(videos[video_id])
        given = tracks.of(videos[video_id])
        own = [ClipPlan.make(track, runs[track.track_id], request.rule,
                             (video.height, video.width))
               for track in given if track.track_id in runs]
        places = {plan.track.track_id: [] for plan in own}
        for stretch in _stretches(own):
            for clip in cut_clips(video, given, stretch, request.files, request.needs):
                fields = fields or [name for name in _FIELDS if getattr(clip, name) is not None]
                for record in _records(clip, fields, video.name):
                    places[clip.sources[0].track_id].append(written)
                    writer.extend('windows', record)
                    written += len(record)
        plans += own
        starts += [start for plan in own for start in places[plan.track.track_id]]
        names += [video.name] * len(own)
        sources += [(video_id, plan.track.track_id, plan.frames.start, video.height, video.width)
                    for plan in own]
    writer.append_texts('video_names', names)
    writer.append_texts('fields', fields or [])
    columns = {
        'track_frames': np.array([len(plan.frames) for plan in plans], np.int64),
        'track_windows': np.array([plan.size for plan in plans], np.int64).reshape(-1, 2),
        'track_sources': np.array(sources, np.int64).reshape(-1, 5),
        'frame_starts': np.array(starts, np.int64),
        'frame_origins': np.concatenate([plan.origins for plan in plans]),
        'frame_boxes': np.concatenate([plan.boxes for plan in plans])}
    for name, column in columns.items():
        writer.append(name, column)
    writer.close()


def _stretches(plans: Sequence[ClipPlan]) -> list[list[ClipPlan]]:
    """The plans of a video cut into stretches of time."""
    first = min(plan.frames.start for plan in plans)
    last = max(plan.frames.stop for plan in plans)
    stretches = []
    for start in range(first, last, _STRETCH):
        parts = [part_of(plan, range(start, start + _STRETCH)) for plan in plans]
        stretches.append([part for part in parts if len(part.frames)])
    return stretches


def part_of(plan: ClipPlan, frames: range) -> ClipPlan:
    """What of a plan lies within some frames."""
    begin = max(plan.frames.start, frames.start)
    end = max(begin, min(plan.frames.stop, frames.stop))
    rows = slice(begin - plan.frames.start, end - plan.frames.start)
    return replace(plan, frames=range(begin, end), boxes=plan.boxes[rows],
                   origins=plan.origins[rows])


def _records(clip: ObjectClips, fields: Sequence[str], video: str):
    """The bytes of each frame of a clip of one object."""
    values = {name: getattr(clip, name) for name in fields}
    arrays = {name: value[0].numpy() for name, value in values.items() if value is not None}
    for t in range(clip.num_frames):
        yield b''.join(
            arrays[name][t].tobytes() if _FIELDS[name][0] else _bits(arrays, name, t, clip)
            for name in fields)


def _bits(arrays: dict[str, np.ndarray], name: str, t: int, clip: ObjectClips) -> bytes:
    if name not in arrays:  # amodal masks that this track alone does not have
        return bytes(-(-int(np.prod(clip.window_size)) // 8))
    return np.packbits(arrays[name][t]).tobytes()
