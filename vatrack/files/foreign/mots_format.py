"""The MOTS formats: one object per pixel, in 16 bit PNG or in lines of text.

An object has the number ``class * 1000 + instance``; 0 is background and 10000
(class 10) an ignored region (https://www.vision.rwth-aachen.de/page/mots).
Lines are ``frame id class height width rle``, where ``rle`` is a COCO string.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vatrack.structures.rle import RLE, encode
from vatrack.video.image_file import ImageError, read_stored

#: Numbers of a class.
CLASS = 1000
#: Number of ignored regions.
IGNORED = 10 * CLASS

# Full masks that are in memory together.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class MotsLine:
    """An object in a frame; its mask has not been checked."""

    frame: int
    number: int
    category: int
    mask: dict[str, Any]

    @property
    def ignored(self) -> bool:
        """Whether it is an ignored region."""
        return self.number == IGNORED and self.category == IGNORED // CLASS


def parse_line(line: str) -> MotsLine:
    """Read a line of a MOTS text file.

    Raises:
        ValueError: It does not have the six values.
    """
    values = line.split()
    try:
        frame, number, category, height, width = map(int, values[:5])
        _, _, _, _, _, counts = values
    except ValueError:
        raise ValueError(f'is not "frame id class height width rle": {line[:80]!r}; write it '
                              'again') from None
    return MotsLine(frame, number, category, {'size': [height, width], 'counts': counts})


def read_png(path: Path, size: tuple[int, int]) -> list[tuple[int, RLE]]:
    """Number and mask of every object of a frame, ignored regions included.

    Args:
        path: 16 bit PNG of one channel.
        size: (H, W) that it must have.

    Raises:
        ValueError: It is missing, of another form or size.
    """
    try:
        image = read_stored(path)
        got = f'{image.dtype} {image.shape}'
    except ImageError as error:
        image, got = None, f'no image ({error.fault})'
    if image is None or image.dtype != np.uint16 or image.shape != size:
        raise ValueError(f'{path}: must be a 16 bit PNG of one channel, {size[0]} x {size[1]} '
                         f'pixels, got {got}; write it again')
    return masks_by_value(image)


def masks_by_value(image: np.ndarray, background: tuple[int, ...] = (0,)) -> list[tuple[int, RLE]]:
    """The mask of every value of an (H, W) image of integers, by value, but for the background."""
    values = np.setdiff1d(image, background)
    columns = np.ascontiguousarray(image.T)  # RLEs run down the columns
    masks: list[RLE] = []
    for part in np.split(values, range(_AT_ONCE, len(values), _AT_ONCE)):
        masks += encode((columns == part[:, None, None]).transpose(0, 2, 1))
    return list(zip(values.tolist(), masks, strict=True))
