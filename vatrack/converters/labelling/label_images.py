"""Label images: the id of an object at every pixel, as palette, number or colour."""
from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ..common import ConversionError
from ..parts.image_files import read_pixels

#: How a colour names an object: its place in the palette of PASCAL VOC and DAVIS, or
#: red + 256 * green + 65536 * blue, as in COCO panoptic.
COLOURS = ('palette', 'number')


def read_labels(path: Path, size: tuple[int, int], colours: str = COLOURS[0]) -> np.ndarray:
    """The id of the object at every pixel, (H, W) integers; 0 is none.

    Args:
        path: Image with a palette (its indices are the ids), of one channel of
            1, 8, 16 or 32 bits, or of RGB or RGBA colours.
        size: (H, W) that it must have.
        colours: What a colour means, one of :data:`COLOURS`.

    Raises:
        ConversionError: No such image, of another size, or with colours that
            are in no palette.
    """
    pixels = _read(path, size)
    if pixels.ndim == 2:
        return pixels.astype(np.int32) if pixels.dtype == bool else pixels
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    numbers = red | green << 8 | blue << 16
    if colours == 'number':
        return numbers
    found, inverse = np.unique(numbers, return_inverse=True)
    places = palette()
    strange = [number for number in found.tolist() if number not in places]
    if strange:
        colour = tuple(strange[0] >> shift & 255 for shift in (0, 8, 16))
        raise ConversionError(f'{path}: the colour {colour} is none of the palette of DAVIS; save '
                              'label images with a palette or as numbers, without smoothing, or '
                              'state --colours number')
    return np.array([places[number] for number in found.tolist()])[inverse].reshape(size)


def read_binary(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A mask (H, W) bool: where an image is not 0 (in any colour; transparency is not looked at).

    Raises:
        ConversionError: No such image, or of another size.
    """
    pixels = _read(path, size)
    if pixels.ndim == 3:
        return pixels.any(axis=2)
    return np.asfortranarray(pixels) != 0  # RLEs run down the columns


@cache
def palette() -> dict[int, int]:
    """Place of each colour (red + 256 green + 65536 blue) in the palette of PASCAL VOC.

    The bits of a place go in turn to red, green and blue, the lowest ones to
    the highest bits of the colour
    (http://host.robots.ox.ac.uk/pascal/VOC, function VOClabelcolormap).
    """
    places = {}
    for place in range(256):
        colour = 0
        for bit in range(8):
            channel, level = bit % 3, 7 - bit // 3
            colour |= (place >> bit & 1) << (8 * channel + level)
        places[colour] = place
    return places


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Pixels without transparency: (H, W), or (H, W, 3) colours."""
    pixels, mode = read_pixels(path)
    if pixels.shape[:2] != size:
        raise ConversionError(f'{path}: is {pixels.shape[1]} x {pixels.shape[0]} pixels, but the '
                              f'frames are {size[1]} x {size[0]}; labels must be as large as the '
                              'frames')
    if pixels.dtype.kind not in 'bui' or mode in ('CMYK', 'YCbCr', 'LAB', 'HSV'):
        raise ConversionError(f'{path}: has pixels of the kind {mode}, which name no objects; save '
                              'it as PNG of 8 or 16 bits or with a palette')
    if pixels.ndim == 2:
        return pixels
    return pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
