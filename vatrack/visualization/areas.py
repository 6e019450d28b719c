"""Painted areas: the visible mask as a translucent fill, the occluded one as a hatch, outlines.

Only the patch of the picture that a mask covers is decoded and painted.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from vatrack.structures.rle import RLE, bboxes, decode_window

from .style import SHADE, Color


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


_ROOM = 2  # pixels around a mask, for lines that run on its border


@dataclass(slots=True, eq=False)
class MaskPatch:
    """A mask (h, w) uint8 0/1 with its corner at (x, y) of the drawing; (0, 0) if it is empty."""

    mask: np.ndarray
    x: int
    y: int

    @property
    def is_empty(self) -> bool:
        """Whether the mask has no pixel."""
        return not self.mask.size

    def crop(self, image: np.ndarray) -> np.ndarray:
        """View of ``image`` under the patch."""
        return image[self.y:self.y + self.mask.shape[0], self.x:self.x + self.mask.shape[1]]

    def seen_from(self, other: MaskPatch) -> np.ndarray:
        """The mask in the window of another patch: its shape, uint8 0/1."""
        window = np.zeros_like(other.mask)
        x, y = self.x - other.x, self.y - other.y
        target = window[max(y, 0):max(y + self.mask.shape[0], 0),
                        max(x, 0):max(x + self.mask.shape[1], 0)]
        target[:] = self.mask[max(-y, 0):, max(-x, 0):][:target.shape[0], :target.shape[1]]
        return window


EMPTY = MaskPatch(np.zeros((0, 0), np.uint8), 0, 0)


def mask_patch(mask: RLE, shape: tuple[int, int]) -> MaskPatch:
    """Decode a mask around its pixels, in a drawing of ``shape`` (H, W) of the whole frame."""
    height, width = mask['size']
    x0, y0, x1, y1 = (int(side) for side in bboxes([mask])[0])
    if x1 <= x0:
        return EMPTY
    x0, y0, x1, y1 = (max(x0 - _ROOM, 0), max(y0 - _ROOM, 0), min(x1 + _ROOM, width),
                      min(y1 + _ROOM, height))
    pixels = decode_window(mask, (x0, y0, x1, y1))
    if shape == (height, width):
        return MaskPatch(pixels, x0, y0)
    sx, sy = shape[1] / width, shape[0] / height
    left, top = int(x0 * sx), int(y0 * sy)
    size = (int(np.ceil(x1 * sx)) - left, int(np.ceil(y1 * sy)) - top)
    # Pixel centres, as in cv2.resize: source = (target + 0.5) / scale - 0.5.
    to_source = np.array([[1 / sx, 0, (left + 0.5) / sx - 0.5 - x0],
                          [0, 1 / sy, (top + 0.5) / sy - 0.5 - y0]])
    smooth = cv2.GaussianBlur(pixels * 255, (0, 0), 0.7) if sx > 1 else pixels * 255
    resized = cv2.warpAffine(smooth, to_source, size, borderMode=cv2.BORDER_REPLICATE,
                             flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    # Half of the peak, for objects that are too small to reach full coverage anywhere.
    pixels = (resized > min(resized.max() // 2, 127)).astype(np.uint8)
    return MaskPatch(pixels, left, top) if pixels.any() else EMPTY


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
