"""Values of one entry of an annotation file: read, checked, resolved by kind.

Loader, checker and converters share these functions. Each takes raw JSON
values and returns clean ones, or raises :class:`AnnotationError` with the key,
what is wrong and the remedy; the caller puts file and entry in front.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from sys import float_info
from typing import Any

from pycocotools import mask as coco_mask

from vatrack.structures import MASK_KINDS, Box
from vatrack.structures import rle as rle_ops
from vatrack.structures.rle import RLE

from .errors import AnnotationError

Entry = dict[str, Any]

# Rounding of `1 - visible / amodal` by whoever wrote the file.
_RATE_SLACK = 1e-6
_BOX_KEYS = {kind: f'bbox_{kind}' for kind in MASK_KINDS}
_LARGEST = float_info.max
# No integer of the format reaches it.
_INTEGERS = 1 << 63
_NUMBERS = frozenset((int, float))
# Pixels are whole in a float up to there.
_FAR = 1 << 53
# Longest string that can still be an empty mask: one run of 2**32 pixels and a few empty runs.
_EMPTY_LENGTH = 12


def integer(entry: Entry, key: str, minimum: int | None = None) -> int:
    """Value of a required integer key; bool and float do not pass."""
    value = entry[key] if key in entry else _required(entry, key)
    if type(value) is not int or not -_INTEGERS < value < _INTEGERS:
        raise AnnotationError(f"'{key}' must be an integer, got {_short(value)}; correct the value "
                              '(at most 64 bits)')
    if minimum is not None and value < minimum:
        raise AnnotationError(f"'{key}' must be at least {minimum}, got {value}; correct the value")
    return value


def text(entry: Entry, key: str) -> str:
    """Value of a required, non-empty string key; it may name a file whose name is not UTF-8."""
    value = _required(entry, key)
    if type(value) is not str or not value:
        raise AnnotationError(
            f"'{key}' must be a non-empty string, got {_short(value)}; correct the value")
    try:
        value.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        raise AnnotationError(f"'{key}' holds half a character, {value!a}; correct the "
                              'value') from None
    if '\0' in value:
        raise AnnotationError(f"'{key}' holds the character 0, {value!a}; correct the value")
    return value


def new_name(entry: Entry, taken: Iterable[str]) -> str:
    """Name of a category; two of one name would be one class with two ids."""
    name = text(entry, 'name')
    if name in taken:
        raise AnnotationError(f"'name' '{name}' occurs twice in this list; rename or join the "
                              'categories')
    return name


def flag(entry: Entry, key: str) -> bool:
    """Value of an optional 0/1 key; False where absent or null."""
    value = entry.get(key)
    if value not in (None, 0, 1):
        raise AnnotationError(f"'{key}' must be 0 or 1, got {_short(value)}; correct the value")
    return bool(value)


def read_masks(entry: Entry, size: list[int]) -> dict[str, RLE]:
    """Masks of an annotation by kind.

    A kind has the mask named after it, else its part of ``segmentation``: a
    list is [amodal, visible]; a single RLE is amodal beside a named visible
    mask and visible otherwise. ``segm_visible`` is an older name of
    ``visible_mask``.

    Their runs are left to :func:`wrong_runs`, for many entries together: one by
    one it would take most of the time of reading a file. Until then the masks
    can be measured, but not decoded or merged.

    Args:
        entry: Entry of ``annotations``.
        size: [H, W] of the image.

    Returns:
        {kind: RLE} of the annotated kinds. The visible mask is empty where the
        object is fully hidden; the other masks have at least one pixel.
    """
    named = _named_masks(entry)
    masks = {kind: readable_rle(value, key, size) for kind, (key, value) in named.items()}
    if not masks:
        raise AnnotationError("has none of 'amodal_mask', 'visible_mask' and 'segmentation'; add "
                              'a mask as RLE or remove the entry')
    whole = 'amodal' if 'amodal' in masks else 'visible'
    if _is_empty(masks[whole]):
        read_rle(masks[whole], named[whole][0], size)
        raise AnnotationError(f"'{named[whole][0]}' has no pixel; an object without pixels has no "
                              'entry in that frame: remove the entry')
    return masks


def read_boxes(entry: Entry, masks: dict[str, RLE]) -> dict[str, Box]:
    """Boxes of an annotation by kind.

    A kind has the box named after it (``bbox_amodal``, ``bbox_visible``), else
    its part of ``bbox``, else the tight box of its mask. A ``bbox`` of two
    boxes is [amodal, visible]; one box is amodal if the entry has an amodal
    mask, unless it merely repeats the visible box.

    Args:
        entry: Entry of ``annotations``.
        masks: Its masks, from :func:`read_masks`.

    Returns:
        {kind: (x1, y1, x2, y2)} in pixels. A fully hidden object has no
        visible box.
    """
    bare = entry.get('bbox')
    paired = type(bare) is list and len(bare) == 2
    boxes = {}
    # The visible box comes first, because it tells what a lone `bbox` is.
    for index, kind in ((1, 'visible'), (0, 'amodal')):
        mask = masks.get(kind)
        if mask is not None and _is_empty(mask):
            continue
        key = _BOX_KEYS[kind]
        box = value = entry.get(key)
        if value is not None:
            box = read_box(value, key)
        elif paired and bare[index] is not None:
            box = read_box(bare[index], 'bbox')
        elif bare is not None and not paired:
            box = _lone_box(kind, bare, masks, boxes)
        if box is None and mask is not None:
            box = _tight_box(mask)
        if box is not None:
            boxes[kind] = box
    return boxes


def read_occlusion(entry: Entry, masks: dict[str, RLE]) -> float | None:
    """``occlude_rate`` in [0, 1], else 1 - visible / amodal area, else None."""
    rate = entry.get('occlude_rate')
    if rate is None:
        if len(masks) < len(MASK_KINDS):
            return None
        amodal, visible = rle_ops.areas([masks['amodal'], masks['visible']]).tolist()
        return occlusion_rate(visible, amodal)
    if type(rate) not in (int, float) or not -_RATE_SLACK <= rate <= 1 + _RATE_SLACK:
        raise AnnotationError(f"'occlude_rate' must be a number in [0, 1], got {_short(rate)}; "
                              'correct it, or remove the key to have it computed from both masks')
    return 0.0 if rate <= 0 else 1.0 if rate >= 1 else float(rate)


def occlusion_rate(visible: int, amodal: int) -> float:
    """1 - visible / amodal of two pixel counts; 0 where the visible one is larger."""
    return max(0.0, 1 - visible / max(amodal, 1))


def read_rle(value: Any, key: str, size: list[int], checked: bool = False) -> RLE:
    """A mask as compressed RLE whose runs add up to its size.

    Args:
        value: Compressed RLE (returned as it is), or uncompressed RLE whose
            ``counts`` is a list.
        key: Where the value stands, for the message.
        size: [H, W] the mask must have.
        checked: Whether its runs are known to add up to its own size.

    Raises:
        AnnotationError: Polygons, another size, missing or mistyped parts, or
            runs that do not add up to the size.
    """
    rle = readable_rle(value, key, size)
    if not checked:
        try:
            check_runs(rle)
        except AnnotationError as error:
            raise AnnotationError(f"'{key}': {error}") from None
    return rle


def readable_rle(value: Any, key: str, size: list[int]) -> RLE:
    """As :func:`read_rle`, but ``counts`` is only known to hold numbers, not those of the size.

    pycocotools measures such a mask without harm. It must not decode or merge it.
    """
    if type(value) is list:
        raise AnnotationError(
            f"'{key}' holds polygons or a list of unknown meaning; masks must be RLE: convert a "
            'dataset with tools/convert.py (coco-video, kins), single polygons with '
            'pycocotools.mask.frPyObjects')
    if type(value) is not dict or 'counts' not in value or 'size' not in value:
        raise AnnotationError(f"'{key}' must be an RLE {{'size': [H, W], 'counts': str}}, got "
                              f'{_short(value)}; convert the mask to RLE')
    if value['size'] != size:
        raise AnnotationError(f"'{key}' has size {_short(value['size'])}, but the image is {size} "
                              '[H, W]; encode the mask at the size of its image')
    counts = value['counts']
    if type(counts) is list:
        return _compress(counts, key, size)
    if type(counts) is not str or not counts or not counts.isascii():
        raise AnnotationError(f"'{key}' has counts {_short(counts)}, expected a COCO RLE string "
                              'or a list of run lengths; encode the mask again')
    # The last symbol must end a number, and none end the string before: C would read on.
    if not '0' <= counts[-1] < 'P' or '\0' in counts:
        raise AnnotationError(f"'{key}': counts is not a COCO RLE string; encode the mask again")
    if type(value['size'][0]) is not int or type(value['size'][1]) is not int:
        raise AnnotationError(f"'{key}' has size {value['size']}; give integers")
    return value


def wrong_runs(objects: Sequence[dict[str, RLE]]) -> Iterator[tuple[int, str]]:
    """Find the objects of which the runs of a mask do not add up to its size.

    Args:
        objects: Masks by kind of each object; many are parsed together.

    Returns:
        Position and fault of each such object.
    """
    if rle_ops.are_whole([rle for masks in objects for rle in masks.values()]):
        return
    for position, masks in enumerate(objects):
        for kind, rle in masks.items():
            try:
                check_runs(rle)
            except AnnotationError as error:
                yield position, f"'{kind}_mask': {error}"
                break


def read_box(value: Any, key: str) -> Box:
    """An [x, y, w, h] box as (x1, y1, x2, y2); of a positive area, also as floats."""
    if type(value) is list and len(value) == 4:
        x, y, width, height = value
        if (type(x) in _NUMBERS and type(y) in _NUMBERS and type(width) in _NUMBERS
                and type(height) in _NUMBERS and -_FAR < x < _FAR and -_FAR < y < _FAR
                and 0 < width < _FAR and 0 < height < _FAR):
            right, bottom = x + width, y + height
            if x < right and y < bottom:
                return x, y, right, bottom
    fault = ('have a positive width and height, and lie within 2**53 pixels'
             if type(value) is list and len(value) == 4 and all(map(is_number, value)) else
             'be four finite numbers [x, y, w, h]')
    raise AnnotationError(f"'{key}' must {fault}, got {_short(value)}; correct it, or remove it to "
                          'use the box of the mask')


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number that a finite float can hold."""
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST


