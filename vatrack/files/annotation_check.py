"""Deep checks of an annotation file: all problems at once, masks decoded, frames opened.

The checks of single entries are those of the loader
(:mod:`~vatrack.files.annotation_entry`); this module collects their
messages and adds what the loader has no time for.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from vatrack.structures import MASK_KINDS, AnnotationFile, Frame, Instance, Video
from vatrack.structures import rle as rle_ops
from vatrack.video.image_file import REMOVE_TAG, ImageError, image_head, read_image

from .annotation_entry import occlusion_rate
from .annotation_file import parse_annotations, paused_collector, read_json, resolve_image
from .errors import AnnotationError

#: Largest accepted difference between ``occlude_rate`` and the areas of the masks.
RATE_TOLERANCE = 0.01
#: Largest accepted distance in pixels between a box and the tight box of its mask.
BOX_TOLERANCE = 1.0

#: Occlusion strata of the summary; an object falls into the first whose upper end it reaches.
OCCLUSION_BINS = ('0', *(f'({i / 10:.1f}, {(i + 1) / 10:.1f}]' for i in range(9)), '(0.9, 1)', '1',
                  'unknown')


@dataclass(slots=True)
class Summary:
    """What is in an annotation file: counts of entries, and of objects by several views."""

    videos: int = 0
    frames: int = 0
    objects: int = 0
    tracks: int = 0
    masks: Counter[str] = field(default_factory=Counter)
    empty_masks: Counter[str] = field(default_factory=Counter)
    occlusion: Counter[str] = field(default_factory=Counter)
    objects_by_class: Counter[str] = field(default_factory=Counter)
    tracks_by_class: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        masks = [f'{self.masks[kind]} {kind} ({self.empty_masks[kind]} empty)'
                 for kind in MASK_KINDS if self.masks[kind]]
        lines = [f'videos {self.videos}, frames {self.frames}, objects {self.objects}, '
                 f'tracks {self.tracks}', 'masks: ' + (', '.join(masks) or 'none'),
                 f'{"occlusion":<20}{"objects":>10}']
        lines += [f'{name:<20}{self.occlusion[name]:>10}' for name in OCCLUSION_BINS]
        lines.append(f'{"class":<20}{"objects":>10}{"tracks":>10}')
        lines += [f'{name:<20}{self.objects_by_class[name]:>10}{self.tracks_by_class[name]:>10}'
                  for name in self.objects_by_class]
        return '\n'.join(lines)


@dataclass(slots=True)
class CheckReport:
    """Outcome of :func:`check_annotations`.

    Attributes:
        path: The file.
        max_messages: How many errors, and how many warnings, are kept.
        errors: The first messages about things that are wrong.
        warnings: The first messages about things that are allowed, but rarely meant.
        num_errors: All errors, kept or not.
        num_warnings: All warnings, kept or not.
        summary: What the valid entries contain; None if the file could not be read.
    """

    path: str
    max_messages: int
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    num_errors: int = 0
    num_warnings: int = 0
    summary: Summary | None = None

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return self.num_errors == 0

    def error(self, message: str) -> None:
        """Count an error, and keep its message if there is room."""
        self.num_errors += 1
        if len(self.errors) < self.max_messages:
            self.errors.append(message)

    def warn(self, message: str) -> None:
        """Count a warning, and keep its message if there is room."""
        self.num_warnings += 1
        if len(self.warnings) < self.max_messages:
            self.warnings.append(message)


def check_annotations(path: str | Path, images: str | Path | None = None,
                      max_errors: int = 20, show_progress: bool = False,
                      quick: bool = False) -> CheckReport:
    """Check everything about an annotation file.

    Beyond the loader: visible is a subset of amodal, the visible masks of a
    frame are disjoint (warning), boxes are tight (warning), occlusion rates
    agree with the areas, an instance keeps its category, frame ids are 0, 1,
    2, ... (warning), ``num_frames`` is the number of frames (warning), no two
    frames show one file (warning), and frames exist, have the stated size as
    they are shown (a warning tells of those that an EXIF tag turns) and can be
    read to their end.

    Args:
        path: Annotation file.
        images: Folder that the file names are relative to; None leaves the
            frames unchecked.
        max_errors: Keep so many errors and so many warnings; the rest is
            counted.
        show_progress: Draw a progress bar on a terminal.
        quick: Read the heads of frames only, not their pixels.
    """
    report = CheckReport(str(path), max_errors)
    try:
        with paused_collector():
            raw = read_json(path)
            annotations = parse_annotations(raw, path, report.error)
    except AnnotationError as error:
        report.error(str(error))
        return report
    _check_lengths(annotations, raw['videos'], report)
    _check_shared_files(annotations, report)
    del raw
    turned: list[str] = []
    for video in tqdm(annotations.videos, 'checking', unit='video',
                      disable=None if show_progress else True):
        _check_video(video, report)
        for frame in video.frames:
            _check_masks(_Place(path, video, frame), frame.instances, report)
            if images is not None:
                _check_image(_Place(path, video, frame), images, report, turned, quick)
    if turned:
        report.warn(f'{path}: {len(turned)} frames carry an EXIF orientation, the first is '
                    f'{turned[0]}; {REMOVE_TAG}')
    report.summary = summarize(annotations)
    return report


def summarize(annotations: AnnotationFile) -> Summary:
    """Count what an annotation file contains."""
    result = Summary(videos=len(annotations.videos),
                     objects_by_class=Counter(dict.fromkeys(annotations.categories.values(), 0)))
    for video in annotations.videos:
        result.frames += len(video.frames)
        categories = {}
        for instance in (i for frame in video.frames for i in frame.instances):
            name = annotations.categories[instance.category_id]
            categories.setdefault(instance.instance_id, name)
            result.objects += 1
            result.objects_by_class[name] += 1
            result.occlusion[_occlusion_bin(instance.occlusion)] += 1
            result.masks.update(instance.masks.keys())
            result.empty_masks.update(instance.masks.keys() - instance.bboxes.keys())
        result.tracks += len(categories)
        result.tracks_by_class.update(categories.values())
    return result


@dataclass(frozen=True, slots=True)
class _Place:
    """A frame, as messages name it."""

    path: str | Path
    video: Video
    frame: Frame

    def __str__(self) -> str:
        return (f"{self.path}: video '{self.video.name}' (id {self.video.id}), frame "
                f"{self.frame.frame_id} ('{self.frame.file_name}')")

    def entry(self, instance: Instance) -> str:
        """Name one object of the frame."""
        return f'{self}: annotations (id {instance.id}, instance_id {instance.instance_id})'


def _check_lengths(annotations: AnnotationFile, entries: Iterable, report: CheckReport) -> None:
    lengths = {video.id: len(video.frames) for video in annotations.videos}
    for index, entry in enumerate(entries):
        if type(entry) is not dict or type(entry.get('id')) is not int or (
                entry['id'] not in lengths):
            continue
        stated, found = entry.get('num_frames'), lengths[entry['id']]
        if stated is not None and stated != found:
            report.warn(f"{annotations.path}: videos[{index}] (id {entry['id']}): 'num_frames' is "
                        f"{stated!r}, but 'images' has {found} frames of it; if frames are "
                        'missing, convert the video again')


def _check_shared_files(annotations: AnnotationFile, report: CheckReport) -> None:
    owners: dict[str, tuple[Video, Frame]] = {}
    for video in annotations.videos:
        shared = [(frame, *owner) for frame in video.frames if
                  (owner := owners.setdefault(frame.file_name, (video, frame)))[1] is not frame]
        if shared:
            frame, other, first = shared[0]
            report.warn(f"{report.path}: video '{video.name}' (id {video.id}): {len(shared)} of "
                        f"its {len(video.frames)} frames show an image file that another frame "
                        f"shows too, frame {frame.frame_id} that of frame {first.frame_id} of "
                        f"video '{other.name}' (id {other.id}), '{frame.file_name}'; correct the "
                        'file names if that is not meant')


def _check_video(video: Video, report: CheckReport) -> None:
    frame_ids = [frame.frame_id for frame in video.frames]
    where = f"{report.path}: video '{video.name}' (id {video.id})"
    if frame_ids != list(range(len(frame_ids))):
        gap = next(i for i, frame_id in enumerate(frame_ids) if frame_id != i)
        report.warn(f"{where}: 'frame_id' should count 0, 1, 2, ... without gaps, but {gap} is "
                    'missing; renumber the frames')
    categories: dict[int, int] = {}
    for frame in video.frames:
        for instance in frame.instances:
            first = categories.setdefault(instance.instance_id, instance.category_id)
            if instance.category_id != first:
                report.error(f"{where}: annotations (id {instance.id}): 'category_id' is "
                             f'{instance.category_id}, but instance_id {instance.instance_id} '
                             f'was {first} before; an instance keeps its category: correct one')


def _check_masks(place: _Place, instances: list[Instance], report: CheckReport) -> None:
    """Check masks, boxes and occlusion of one frame."""
    areas, boxes = {}, {}
    for kind in MASK_KINDS:
        owners = [instance for instance in instances if kind in instance.masks]
        rles = [instance.masks[kind] for instance in owners]
        ids = [instance.id for instance in owners]
        areas[kind] = dict(zip(ids, rle_ops.areas(rles).tolist(), strict=True))
        boxes[kind] = dict(zip(ids, rle_ops.bboxes(rles), strict=True))
    _check_disjoint(place, instances, areas['visible'], report)
    for instance in instances:
        _check_boxes(place, instance, boxes, report)
        if len(instance.masks) == len(MASK_KINDS):
            _check_pair(place, instance, areas['visible'][instance.id],
                        areas['amodal'][instance.id], report)


def _check_pair(place: _Place, instance: Instance, visible: int, amodal: int,
                report: CheckReport) -> None:
    masks = [instance.masks['visible'], instance.masks['amodal']]
    if masks[0]['counts'] != masks[1]['counts']:
        outside = visible - int(coco_mask.area(coco_mask.merge(masks, intersect=True)))
        if outside:
            report.error(f'{place.entry(instance)}: {outside} pixels of the visible mask lie '
                         'outside the amodal mask; amodal and visible may be swapped')
    rate = occlusion_rate(visible, amodal)
    if instance.occlusion is not None and abs(instance.occlusion - rate) > RATE_TOLERANCE:
        report.error(f"{place.entry(instance)}: 'occlude_rate' is {instance.occlusion:.4f}, but "
                     f'the areas (visible {visible}, amodal {amodal}) give {rate:.4f}; correct it, '
                     'or remove the key to have it computed')


def _check_disjoint(place: _Place, instances: list[Instance], areas: dict[int, int],
                    report: CheckReport) -> None:
    # A crowd may stand for each of several classes, as ignored regions of MOTS do.
    seen = [i for i in instances if 'visible' in i.masks and not i.iscrowd]
    if len(seen) < 2:
        return
    union = int(coco_mask.area(coco_mask.merge([i.masks['visible'] for i in seen])))
    overlap = sum(areas[i.id] for i in seen) - union
    if overlap:
        report.warn(f'{place}: visible masks overlap in {overlap} pixels; a pixel shows one '
                    'object only')


def _check_boxes(place: _Place, instance: Instance, tight: dict[str, dict[int, np.ndarray]],
                 report: CheckReport) -> None:
    for kind, box in instance.bboxes.items():
        expected = tight[kind].get(instance.id)
        if expected is None or np.abs(expected - box).max() <= BOX_TOLERANCE:
            continue
        report.warn(f'{place.entry(instance)}: the {kind} box {[round(v, 2) for v in box]} (x1, '
                    f'y1, x2, y2) is not the tight box of its mask, {expected.tolist()}')


def _check_image(place: _Place, root: str | Path, report: CheckReport, turned: list[str],
                 quick: bool) -> None:
    """Check one frame; what is turned by a tag goes to ``turned``."""
    try:
        path = resolve_image(root, place.frame.file_name, place.video.name)
        head = image_head(path)
        if not quick:
            read_image(path)
    except AnnotationError as error:
        report.error(f'{place}: {error}')
        return
    except ImageError as error:
        report.error(f'{place}: {error.path} is no readable image ({error.fault}); extract the '
                     'frame again')
        return
    if head.orientation > 1:
        turned.append(f'{path}, {head}')
    if head.size != (place.video.height, place.video.width):
        report.error(f'{place}: {path} is {head}, but its video is {place.video.width} x '
                     f'{place.video.height}; the frames must be those that were annotated')


def _occlusion_bin(occlusion: float | None) -> str:
    if occlusion is None:
        return 'unknown'
    if occlusion >= 1:
        return '1'
    return OCCLUSION_BINS[min(ceil(occlusion * 10), 10)]
