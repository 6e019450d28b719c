"""Tracks on their way from and to other formats: kinds, ids, entries of single frames."""
from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import read_rle
from vatrack.files.errors import ResultError
from vatrack.files.result_file import check_tracks
from vatrack.structures import MASK_KINDS, AnnotationFile, Box, TrackRecord, Video
from vatrack.structures.rle import RLE, areas, run_lengths

#: Takes one line about what a conversion changes or cannot keep.
Note = Callable[[str], Any]
#: Where results of other models lie, by the kind of mask or box that they hold.
Sources = Mapping[str, 'str | Path']


def require_kind(tracks: Sequence[TrackRecord], kind: str) -> None:
    """Refuse to export masks that were not predicted.

    Raises:
        ValueError: ``kind`` is no mask kind.
        ResultError: A track has no masks of this kind.
    """
    if kind not in MASK_KINDS:
        raise ValueError(f'kind must be one of {MASK_KINDS}, got {kind!r}')
    for track in tracks:
        if kind not in track.masks:
            raise ResultError(f'track {track.track_id} of video {track.video_id} has no {kind} '
                              f'masks, only {sorted(track.masks)}; export one of these kinds')


def present(track: TrackRecord, kind: str) -> Iterator[tuple[int, RLE]]:
    """(frame, mask) of the frames where a track has a pixel of this kind."""
    pairs = [(frame, mask) for frame, mask in zip(track.frames, track.masks[kind], strict=True)
             if mask is not None]
    for pair, area in zip(pairs, areas([mask for _, mask in pairs]), strict=True):
        if area:
            yield pair


def by_video(tracks: Iterable[TrackRecord],
             annotations: AnnotationFile) -> Iterator[tuple[Video, list[TrackRecord]]]:
    """Every video of the annotation file with its tracks, in order of track id."""
    groups = defaultdict(list)
    for track in tracks:
        groups[track.video_id].append(track)
    for video in annotations.videos:
        yield video, sorted(groups[video.id], key=lambda track: track.track_id)


def segmentation(mask: RLE, style: str) -> RLE:
    """A mask with ``counts`` as the compressed 'string' or as the 'list' of runs."""
    return mask if style == 'string' else {'size': mask['size'], 'counts': run_lengths(mask)}


def read_mask(value: Any, video: Video) -> RLE:
    """A mask of a foreign file, compressed.

    Raises:
        ResultError: No RLE of the size of the video.
    """
    try:
        return read_rle(value, 'segmentation', [video.height, video.width])
    except AnnotationError as error:
        raise ResultError(str(error)) from None


@dataclass
class TrackBuilder:
    """Puts the entries of single frames together to tracks, with the ids of the file.

    Attributes:
        kind: Kind of the masks or boxes.
    """

    kind: str
    _entries: dict[tuple[int, int], dict[int, tuple]] = field(default_factory=dict)

    def add(self, video: Video, track_id: int, frame: int, category_id: int, score: float | None,
            *, mask: RLE | None = None, box: Box | None = None) -> None:
        """Take an object in one frame (0-based); without a score it has no frame scores.

        Raises:
            ResultError: The track is in this frame already, or its id is negative.
        """
        if track_id < 0:
            raise ResultError(f'track id {track_id} is negative; number the tracks from 1')
        frames = self._entries.setdefault((video.id, track_id), {})
        if frame in frames:
            raise ResultError(f'track {track_id} of video {video.id} ({video.name}) stands twice '
                              f'in frame {frame}; track ids must be unique in a frame')
        frames[frame] = category_id, score, mask, box

    def tracks(self) -> list[TrackRecord]:
        """Tracks in order of video and track id.

        A track has the mean score of its frames, or 1, and the commonest of
        their classes, the smallest id on ties.
        """
        return [self._track(video_id, track_id, dict(sorted(frames.items())))
                for (video_id, track_id), frames in sorted(self._entries.items())]

    def _track(self, video_id: int, track_id: int, frames: dict[int, tuple]) -> TrackRecord:
        classes, scores, masks, boxes = (list(column) for column in
                                         zip(*frames.values(), strict=True))
        counts = Counter(classes)
        track = TrackRecord(
            video_id, track_id, min(counts, key=lambda c: (-counts[c], c)),
            1. if None in scores else math.fsum(scores) / len(scores), list(frames),
            {} if None in masks else {self.kind: masks}, None if None in scores else scores,
            category_ids=classes if len(counts) > 1 else None)
        if None not in boxes:
            setattr(track, boxes_list(self.kind), boxes)
        return track


