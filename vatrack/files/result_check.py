"""A thorough look at a result file: every mask is unpacked, and what the file holds is counted."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycocotools import mask as coco_mask

from vatrack.structures import MASK_KINDS, AnnotationFile, TrackRecord
from vatrack.structures.rle import RLE, areas

from .errors import ResultError
from .result_file import read_json_list
from .track_entry import BOX_LISTS, OPTIONAL_LISTS, TrackChecker

#: The search for faults ends with so many.
MAX_FAULTS = 20


@dataclass
class ResultSummary:
    """What a result file holds.

    Attributes:
        tracks: Number of tracks.
        objects: Number of (track, frame) pairs where something is predicted.
        videos: Ids of the videos that have a track.
        masks: Number of masks with a pixel, by kind.
        lists: Number of tracks that have an optional list, by its name.
        beyond: Objects whose visible mask has pixels outside the amodal one.
        flat: Boxes without an area.
        scores: Lowest and highest score of a track; None without tracks.
    """

    tracks: int = 0
    objects: int = 0
    videos: set[int] = field(default_factory=set)
    masks: Counter[str] = field(default_factory=Counter)
    lists: Counter[str] = field(default_factory=Counter)
    beyond: int = 0
    flat: int = 0
    scores: tuple[float, float] | None = None

    def add(self, track: TrackRecord) -> None:
        """Count a track in."""
        self.tracks += 1
        self.objects += len(track.frames)
        self.videos.add(track.video_id)
        self.lists.update(name for name in OPTIONAL_LISTS if getattr(track, name) is not None)
        low, high = self.scores or (track.score, track.score)
        self.scores = min(low, track.score), max(high, track.score)
        for kind, masks in track.masks.items():
            self.masks[kind] += int((areas([mask for mask in masks if mask]) > 0).sum())
        if len(track.masks) == len(MASK_KINDS):
            self.beyond += sum(_sticks_out(visible, amodal) for visible, amodal in
                               zip(track.masks['visible'], track.masks['amodal'], strict=True))
        self.flat += sum(not (box[0] < box[2] and box[1] < box[3]) for name in BOX_LISTS
                         for box in getattr(track, name) or () if box is not None)

    def __str__(self) -> str:
        masks = ', '.join(f'{self.masks[kind]} {kind}' for kind in MASK_KINDS if kind in self.masks)
        lines = [f'{self.tracks} tracks of {len(self.videos)} videos in {self.objects} frames',
                 f'masks: {masks or "none"}',
                 f'further: {", ".join(sorted(self.lists)) or "nothing"}']
        if self.scores is not None:
            lines.append(f'scores: {self.scores[0]:g} to {self.scores[1]:g}')
        if self.beyond:
            lines.append(f'warning: {self.beyond} visible masks have pixels outside the amodal one')
        if self.flat:
            lines.append(f'warning: {self.flat} boxes have no area')
        return '\n'.join(lines)


class ResultFaults(ResultError):
    """A result file has faults.

    Attributes:
        faults: What is wrong, one entry for each broken record.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__('\n'.join(faults))
        self.faults = list(faults)


def check_results(path: str | Path, annotations: AnnotationFile) -> ResultSummary:
    """Check a result file as ``read_results`` does, and every mask beyond that.

    Goes on after a broken record, until :data:`MAX_FAULTS` are found. Memory is
    that of one track.

    Raises:
        ResultFaults: The file is broken or does not fit the annotations, or a
            mask does not cover its frame exactly; names file, records and frames.
    """
    summary, faults = ResultSummary(), []
    checker = TrackChecker(annotations, str(path))
    try:
        for position, record in enumerate(read_json_list(path)):
            try:
                summary.add(checker.parse(record, position))
            except ResultError as error:
                faults.append(str(error))
            if len(faults) == MAX_FAULTS:
                break
    except ResultError as error:
        # The file is cut off, or no list: there is nothing to go on with.
        faults.append(str(error))
    if faults:
        raise ResultFaults(faults)
    return summary


def _sticks_out(visible: RLE | None, amodal: RLE | None) -> bool:
    if visible is None:
        return False
    parts = [visible] if amodal is None else [
        visible, coco_mask.merge([visible, amodal], intersect=True)]
    whole, *inside = areas(parts).tolist()
    return whole > sum(inside)