def to_xywh(box: Box) -> list[float]:
    """An (x1, y1, x2, y2) box as the [x, y, w, h] that JSON files have."""
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def check_runs(rle: RLE) -> None:
    """Make sure that a compressed RLE covers its image exactly.

    Raises:
        AnnotationError: ``counts`` is not a list of run lengths of size H * W.
    """
    try:
        runs = rle_ops.parse_counts(rle['counts'])
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    height, width = rle['size']
    if runs[0] >= 0 and len(runs) > 1 and runs[1:].min() == 0:
        raise AnnotationError('counts holds a run of no pixel behind the first one; encode the '
                              'mask again')
    if runs.min() < 0 or runs.sum() != height * width:
        raise AnnotationError(f'counts describes {runs.sum()} pixels (shortest run {runs.min()}), '
                              f'but the mask has {height} x {width}; encode the mask again')


def _named_masks(entry: Entry) -> dict[str, tuple[str, Any]]:
    """Raw masks of an annotation by kind, each with the key that it stands under."""
    visible_key = 'visible_mask' if entry.get('visible_mask') is not None else 'segm_visible'
    amodal, visible = entry.get('amodal_mask'), entry.get(visible_key)
    named = {'amodal': ('amodal_mask', amodal), 'visible': (visible_key, visible)}
    if amodal is not None and visible is not None:
        return named
    if (segmentation := entry.get('segmentation')) is not None:
        for kind, value in _read_segmentation(segmentation, amodal, visible).items():
            if named[kind][1] is None:
                named[kind] = 'segmentation', value
    return {kind: mask for kind, mask in named.items() if mask[1] is not None}


