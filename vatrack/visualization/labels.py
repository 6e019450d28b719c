"""Labels with id, class and score beside each instance, and their text."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import ImageFont

from .areas import MaskPatch, blend, tint
from .style import Color, DrawnInstance

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
    def shortened(length: int) -> str:
        return f'{text[:length].rstrip()}…' if length else ''

    # Names may have thousands of letters. None is narrower than a pixel.
    most = min(len(text), max(width, 0))
    if most == len(text) and text_size(text, size)[0] <= width:
        return text
    fitting = bisect_right(range(1, most + 1), width,
                           key=lambda length: text_size(shortened(length), size)[0])
    return shortened(fitting)


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


#: All labels together cover at most this part of a drawing, one at most this part of its width.
_MAX_AREA, _MAX_WIDTH = 0.08, 0.5
_PARTS = frozenset({'ids', 'classes', 'scores'})
#: What is left out, step by step, where there is little room.
_OMITTED = (frozenset(), frozenset({'scores'}), frozenset({'scores', 'classes'}))

Point = tuple[int, int]
Rect = tuple[int, int, int, int]


def draw_labels(canvas: np.ndarray, instances: Sequence[DrawnInstance], anchors: Sequence[Point],
               show: frozenset[str], font_size: int) -> None:
    """Write labels into ``canvas`` (H, W, 3) uint8 in place.

    They keep clear of each other as far as there is room. Where all of them
    would cover too much of the frame, scores are left out, then classes, then
    the labels of the last instances.

    Args:
        canvas: The drawing.
        instances: What the labels name.
        anchors: (x, y) above which each label goes.
        show: Which of ``'ids'``, ``'classes'`` and ``'scores'`` they hold.
        font_size: In pixels.
    """
    taken: list[Rect] = []
    pad = max(font_size // 4, 2)
    texts = _texts(instances, show, font_size, pad, canvas.shape)
    for instance, (peak_x, peak_y), text in zip(instances, anchors, texts, strict=True):
        if not text:
            continue
        width, height = _label_size(text, font_size, pad)
        x, y = _place((width, height), (peak_x - width // 2, peak_y - height - 3),
                      canvas.shape[:2], taken)
        taken.append((x, y, x + width, y + height))
        tint(canvas[y:y + height, x:x + width], instance.rgb, 0.88)
        draw_text(canvas, text, (x + pad, y), font_size, text_color(instance.rgb))


def mask_anchor(patch: MaskPatch) -> Point:
    """Topmost point (x, y) of the largest connected part, so that specks do not move labels."""
    step = max(min(patch.mask.shape) // 64, 1)  # a rough place will do
    coarse = cv2.dilate(patch.mask, np.ones((step, step), np.uint8))[::step, ::step]
    _, parts, stats, _ = cv2.connectedComponentsWithStats(coarse)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    top = int(stats[largest, cv2.CC_STAT_TOP])
    middle = float(np.flatnonzero(parts[top] == largest).mean())
    return patch.x + int(middle * step), patch.y + top * step


def _texts(instances: Sequence[DrawnInstance], show: frozenset[str], font_size: int, pad: int,
           shape: tuple[int, ...]) -> list[str]:
    """The longest texts that fit together; those of the last instances empty if none fit."""
    most, widest = _MAX_AREA * shape[0] * shape[1], int(_MAX_WIDTH * shape[1]) - 2 * pad
    texts, covered = [''] * len(instances), np.zeros(len(instances))
    for parts in [show & _PARTS - omitted for omitted in _OMITTED if show & _PARTS - omitted]:
        texts = [fit_text(instance.caption(parts), font_size, widest) for instance in instances]
        areas = [np.prod(_label_size(text, font_size, pad)) if text else 0 for text in texts]
        covered = np.cumsum(areas)
        if not instances or covered[-1] <= most:
            break
    return [text if sum_ <= most else '' for text, sum_ in zip(texts, covered, strict=True)]


def _label_size(text: str, font_size: int, pad: int) -> tuple[int, int]:
    width, height = text_size(text, font_size)
    return width + 2 * pad, height


def _place(size: tuple[int, int], wish: Point, shape: tuple[int, ...], taken: list[Rect]) -> Point:
    """Nearest free place below or above the wished one, inside the frame; else the wished one."""
    width, height = size
    x = int(np.clip(wish[0], 0, max(shape[1] - width, 0)))
    lowest = max(shape[0] - height, 0)
    start = int(np.clip(wish[1], 0, lowest))
    offsets = [sign * step * height for step in range(9) for sign in (1, -1)]
    for y in (start + offset for offset in offsets if 0 <= start + offset <= lowest):
        if not any(x < right and left < x + width and y < bottom and top < y + height
                   for left, top, right, bottom in taken):
            return x, y
    return x, start


def text_color(background: Color) -> Color:
    """Near-black or white, whichever reads better on ``background`` (RGB)."""
    luma = float(np.dot(background, (0.2126, 0.7152, 0.0722)))
    return (16, 16, 20) if luma > 110 else (255, 255, 255)
