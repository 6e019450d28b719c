"""Run-length encoded masks: the form in which masks rest and travel.

Thin, batched wrappers around the C code of pycocotools. An RLE is
``{'size': [H, W], 'counts': str}``; ``counts`` is str, so that it can be
written to JSON as it is.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn.functional import pad

RLE = dict[str, Any]

# pycocotools 2.0.11 overflows on longer lists under numpy >= 2.
_CHUNK = 255
# Symbols of 5 bits, for up to 2**32 pixels.
_LONGEST_RUN = 7
# RLEs that are parsed together: the numbers of more do not fit into the cache of a processor.
_TOGETHER = 256


def encode(masks: np.ndarray) -> list[RLE]:
    """Encode (N, H, W) bool or uint8 masks as N RLEs."""
    fortran = np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8)
    return [{'size': [int(s) for s in rle['size']], 'counts': rle['counts'].decode('ascii')}
            for rle in coco_mask.encode(fortran)]


def decode(rles: Sequence[RLE], shape: tuple[int, int]) -> np.ndarray:
    """Decode N RLEs of size ``shape`` (H, W) into (N, H, W) uint8 masks."""
    if not rles:
        return np.zeros((0, *shape), dtype=np.uint8)
    masks = [coco_mask.decode(rles[i:i + _CHUNK]) for i in range(0, len(rles), _CHUNK)]
    return np.ascontiguousarray(np.concatenate(masks, axis=2).transpose(2, 0, 1))


def decode_window(rle: RLE, window: tuple[int, int, int, int]) -> np.ndarray:
    """A part of a mask, without ever decoding all of it.

    Args:
        rle: Mask of size (H, W).
        window: x1, y1, x2, y2 in whole pixels, inside of the mask.

    Returns:
        (y2 - y1, x2 - x1) uint8 0/1.
    """
    x1, y1, x2, y2 = window
    height = rle['size'][0]
    # Runs go down the columns: those of the window are a stretch of them.
    ends = np.cumsum(parse_counts(rle['counts'])) - x1 * height
    lengths = np.diff(ends.clip(0, (x2 - x1) * height), prepend=0)
    columns = np.repeat((np.arange(len(lengths)) & 1).astype(np.uint8), lengths)
    return np.ascontiguousarray(columns.reshape(x2 - x1, height)[:, y1:y2].T)


def parse_counts(counts: str) -> np.ndarray:
    """Run lengths of a compressed RLE, background first: (R,) int32, as pycocotools reads them.

    Raises:
        ValueError: It is no such string, or holds a run above 2**32 pixels.
    """
    runs, _ = _differences(counts)
    # From the fourth on, a run is stored as the difference from the one two before.
    runs[1::2] = np.cumsum(runs[1::2], dtype=np.int32)
    runs[2::2] = np.cumsum(runs[2::2], dtype=np.int32)
    return runs


def are_whole(rles: Sequence[RLE]) -> bool:
    """Whether the runs of every RLE add up to its image; many are parsed together.

    None but the first may be of no pixel. pycocotools does not test this itself: on a
    damaged string it returns arbitrary pixels, never returns, or crashes, depending on
    the function.

    Args:
        rles: ``{'size': [H, W], 'counts': str}``; what is no such thing is not whole.
    """
    try:
        return all(_are_whole(rles[i:i + _TOGETHER]) for i in range(0, len(rles), _TOGETHER))
    except (TypeError, ValueError, LookupError, OverflowError):
        return False


def _are_whole(rles: Sequence[RLE]) -> bool:
    sizes = [rle['size'] for rle in rles]
    sides = [*chain.from_iterable(sizes)]
    height, width = sizes[0]
    # Most are of one size.
    pixels = height * width if sizes.count(sizes[0]) == len(sizes) else [
        height * width for height, width in sizes]
    counts = [rle['counts'] for rle in rles]
    numbers, unfinished = _differences(''.join(counts))
    ends = np.fromiter(map(len, counts), np.intp, len(counts)).cumsum()
    before = np.searchsorted(unfinished, ends)
    # The number behind the last one of each string, if every string ends with one and has one.
    past = ends - before
    starts = np.append(0, past[:-1])
    if ({*map(type, sides)} != {int} or not all(counts)
            or (np.append(-1, unfinished)[before] == ends - 1).any()):
        return False
    _sum_differences(numbers, starts)
    totals = np.add.reduceat(numbers, starts, dtype=np.int64)
    shortest_first = numbers[starts].min()
    numbers[starts] = 1  # only the first run may be of no pixel
    return bool(shortest_first >= 0 and numbers.min() > 0 and (totals == pixels).all())


def _differences(counts: str) -> tuple[np.ndarray, np.ndarray]:
    """The R numbers of a COCO string, int32, and the places of symbols that more must follow."""
    symbols = np.frombuffer(counts.encode('ascii'), np.uint8) - np.uint8(48)
    goes_on = symbols >= 32
    if not counts or symbols.max() > 63 or goes_on[-1]:
        raise ValueError('counts is not a COCO RLE string; encode the mask again')
    # The last symbol of a number holds its highest bits, the first of which is the sign.
    numbers = ((symbols[~goes_on] ^ 16).view(np.int8) - np.int8(16)).astype(np.int32)
    unfinished = np.flatnonzero(goes_on)
    owner = unfinished - np.arange(len(unfinished))  # so many numbers end before the symbol
    last = np.flatnonzero(np.diff(owner, append=-1))
    for _ in range(_LONGEST_RUN):
        if not len(last):
            return numbers, unfinished
        number = owner[last]
        numbers[number] = numbers[number] << 5 | symbols[unfinished[last]] & 31
        last = last[(last > 0) & (owner[last - 1] == number)] - 1
    raise ValueError('counts holds a run above 2**32 pixels; encode the mask again')


def _sum_differences(runs: np.ndarray, starts: np.ndarray) -> None:
    """Make run lengths of the numbers of several strings, in place; see :func:`parse_counts`."""
    third = starts + 2
    third = third[third < np.append(starts[1:], len(runs))]
    runs[third] -= runs[third - 2]  # so that sums over every other run of a string begin anew
    for parity in (0, 1):
        own = np.cumsum(runs[parity::2], dtype=np.int32)
        first = (starts + (starts + parity) % 2) // 2
        before = np.append(np.int32(0), own)[first]
        own -= np.repeat(before, np.diff(first, append=len(own)))
        runs[parity::2] = own


def encode_windows(masks: Tensor, x0: int | Tensor, y0: int | Tensor,
                   shape: tuple[int, int]) -> list[RLE]:
    """Encode masks that are known in a window of the frame only, without decoding it elsewhere.

    Runs are found where the masks are; only their ends travel to the host, in
    one copy for all masks.

    Args:
        masks: (N, h, w) bool, on any device.
        x0: Left edge of the window in pixels of the frame; (N,) if every mask
            has a window of its own.
        y0: Its upper edge, likewise.
        shape: (H, W) of the frame. The masks have no pixel beyond it.

    Returns:
        N RLEs of size ``shape``.
    """
    height, width = shape
    # Column-major, with a background row at either end of each column: a
    # run starts or ends wherever neighbours along a column differ.
    columns = pad(masks.transpose(1, 2), (1, 1))
    mask_id, column, row = (columns[..., 1:] != columns[..., :-1]).nonzero(as_tuple=True)
    corners = (edge[mask_id] if isinstance(edge, Tensor) else edge for edge in (x0, y0))
    left, top = corners
    # Mask and position as one number: one copy, and so one wait. Masks come in order.
    past = height * width + 1
    mask_ids, ends = np.divmod((mask_id * past + (left + column) * height + top + row)
                               .cpu().numpy(), past)
    per_mask = np.split(ends, np.searchsorted(mask_ids, np.arange(1, len(masks))))
    return [_from_run_ends(e, height, width) for e in per_mask]


def _from_run_ends(ends: np.ndarray, height: int, width: int) -> RLE:
    # A run that ends at the foot of a column and one that starts at the head
    # of the next are one run: equal positions cancel in pairs.
    same = ends[1:] == ends[:-1]
    keep = np.ones(len(ends), dtype=bool)
    keep[1:] &= ~same
    keep[:-1] &= ~same
    bounds = np.concatenate([[0], ends[keep], [height * width]])
    counts = np.diff(bounds)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    rle = coco_mask.frPyObjects({'size': [height, width], 'counts': counts.tolist()}, height, width)
    return {'size': [height, width], 'counts': rle['counts'].decode('ascii')}


def areas(rles: Sequence[RLE]) -> np.ndarray:
    """Pixel counts of N RLEs: (N,) int64."""
    if 0 < len(rles) <= _CHUNK:
        return coco_mask.area(rles).astype(np.int64)
    parts = [coco_mask.area(rles[i:i + _CHUNK]) for i in range(0, len(rles), _CHUNK)]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


def bboxes(rles: Sequence[RLE]) -> np.ndarray:
    """Tight xyxy boxes of N RLEs: (N, 4) float64; zeros for an empty mask."""
    parts = [coco_mask.toBbox(rles[i:i + _CHUNK]) for i in range(0, len(rles), _CHUNK)]
    boxes = np.concatenate(parts) if parts else np.zeros((0, 4))
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def run_lengths(mask: RLE) -> list[int]:
    """Runs of a mask in column order, background first: ``counts`` of an uncompressed RLE."""
    pixels = coco_mask.decode(mask).ravel(order='F')
    starts = np.flatnonzero(np.diff(pixels, prepend=np.uint8(0)))
    return np.diff(starts, prepend=0, append=len(pixels)).tolist()


def union(masks: Sequence[RLE]) -> RLE:
    """All pixels of at least one mask."""
    return masks[0] if len(masks) == 1 else _text(coco_mask.merge(masks))


def overlap_area(masks: Sequence[RLE]) -> int:
    """How many pixels of the masks lie in an earlier mask already; 0 if they are disjoint."""
    return int(areas(masks).sum() - areas([union(masks)])[0]) if len(masks) > 1 else 0


def separate(masks: list[RLE]) -> list[RLE | None]:
    """Give each pixel to the first mask that has it; None for a mask that loses all."""
    if not overlap_area(masks):
        return masks
    taken, apart = np.zeros(masks[0]['size'], bool), []
    for mask in masks:
        own = decode([mask], tuple(mask['size']))[0].astype(bool)
        free = own & ~taken
        taken |= own
        if (free == own).all():
            apart.append(mask)
        else:
            apart.append(encode(free[None])[0] if free.any() else None)
    return apart


def _text(rle: RLE) -> RLE:
    return {'size': [int(side) for side in rle['size']], 'counts': rle['counts'].decode('ascii')}
