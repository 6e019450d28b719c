"""Drawn shapes as masks, and set operations on masks, all run-length encoded."""
from __future__ import annotations

from math import cos, pi, radians, sin

import numpy as np
from pycocotools import mask as coco_mask

from vatrack.structures.rle import RLE, encode

from ..common import ConversionError

# Corners further out than this many frame sizes were drawn for another picture.
_REACH = 4


def polygon_mask(points: np.ndarray, size: tuple[int, int]) -> RLE:
    """Area of a closed polygon, clipped to the frame, as pycocotools fills it.

    Args:
        points: (N, 2) corners x, y in pixels; the frame goes from 0 to its width and height.
        size: (H, W) of the frame.

    Raises:
        ConversionError: Fewer than three corners, or one that is not finite or
            far outside the frame.
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise ConversionError('a polygon needs at least three corners x, y; draw it again or '
                              'delete it')
    limit = np.array(size[::-1])
    if not np.isfinite(points).all() or (abs(points - limit / 2) > (_REACH + .5) * limit).any():
        raise ConversionError(f'a corner lies far outside the frame of {size[1]} x {size[0]} '
                              'pixels; draw the shape again')
    flat, = coco_mask.frPyObjects([points.ravel().tolist()], *size)
    return _text(flat)


def box_corners(x1: float, y1: float, x2: float, y2: float, rotation: float = 0.) -> np.ndarray:
    """Corners (4, 2) of a box, turned about its centre by degrees, clockwise on the screen."""
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], float)
    return _turned(corners, ((x1 + x2) / 2, (y1 + y2) / 2), rotation)


def ellipse_corners(x: float, y: float, radius_x: float, radius_y: float,
                    rotation: float = 0.) -> np.ndarray:
    """A polygon (N, 2) with a corner about every pixel of the outline of an ellipse."""
    around = 2 * pi * max(abs(radius_x), abs(radius_y))
    angles = np.linspace(0, 2 * pi, int(np.clip(around, 16, 4096)), endpoint=False)
    outline = np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)
    return _turned(outline, (x, y), rotation)


def placed_mask(patch: np.ndarray, left: int, top: int, size: tuple[int, int]) -> RLE:
    """A mask of a part of the frame, (h, w) bool, as a mask of the whole frame.

    Raises:
        ConversionError: The part does not lie within the frame.
    """
    height, width = patch.shape
    if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
        raise ConversionError(f'a mask of {width} x {height} pixels at ({left}, {top}) does not '
                              f'lie within the frame of {size[1]} x {size[0]}; draw it again')
    full = np.zeros((1, *size), bool)
    full[0, top:top + height, left:left + width] = patch
    return encode(full)[0]


def _turned(points: np.ndarray, centre: tuple[float, float], degrees: float) -> np.ndarray:
    if not degrees:
        return points
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return (points - centre) @ np.array([[c, s], [-s, c]]) + centre


def _text(rle: RLE) -> RLE:
    return {'size': [int(side) for side in rle['size']], 'counts': rle['counts'].decode('ascii')}
