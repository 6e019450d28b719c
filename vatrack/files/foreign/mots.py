"""Results in the two MOTS formats: masks that do not overlap, as text or as 16 bit PNG.

The formats are described in :mod:`~vatrack.files.foreign.mots_format`. Text: a
file per video. PNG: a folder per video with ``000000.png`` and so on, as in
KITTI MOTS; MOTSChallenge counts frames from 1. Neither has scores, nor classes
that change.
"""
from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vatrack.files.bystanders import is_bystander
from vatrack.files.errors import ResultError
from vatrack.files.image_writer import write_image
from vatrack.structures import AnnotationFile, TrackRecord, Video
from vatrack.structures.rle import RLE, decode, separate

from .files import result_folder, sequence_names, sequence_paths, source_folder
from .mots_format import CLASS, IGNORED, parse_line, read_png
from .tracks import (
    Note,
    Sources,
    TrackBuilder,
    by_video,
    import_kinds,
    present,
    read_mask,
    require_kind,
)

_LARGEST = np.iinfo(np.uint16).max

# One object in one frame: its number, its mask.
_Numbered = list[tuple[int, RLE]]


def export_mots_txt(tracks: Sequence[TrackRecord], annotations: AnnotationFile, path: str | Path,
                    kind: str = 'visible', first_frame: int = 0,
                    note: Note = warnings.warn) -> None:
    """Write the masks of one kind, a text file per video, empty where nothing was found.

    The instances of a class are numbered anew in every video, from 1. Where
    visible masks overlap, the pixels go to the track with the higher score in
    that frame.

    Args:
        tracks: Tracks of the videos of ``annotations``.
        annotations: The annotation file they belong to.
        path: Folder, or zip archive.
        kind: Kind of the masks.
        first_frame: Number of the first frame: 0 (KITTI MOTS), 1 (MOTSChallenge).
        note: Told how many masks lost pixels.

    Raises:
        ResultError: A track has no masks of this kind, amodal masks overlap, or
            a class has too many tracks in a video.
    """
    require_kind(tracks, kind)
    names = sequence_names(annotations)
    with result_folder(path) as folder:
        for video, frames in _numbered_videos(tracks, annotations, kind, note):
            lines = [f'{frame + first_frame} {number} {number // CLASS} {video.height} '
                     f'{video.width} {mask["counts"]}\n'
                     for frame, objects in enumerate(frames) for number, mask in objects]
            (folder / f'{names[video.id]}.txt').write_text(''.join(lines), encoding='ascii')


def export_mots_png(tracks: Sequence[TrackRecord], annotations: AnnotationFile, path: str | Path,
                    kind: str = 'visible', first_frame: int = 0,
                    note: Note = warnings.warn) -> None:
    """Write the masks of one kind, a folder of 16 bit PNG per video; see :func:`export_mots_txt`.

    Raises:
        ResultError: As there, or a category id is above 64, which 16 bits
            cannot hold.
    """
    require_kind(tracks, kind)
    names = sequence_names(annotations)
    with result_folder(path) as folder:
        for video, frames in _numbered_videos(tracks, annotations, kind, note):
            (folder / names[video.id]).mkdir()
            for frame, objects in enumerate(frames):
                write_image(folder / names[video.id] / f'{frame + first_frame:06d}.png',
                            _paint(video, objects))


def import_mots_txt(sources: Sources, annotations: AnnotationFile, note: Note = warnings.warn,
                    first_frame: int = 0) -> list[TrackRecord]:
    """Read MOTS text results; every track has the score 1.

    Args:
        sources: Folder or zip archive with ``<video>.txt`` by kind of the masks.
        annotations: The annotation file that they belong to.
        note: Told when ids change.
        first_frame: Number of the first frame in the files.

    Raises:
        ResultError: A file is missing, or a line is broken or does not fit the
            annotations; names file and line.
    """
    def read(path: Path, kind: str) -> list[TrackRecord]:
        builder = TrackBuilder(kind)
        with source_folder(path) as folder:
            for video, file in sequence_paths(folder, annotations, '.txt'):
                lines = file.read_text(encoding='utf-8-sig', errors='replace').splitlines()
                for number, line in enumerate(lines, start=1):
                    try:
                        if line.strip():
                            _add_line(builder, video, line, first_frame)
                    except ResultError as error:
                        raise ResultError(f'{file}: line {number}: {error}') from None
        return builder.tracks()

    return import_kinds(sources, annotations, _about_scores(note), read)


