"""Masks of JSON formats: polygons or RLE of either kind -> masks by kind that fit together."""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import is_number, read_rle
from vatrack.structures import MASK_KINDS
from vatrack.structures.rle import RLE, areas, decode, encode, union

from ..common import ConversionError
from .shape_masks import polygon_mask

#: What becomes of visible pixels outside the amodal mask: an error, the amodal mask takes them, or
#: the visible one loses them.
OUTSIDE = ('refuse', 'extend', 'clip')

_SHORTEST_POLYGON = 6


def add_outside(parser: argparse.ArgumentParser) -> None:
    """Declare what becomes of visible pixels outside the amodal mask."""
    parser.add_argument('--outside', choices=OUTSIDE, default=OUTSIDE[0],
                        help='visible pixels lie outside the amodal mask: an error, the amodal '
                             'mask takes them, or the visible one loses them (default: '
                             '%(default)s)')


def read_segmentation(value: Any, key: str, size: list[int]) -> RLE | None:
    """A mask as COCO writes it: polygons, one flat polygon, or RLE, compressed or not.

    Args:
        value: The JSON value; null and an empty list are no mask. A polygon of
            less than three points covers no pixel.
        key: Where it stands, for messages.
        size: [H, W] of the image; RLEs must have it, polygons are cut off at it.

    Returns:
        A compressed RLE; None: no mask.

    Raises:
        AnnotationError: Another size, damaged, or numbers that make no polygon.
    """
    if value is None or value == []:
        return None
    if isinstance(value, list):
        return _fill(value if isinstance(value[0], list) else [value], key, size)
    return read_rle(value, key, size)


def by_kind(named: Mapping[str, Any], lone: Any, kind: str) -> dict[str, Any]:
    """What an entry gives for each kind of mask, where one of its keys does not say its kind.

    Args:
        named: Values of the keys that name their kind, by kind; None: absent.
        lone: Value of the key that does not. It is of the kind that has no key
            of its own; names win if both have.
        kind: Its kind where it stands alone.

    Returns:
        Values of the kinds that are given, in the order of the kinds.
    """
    found = {each: value for each, value in named.items() if value is not None}
    missing = [each for each in MASK_KINDS if each not in found]
    if lone is not None and missing:
        found[missing[0] if found else kind] = lone
    return {each: found[each] for each in MASK_KINDS if each in found}


class KindJoiner:
    """Makes the masks of an object fit together, the visible one within the amodal one.

    Args:
        outside: One of :data:`OUTSIDE`.

    Attributes:
        left_out: How many objects had no pixel.
        changed: How many objects had visible pixels outside of the amodal mask.
    """

    def __init__(self, outside: str = 'refuse') -> None:
        if outside not in OUTSIDE:
            raise ValueError(f'outside must be one of {OUTSIDE}, got {outside!r}')
        self.left_out: Counter[str] = Counter()
        self.changed = 0
        self._outside = outside

    def join(self, masks: Mapping[str, RLE | None], size: list[int]) -> dict[str, RLE] | None:
        """Masks of an object in one frame as an annotation file has them.

        Args:
            masks: By kind; None: no pixel of this kind.
            size: [H, W] of the image.

        Returns:
            Masks of the same kinds; None if the object has no pixel at all.

        Raises:
            AnnotationError: Visible pixels lie outside of the amodal mask, and
                that is to be refused.
        """
        found = {kind: mask or empty_mask(size) for kind, mask in masks.items()}
        if len(found) == len(MASK_KINDS) and found['visible'] != found['amodal']:
            self._fit(found)
        if not areas([next(iter(found.values()))])[0]:
            self.left_out['without a pixel'] += 1
            return None
        return found

    def _fit(self, masks: dict[str, RLE]) -> None:
        both = [masks['amodal'], masks['visible']]
        inside = _text(coco_mask.merge(both, intersect=True))
        visible, shared = areas([masks['visible'], inside]).tolist()
        if visible == shared:
            return
        if self._outside == 'refuse':
            raise AnnotationError(
                f'{visible - shared} of {visible} pixels of the visible mask lie outside the '
                'amodal one; amodal and visible may be swapped; else correct them, or state '
                '--outside extend (the amodal mask takes them) or clip (the visible one loses '
                'them)')
        self.changed += 1
        if self._outside == 'extend':
            masks['amodal'] = union(both)
        else:
            masks['visible'] = inside


def empty_mask(size: Sequence[int]) -> RLE:
    """A mask of [H, W] without a pixel."""
    height, width = size
    return _text(coco_mask.frPyObjects({'size': [height, width], 'counts': [height * width]},
                                       height, width))


def subtract(mask: RLE, other: RLE) -> RLE:
    """The pixels of a mask that are not in another one of its size."""
    pixels = decode([mask, other], tuple(mask['size']))
    return encode(pixels[:1] & ~pixels[1:].astype(bool))[0]


def _fill(polygons: list[Any], key: str, size: list[int]) -> RLE:
    filled = []
    for polygon in polygons:
        if not (isinstance(polygon, list) and len(polygon) % 2 == 0
                and all(map(is_number, polygon))):
            raise AnnotationError(f"'{key}' must be an RLE or polygons [x1, y1, x2, y2, ...] of "
                                  'finite numbers; draw the object again, or remove it')
        if len(polygon) >= _SHORTEST_POLYGON:
            try:
                filled.append(polygon_mask(np.reshape(polygon, (-1, 2)), tuple(size)))
            except ConversionError as error:
                raise AnnotationError(f"'{key}': {error}") from None
    return union(filled) if filled else empty_mask(size)


def _text(rle: dict[str, Any]) -> RLE:
    """An RLE of pycocotools with ``counts`` as text."""
    return {'size': [int(side) for side in rle['size']], 'counts': rle['counts'].decode('ascii')}
