"""Where to look for an object: the box of each frame, and the windows that hold these boxes."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class LookRule:
    """Which region around its visible part an object is looked for in.

    Attributes:
        enlarge: Width and height of the region over those of the visible box
            (SaVos: 1.5, so 25 % more at each side; EoRaS: 2).
        aspect: Width over height of the region, which grows to it; None keeps
            that of the visible box. It should be that of a network's patch,
            which then sees the object undistorted.
        neighbours: Frames before and after whose visible boxes count too: the
            region is as wide and high as the largest of them. What is half
            hidden now is then looked for in its full size (0 in SaVos, whose
            region shrinks with the visible part).
        size: Width and height of the region in pixels, whatever is visible, on
            whole pixels. Nothing is resampled for a network whose patch has this
            size: for small objects, of which every pixel counts. None: as above.
        whole_frame: Windows are the frames themselves, as the code of SaVos has it.
    """

    enlarge: float = 1.5
    aspect: float | None = None
    neighbours: int = 0
    size: tuple[int, int] | None = None
    whole_frame: bool = False

    def __post_init__(self) -> None:
        if not self.enlarge >= 1:
            raise ValueError(f'enlarge must be at least 1, got {self.enlarge}')
        if self.aspect is not None and not self.aspect > 0:
            raise ValueError(f'aspect must be positive or None, got {self.aspect}')
        if self.neighbours < 0:
            raise ValueError(f'neighbours must be at least 0, got {self.neighbours}')
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f'size must be positive or None, got {self.size}')

    def boxes(self, visible: np.ndarray) -> np.ndarray:
        """Regions of an object in T consecutive frames.

        Args:
            visible: (T, 4) float, tight xyxy boxes of the visible masks, NaN
                where the object is hidden. Hidden frames get what lies between
                their neighbours in time.

        Returns:
            (T, 4) float32 xyxy in pixels of the frame.

        Raises:
            ValueError: The object is hidden in all frames.
        """
        seen = np.flatnonzero(~np.isnan(visible[:, 0]))
        if not len(seen):
            raise ValueError('the object is visible in no frame; leave it out')
        frames = np.arange(len(visible))
        left, top, right, bottom = (np.interp(frames, seen, side) for side in visible[seen].T)
        centres = np.stack([left + right, top + bottom], axis=1) / 2
        if self.size is not None:
            corners = np.round(centres - np.array(self.size) / 2)
            return np.concatenate([corners, corners + self.size], axis=1).astype(np.float32)
        sizes = np.maximum(np.stack([right - left, bottom - top], axis=1), 1)
        if self.neighbours:
            sizes = _running_maximum(sizes, self.neighbours)
        sizes = sizes * self.enlarge
        if self.aspect is not None:
            width = np.maximum(sizes[:, 0], sizes[:, 1] * self.aspect)
            sizes = np.stack([width, width / self.aspect], axis=1)
        return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1).astype(np.float32)

    def windows(self, boxes: np.ndarray,
                frame_size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        """Windows of whole pixels, all of one size, that hold the boxes of an object.

        Args:
            boxes: (T, 4) as :meth:`boxes` gives them.
            frame_size: (H, W).

        Returns:
            (T, 2) int64 top left pixels (x, y), and the size (h, w).
        """
        if self.whole_frame:
            return np.zeros((len(boxes), 2), np.int64), frame_size
        width, height = (np.ceil(boxes[:, 2:] - boxes[:, :2]).max(axis=0).astype(int) + 1).tolist()
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        origins = np.floor(centres - np.array([width, height]) / 2).astype(np.int64)
        return origins, (height, width)


def _running_maximum(sizes: np.ndarray, reach: int) -> np.ndarray:
    """Largest of the values up to ``reach`` rows away: (T, 2)."""
    padded = np.pad(sizes, ((reach, reach), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).max(axis=-1)


def cut(image: np.ndarray, origin: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A window of an image, 0 beyond its borders.

    Args:
        image: (..., H, W).
        origin: Its top left pixel (x, y), anywhere.
        size: (h, w).

    Returns:
        (..., h, w), a copy.
    """
    x, y = origin.tolist()
    (height, width), (rows, columns) = size, image.shape[-2:]
    window = np.zeros((*image.shape[:-2], *size), image.dtype)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + height, rows), min(x + width, columns)
    if top < bottom and left < right:
        window[..., top - y:bottom - y, left - x:right - x] = image[..., top:bottom, left:right]
    return window
