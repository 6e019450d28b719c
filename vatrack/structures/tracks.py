"""Predicted tracks: in memory a track has only the frames where it is."""
from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .fields import Box, bboxes_field, masks_field
from .rle import RLE


@dataclass(slots=True)
class TrackRecord:
    """One predicted track that is present in N frames of its video.

    Attributes:
        video_id: Video id of the annotation file.
        track_id: >= 1, unique over all videos of a file.
        category_id: Category id of the annotation file (not the 0-based label).
        score: Score of the track.
        frames: The N frames where the track is: positions in time, ascending,
            0 for the first frame of the video. The lists below follow them.
        masks: By kind, N RLEs at the video's resolution; None where the track
            has no mask of that kind. (A mask without a pixel is a detection all
            the same.) Tracks of boxes alone have no kind.
        scores: N scores of the single frames.
        bboxes: N xyxy boxes in pixels, of the main kind (amodal unless the
            tracks are visible only).
        visible_bboxes: N xyxy boxes of the visible parts, where a model
            predicts them too.
        category_ids: N category ids, for tracks whose class changes.
    """

    video_id: int
    track_id: int
    category_id: int
    score: float
    frames: list[int]
    masks: dict[str, list[RLE | None]]
    scores: list[float | None] | None = None
    bboxes: list[Box | None] | None = None
    visible_bboxes: list[Box | None] | None = None
    category_ids: list[int | None] | None = None

    @classmethod
    def from_dense(cls, video_id: int, track_id: int, category_id: int, score: float,
                   masks: Mapping[str, Sequence[RLE | None]],
                   **lists: Sequence[Any] | None) -> TrackRecord:
        """Build a track from lists over all T frames, None where it is absent.

        A track is in the frames where at least one of the lists has a value.

        Args:
            video_id: As the attribute.
            track_id: As the attribute.
            category_id: As the attribute.
            score: As the attribute.
            masks: T RLEs or None by kind.
            **lists: ``scores``, ``bboxes``, ``visible_bboxes``, ``category_ids``.

        Raises:
            ValueError: The lists differ in length.
        """
        given = [*masks.values(), *(values for values in lists.values() if values is not None)]
        if len(set(map(len, given))) > 1:
            raise ValueError(f'lists of {sorted(set(map(len, given)))} frames; all need as many as '
                             'the video has')
        frames = sorted({t for values in given for t, value in enumerate(values)
                         if value is not None})
        kept = {name: values if values is None else [values[t] for t in frames]
                for name, values in lists.items()}
        return cls(video_id, track_id, category_id, score, frames,
                   {kind: [values[t] for t in frames] for kind, values in masks.items()}, **kept)

    def position(self, frame: int) -> int | None:
        """Where in the lists a frame stands; None if the track is absent from it."""
        index = bisect_left(self.frames, frame)
        return index if index < len(self.frames) and self.frames[index] == frame else None

    def part(self, frames: range) -> TrackRecord:
        """The track in some consecutive frames alone; in none of them its lists are empty."""
        rows = slice(bisect_left(self.frames, frames.start), bisect_left(self.frames, frames.stop))
        lists = {name: values[rows] for name in ('scores', 'bboxes', 'visible_bboxes',
                                                 'category_ids')
                 if (values := getattr(self, name)) is not None}
        return replace(self, frames=self.frames[rows], **lists,
                       masks={kind: masks[rows] for kind, masks in self.masks.items()})

    def joined(self, later: TrackRecord) -> TrackRecord:
        """This part of a track and a later one, as :meth:`part` gives them."""
        lists = {name: values + getattr(later, name) for name in (
            'frames', 'scores', 'bboxes', 'visible_bboxes', 'category_ids')
            if (values := getattr(self, name)) is not None}
        return replace(self, **lists, masks={kind: masks + later.masks[kind]
                                             for kind, masks in self.masks.items()})

    def frame_score(self, frame: int) -> float:
        """Score in a frame where the track is; its own score if the frame has none.

        Raises:
            ValueError: The track is absent from the frame.
        """
        score = self._value(self.scores, frame)
        return self.score if score is None else score

    def frame_category(self, frame: int) -> int:
        """Category id in a frame where the track is; its own if the frame has none.

        Raises:
            ValueError: The track is absent from the frame.
        """
        category = self._value(self.category_ids, frame)
        return self.category_id if category is None else category

    def _value(self, values: Sequence[Any] | None, frame: int) -> Any:
        index = self.position(frame)
        if index is None:
            raise ValueError(f'track {self.track_id} of video {self.video_id} is absent from '
                             f'frame {frame}; it is in {self.frames}')
        return values[index] if values is not None else None

    def spread(self, values: Sequence[Any], num_frames: int) -> list[Any]:
        """One of the lists over all ``num_frames`` frames, None where the track is absent."""
        dense = [None] * num_frames
        for frame, value in zip(self.frames, values, strict=True):
            dense[frame] = value
        return dense


