"""One track as an entry of a result file: reading, writing, and what it must be like."""
from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from sys import float_info
from typing import Any

from vatrack.structures import MASK_KINDS, AnnotationFile, Box, TrackRecord, Video
from vatrack.structures.rle import RLE, are_whole

from .annotation_entry import check_runs, to_xywh
from .errors import AnnotationError, ResultError

_REQUIRED = ('video_id', 'category_id', 'score', 'segmentations')
_MASK_KEYS = {'mask_kind', 'segmentations', *(f'{kind}_segmentations' for kind in MASK_KINDS)}

#: Lists of boxes; xyxy in a track, xywh in a file.
BOX_LISTS = {'bboxes', 'visible_bboxes'}

# The optional lists in the order of the file, with what makes their values JSON.
_CONVERTERS = {'bboxes': to_xywh, 'visible_bboxes': to_xywh, 'scores': float, 'category_ids': int}

#: Names of the optional lists of a track.
OPTIONAL_LISTS = tuple(_CONVERTERS)


def track_to_json(track: TrackRecord, num_frames: int) -> dict[str, Any]:
    """A track as it stands in a result file, of a video of ``num_frames``; boxes become xywh."""
    record = {'video_id': int(track.video_id), 'track_id': int(track.track_id),
              'category_id': int(track.category_id), 'score': float(track.score)}
    for kind in MASK_KINDS:
        if kind not in track.masks:
            continue
        if 'mask_kind' in record:
            record[f'{kind}_segmentations'] = track.masks[kind]
        else:
            record |= {'mask_kind': kind, 'segmentations': track.masks[kind]}
    for name, convert in _CONVERTERS.items():
        values = getattr(track, name)
        if values is not None:
            record[name] = [value if value is None else convert(value) for value in values]
    return {key: track.spread(value, num_frames) if isinstance(value, list) else value
            for key, value in record.items()}


def track_from_json(record: dict[str, Any], position: int = 0,
                    num_frames: int | None = None) -> TrackRecord:
    """Turn the record at ``position`` of a result file into a track.

    Args:
        record: An entry of the list in the file.
        position: Its index; makes the track id if the record has none.
        num_frames: Length that its lists must have; None: any, but all the same.

    Raises:
        ResultError: A required key is absent, a value has the wrong type, or
            a list the wrong length.
    """
    require_keys(record)
    masks = _masks(record)
    lists = {name: values for name in _CONVERTERS
             if (values := _list(record, name)) is not None}
    given = {f'{kind} masks': values for kind, values in masks.items()} | lists
    _check_lengths(given, len(next(iter(given.values()))) if num_frames is None else num_frames)
    for name in BOX_LISTS & lists.keys():
        lists[name] = [box if box is None else _xyxy(box) for box in lists[name]]
    return TrackRecord.from_dense(record['video_id'], record.get('track_id', position + 1),
                          record['category_id'], record['score'], masks, **lists)


def require_keys(record: Any) -> None:
    """Refuse what is no record of a track; a track of boxes alone needs no masks.

    Raises:
        ResultError: No JSON object, or a required key is absent.
    """
    if not isinstance(record, dict):
        raise ResultError(f'must be an object, got {type(record).__name__}')
    required = _REQUIRED if _MASK_KEYS & record.keys() or not BOX_LISTS & record.keys() else (
        _REQUIRED[:-1])
    missing = [key for key in required if key not in record]
    if missing:
        raise ResultError(f'lacks {missing}; write the file with '
                          'vatrack.files.result_file.write_results')


def _masks(record: dict[str, Any]) -> dict[str, list[RLE | None]]:
    if not _MASK_KEYS & record.keys():
        return {}
    kind = record.get('mask_kind', 'amodal')
    if kind not in MASK_KINDS:
        raise ResultError(f'has mask_kind {kind!r}; must be one of {MASK_KINDS}')
    if f'{kind}_segmentations' in record:
        raise ResultError(f'gives {kind} masks twice: as segmentations (mask_kind {kind!r}) and '
                          f'as {kind}_segmentations; keep one')
    masks = {kind: _list(record, 'segmentations')}
    masks |= {other: _list(record, f'{other}_segmentations') for other in MASK_KINDS
              if record.get(f'{other}_segmentations') is not None}
    if masks[kind] is None:
        raise ResultError('has null for segmentations; give a list over frames')
    return {kind: masks[kind] for kind in MASK_KINDS if kind in masks}


def _list(record: dict[str, Any], key: str) -> list[Any] | None:
    value = record.get(key)
    if value is not None and not isinstance(value, list):
        raise ResultError(f'has {type(value).__name__} for {key}; give a list over frames')
    return value


def _check_lengths(lists: dict[str, list[Any]], num_frames: int) -> None:
    for name, values in lists.items():
        if len(values) != num_frames:
            raise ResultError(f'has {len(values)} {name} for a video of {num_frames} frames; give '
                              'one per frame, null where the object is absent')


def _xyxy(box: Any) -> Box:
    if not (isinstance(box, list) and len(box) == 4
            and all(_is_finite(v) for v in box)):
        raise ResultError(f'has box {box!r}; must be four finite numbers [x, y, w, h] or null')
    x, y, width, height = box
    return x, y, x + width, y + height


