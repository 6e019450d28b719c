"""Anti-aliased text on numpy images, in a font that every installation has."""
from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import ImageFont

from .paint import blend
from .palette import Color

#: A font size in pixels at which widths are exact.
_FINE = 64


def draw_text(image: np.ndarray, text: str, origin: tuple[int, int], size: int,
              color: Color) -> None:
    """Write one line of text into ``image`` (H, W, 3) uint8 in place, cut at its border.

    Args:
        image: RGB image that is changed.
        text: One line.
        origin: (x, y) of the top left corner in pixels.
        size: Font size in pixels; a line is about 1.2 times as high.
        color: RGB, 0-255.
    """
    cover = text_mask(text, size)
    x, y = max(origin[0], 0), max(origin[1], 0)
    crop = image[y:y + cover.shape[0], x:x + cover.shape[1]]
    blend(crop, cover[:crop.shape[0], :crop.shape[1]], color)


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height in pixels that :func:`draw_text` covers."""
    height, width = text_mask(text, size).shape
    return width, height


@lru_cache(maxsize=2048)
def text_mask(text: str, size: int) -> np.ndarray:
    """Coverage (h, w) uint8 of a line of text; h depends on the size alone."""
    font = _font(size)
    ascent, descent = font.getmetrics()
    width = max(int(np.ceil(font.getlength(text))), 1)
    mask, (left, top) = font.getmask2(text, mode='L')
    cover = np.zeros((ascent + descent, width), np.uint8)
    glyphs = np.array(mask, np.uint8).reshape(mask.size[::-1])
    x, y = max(left, 0), max(top, 0)
    target = cover[y:y + glyphs.shape[0], x:x + glyphs.shape[1]]
    target[:] = glyphs[:target.shape[0], :target.shape[1]]
    return cover


def fit_text(text: str, size: int, width: int) -> str:
    """``text``, shortened with an ellipsis until it is at most ``width`` pixels wide."""
    shortened = text
    while shortened and text_size(shortened, size)[0] > width:
        text = text[:-1]
        shortened = f'{text.rstrip()}…' if text else ''
    return shortened


def wrap_text(text: str, size: float, width: float) -> list[str]:
    """Lines of whole words that are at most ``width`` wide, as far as words allow it.

    Args:
        text: One line.
        size: Font size, in the unit of ``width``.
        width: In any unit.
    """
    lines: list[str] = []
    for word in text.split():
        longer = f'{lines[-1]} {word}' if lines else word
        if lines and relative_width(longer) * size <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def relative_width(text: str) -> float:
    """Width of a text, of its font size."""
    return text_size(text, _FINE)[0] / _FINE if text else 0.


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
    return ImageFont.truetype(str(path), size)