class TrackCollector:
    """Collects the tracks of one video; only frames where a track is present take memory.

    Args:
        video_id: Id of the video.
        categories: Category id of each label.
        kinds: Kinds of the masks that the instances have.
    """

    def __init__(self, video_id: int, categories: Sequence[int], kinds: Sequence[str]) -> None:
        self.video_id, self.categories, self.kinds = video_id, categories, tuple(kinds)
        #: Number of frames so far.
        self.length = 0
        self._frames: dict[int, dict[int, list]] = defaultdict(dict)

    def add(self, instances: Any) -> None:
        """Take the ``pred_track_instances`` of the next frame, see :mod:`.fields`."""
        lists = [instances.instances_id.tolist(), instances.scores.tolist(),
                 [self.categories[label] for label in instances.labels.tolist()],
                 list(map(tuple, instances.bboxes.tolist())),
                 *(instances[masks_field(kind)] for kind in self.kinds)]
        if bboxes_field('visible') in instances:
            lists.append(list(map(tuple, instances.visible_bboxes.tolist())))
        for track_id, *values in zip(*lists, strict=True):
            self._frames[track_id][self.length] = values
        self.length += 1

    def tracks(self, pred_tracks: Any = None) -> Iterator[TrackRecord]:
        """Tracks by id; a record's ``track_id`` is one higher than the instances' id.

        Args:
            pred_tracks: What the model says of whole tracks, see :mod:`.fields`:
                their classes and scores hold in all frames, and tracks that it
                leaves out are dropped. A further row of the same id (one
                identity under two classes) becomes a track of its own, with an
                id above all others. None: a track has the mean score of its
                frames, and the commonest of their classes, the smallest id on
                ties.
        """
        if pred_tracks is not None:
            yield from self._said_tracks(pred_tracks)
            return
        for track_id, present in sorted(self._frames.items()):
            scores, classes, *_ = (list(column) for column in zip(*present.values(), strict=True))
            record = self._record(track_id, track_id, max(
                set(classes), key=lambda c: (classes.count(c), -c)), sum(scores) / len(scores))
            record.scores = scores
            record.category_ids = classes if len(set(classes)) > 1 else None
            yield record

    def _said_tracks(self, pred_tracks: Any) -> Iterator[TrackRecord]:
        rows = zip(*(pred_tracks[key].tolist() for key in ('instances_id', 'labels', 'scores')),
                   strict=True)
        # Tracks without a pixel in any frame are none. Sorted by id only, so that of the rows of
        # one identity the first keeps its id.
        known = sorted((row for row in rows if row[0] in self._frames), key=lambda row: row[0])
        fresh = max(self._frames, default=-1) + 1
        further = []
        for row, (track_id, label, score) in enumerate(known):
            if row and known[row - 1][0] == track_id:
                further.append((track_id, label, score))
            else:
                yield self._record(track_id, track_id, self.categories[label], score)
        for own, (track_id, label, score) in enumerate(further, start=fresh):
            yield self._record(track_id, own, self.categories[label], score)

    def _record(self, instance_id: int, own: int, category: int, score: float) -> TrackRecord:
        present = self._frames[instance_id]
        _, _, boxes, *others = (list(column) for column in zip(*present.values(), strict=True))
        return TrackRecord(
            video_id=self.video_id,
            track_id=own + 1,
            category_id=category,
            score=score,
            frames=list(present),
            masks=dict(zip(self.kinds, others, strict=False)),
            bboxes=boxes,
            visible_bboxes=others[-1] if len(others) > len(self.kinds) else None)
