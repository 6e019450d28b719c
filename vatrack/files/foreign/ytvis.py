"""Results in the YouTube-VIS format: one JSON list with a record per track.

``{video_id, category_id, score, segmentations}``; ``segmentations`` holds an
RLE or null per frame (youtubevos/cocoapi). Servers take it as ``results.json``
at the root of a zip archive.
"""
from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vatrack.files.errors import ResultError
from vatrack.files.result_file import parse_records, read_json_list
from vatrack.structures import AnnotationFile, TrackRecord, Video

from .files import result_file, write_json_list
from .tracks import Note, Sources, import_kinds, read_mask, require_kind, segmentation


def export_ytvis(tracks: Sequence[TrackRecord], annotations: AnnotationFile, path: str | Path,
                 kind: str = 'amodal', rle: str = 'string') -> None:
    """Write the masks of one kind; track ids and values of single frames have no place.

    Args:
        tracks: Tracks of the videos of ``annotations``. All are written, in
            their order, so that amodal and visible files can be joined again.
        annotations: The annotation file they belong to.
        path: JSON file, or zip archive that gets ``results.json``.
        kind: Kind of the masks.
        rle: ``counts`` as 'string' or as 'list' of runs.

    Raises:
        ResultError: A track has no masks of this kind.
    """
    require_kind(tracks, kind)
    lengths = {video.id: len(video.frames) for video in annotations.videos}
    with result_file(path) as file:
        write_json_list(file, ({
            'video_id': track.video_id, 'category_id': track.category_id,
            'score': float(track.score),
            'segmentations': track.spread(
                [mask and segmentation(mask, rle) for mask in track.masks[kind]],
                lengths[track.video_id])} for track in tracks))


def import_ytvis(sources: Sources, annotations: AnnotationFile,
                 note: Note = warnings.warn) -> list[TrackRecord]:
    """Read YouTube-VIS results; the n-th record is track n unless it has a ``track_id``.

    Args:
        sources: JSON file or zip archive by kind, ``{'amodal': path}``; two are
            joined track by track.
        annotations: The annotation file that they belong to.
        note: Told when ids change.

    Raises:
        ResultError: A file or a record is broken or does not fit the
            annotations; names file and record.
    """
    def read(path: Path, kind: str) -> list[TrackRecord]:
        records = _records(path, kind, annotations)
        return list(parse_records(records, annotations, str(path)))

    return import_kinds(sources, annotations, note, read)


def _records(path: Path, kind: str, annotations: AnnotationFile) -> Iterator[Any]:
    """Records as our own files have them; what is wrong with them is left to their checker."""
    videos = {video.id: video for video in annotations.videos}
    for position, record in enumerate(read_json_list(path)):
        if isinstance(record, dict):
            record = {key: record[key] for key in ('video_id', 'track_id', 'category_id', 'score',
                                                   'segmentations') if key in record}
            record['mask_kind'] = kind
            video = videos.get(record['video_id']) if type(record.get('video_id')) is int else None
            if video is not None and isinstance(record.get('segmentations'), list):
                record['segmentations'] = _masks(record['segmentations'], video,
                                                 f'{path}: record {position} (video {video.id})')
        yield record


def _masks(values: list[Any], video: Video, where: str) -> list[Any]:
    masks = []
    for frame, value in enumerate(values):
        try:
            masks.append(value and read_mask(value, video))
        except ResultError as error:
            raise ResultError(f'{where}, frame {frame}: {error}') from None
    return masks
