"""Outlines of masks as smooth lines: solid where shown, dashed where hidden."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .palette import Color
from .text import blend

_SHIFT = 4  # sub-pixel bits of the coordinates handed to OpenCV


def contour_lines(mask: np.ndarray, shown: np.ndarray, origin: tuple[int, int],
                  dash: int) -> list[np.ndarray]:
    """Trace the outlines of a mask.

    Args:
        mask: (h, w) uint8 0/1; holes are traced as well.
        shown: (h, w) uint8 0/1, the part of the mask that is visible.
        origin: (x, y) of the window's corner, added to the lines.
        dash: Length in pixels of dashes and gaps along the hidden outline.

    Returns:
        Open or closed polylines, each (P, 2) float32 xy in pixels.
    """
    # Two predicted masks never agree to the pixel: near the visible part counts as visible.
    reach = 2 * max(2, round(0.015 * max(mask.shape))) + 1
    near = cv2.dilate(shown, np.ones((reach, reach), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    lines = []
    for contour in contours:
        points = contour[:, 0]
        on = near[points[:, 1], points[:, 0]] > 0
        lines += _runs(_smooth(points), on | (np.arange(len(points)) // dash % 2 == 0))
    return [line + np.float32(origin) for line in lines]


def stroke(canvas: np.ndarray, lines: Sequence[np.ndarray], color: Color, width: int,
           opacity: float = 1.0) -> None:
    """Draw polylines (P, 2) anti-aliased into ``canvas`` (H, W, 3) uint8 in place."""
    if not lines:
        return
    corners = np.concatenate(lines)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - width - 1, 0)
    high = np.ceil(corners.max(axis=0)).astype(int) + width + 2
    crop = canvas[low[1]:high[1], low[0]:high[0]]
    cover = np.zeros(crop.shape[:2], np.uint8)
    fixed = [np.rint((line - low) * 2**_SHIFT).astype(np.int32)[:, None] for line in lines]
    cv2.polylines(cover, fixed, False, 255, width, cv2.LINE_AA, _SHIFT)
    blend(crop, cover, color, opacity)


def _smooth(points: np.ndarray) -> np.ndarray:
    """Round off the pixel stairs of a closed contour: (P, 2) int -> (P, 2) float32."""
    if len(points) < 12:
        return points.astype(np.float32)
    kernel = np.array([1, 2, 3, 2, 1], np.float32) / 9
    padded = np.concatenate([points[-2:], points, points[:2]]).astype(np.float32)
    return np.stack([np.convolve(axis, kernel, 'valid') for axis in padded.T],
                    axis=1).astype(np.float32)


def _runs(points: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """Cut a closed contour into the polylines whose points are kept, few vertices each."""
    if keep.all():
        closed = np.concatenate([points, points[:1]])
        return [cv2.approxPolyDP(closed, 0.3, False)[:, 0]]
    first = int(np.flatnonzero(~keep)[0])
    points, keep = np.roll(points, -first, axis=0), np.roll(keep, -first)
    cuts = np.flatnonzero(np.diff(keep)) + 1
    parts = np.split(points, cuts)[1::2]
    return [cv2.approxPolyDP(part, 0.3, False)[:, 0] for part in parts]