class TrackChecker:
    """Checks the tracks of one file in turn; goes on after a fault.

    Args:
        annotations: The annotation file that they belong to.
        source: Name of the result file, for messages.
    """

    def __init__(self, annotations: AnnotationFile, source: str) -> None:
        self.annotations, self.source = annotations, source
        self.videos = {video.id: video for video in annotations.videos}
        self.seen: set[int] = set()
        self.kinds: set[str] | None = None

    def where(self, position: int, video_id: Any, track_id: Any) -> str:
        """How messages begin."""
        return f'{self.source}: record {position} (video {video_id}, track {track_id})'

    def parse(self, record: Any, position: int) -> TrackRecord:
        """Turn a record of a file into a track that is checked.

        Raises:
            ResultError: It cannot be scored; names source, record and video.
        """
        video_id = track_id = None
        if isinstance(record, dict):
            video_id, track_id = record.get('video_id'), record.get('track_id', position + 1)
        where = self.where(position, video_id, track_id)
        try:
            require_keys(record)
            video = self.video(video_id, where)
            track = track_from_json(record, position, len(video.frames))
        except ResultError as error:
            text = str(error)
            raise error if text.startswith(where) else ResultError(f'{where} {text}') from error
        self.check(track, position)
        return track

    def check(self, track: TrackRecord, position: int) -> None:
        """Refuse what :func:`vatrack.files.result_file.check_tracks` refuses."""
        where = self.where(position, track.video_id, track.track_id)
        video = self.video(track.video_id, where)
        self.check_id(track, where)
        self._check_categories(track, where)
        kinds = set(track.masks)
        self.kinds = kinds if self.kinds is None else self.kinds
        boxes = [name for name in BOX_LISTS if getattr(track, name) is not None]
        if kinds != self.kinds or not (kinds or boxes):
            raise ResultError(f'{where} holds the mask kinds {sorted(kinds)}, the first record '
                              f'{sorted(self.kinds)}; all records need the same, or boxes alone')
        check_frames(track, video, where)
        _check_values(track, video, where)

    def video(self, video_id: Any, where: str) -> Video:
        """The video of an id; refuses an unknown one."""
        if not _is_int(video_id) or video_id not in self.videos:
            raise ResultError(f'{where}: {self.annotations.path} has no such video; use the '
                              'annotation file that the results were made for')
        return self.videos[video_id]

    def check_id(self, track: TrackRecord, where: str) -> None:
        """Refuse an id that is none, or taken."""
        if not _is_int(track.track_id) or not 1 <= track.track_id < 1 << 63:
            raise ResultError(f'{where}: track_id must be an integer >= 1, got {track.track_id!r}; '
                              'number the tracks of a file from 1')
        if track.track_id in self.seen:
            raise ResultError(f'{where}: track_id {track.track_id} is taken by an earlier record; '
                              'ids must be unique over all videos of a file')
        self.seen.add(track.track_id)

    def _check_categories(self, track: TrackRecord, where: str) -> None:
        known = self.annotations.categories
        frame_categories = (c for c in track.category_ids or () if c is not None)
        for category in (track.category_id, *frame_categories):
            if not _is_int(category) or category not in known:
                raise ResultError(f'{where}: unknown category_id {category!r}; use the '
                                  f'ids of {self.annotations.path}: {sorted(known)}')


def check_frames(track: TrackRecord, video: Video, where: str) -> None:
    """Refuse frames that the video lacks, and lists that do not follow the frames."""
    frames = track.frames
    if frames != sorted(set(frames)) or (
            frames and not 0 <= frames[0] <= frames[-1] < len(video.frames)):
        raise ResultError(f'{where}: frames {frames} must ascend within 0 to '
                          f'{len(video.frames) - 1}, the frames of the video')
    lists = {f'{kind} masks': masks for kind, masks in track.masks.items()}
    lists |= {name: values for name in OPTIONAL_LISTS
              if (values := getattr(track, name)) is not None}
    for name, values in lists.items():
        if len(values) != len(frames):
            raise ResultError(f'{where}: {len(values)} {name} for {len(frames)} frames of the '
                              'track; give one per frame, None where there is none')


def _check_values(track: TrackRecord, video: Video, where: str) -> None:
    _check_score(track.score, where)
    if track.scores is not None:
        for frame, score in zip(track.frames, track.scores, strict=True):
            if score is not None:
                _check_score(score, f'{where}, frame {frame}')
    if _are_rles([mask for masks in track.masks.values() for mask in masks if mask is not None],
                 [video.height, video.width]):
        return
    for kind, masks in track.masks.items():
        for frame, mask in zip(track.frames, masks, strict=True):
            if mask is not None:
                _check_mask(mask, video, where, frame, kind)


def _check_score(score: Any, where: str) -> None:
    if not _is_finite(score):
        raise ResultError(f'{where}: score must be a finite number, got {score!r}; leave the track '
                          'out or give it a score')


def _are_rles(masks: Sequence[Any], size: list[int]) -> bool:
    """Whether :func:`_check_mask` passes all masks for sure; quick, as files hold many."""
    return (set(map(type, masks)) <= {dict}
            and [mask.get('size') for mask in masks].count(size) == len(masks)
            and are_whole(masks))


def _check_mask(mask: RLE, video: Video, where: str, frame: int, kind: str) -> None:
    if not (isinstance(mask, dict) and isinstance(mask.get('size'), list | tuple)
            and isinstance(mask.get('counts'), str) and mask['counts'].isascii()):
        raise ResultError(f"{where}, frame {frame}: {kind} mask is no compressed RLE {{'size': "
                          "[h, w], 'counts': str}; compress it with vatrack.structures.rle.encode")
    if list(mask['size']) != [video.height, video.width]:
        raise ResultError(f"{where}, frame {frame}: {kind} mask has size {list(mask['size'])}, the "
                          f'video {[video.height, video.width]} (height, width); predict at '
                          'original resolution')
    try:
        check_runs(mask)
    except AnnotationError as error:
        raise ResultError(f'{where}, frame {frame}: {kind} mask: {error}') from None


def _is_finite(value: object) -> bool:
    # An integer of many digits is no float.
    return isinstance(value, Real) and abs(value) <= float_info.max


def _is_int(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