def _read_segmentation(segmentation: Any, amodal: Any, visible: Any) -> dict[str, Any]:
    """Split ``segmentation`` into masks by kind, given those that have names."""
    if type(segmentation) is not list:
        return {'visible' if visible is None else 'amodal': segmentation}
    if len(segmentation) == 2 and not any(type(part) is list for part in segmentation):
        return {'amodal': segmentation[0], 'visible': segmentation[1]}
    return {'amodal' if amodal is None else 'visible': segmentation}


def _lone_box(kind: str, bare: Any, masks: dict[str, RLE], boxes: dict[str, Box]) -> Box | None:
    """A lone ``bbox``, if it is the box of ``kind``; ``boxes`` has the visible one if known."""
    if (kind == 'visible') == ('amodal' in masks):
        return None
    box, visible = read_box(bare, 'bbox'), boxes.get('visible')
    repeats = kind == 'amodal' and box == visible and (
        masks['amodal']['counts'] != masks.get('visible', {}).get('counts'))
    return None if repeats else box


def _tight_box(rle: RLE) -> Box:
    x, y, width, height = coco_mask.toBbox(rle).tolist()
    return x, y, x + width, y + height


def _is_empty(rle: RLE) -> bool:
    counts = rle['counts']
    if len(counts) > _EMPTY_LENGTH:
        return False
    return counts == _empty_counts(*rle['size']) or not rle_ops.areas([rle])[0]


@lru_cache(maxsize=64)
def _empty_counts(height: int, width: int) -> str:
    return _encode_runs([height * width], [height, width])


def _compress(counts: list[Any], key: str, size: list[int]) -> RLE:
    valid = all(type(run) is int and run >= 0 for run in counts)
    if not valid or sum(counts) != size[0] * size[1]:
        raise AnnotationError(f"'{key}' has run lengths {_short(counts)} that do not add up to "
                              f'{size[0]} x {size[1]} pixels; encode the mask again')
    return {'size': list(size), 'counts': _encode_runs(_without_gaps(counts), size)}


def _without_gaps(counts: list[int]) -> list[int]:
    """Join runs that one of no pixel parts, which pycocotools cannot merge or compare."""
    if 0 not in counts[1:]:
        return counts
    joined = counts[:1]
    for index, run in enumerate(counts[1:], start=1):
        if not run:
            continue
        if index % 2 == len(joined) % 2:
            joined.append(run)
        else:
            joined[-1] += run
    return joined


def _encode_runs(counts: list[int], size: list[int]) -> str:
    return coco_mask.frPyObjects({'size': size, 'counts': counts}, *size)['counts'].decode('ascii')


def _required(entry: Entry, key: str) -> Any:
    try:
        return entry[key]
    except KeyError:
        raise AnnotationError(f"has no key '{key}'; add it, or convert the dataset with "
                              'tools/convert.py') from None


def _short(value: Any) -> str:
    try:
        written = repr(value)
    except RecursionError:
        written = f'a deeply nested {type(value).__name__}'
    return written if len(written) <= 60 else f'{written[:57]}...'
