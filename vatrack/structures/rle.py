"""Run-length encoded masks: the form in which masks rest and travel.

Thin, batched wrappers around the C code of pycocotools. An RLE is
``{'size': [H, W], 'counts': str}``; ``counts`` is str, so that it can be
written to JSON as it is.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

RLE = dict[str, Any]

# pycocotools 2.0.11 overflows on longer lists under numpy >= 2.
_CHUNK = 255


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
