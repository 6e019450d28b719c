"""What a dataset holds, in Markdown: counts by class, length, size and occlusion, and its BOR."""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vatrack.structures import AnnotationFile, Video
from vatrack.structures.rle import areas

from .box_overlap_rate import frame_bor
from .protocols import COCO_AREAS
from .truth import TruthTrack, truth_kinds, truth_tracks

#: Sizes by area in pixels (COCO): below 32^2, below 96^2, above; each object has one.
SIZES = {name: low for name, (low, _) in reversed(COCO_AREAS.items())}
#: Occlusion: none, to each of these rates, all of it; unknown where there is no rate.
RATES = (.1, .25, .5, .75)
OCCLUSIONS = ('0', *(f'to {rate:g}' for rate in RATES), 'below 1', '1', 'unknown')


@dataclass
class Tally:
    """Objects counted in two ways: each once, and once for every frame it is in."""

    tracks: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)


@dataclass
class DatasetCard:
    """Counts of an annotation file.

    Attributes:
        path: The file.
        kind: The masks and boxes that were measured: sizes by 'amodal' masks
            if there are any.
        box_kind: The boxes of the BOR: 'visible' if there are any.
        video_lengths: Frames of each video.
        track_lengths: Annotated frames of each object.
        per_frame: Objects in each frame.
        crowd: Crowd annotations; they count in nothing else.
        classes: By category name.
        sizes: By name in :data:`SIZES`; a track by its mean area.
        occlusions: By name in :data:`OCCLUSIONS`; a track by the mean over the
            more occluded half of its frames, as in the evaluation.
        bor: BOR of each frame that has a box, by video name.
    """

    path: str
    kind: str
    box_kind: str
    video_lengths: list[int] = field(default_factory=list)
    track_lengths: list[int] = field(default_factory=list)
    per_frame: list[int] = field(default_factory=list)
    crowd: int = 0
    classes: Tally = field(default_factory=Tally)
    sizes: Tally = field(default_factory=Tally)
    occlusions: Tally = field(default_factory=Tally)
    bor: dict[str, list[float]] = field(default_factory=dict)

    @property
    def mbor(self) -> float | None:
        """Mean BOR over all frames of the dataset with a box, not over videos; None: no box."""
        rates = [rate for video in self.bor.values() for rate in video]
        return float(np.mean(rates)) if rates else None


def dataset_card(annotations: AnnotationFile) -> DatasetCard:
    """Count what an annotation file holds.

    Raises:
        AnnotationError: An object changes its category, or stands twice in a frame.
    """
    kinds = truth_kinds(annotations)
    card = DatasetCard(annotations.path, kinds[0], kinds[-1])
    for name in annotations.categories.values():
        card.classes.tracks[name] = card.classes.objects[name] = 0
    for video in annotations.videos:
        card.video_lengths.append(len(video.frames))
        for frame in video.frames:
            card.per_frame.append(sum(not each.iscrowd for each in frame.instances))
            card.crowd += sum(each.iscrowd for each in frame.instances)
        rates = [frame_bor(video, frame, card.box_kind) for frame in video.frames]
        card.bor[video.name] = [rate for rate in rates if rate is not None]
        _count_tracks(card, annotations, video)
    return card


def _count_tracks(card: DatasetCard, annotations: AnnotationFile, video: Video) -> None:
    for track in truth_tracks(video, None, annotations.path):
        instances = [each for each in track.instances if each is not None]
        if track.iscrowd:
            continue
        pixels = areas([each.masks[card.kind] for each in instances if card.kind in each.masks])
        pixels = pixels[pixels > 0]
        name = annotations.categories[track.category_id]
        card.track_lengths.append(len(instances))
        _tally(card.classes, name, [name] * len(instances))
        if len(pixels):
            _tally(card.sizes, _size(pixels.mean()), map(_size, pixels))
        _tally(card.occlusions, _occlusion(_track_rate(track)),
               [_occlusion(each.occlusion) for each in instances])


def _tally(tally: Tally, track: str, objects: Iterable[str]) -> None:
    tally.tracks[track] += 1
    tally.objects.update(objects)


def _track_rate(track: TruthTrack) -> float | None:
    return None if math.isnan(track.occlusion) else track.occlusion


def _size(area: float) -> str:
    return next(name for name, low in reversed(SIZES.items()) if area >= low)


def _occlusion(rate: float | None) -> str:
    if rate is None:
        return OCCLUSIONS[-1]
    if rate in (0, 1):
        return str(int(rate))
    return next((f'to {bound:g}' for bound in RATES if rate <= bound), 'below 1')


def format_card(card: DatasetCard, top: int = 10) -> str:
    """The card as Markdown.

    Args:
        card: What to write.
        top: How many videos of highest mean BOR to name.
    """
    kinds = ' and '.join(dict.fromkeys((card.kind, card.box_kind)))
    parts = [f'# {card.path}', '', f'Masks: {kinds}. Objects are counted once each (tracks) and '
             f'once per frame (objects); crowd, {card.crowd} annotations, is left out.', '',
             *_lengths(card), '', *_tallied('class', card.classes),
             '', f'Size is the area of the {card.kind} mask in pixels, with the bounds of COCO: S '
             'below 32², M below 96², L above. A track has its mean area.', '',
             *_tallied('size', card.sizes, SIZES),
             '', 'Occlusion is 1 - visible area / amodal area. A track has the mean over the more '
             'occluded half of its frames.', '',
             *_tallied('occlusion', card.occlusions, OCCLUSIONS), '', *_overlaps(card, top)]
    return '\n'.join(parts) + '\n'


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ['---', *['---:'] * (len(head) - 1)], *rows]
    return [f'| {" | ".join(map(str, line))} |' for line in lines]


def _lengths(card: DatasetCard) -> list[str]:
    counts = {'frames per video': card.video_lengths, 'frames per track': card.track_lengths,
              'objects per frame': card.per_frame}
    totals = [('videos', len(card.video_lengths)), ('frames', sum(card.video_lengths)),
              ('tracks', len(card.track_lengths)), ('objects', sum(card.track_lengths))]
    rows = [(name, min(values), f'{np.median(values):g}', f'{np.mean(values):.1f}', max(values))
            for name, values in counts.items() if values]
    return [*_table(('of', 'number'), totals), '',
            *_table(('', 'least', 'median', 'mean', 'most'), rows)]


def _tallied(title: str, tally: Tally, names: Iterable[str] | None = None) -> list[str]:
    tracks, objects = sum(tally.tracks.values()), sum(tally.objects.values())
    rows = [(name, tally.tracks[name], _share(tally.tracks[name], tracks),
             tally.objects[name], _share(tally.objects[name], objects))
            for name in names or tally.tracks]
    return _table((title, 'tracks', '%', 'objects', '%'), rows)


def _share(count: int, total: int) -> str:
    return f'{100 * count / total:.1f}' if total else 'n/a'


def _overlaps(card: DatasetCard, top: int) -> list[str]:
    frames = sum(map(len, card.bor.values()))
    if card.mbor is None:
        return [f'No frame has a {card.box_kind} box: no BOR.']
    means = {name: np.mean(rates) for name, rates in card.bor.items() if rates}
    highest = sorted(means, key=lambda name: (-means[name], name))[:top]
    return [f'mBOR of {card.box_kind} boxes (OVIS, Eq. 1): {card.mbor:.3f}, the mean over the '
            f'{frames} frames that have a box.', '',
            *_table(('video', 'BOR', 'frames'),
                    [(name, f'{means[name]:.3f}', len(card.bor[name])) for name in highest])]
