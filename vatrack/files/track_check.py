"""Whether predicted tracks fit an annotation file; what they have to be like to be scored."""
from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from vatrack.structures import AnnotationFile, TrackRecord, Video
from vatrack.structures.rle import RLE

from .errors import ResultError
from .track_entry import BOX_LISTS, OPTIONAL_LISTS, require_keys, track_from_json


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
        if not _is_int(track.track_id) or track.track_id < 1:
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
    size = [video.height, video.width]
    for kind, masks in track.masks.items():
        if _are_rles(masks, size):
            continue
        for frame, mask in zip(track.frames, masks, strict=True):
            if mask is not None:
                _check_mask(mask, video, where, frame, kind)


def _check_score(score: Any, where: str) -> None:
    if not isinstance(score, Real) or not math.isfinite(score):
        raise ResultError(f'{where}: score must be a finite number, got {score!r}; leave the track '
                          'out or give it a score')


def _are_rles(masks: Sequence[Any], size: list[int]) -> bool:
    """Whether :func:`_check_mask` passes all masks for sure; quick, as files hold many."""
    masks = [mask for mask in masks if mask is not None]
    try:
        counts = [mask['counts'] for mask in masks]
        ends = [each[-1] for each in counts]
        return ([mask['size'] for mask in masks].count(size) == len(masks)
                and ''.join(counts).isascii() and (not ends or '0' <= min(ends) <= max(ends) <= 'O')
                and set(map(type, masks)) <= {dict})
    except (TypeError, LookupError):
        return False


def _check_mask(mask: RLE, video: Video, where: str, frame: int, kind: str) -> None:
    # pycocotools reads on beyond a string whose last symbol does not end a run.
    if not (isinstance(mask, dict) and 'size' in mask and isinstance(mask.get('counts'), str)
            and mask['counts'].isascii() and '0' <= mask['counts'][-1:] <= 'O'):
        raise ResultError(f"{where}, frame {frame}: {kind} mask is no compressed RLE {{'size': "
                          "[h, w], 'counts': str}; compress it with vatrack.structures.rle.encode")
    if list(mask['size']) != [video.height, video.width]:
        raise ResultError(f"{where}, frame {frame}: {kind} mask has size {list(mask['size'])}, the "
                          f'video {[video.height, video.width]} (height, width); predict at '
                          'original resolution')


def _is_int(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
