"""Results in the MOTChallenge format: boxes, one text file per video.

``frame,id,left,top,width,height,score,class,-1,-1`` with frames from 1 and
boxes in pixels (https://motchallenge.net/instructions). MOTChallenge has one
class and leaves the eighth column at -1, and so does the export if there is
but one; otherwise the column holds the category id, as in MOTChallenge's truth
and in VisDrone.
"""
from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.files.annotation_entry import to_xywh
from vatrack.files.errors import ResultError
from vatrack.structures import MASK_KINDS, AnnotationFile, Box, TrackRecord, Video
from vatrack.structures.rle import RLE
from vatrack.structures.rle import bboxes as tight_boxes

from .files import result_folder, sequence_names, sequence_paths, source_folder
from .tracks import Note, Sources, TrackBuilder, boxes_list, by_video, import_kinds, present

_MOT_FRAME = 1
_NO_SCORE = -1


def export_mot(tracks: Sequence[TrackRecord], annotations: AnnotationFile, path: str | Path,
               kind: str = 'amodal') -> None:
    """Write the boxes of one kind, a file per video, empty where nothing was found.

    Boxes are the predicted ones of this kind, else the tight boxes of the
    masks. Scores and classes are those of the frames.

    Args:
        tracks: Tracks of the videos of ``annotations``.
        annotations: The annotation file they belong to.
        path: Folder, or zip archive.
        kind: Kind of the boxes.

    Raises:
        ResultError: A track has neither masks nor boxes of this kind.
    """
    one_class = len(annotations.categories) == 1
    names = sequence_names(annotations)
    with result_folder(path) as folder:
        for video, group in by_video(tracks, annotations):
            rows = [(frame, track.track_id, box, track.frame_score(frame),
                     -1 if one_class else track.frame_category(frame))
                    for track in group for frame, box in kind_boxes(track, kind)]
            text = ''.join(
                f'{frame + _MOT_FRAME},{track_id},'
                f'{",".join(map(_short, to_xywh(box)))},{float(score)!r},{category},-1,-1\n'
                for frame, track_id, box, score, category in sorted(rows))
            (folder / f'{names[video.id]}.txt').write_text(text, encoding='ascii')


def kind_boxes(track: TrackRecord, kind: str) -> list[tuple[int, Box]]:
    """(frame, xyxy box) of the frames where a track has a pixel, or just a box, of one kind.

    Raises:
        ValueError: ``kind`` is no mask kind.
        ResultError: The track has neither masks nor boxes of this kind.
    """
    if kind not in MASK_KINDS:
        raise ValueError(f'kind must be one of {MASK_KINDS}, got {kind!r}')
    only_visible = set(track.masks) == {'visible'}
    boxes = getattr(track, boxes_list(kind))
    if boxes is None and only_visible:
        boxes = track.bboxes
    if kind not in track.masks and (boxes is None or only_visible):
        raise ResultError(f'track {track.track_id} of video {track.video_id} has no {kind} masks '
                          f'or boxes, only masks {sorted(track.masks)}; export a kind that it has')
    given = dict(zip(track.frames, boxes or (), strict=boxes is not None))
    if kind not in track.masks:
        return [(frame, box) for frame, box in given.items() if box is not None]
    pairs = list(present(track, kind))
    tight = tight_boxes([mask for _, mask in pairs]).tolist()
    return [(frame, given.get(frame) or tuple(box))
            for (frame, _), box in zip(pairs, tight, strict=True)]


