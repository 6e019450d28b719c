"""Strips drawn for print: rows of results below each other, frames beside each other."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from vatrack.structures import Frame, Video
from vatrack.structures.rle import decode_window, encode

from .draw import DrawnInstance, DrawStyle, draw_instances
from .overlay import read_frame
from .print_figure import COLUMN_WIDTH, new_figure
from .strip import Strip
from .text import relative_width, wrap_text

Box = tuple[int, int, int, int]

_SHOWN = frozenset({'visible', 'amodal', 'occluded'})
#: In points: width of outlines, and of the gaps between frames.
_LINE, _GAP = .4, 1.5
#: Height of a line of text, of its font size.
_LINE_HEIGHT = 1.25
_SMALLEST_CELL = 16


@dataclass(frozen=True, slots=True)
class StripLayout:
    """How a strip looks.

    Attributes:
        width: Inches at most.
        height: Inches at most; None: as high as the frames make it.
        dpi: Pixels of the frames per inch.
        crop: x1, y1, x2, y2 in pixels of the video: the part that is shown; None: all.
        show: What is drawn, names out of :data:`~vatrack.visualization.style.SHOWN`.
    """

    width: float = COLUMN_WIDTH
    height: float | None = None
    dpi: int = 300
    crop: Box | None = None
    show: Iterable[str] = _SHOWN


def draw_strip(strip: Strip, layout: StripLayout | None = None) -> Figure:
    """Draw a strip: labels of rows on the left, ids of frames above, no gaps but thin ones.

    Returns:
        The figure, to be saved in the same block of
        :func:`~vatrack.visualization.print_figure.print_settings`. Frames are
        images of ``layout.dpi``, in vector files too; all else are vectors there.

    Raises:
        ValueError: The crop is not inside of the video, there is no room for
            frames, or an image is missing, damaged or of another size.
    """
    layout = layout or StripLayout()
    x1, y1, x2, y2 = crop = _checked_crop(strip.video, layout.crop)
    grid = _Grid.fit(strip, layout, (x2 - x1, y2 - y1))
    width, height = grid.size
    figure = new_figure(width / layout.dpi, height / layout.dpi, layout.dpi)
    style = DrawStyle(frozenset(layout.show), filled_kind=strip.kind or 'visible',
                      line_width=max(round(_LINE / 72 * layout.dpi), 1),
                      font_size=max(round(.8 * grid.font), 8))
    for column, position in enumerate(strip.positions):
        image = read_frame(strip.image_root, strip.video, strip.video.frames[position])
        for row, drawn in enumerate(strip.rows.values()):
            instances = [_cropped(each, crop) for each in drawn[column]]
            _draw_cell(figure, grid.box(row, column), draw_instances(
                image[y1:y2, x1:x2], instances, scale=grid.cell[0] / (x2 - x1), style=style))
    _draw_texts(figure, strip, grid)
    return figure


class _Grid(NamedTuple):
    """Where everything is, in pixels of the frames.

    Attributes:
        cell: Width and height of a frame.
        gap: Between frames.
        left: Width of the labels of rows.
        top: Height of the ids of frames.
        shape: Numbers of rows and columns.
        labels: Lines of the label of each row.
        font: Size of the labels.
    """

    cell: tuple[int, int]
    gap: int
    left: int
    top: int
    shape: tuple[int, int]
    labels: list[list[str]]
    font: float

    @classmethod
    def fit(cls, strip: Strip, layout: StripLayout, size: tuple[int, int]) -> _Grid:
        """Frames of ``size`` (width, height) as large as they can be, labels in as few lines."""
        shape = len(strip.rows), len(strip.positions)
        font = rcParams['xtick.labelsize'] / 72 * layout.dpi
        gap = max(round(_GAP / 72 * layout.dpi), 1)
        top = round(_LINE_HEIGHT * font)
        for lines in range(1, 5):
            left = round((lines * _LINE_HEIGHT + .25) * font)
            width = (layout.width * layout.dpi - left + gap) / shape[1] - gap
            if layout.height is not None:
                height = (layout.height * layout.dpi - top + gap) / shape[0] - gap
                width = min(width, height * size[0] / size[1])
            cell = int(width), max(round(int(width) / size[0] * size[1]), 1)
            labels = [wrap_text(label, font, cell[1]) for label in strip.rows]
            if max(map(len, labels)) <= lines:
                break
        if min(cell) < _SMALLEST_CELL:
            raise ValueError(f'frames of {cell[0]}x{cell[1]} pixels are too small to be seen; make '
                             'the figure larger, or show fewer frames')
        return cls(cell, gap, left, top, shape, labels, font)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of all."""
        rows, columns = self.shape
        return (self.left + columns * (self.cell[0] + self.gap) - self.gap,
                self.top + rows * (self.cell[1] + self.gap) - self.gap)

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a frame, of those of the figure."""
        width, height = self.size
        x = self.left + column * (self.cell[0] + self.gap)
        y = self.top + row * (self.cell[1] + self.gap)
        return (x / width, 1 - (y + self.cell[1]) / height, self.cell[0] / width,
                self.cell[1] / height)

    def label_scale(self) -> float:
        """By what labels are made smaller, so that the longest word fits beside its row."""
        widths = [relative_width(line) * self.font for lines in self.labels for line in lines]
        return min([1., *(self.cell[1] / width for width in widths)])


def _draw_cell(figure: Figure, box: tuple[float, ...], image: np.ndarray) -> None:
    axes = figure.add_axes(box)
    axes.set_axis_off()
    axes.imshow(image, interpolation='none', aspect='auto')


def _draw_texts(figure: Figure, strip: Strip, grid: _Grid) -> None:
    size = rcParams['xtick.labelsize']
    width, height = grid.size
    for column, position in enumerate(strip.positions):
        x, _, across, _ = grid.box(0, column)
        figure.text(x + across / 2, 1 - (grid.top - .3 * grid.font) / height,
                    _head(strip.video.frames[position], grid), ha='center', va='baseline',
                    fontsize=size)
    for row, lines in enumerate(grid.labels):
        _, y, _, up = grid.box(row, 0)
        figure.text((grid.left - .25 * grid.font) / 2 / width, y + up / 2, '\n'.join(lines),
                    ha='center', va='center', rotation=90, multialignment='center',
                    fontsize=size * grid.label_scale())


def _head(frame: Frame, grid: _Grid) -> str:
    text = f'frame {frame.frame_id}'
    return text if relative_width(text) * grid.font <= grid.cell[0] else str(frame.frame_id)


def _checked_crop(video: Video, crop: Box | None) -> Box:
    whole = (0, 0, video.width, video.height)
    if crop is None:
        return whole
    x1, y1, x2, y2 = crop
    if not (0 <= x1 < x2 <= video.width and 0 <= y1 < y2 <= video.height):
        raise ValueError(f'the crop {x1} {y1} {x2} {y2} is not inside of video {video.name}, which '
                         f'is {video.width}x{video.height}; give x1 y1 x2 y2 in pixels, x2 and y2 '
                         'beyond the last')
    return crop


def _cropped(instance: DrawnInstance, crop: Box) -> DrawnInstance:
    return replace(instance, masks={kind: encode(decode_window(mask, crop)[None])[0]
                                    for kind, mask in instance.masks.items()})
