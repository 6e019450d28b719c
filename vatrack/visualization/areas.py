"""Painted areas: the visible mask as a translucent fill, the occluded one as a hatch."""
from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .paint import blend, tint
from .palette import SHADE, Color
from .patches import EMPTY, MaskPatch

_GOLDEN_RATIO = 0.6180339887
#: By how much of its size two predicted masks of an object may differ.
_SLACK = 0.025


def fill(canvas: np.ndarray, patch: MaskPatch, color: Color, opacity: float) -> None:
    """Tint ``canvas`` (H, W, 3) uint8 in place where the mask is."""
    if not patch.is_empty:
        tint(patch.crop(canvas), color, opacity, patch.mask)


def occluded_part(amodal: MaskPatch, visible: MaskPatch) -> MaskPatch:
    """Amodal minus visible, in the window of ``amodal``.

    Slivers along the visible mask are left out: two predicted masks never
    agree to the pixel.
    """
    if amodal.is_empty:
        return EMPTY
    seen = visible.seen_from(amodal)
    hidden = amodal.mask & (1 - seen)
    reach = max(round(_SLACK * max(seen.shape)), 1)
    beyond = hidden & (1 - _grown(seen, reach))
    part = hidden & _grown(beyond, 2 * reach)
    return MaskPatch(part, amodal.x, amodal.y) if part.any() else EMPTY


def _grown(mask: np.ndarray, reach: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones((2 * reach + 1,) * 2, np.uint8))


def hatch(canvas: np.ndarray, patch: MaskPatch, color: Color, width: int, shift: int) -> None:
    """Draw diagonal lines into ``canvas`` (H, W, 3) uint8 in place where the mask is.

    Args:
        canvas: The drawing.
        patch: The area.
        color: RGB of the lines, which have a dark seam.
        width: Of the lines in pixels; their distance grows with it.
        shift: Any integer; hatches of different shifts do not cover each other.
    """
    if patch.is_empty:
        return
    x, y, across, down = cv2.boundingRect(patch.mask)
    crop = patch.crop(canvas)[y:y + down, x:x + across]
    mask = patch.mask[y:y + down, x:x + across]
    start = patch.x + x + patch.y + y + round(shift * _GOLDEN_RATIO % 1 * hatch_period(width))
    for each, opacity, lines in zip((SHADE, color), (.4, .95), _profiles(width), strict=True):
        # A diagonal line is the same along x + y: one row of samples is all of the pattern.
        samples = np.take(lines, np.arange(start, start + across + down), mode='wrap')
        pattern = sliding_window_view(samples, across)[:down]
        blend(crop, pattern * mask, each, opacity)


def hatch_period(width: int) -> int:
    """Distance of hatch lines along a row, in pixels, for lines of ``width``."""
    return max(8 * width, 10)


@lru_cache(maxsize=64)
def _profiles(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Coverage (0-255) of the seam and of the line itself over one period of x + y."""
    along = np.arange(hatch_period(width))
    distance = np.abs(along - hatch_period(width) / 2) / np.sqrt(2)
    return tuple((255 * np.clip(reach / 2 + .5 - distance, 0, 1)).astype(np.uint8)
                 for reach in (width + 2, width))
