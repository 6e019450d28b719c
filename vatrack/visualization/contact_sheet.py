"""Frames side by side on one picture, with captions and a title."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from .areas import plain
from .labels import draw_text, fit_text
from .style import Color


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours (RGB) of a sheet."""

    background: Color
    title: Color
    caption: Color


THEMES = {
    'dark': Theme((22, 23, 27), (240, 240, 244), (158, 161, 171)),
    'light': Theme((250, 250, 251), (24, 25, 30), (104, 107, 118))
}


def contact_sheet(frames: Sequence[np.ndarray], columns: int,
                  captions: Sequence[str] | None = None, title: str | None = None,
                  theme: str = 'dark', margin: int = 20) -> np.ndarray:
    """Lay frames out in rows.

    Args:
        frames: RGB images (h, w, 3) uint8; smaller ones are centred in their cell.
        columns: Frames per row.
        captions: One line under each frame, as many as frames.
        title: One line above all.
        theme: ``'dark'`` or ``'light'``.
        margin: Pixels around the sheet; the gaps between frames are half of it.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: No frames, columns below 1, or another number of captions.
    """
    if not frames or columns < 1:
        raise ValueError(f'a contact sheet needs frames and columns, got {len(frames)} frames '
                         f'and {columns} columns')
    if captions is not None and len(captions) != len(frames):
        raise ValueError(f'{len(captions)} captions for {len(frames)} frames; pass one each')
    colors = THEMES[theme]
    height = max(frame.shape[0] for frame in frames)
    width = max(frame.shape[1] for frame in frames)
    font = int(np.clip(width // 26, 11, 18))
    footer = round(1.7 * font) if captions else 0
    header = round(2.6 * font) if title else 0
    gap = margin // 2
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    sheet = plain(2 * margin + header + rows * (height + footer) + (rows - 1) * gap,
                  2 * margin + columns * width + (columns - 1) * gap, colors.background)
    if title:
        text = fit_text(title, round(1.4 * font), sheet.shape[1] - 2 * margin)
        draw_text(sheet, text, (margin, margin - 2), round(1.4 * font), colors.title)
    for index, (frame, caption) in enumerate(zip_longest(frames, captions or (), fillvalue='')):
        row, column = divmod(index, columns)
        x = margin + column * (width + gap)
        y = margin + header + row * (height + footer + gap)
        _paste(sheet, frame, x + (width - frame.shape[1]) // 2, y + (height - frame.shape[0]) // 2)
        draw_text(sheet, fit_text(caption, font, width), (x, y + height + font // 4), font,
                  colors.caption)
    return sheet


def stack_sheets(sheets: Sequence[np.ndarray], theme: str = 'dark') -> np.ndarray:
    """Join sheets (H, W, 3) one above the other, left-aligned on the theme's background."""
    stacked = plain(sum(sheet.shape[0] for sheet in sheets),
                    max(sheet.shape[1] for sheet in sheets), THEMES[theme].background)
    y = 0
    for sheet in sheets:
        _paste(stacked, sheet, 0, y)
        y += sheet.shape[0]
    return stacked


def _paste(sheet: np.ndarray, frame: np.ndarray, x: int, y: int) -> None:
    sheet[y:y + frame.shape[0], x:x + frame.shape[1]] = frame
