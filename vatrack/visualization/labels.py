"""Labels with id, class and score beside each instance."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .paint import tint
from .palette import text_color
from .patches import MaskPatch
from .style import DrawnInstance
from .text import draw_text, fit_text, text_size

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
