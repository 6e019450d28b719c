"""Shapes of labelme (https://labelme.io) as masks."""
from __future__ import annotations

import base64
import binascii
from io import BytesIO
from math import hypot
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from vatrack.structures.rle import RLE

from ...common import ConversionError
from ...parts.shape_masks import box_corners, ellipse_corners, placed_mask, polygon_mask

_TWO_POINTS = ('rectangle', 'circle', 'mask')


def shape_mask(shape: dict[str, Any], size: tuple[int, int]) -> RLE:
    """The area of a shape.

    A polygon has its corners as ``points``, also if it is an oriented
    rectangle; a rectangle two opposite corners; a circle its centre and a point
    of its rim; a mask the first and the last pixel of its box, and its pixels
    as a PNG.

    Args:
        shape: An entry of ``shapes``.
        size: (H, W) of the frame.

    Raises:
        ConversionError: It has no area, or is broken.
    """
    kind = shape.get('shape_type', 'polygon')
    points = _points(shape.get('points'))
    if kind in _TWO_POINTS and len(points) != 2:
        raise ConversionError(f'a {kind} needs two points, this one has {len(points)}; draw it '
                              'again')
    if kind in ('polygon', 'oriented_rectangle'):
        return polygon_mask(points, size)
    if kind == 'rectangle':
        return polygon_mask(box_corners(*points.ravel()), size)
    if kind == 'circle':
        radius = hypot(*(points[1] - points[0]))
        return polygon_mask(ellipse_corners(*points[0], radius, radius), size)
    if kind == 'mask':
        return _pixels(shape.get('mask'), points, size)
    raise ConversionError(f"a shape of type '{kind}' has no area; draw a polygon or a mask, or "
                          'leave its label out (--leave-out LABEL)')


def _points(value: Any) -> np.ndarray:
    try:
        points = np.array(value, float)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise ConversionError("'points' must be pairs of finite numbers; draw the shape "
                              'again') from None
    return points


def _pixels(value: Any, points: np.ndarray, size: tuple[int, int]) -> RLE:
    try:
        with Image.open(BytesIO(base64.b64decode(value, validate=True))) as image:
            patch = np.asarray(image)
    except (TypeError, binascii.Error, UnidentifiedImageError, OSError, SyntaxError,
            ValueError, Image.DecompressionBombError) as error:
        raise ConversionError(f"'mask' is no PNG in base64 ({type(error).__name__}); draw it "
                              'again') from None
    (left, top), (right, bottom) = points.astype(int).tolist()
    if patch.shape != (bottom - top + 1, right - left + 1):
        raise ConversionError(f"'mask' has the shape {patch.shape}, but its points span "
                              f'{bottom - top + 1} x {right - left + 1} pixels; draw it again')
    return placed_mask(patch > 0, left, top, size)
