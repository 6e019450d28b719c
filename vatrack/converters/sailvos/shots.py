"""The videos that a converted SAIL-VOS has: whole ones, or shots by the released list.

SAIL-VOS-cut (Breitenstein et al., *End-to-end Amodal Video Instance Segmentation*) splits every
video where the camera changes. Its structure file is one JSON object::

    {"ah_3a_ext__53": ["000003.bmp", ...],     frames of a shot, named as in the whole video
     "ah_3a_ext": ["000000.bmp", ...],         leftovers: frames that nobody annotated
     "low_pho_int__7": []}                     a shot of an earlier version, without frames
"""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vatrack.files.json_stream import load_json

from ..common import ConversionError
from .source import Source, SourceFrame, SourceVideo


@dataclass(frozen=True, slots=True)
class Shot:
    """A video to write.

    Attributes:
        name: Its name.
        video: Name of the SAIL-VOS video that it is a part of.
        size: (width, height) in pixels.
        frames: Its frames in time order.
    """

    name: str
    video: str
    size: tuple[int, int]
    frames: list[SourceFrame]


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure file.

    Attributes:
        path: The file.
        shots: Base names of the frames ('000003') by shot, by video.
        leftovers: Base names of the frames without annotations, by video.
    """

    path: Path
    shots: dict[str, dict[str, list[str]]]
    leftovers: dict[str, list[str]]


def whole_video(video: SourceVideo) -> Shot:
    """The uncut video."""
    return Shot(video.name, video.name, video.size, video.frames)


def shots_between(video: SourceVideo, cuts: Sequence[int]) -> list[Shot]:
    """Split a video of F frames before the frames ``cuts``, named as in SAIL-VOS-cut.

    Frames [s, t) are ``<video>__<t>``; the last shot is ``<video>__<F-1>``, after its last frame.

    Args:
        video: The video.
        cuts: Positions in time, ascending, each in [1, F-1].
    """
    length = len(video.frames)
    return [Shot(f'{video.name}__{min(stop, length - 1)}', video.name, video.size,
                 video.frames[start:stop])
            for start, stop in pairwise([0, *cuts, length])]


def shots_listed(video: SourceVideo, structure: Structure) -> list[Shot]:
    """Split a video as a structure file says; shots without a frame in ``video`` are left out."""
    frames = {frame.base_name: frame for frame in video.frames}
    shots = []
    for name, base_names in structure.shots.get(video.name, {}).items():
        found = [frames[base_name] for base_name in base_names if base_name in frames]
        if found:
            found.sort(key=lambda frame: frame.frame_id)
            shots.append(Shot(name, video.name, video.size, found))
    return sorted(shots, key=lambda shot: shot.frames[0].frame_id)


def read_structure(path: str | Path) -> Structure:
    """Read a structure file.

    Raises:
        ConversionError: The file is missing or is no structure file.
    """
    remedy = 'give the sailvos_cut_structure.json of the VATrack authors'
    try:
        raw = load_json(path)
    except (OSError, ValueError) as error:
        raise ConversionError(f'{path}: cannot be read as JSON ({error}); {remedy}') from None
    if type(raw) is not dict or not all(
            type(names) is list and all(type(name) is str for name in names)
            for names in raw.values()):
        raise ConversionError(f'{path}: must be an object of lists of file names; {remedy}')
    structure = Structure(Path(path), {}, {})
    for name, file_names in raw.items():
        base_names = [file_name.rpartition('.')[0] for file_name in file_names]
        cut = re.fullmatch(r'(.+)__\d+', name)
        if cut is None:
            structure.leftovers[name] = base_names
        elif base_names:
            structure.shots.setdefault(cut[1], {})[name] = base_names
    return structure


def check_structure(structure: Structure, sources: Sequence[Source], complete: bool) -> None:
    """Make sure that a structure file fits the official JSONs.

    Args:
        structure: The structure file.
        sources: JSONs of the splits.
        complete: Whether ``sources`` should have every video of the structure file.

    Raises:
        ConversionError: A shot names a frame that no JSON has, a frame of a JSON is in no shot
            and no leftover, or in two shots; names file, video and frame.
    """
    known: dict[str, set[str]] = {}
    for source in sources:
        for video in source.videos:
            known.setdefault(video.name, set()).update(frame.base_name for frame in video.frames)
    paths = ' and '.join(str(source.path) for source in sources)
    for video_name in known | structure.shots if complete else known:
        shots = structure.shots.get(video_name, {})
        _check_listed(structure, video_name, shots, known.get(video_name, set()), paths)


def _check_listed(structure: Structure, video: str, shots: Mapping[str, list[str]],
                  known: set[str], paths: str) -> None:
    seen: set[str] = set()
    for shot, base_names in shots.items():
        for base_name in base_names:
            if base_name not in known:
                raise ConversionError(
                    f"{structure.path}: '{shot}' has the frame {base_name}, but {paths} has no "
                    f"such frame of video '{video}'; give the official JSONs of both splits and "
                    'the structure file that belongs to them')
            if base_name in seen:
                raise ConversionError(f"{structure.path}: '{shot}' has the frame {base_name} of "
                                      f"video '{video}' once more; a frame is in one shot only")
            seen.add(base_name)
    rest = known - seen - set(structure.leftovers.get(video, ()))
    if rest:
        raise ConversionError(
            f"{structure.path}: no shot has the frame {min(rest)} of video '{video}', which is in "
            f'{paths}; give the structure file that belongs to them, or detect the cuts (--detect)')
