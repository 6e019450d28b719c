"""Which tracks of an annotation file are trained on or scored, and in which of their frames.

A JSON file beside the annotations, made by ``tools/select_tracks.py``::

    {"annotations": "data/fishbowl/test.json", "rule": "savos-test", "options": {...},
     "tracks": [{"video_id": 1, "video": "00000", "instance_id": 3, "first": 12, "last": 90,
                 "subsets": {"test1": [40, 41]}}, ...]}

``first`` and ``last`` are positions in time, both included, as those of ``TrackRecord.frames``;
``subsets`` may be left out, and so may whatever else this module does not read.
"""
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vatrack.structures import AnnotationFile

from .annotation_entry import integer, text
from .errors import AnnotationError
from .json_stream import file_errors, load_json
from .whole_file import replace_when_done

_REMEDY = 'make it again with tools/select_tracks.py'


@dataclass(frozen=True, slots=True)
class SelectedTrack:
    """One object of a video, in one run of frames.

    Attributes:
        video: Name of the video.
        first: Position in time of the first frame of the run.
        last: That of the last one, which belongs to the run.
        subsets: Frames of the run by the name of a subset, ascending.
    """

    video: str
    first: int
    last: int
    subsets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def frames(self) -> range:
        """All frames of the run."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class TrackSelection:
    """Tracks by video id and instance id.

    Attributes:
        path: The file, for messages.
        tracks: ``tracks[video_id][instance_id]``.
        subset: Score only the frames of this subset; None: of the whole runs.
    """

    path: str
    tracks: Mapping[int, Mapping[int, SelectedTrack]]
    subset: str | None = None

    @property
    def num_tracks(self) -> int:
        """Number of tracks."""
        return sum(map(len, self.tracks.values()))

    @property
    def num_frames(self) -> int:
        """Number of frames of all runs together."""
        return sum(len(track.frames) for *_, track in self)

    def __iter__(self) -> Iterator[tuple[int, int, SelectedTrack]]:
        """All (video id, instance id, track), by their ids."""
        return ((video_id, instance_id, tracks[instance_id])
                for video_id, tracks in sorted(self.tracks.items())
                for instance_id in sorted(tracks))

    def run(self, video_id: int, instance_id: int) -> range:
        """Frames of an object's run; none if it is not selected."""
        track = self.tracks.get(video_id, {}).get(instance_id)
        return range(0) if track is None else track.frames

    def scored(self, video_id: int, instance_id: int) -> Sequence[int]:
        """Frames of an object that are scored: its run, or what of it is in :attr:`subset`."""
        if self.subset is None:
            return self.run(video_id, instance_id)
        track = self.tracks.get(video_id, {}).get(instance_id)
        return () if track is None else track.subsets.get(self.subset, ())

    def with_subset(self, name: str) -> TrackSelection:
        """The same tracks, scored in the frames of a subset alone.

        Raises:
            AnnotationError: No track has a subset of this name.
        """
        known = sorted({name for *_, track in self for name in track.subsets})
        if name not in known:
            raise AnnotationError(f"{self.path}: has no subset '{name}', only {known}; choose one "
                                  f'of them, or {_REMEDY}')
        return replace(self, subset=name)

    def check(self, annotations: AnnotationFile) -> None:
        """Make sure that the selection was made from these annotations.

        Raises:
            AnnotationError: A video is unknown or has another name, or an object
                is not annotated at either end of its run; names both files.
        """
        videos = {video.id: video for video in annotations.videos}
        for video_id, instance_id, track in self:
            where = f"{self.path}: video {video_id} '{track.video}', instance {instance_id}"
            video = videos.get(video_id)
            if video is None or video.name != track.video:
                found = 'no such video' if video is None else f"called '{video.name}' there"
                raise AnnotationError(f'{where}: {found} in {annotations.path}; give the '
                                      f'annotations that the selection was made of, or {_REMEDY}')
            for frame in (track.first, track.last):
                if frame >= len(video.frames) or not any(
                        each.instance_id == instance_id for each in video.frames[frame].instances):
                    raise AnnotationError(
                        f'{where}: is not in frame {frame} in {annotations.path}; give the '
                        f'annotations that the selection was made of, or {_REMEDY}')


def read_selection(path: str | Path, subset: str | None = None) -> TrackSelection:
    """Read a selection of tracks.

    Args:
        path: The file.
        subset: As :meth:`TrackSelection.with_subset`; None: whole runs.

    Raises:
        AnnotationError: The file is missing, damaged or contradicts itself, or
            has no such subset; names the entry.
    """
    try:
        with file_errors(path):
            content = load_json(path)
    except AnnotationError:
        raise
    except ValueError as error:
        raise AnnotationError(f'{path}: not valid JSON ({error}); {_REMEDY}') from None
    entries = content.get('tracks') if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise AnnotationError(f"{path}: is no selection of tracks, for it has no list 'tracks'; "
                              f'{_REMEDY}')
    tracks: dict[int, dict[int, SelectedTrack]] = {}
    for index, entry in enumerate(entries):
        try:
            if not isinstance(entry, dict):
                raise AnnotationError(f'must be an object, got a {type(entry).__name__}')
            of_video = tracks.setdefault(integer(entry, 'video_id'), {})
            instance_id = integer(entry, 'instance_id')
            if instance_id in of_video:
                raise AnnotationError(f'instance {instance_id} occurs twice in its video')
            of_video[instance_id] = _read_track(entry)
        except AnnotationError as error:
            raise AnnotationError(f'{path}: tracks[{index}]: {error}; {_REMEDY}') from None
    selection = TrackSelection(str(path), tracks)
    return selection if subset is None else selection.with_subset(subset)


def write_selection(path: str | Path, selection: TrackSelection,
                    head: Mapping[str, Any] | None = None) -> None:
    """Write a selection of tracks, in order of video and instance.

    Args:
        path: The file appears only when it is complete.
        selection: What is written, whatever its subset.
        head: How it was made: further keys of the file.
    """
    entries = []
    for video_id, instance_id, track in selection:
        entry = {'video_id': video_id, 'video': track.video, 'instance_id': instance_id,
                 'first': track.first, 'last': track.last}
        if track.subsets:
            entry['subsets'] = {name: list(frames) for name, frames in track.subsets.items()}
        entries.append(json.dumps(entry))
    with replace_when_done(path) as file:
        begin = json.dumps(dict(head or {}))[:-1]
        file.write(f'{begin}{", " if head else ""}"tracks": [\n')
        file.write(',\n'.join(entries))
        file.write(']}\n')


def _read_track(entry: dict[str, Any]) -> SelectedTrack:
    first = integer(entry, 'first', 0)
    last = integer(entry, 'last', first)
    subsets = entry.get('subsets') or {}
    if not isinstance(subsets, dict):
        raise AnnotationError(f"'subsets' must be an object, got a {type(subsets).__name__}")
    for name, frames in subsets.items():
        if not isinstance(frames, list) or not all(
                type(frame) is int and first <= frame <= last for frame in frames):
            raise AnnotationError(f"subset '{name}' must list frames from {first} to {last}")
    return SelectedTrack(text(entry, 'video'), first, last,
                         {name: tuple(sorted(set(frames))) for name, frames in subsets.items()})