def import_mots_png(sources: Sources, annotations: AnnotationFile, note: Note = warnings.warn,
                    first_frame: int = 0) -> list[TrackRecord]:
    """Read MOTS PNG results: ``<video>/<frame>.png``; see :func:`import_mots_txt`."""
    def read(path: Path, kind: str) -> list[TrackRecord]:
        builder = TrackBuilder(kind)
        with source_folder(path) as folder:
            for video, images in sequence_paths(folder, annotations, ''):
                _add_images(builder, video, images, first_frame)
        return builder.tracks()

    return import_kinds(sources, annotations, _about_scores(note), read)


def _about_scores(note: Note) -> Note:
    note('MOTS files have no scores: every track has the score 1')
    return note


def _numbered_videos(tracks: Sequence[TrackRecord], annotations: AnnotationFile, kind: str,
                     note: Note) -> Iterator[tuple[Video, list[_Numbered]]]:
    """Every video with its objects by frame: numbers ascending, masks without overlap."""
    trimmed = 0
    for video, group in by_video(tracks, annotations):
        numbers = _numbers(group, video, kind)
        by_frame = defaultdict(list)
        for track in group:
            for frame, mask in present(track, kind):
                by_frame[frame].append((track.frame_score(frame), numbers[track.track_id], mask))
        frames = []
        for frame in range(len(video.frames)):
            objects = sorted(by_frame[frame], key=lambda entry: (-entry[0], entry[1]))
            masks = [mask for *_, mask in objects]
            apart = separate(masks)
            changed = sum(a is not b for a, b in zip(masks, apart, strict=True))
            if changed and kind == 'amodal':
                raise ResultError(f'video {video.id} ({video.name}), frame {frame}: amodal masks '
                                  'overlap, which MOTS does not allow; export the visible masks')
            trimmed += changed
            frames.append(sorted((number, mask) for (_, number, _), mask
                                 in zip(objects, apart, strict=True) if mask is not None))
        yield video, frames
    if trimmed:
        note(f'{trimmed} masks lost pixels to another track that has a higher score there: MOTS '
             'masks must not overlap')


def _numbers(tracks: Sequence[TrackRecord], video: Video, kind: str) -> dict[int, int]:
    """Number by track id, ``class * 1000 + instance``; instances from 1 in order of track id."""
    counts: Counter[int] = Counter()
    numbers = {}
    for track in tracks:
        if next(present(track, kind), None) is None:
            continue
        counts[track.category_id] += 1
        numbers[track.track_id] = track.category_id * CLASS + counts[track.category_id]
        if counts[track.category_id] == CLASS:
            raise ResultError(f'video {video.id} ({video.name}) has more than {CLASS - 1} tracks '
                              f'of category {track.category_id}, which MOTS cannot number; leave '
                              'out those of low score')
    return numbers


def _paint(video: Video, objects: _Numbered) -> np.ndarray:
    image = np.zeros((video.height, video.width), np.uint16)
    for number, mask in objects:
        if number > _LARGEST:
            raise ResultError(f'category {number // CLASS} does not fit into 16 bits '
                              f'({number} > {_LARGEST}); export as mots-txt')
        image[decode([mask], image.shape)[0] > 0] = number
    return image


def _add_line(builder: TrackBuilder, video: Video, line: str, first_frame: int) -> None:
    try:
        entry = parse_line(line)
    except ValueError as error:
        raise ResultError(str(error)) from None
    frame = entry.frame - first_frame
    if not 0 <= frame < len(video.frames):
        raise ResultError(f'frame {entry.frame} is not one of the {len(video.frames)} of video '
                          f'{video.id} ({video.name}); frames count from {first_frame} here')
    mask = read_mask(entry.mask, video)
    if not entry.ignored:
        builder.add(video, entry.number, frame, entry.category, None, mask=mask)


def _add_images(builder: TrackBuilder, video: Video, folder: Path, first_frame: int) -> None:
    wanted = [f'{frame + first_frame:06d}.png' for frame in range(len(video.frames))]
    found = {path.name for path in folder.glob('*.png') if not is_bystander(path.name)}
    wrong = sorted(found ^ set(wanted))
    if wrong:
        raise ResultError(f'{folder / wrong[0]} is {"missing" if wrong[0] in wanted else "extra"}: '
                          f'video {video.id} ({video.name}) needs {wanted[0]} to {wanted[-1]}; '
                          'check which number the first frame has')
    for frame, name in enumerate(wanted):
        try:
            objects = read_png(folder / name, (video.height, video.width))
        except ValueError as error:
            raise ResultError(str(error)) from None
        for number, mask in objects:
            if number != IGNORED:
                builder.add(video, number, frame, number // CLASS, None, mask=mask)
