"""From the instances of single frames to the tracks of a video."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from .fields import bboxes_field, masks_field
from .track_record import TrackRecord


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

    def tracks(self) -> Iterator[TrackRecord]:
        """Tracks by id; a record's ``track_id`` is one higher than the instances' id.

        A track has the mean score of its frames, and the commonest of their
        classes, the smallest id on ties.
        """
        for track_id, present in sorted(self._frames.items()):
            scores, classes, boxes, *others = (list(column) for column in
                                               zip(*present.values(), strict=True))
            yield TrackRecord(
                video_id=self.video_id,
                track_id=track_id + 1,
                category_id=max(set(classes), key=lambda c: (classes.count(c), -c)),
                score=sum(scores) / len(scores),
                frames=list(present),
                masks=dict(zip(self.kinds, others, strict=False)),
                scores=scores,
                bboxes=boxes,
                visible_bboxes=others[-1] if len(others) > len(self.kinds) else None,
                category_ids=classes if len(set(classes)) > 1 else None)
