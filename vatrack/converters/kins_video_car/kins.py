"""KINS in the frames of KITTI's raw drives: which of its images is which frame, and its masks.

KINS annotates images of KITTI's object detection set, which are copies of frames of the raw
drives under other names. They are found by the content of the files (MD5).
"""
from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import Entry, integer
from vatrack.structures.rle import RLE

from ..parts.image_files import image_files
from ..parts.json_source import (
    EntriesOnDisk,
    file_name,
    located,
    read_category,
    read_tables,
    unique,
    unique_categories,
)
from ..parts.segmentation import read_segmentation

#: IoU of visible masks from which a track is the object that KINS annotates (SaVos).
FOUND_THRESHOLD = .5


@dataclass(frozen=True)
class KinsObject:
    """An object that KINS annotates: ids, and masks by kind."""

    id: int
    category_id: int
    masks: dict[str, RLE]


class Kins:
    """Annotations of KINS, on disk by image.

    Args:
        path: ``instances_train.json``.
        polygons: 'first' fills the first polygon of an amodal mask alone, as the
            released evaluation does; 'all' fills all.
        folder: Where there is room for a temporary file.

    Raises:
        ConversionError: The file is missing, or an entry is wrong; names it.
    """

    def __init__(self, path: Path, polygons: str, folder: Path) -> None:
        self.path, self._polygons = path, polygons
        self._entries = EntriesOnDisk(folder)
        tables = read_tables(path, {'categories': read_category, 'images': _read_image},
                             self._entries, 'image_id')
        self.categories = unique_categories(path, tables['categories'])
        #: Image id by file name.
        self.images = {name: id_ for id_, name in
                       unique(path, 'images', tables['images']).items()}

    def __enter__(self) -> Kins:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._entries.__exit__(kind, error, trace)

    def objects(self, image_id: int, size: tuple[int, int]) -> Iterator[KinsObject]:
        """Objects of an image of (H, W) pixels; those without amodal or visible pixels are none.

        Raises:
            ConversionError: An entry is wrong; names it.
        """
        for index, entry in self._entries.take(image_id):
            with located(self.path, 'annotations', index, entry):
                masks = {'amodal': self._amodal(entry, list(size)),
                         'visible': read_segmentation(entry.get('inmodal_seg'), 'inmodal_seg',
                                                      list(size))}
                category = integer(entry, 'category_id')
                if category not in self.categories:
                    raise AnnotationError(f"'category_id' {category} is unknown; add it to "
                                          "'categories'")
                if all(mask and coco_mask.area(mask) for mask in masks.values()):
                    yield KinsObject(integer(entry, 'id'), category, masks)

    def _amodal(self, entry: Entry, size: list[int]) -> RLE | None:
        value = entry.get('segmentation')
        if self._polygons == 'first' and isinstance(value, list) and value and isinstance(
                value[0], list):
            value = value[:1]
        return read_segmentation(value, 'segmentation', size)


def _read_image(entry: Entry) -> tuple[int, str]:
    return integer(entry, 'id'), file_name(entry)


def match_files(frames: Mapping[str, Sequence[Path]], folder: Path) -> dict[str, dict[int, str]]:
    """Which images are copies of which frames, by MD5.

    Only files of one size in bytes are read.

    Args:
        frames: Files of the frames by drive.
        folder: Folder of the images.

    Returns:
        Name of the image by position of the frame, by drive; where there is one.

    Raises:
        ConversionError: There is no such folder, or no image in it.
    """
    by_size: dict[int, list[Path]] = defaultdict(list)
    for image in image_files(folder, ['.png']).values():
        by_size[image.stat().st_size].append(image)
    digest = cache(_digest)
    found: dict[str, dict[int, str]] = {}
    for drive, paths in tqdm(frames.items(), 'matching', unit='drive', disable=None):
        found[drive] = {}
        for position, path in enumerate(paths):
            for image in by_size.get(path.stat().st_size, ()):
                if digest(image) == digest(path):
                    found[drive][position] = image.name
                    break
    return found


def assign(objects: Sequence[KinsObject], visible: Mapping[int, RLE]) -> dict[int, KinsObject]:
    """The object that each track is, by instance id; tracks without one are left out.

    An object belongs to the track of highest IoU of visible masks, at least .5; of several
    objects of one track the most similar counts.
    """
    if not objects or not visible:
        return {}
    keys, masks = list(visible), list(visible.values())
    iou = coco_mask.iou([each.masks['visible'] for each in objects], masks, [0] * len(masks))
    best, where = iou.max(axis=1), iou.argmax(axis=1)
    found = {}
    for position in np.argsort(-best, kind='stable').tolist():
        if best[position] >= FOUND_THRESHOLD:
            found.setdefault(keys[where[position]], objects[position])
    return found


def _digest(path: Path) -> bytes:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()
