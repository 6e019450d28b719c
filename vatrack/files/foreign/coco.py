"""Results in the COCO format: one JSON list with a record per object and frame.

``{image_id, category_id, score, segmentation, track_id}``. There is no
``bbox``: with one, pycocotools takes areas from boxes even for masks.
``track_id`` is ours, ignored by COCO's tools, and leads back to the tracks.
"""
from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vatrack.files.annotation_entry import is_number
from vatrack.files.errors import ResultError
from vatrack.files.result_file import read_json_list
from vatrack.structures import AnnotationFile, TrackRecord, Video

from .files import result_file, write_json_list
from .tracks import (
    Note,
    Sources,
    TrackBuilder,
    import_kinds,
    read_mask,
    require_kind,
    segmentation,
)

_KEYS = ('image_id', 'category_id', 'score', 'segmentation')


def export_coco(tracks: Sequence[TrackRecord], annotations: AnnotationFile, path: str | Path,
                kind: str = 'amodal', rle: str = 'string') -> None:
    """Write the masks of one kind with the scores and classes of the frames.

    Args:
        tracks: Tracks of the videos of ``annotations``.
        annotations: The annotation file they belong to; gives the image ids.
        path: JSON file, or zip archive that gets ``results.json``.
        kind: Kind of the masks. Those without a pixel are written: to COCO's
            tools they are false positives.
        rle: ``counts`` as 'string' or as 'list' of runs.

    Raises:
        ResultError: A track has no masks of this kind.
    """
    require_kind(tracks, kind)
    images = {video.id: [frame.id for frame in video.frames] for video in annotations.videos}
    with result_file(path) as file:
        write_json_list(file, ({
            'image_id': images[track.video_id][frame],
            'category_id': track.frame_category(frame), 'score': float(track.frame_score(frame)),
            'segmentation': segmentation(mask, rle), 'track_id': track.track_id}
            for track in tracks
            for frame, mask in zip(track.frames, track.masks[kind], strict=True)
            if mask is not None))


def import_coco(sources: Sources, annotations: AnnotationFile,
                note: Note = warnings.warn) -> list[TrackRecord]:
    """Read COCO results; without track ids every object is a track of one frame.

    Args:
        sources: JSON file or zip archive by kind; two can be joined only if
            they have track ids.
        annotations: The annotation file that they belong to.
        note: Told when ids change, and when there are none.

    Raises:
        ResultError: A file or a record is broken or does not fit the
            annotations; names file and record.
    """
    images = {frame.id: (video, position) for video in annotations.videos
              for position, frame in enumerate(video.frames)}

    def read(path: Path, kind: str) -> list[TrackRecord]:
        builder, tracked = TrackBuilder(kind), None
        for position, record in enumerate(read_json_list(path)):
            try:
                _check_keys(record)
                tracked = 'track_id' in record if tracked is None else tracked
                if ('track_id' in record) != tracked:
                    raise ResultError('all records must have a track_id, or none')
                _add(builder, record, images, position + 1, annotations)
            except ResultError as error:
                raise ResultError(f'{path}: record {position}: {error}') from None
        if tracked is False:
            if len(sources) > 1:
                raise ResultError(f'{path}: without track ids the kinds cannot be joined; import '
                                  'one kind')
            note(f'{path} has no track ids: every object is a track of its own, so only '
                 'image-level metrics (AP) make sense')
        return builder.tracks()

    return import_kinds(sources, annotations, note, read)


def _check_keys(record: Any) -> None:
    missing = [key for key in _KEYS if not isinstance(record, dict) or key not in record]
    if missing:
        raise ResultError(f'lacks {missing}; an object of one frame has {list(_KEYS)}')


def _add(builder: TrackBuilder, record: dict[str, Any], images: dict[int, tuple[Video, int]],
         own_id: int, annotations: AnnotationFile) -> None:
    image_id, score = record['image_id'], record['score']
    track_id, category_id = record.get('track_id', own_id), record['category_id']
    if type(image_id) is not int or image_id not in images:
        raise ResultError(f'{annotations.path} has no image {image_id!r}; use the annotation file '
                          'that the results were made for')
    if type(track_id) is not int or type(category_id) is not int:
        raise ResultError(f'track_id {track_id!r} and category_id {category_id!r} must be integers')
    if not is_number(score):
        raise ResultError(f'score must be a finite number, got {score!r}')
    video, frame = images[image_id]
    builder.add(video, track_id, frame, category_id, float(score),
                mask=read_mask(record['segmentation'], video))