def import_mot(sources: Sources, annotations: AnnotationFile, note: Note = warnings.warn,
               category: int | None = None, fill: bool = False) -> list[TrackRecord]:
    """Read MOTChallenge results: tracks of boxes.

    Args:
        sources: Folder or zip archive with ``<video>.txt`` by kind of the boxes.
        annotations: The annotation file that they belong to.
        note: Told when ids change, and when scores are -1, that is none: such
            tracks have the score 1.
        category: Category id of all tracks; None: the eighth column says it, or
            the annotation file has but one.
        fill: Also give every track its boxes as filled rectangles for masks, so
            that metrics of boxes can be computed.

    Raises:
        ResultError: A file is missing, or a line is broken or does not fit the
            annotations; names file and line.
    """
    if category is None and len(annotations.categories) == 1:
        category, = annotations.categories

    def read(path: Path, kind: str) -> list[TrackRecord]:
        builder = TrackBuilder(kind)
        with source_folder(path) as folder:
            for video, file in sequence_paths(folder, annotations, '.txt'):
                for line, row in _rows(file):
                    try:
                        _add(builder, video, row, category)
                    except ResultError as error:
                        raise ResultError(f'{file}: line {line}: {error}') from None
        return builder.tracks()

    tracks = import_kinds(sources, annotations, note, read)
    if any(track.scores is None for track in tracks):
        note('a score of -1 is none: tracks with such lines have the score 1')
    if fill:
        note('boxes stand for masks, rounded to whole pixels and cut at the frame: only metrics of '
             'boxes make sense')
        fill_boxes(tracks, annotations)
    return tracks


def fill_boxes(tracks: Sequence[TrackRecord], annotations: AnnotationFile) -> None:
    """Give tracks of boxes a filled rectangle for every box, within the frame."""
    videos = {video.id: video for video in annotations.videos}
    for track in tracks:
        track.masks = {kind: _rectangles(boxes, videos[track.video_id]) for kind in MASK_KINDS
                       if (boxes := getattr(track, boxes_list(kind))) is not None}


def _rectangles(boxes: Sequence[Box | None], video: Video) -> list[RLE | None]:
    corners = np.array([(0,) * 4 if box is None else box for box in boxes]).reshape(-1, 4)
    corners = np.clip(np.rint(corners), 0, [video.width, video.height] * 2)
    corners[:, 2:] -= corners[:, :2]
    whole = np.flatnonzero(corners[:, 2:].prod(axis=1))
    masks: list[RLE | None] = [None] * len(boxes)
    for index, rle in zip(whole.tolist(), coco_mask.frPyObjects(
            corners[whole], video.height, video.width), strict=True):
        masks[index] = {'size': list(rle['size']), 'counts': rle['counts'].decode('ascii')}
    return masks


def _rows(file: Path) -> Iterator[tuple[int, list[float]]]:
    """(line number, numbers) of the lines that are not empty."""
    text = file.read_text(encoding='utf-8-sig', errors='replace')
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(value) for value in line.split(',')]
        except ValueError:
            row = []
        if len(row) < 7 or not all(map(math.isfinite, row)):
            raise ResultError(f'{file}: line {number} is not frame,id,left,top,width,height,score '
                              f'in finite numbers: {line[:80]!r}; write it again')
        yield number, row


def _add(builder: TrackBuilder, video: Video, row: list[float], category: int | None) -> None:
    number, track_id, x, y, width, height, score = row[:7]
    frame = number - _MOT_FRAME
    if not number.is_integer() or not 0 <= frame < len(video.frames):
        raise ResultError(f'frame {_short(number)} is not one of the {len(video.frames)} of video '
                          f'{video.id} ({video.name}); frames count from 1')
    if not track_id.is_integer() or width <= 0 or height <= 0:
        raise ResultError(f'id {_short(track_id)} must be whole, width {_short(width)} and height '
                          f'{_short(height)} positive; correct the line')
    if category is None:
        if len(row) < 8 or row[7] < 0 or not row[7].is_integer():
            raise ResultError('the eighth column gives no category id, and the annotation file '
                              'has several; say which one the tracks are of')
        given = int(row[7])
    else:
        given = category
    builder.add(video, int(track_id), int(frame), given, None if score == _NO_SCORE else score,
                box=(x, y, x + width, y + height))


def _short(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