def boxes_list(kind: str) -> str:
    """Name of the list of a :class:`TrackRecord` that holds the boxes of one kind."""
    return 'bboxes' if kind == 'amodal' else 'visible_bboxes'


def import_kinds(sources: Sources, annotations: AnnotationFile, note: Note,
                 read: Callable[[Path, str], list[TrackRecord]]) -> list[TrackRecord]:
    """Import one file per kind, join them, give the tracks ids of their own, check them.

    Args:
        sources: File or folder by kind.
        annotations: The annotation file that they belong to.
        note: Told when ids change.
        read: Reads (path, kind) into tracks whose ids are those of the file.

    Raises:
        ResultError: The two kinds are not of the same tracks, or a track does
            not fit the annotations.
    """
    unknown = set(sources) - set(MASK_KINDS)
    if unknown or not sources:
        raise ValueError(f'kinds must be some of {MASK_KINDS}, got {sorted(sources)}')
    parts = {kind: read(Path(sources[kind]), kind) for kind in MASK_KINDS if kind in sources}
    tracks = join_kinds(**parts) if len(parts) == 2 else next(iter(parts.values()))
    tracks = number_tracks(tracks, note)
    check_tracks(tracks, annotations, ' + '.join(str(path) for path in sources.values()))
    return tracks


def join_kinds(amodal: Iterable[TrackRecord], visible: Iterable[TrackRecord]) -> list[TrackRecord]:
    """Join amodal and visible masks or boxes of the same tracks: same video and track id.

    A track without a visible pixel may lack in ``visible``. Scores are those of
    the amodal part.

    Raises:
        ResultError: A visible track has no amodal part, or another class or score.
    """
    parts = {(track.video_id, track.track_id): track for track in visible}
    joined = [_join(track, parts.pop((track.video_id, track.track_id), None)) for track in amodal]
    for video_id, track_id in parts:
        raise ResultError(f'track {track_id} of video {video_id} has a visible part and no amodal '
                          'one; join files of the same tracks only')
    return joined


def _join(amodal: TrackRecord, visible: TrackRecord | None) -> TrackRecord:
    if visible is None:
        visible = TrackRecord(amodal.video_id, amodal.track_id, amodal.category_id, amodal.score,
                              [], {'visible': []} if amodal.masks else {},
                              scores=None if amodal.scores is None else [])
    # Mean scores over frames differ where the visible part is gone in some of them.
    other_score = visible.scores is None and not math.isclose(amodal.score, visible.score,
                                                              abs_tol=1e-6)
    other_class = amodal.category_ids is None and amodal.category_id != visible.category_id
    if other_score or other_class:
        raise ResultError(
            f'track {amodal.track_id} of video {amodal.video_id} has class {amodal.category_id} '
            f'and score {amodal.score} in the amodal file, class {visible.category_id} and score '
            f'{visible.score} in the visible one; join files of the same tracks only')
    frames = sorted({*amodal.frames, *visible.frames})

    def spread(track: TrackRecord, values: list[Any] | None) -> list[Any] | None:
        if values is None:
            return None
        at = dict(zip(track.frames, values, strict=True))
        return [at.get(frame) for frame in frames]

    return TrackRecord(
        amodal.video_id, amodal.track_id, amodal.category_id, amodal.score, frames,
        {track_kind: spread(track, masks) for track in (amodal, visible)
         for track_kind, masks in track.masks.items()},
        spread(amodal, amodal.scores), spread(amodal, amodal.bboxes),
        spread(visible, visible.visible_bboxes), spread(amodal, amodal.category_ids))


def number_tracks(tracks: list[TrackRecord], note: Note) -> list[TrackRecord]:
    """Make track ids unique over all videos, and at least 1; they stay as they are if they can."""
    ids = [track.track_id for track in tracks]
    if len(set(ids)) < len(ids):
        note('track ids start anew in every video: the tracks are numbered over all videos, in '
             'order of video and track')
        ids = range(1, len(ids) + 1)
    elif 0 in ids:
        note('a track has the id 0, which evaluators take for "no track": all ids are one higher')
        ids = [track_id + 1 for track_id in ids]
    for track, track_id in zip(tracks, ids, strict=True):
        track.track_id = track_id
    return tracks
