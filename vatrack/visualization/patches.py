"""The parts of masks that matter for drawing, in pixels of the drawing."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vatrack.structures.rle import RLE, bboxes, decode_window

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
