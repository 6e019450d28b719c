"""Painting one colour into images, fast: whole areas, tints, and by coverage."""
from __future__ import annotations

import cv2
import numpy as np

from .palette import Color


def plain(height: int, width: int, color: Color) -> np.ndarray:
    """An image (height, width, 3) uint8 of one RGB colour."""
    row = np.tile(np.uint8(color), width)
    return np.repeat(row[None], height, axis=0).reshape(height, width, 3)


def tint(crop: np.ndarray, color: Color, opacity: float, mask: np.ndarray | None = None) -> None:
    """Mix ``color`` into ``crop`` (h, w, 3) uint8 in place; only where ``mask`` (h, w) uint8 is."""
    tinted = cv2.addWeighted(crop, 1 - opacity, plain(*crop.shape[:2], color), opacity, 0)
    cv2.copyTo(tinted, mask, crop)


def blend(crop: np.ndarray, cover: np.ndarray, color: Color, opacity: float = 1.0) -> None:
    """Paint ``color`` into ``crop`` (h, w, 3) uint8 in place, by ``cover`` (h, w) uint8."""
    inside = np.flatnonzero(cover != 0)
    if 10 * len(inside) > cover.size:
        weight = cover * np.float32(opacity / 255)
        cv2.blendLinear(plain(*cover.shape, color), crop, weight, 1 - weight, crop)
        return
    # A thin line in a large crop: only its pixels; out of 256, so that all fits into 16 bits.
    rows, columns = np.divmod(inside, cover.shape[1])
    weight = np.rint(cover.reshape(-1)[inside, None] * (opacity * 256 / 255)).astype(np.uint16)
    mixed = crop[rows, columns] * (256 - weight) + np.uint16(color) * weight + 128
    crop[rows, columns] = (mixed >> 8).astype(np.uint8)
