"""Outlines of masks and boxes as smooth lines: solid where shown, dashed where hidden."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from .areas import blend
from .style import SHADE, Color

_SHIFT = 4  # sub-pixel bits of the coordinates handed to OpenCV


def contour_lines(mask: np.ndarray, hidden: np.ndarray | None, origin: tuple[int, int],
                  dash: int | None) -> list[np.ndarray]:
    """Trace the outlines of a mask.

    Args:
        mask: (h, w) uint8 0/1; holes are traced as well.
        hidden: (h, w) uint8 0/1, the part of the mask whose outline is dashed; None for none.
        origin: (x, y) of the window's corner, added to the lines.
        dash: Length in pixels of dashes and of the gaps between them; None leaves out the
            hidden outline (the browser dashes its own).

    Returns:
        Open or closed polylines, each (P, 2) float32 xy in pixels.
    """
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    lines = []
    for contour in contours:
        points = contour[:, 0]
        on = _dashes(len(points), dash)
        if hidden is None:
            on[:] = True
        else:
            on |= hidden[points[:, 1], points[:, 0]] == 0
        lines += _runs(_smooth(points), on)
    return [line + np.float32(origin) for line in lines]


def box_lines(box: Sequence[float], dash: int | None = None) -> list[np.ndarray]:
    """Polylines (P, 2) float32 along the border of an xyxy box, in dashes of ``dash`` pixels."""
    x0, y0, x1, y1 = np.round(box) - (0, 0, 1, 1)  # lines run through the centres of pixels
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], np.float32)
    if dash is None:
        return [corners]
    sides = [np.linspace(start, end, max(round(float(np.abs(end - start).sum())), 1), False)
             for start, end in pairwise(corners)]
    points = np.concatenate(sides).astype(np.float32)
    return _runs(points, _dashes(len(points), dash))


def stroke(canvas: np.ndarray, lines: Sequence[np.ndarray], color: Color, width: int) -> None:
    """Draw polylines (P, 2) with a dark seam into ``canvas`` (H, W, 3) uint8 in place."""
    if not lines:
        return
    corners = np.concatenate(lines)
    low = np.floor(corners.min(axis=0)).astype(int) - width - 1
    high = np.ceil(corners.max(axis=0)).astype(int) + width + 2
    low, high = np.maximum(low, 0), np.minimum(high, canvas.shape[1::-1])
    if (low >= high).any():
        return
    crop = canvas[low[1]:high[1], low[0]:high[0]]
    fixed = [np.rint((line - low) * 2**_SHIFT).astype(np.int32)[:, None] for line in lines]
    seam = np.zeros(crop.shape[:2], np.uint8)
    # OpenCV's smooth lines are wider than asked for, except thin ones: a pixel on either side.
    cv2.polylines(seam, fixed, False, 255, width + min(width, 2), cv2.LINE_AA, _SHIFT)
    blend(crop, seam, SHADE, 0.5)
    cv2.polylines(crop, fixed, False, color, width, cv2.LINE_AA, _SHIFT)


def _smooth(points: np.ndarray) -> np.ndarray:
    """Round off the pixel stairs of a closed contour: (P, 2) int -> (P, 2) float32."""
    if len(points) < 12:
        return points.astype(np.float32)
    kernel = np.array([1, 2, 3, 2, 1], np.float32) / 9
    padded = np.concatenate([points[-2:], points, points[:2]]).astype(np.float32)
    return np.stack([np.convolve(axis, kernel, 'valid') for axis in padded.T],
                    axis=1).astype(np.float32)


def _dashes(count: int, dash: int | None) -> np.ndarray:
    """Which of ``count`` points in a row are on a dash, none without dashes: (count,) bool."""
    if dash is None:
        return np.zeros(count, bool)
    return np.arange(count) // dash % 2 == 0


def _runs(points: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """Cut a closed contour into the polylines whose points are kept, few vertices each."""
    if keep.all():
        corners = cv2.approxPolyDP(points, 0.3, True)[:, 0]
        return [np.concatenate([corners, corners[:1]])]
    first = int(np.flatnonzero(~keep)[0])
    points, keep = np.roll(points, -first, axis=0), np.roll(keep, -first)
    cuts = np.flatnonzero(np.diff(keep)) + 1
    parts = np.split(points, cuts)[1::2]
    return [cv2.approxPolyDP(part, 0.3, False)[:, 0] for part in parts]
