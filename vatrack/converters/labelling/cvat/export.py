"""The XML of CVAT 1.1 (https://docs.cvat.ai/docs/other/xml_format), read piece by piece."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from vatrack.structures.rle import RLE

from ...common import ConversionError
from ...parts.shape_masks import box_corners, ellipse_corners, placed_mask, polygon_mask

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CvatHead:
    """What the head of a file says.

    Attributes:
        labels: Names of the labels, in order.
        frames: Number of each frame, as the shapes name it; of a video, its
            position there.
        size: (H, W) of the frames; None if the file states it frame by frame.
        source: Name of the video file or of the first image, or ''.
    """

    labels: list[str] = field(default_factory=list)
    frames: Sequence[int] = ()
    size: tuple[int, int] | None = None
    source: str = ''


def pieces(path: Path) -> Iterator[Element]:
    """The children of the root, one by one: the head (``meta``), then tracks or images.

    Memory is that of one piece. A document type, and with it every entity, is
    refused.

    Raises:
        ConversionError: The file is missing, no XML, cut off, or not of CVAT.
    """
    reader = _Pieces()
    try:
        with path.open('rb') as file:
            while chunk := file.read(_CHUNK):
                reader.parser.Parse(chunk, False)
                yield from reader.take()
            reader.parser.Parse(b'', True)
    except FileNotFoundError:
        raise ConversionError(f'{path}: missing; export the task again') from None
    except (expat.ExpatError, ConversionError) as error:
        raise ConversionError(f'{path}: no XML of CVAT ({error}); export the task as "CVAT for '
                              'video 1.1"') from None


class _Pieces:
    """Cuts a stream of XML into the children of its root."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self._depth = 0
        self._builder = TreeBuilder()
        self._done: list[Element] = []

    def take(self) -> list[Element]:
        """The pieces that are complete since the last call."""
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and tag != 'annotations':
            raise ConversionError(f'its root is <{tag}>, not <annotations>')
        if self._depth == 2:
            self._builder = TreeBuilder()
        if self._depth >= 2:
            self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        if self._depth >= 2:
            self._builder.end(tag)
        if self._depth == 2:
            self._done.append(self._builder.close())
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._depth >= 2:
            self._builder.data(text)

    @staticmethod
    def _refuse(*_: object) -> None:
        raise ConversionError('it has a document type, which CVAT does not write')


def read_head(meta: Element) -> CvatHead:
    """Read the head of a file.

    Raises:
        ConversionError: It is not that of one task, or broken.
    """
    task = meta.find('task')
    if task is None:
        raise ConversionError('is not the export of one task; export each task by itself, not a '
                              'job or a project')
    labels = [label.findtext('name', '') for label in task.iterfind('labels/label')]
    try:
        count = int(task.findtext('size', ''))
        start = int(task.findtext('start_frame') or 0)
        step = dict(part.split('=') for part in (task.findtext('frame_filter') or '').split())
        frames = range(start, start + count * (stride := int(step.get('step', 1))), stride)
        size = task.find('original_size')
        shape = None if size is None else (int(size.findtext('height', '')),
                                           int(size.findtext('width', '')))
    except ValueError as error:
        raise ConversionError(f'the head (<meta>) is broken ({error}); export the task '
                              'again') from None
    return CvatHead(labels, frames, shape, meta.findtext('source') or task.findtext('source') or '')


def number(element: Element, key: str) -> float:
    """A numeric attribute.

    Raises:
        ConversionError: It is missing or no finite number.
    """
    try:
        value = float(element.attrib[key])
        if np.isfinite(value):
            return value
    except (KeyError, ValueError):
        pass
    raise ConversionError(f"'{key}' must be a number, got {element.get(key)!r}; export the task "
                          'again')


def attribute(element: Element, name: str) -> str | None:
    """The value of an attribute that the annotators filled in; None if there is none."""
    return next((each.text or '' for each in element.iterfind('attribute')
                 if each.get('name') == name), None)


def element_mask(element: Element, size: tuple[int, int]) -> RLE:
    """The area of a shape: polygon, box, ellipse or mask.

    Args:
        element: The shape.
        size: (H, W) of the frame.

    Raises:
        ConversionError: It has no area, or is broken.
    """
    if element.tag == 'polygon':
        return polygon_mask(_points(element), size)
    if element.tag == 'mask':
        return _pixels(element, size)
    turn = number(element, 'rotation') if 'rotation' in element.attrib else 0.
    if element.tag == 'box':
        return polygon_mask(box_corners(*(number(element, key) for key in (
            'xtl', 'ytl', 'xbr', 'ybr')), turn), size)
    if element.tag == 'ellipse':
        return polygon_mask(ellipse_corners(*(number(element, key) for key in (
            'cx', 'cy', 'rx', 'ry')), turn), size)
    raise ConversionError(f'a <{element.tag}> has no area; draw a polygon or a mask, or leave its '
                          'label out (--leave-out LABEL)')


def _points(element: Element) -> np.ndarray:
    try:
        return np.array([pair.split(',') for pair in element.attrib['points'].split(';')], float)
    except (KeyError, ValueError):
        raise ConversionError("'points' must be x,y;x,y;...; export the task again") from None


def _pixels(element: Element, size: tuple[int, int]) -> RLE:
    """Runs of the box of a mask, row by row, background first."""
    left, top, width, height = (int(number(element, key))
                                for key in ('left', 'top', 'width', 'height'))
    try:
        runs = np.array([int(run) for run in element.attrib['rle'].split(',')])
    except (KeyError, ValueError):
        runs = np.array([-1])
    if min(width, height, runs.min() + 1) < 1 or runs.sum() != width * height or (
            width > size[1] or height > size[0]):
        raise ConversionError(f"'rle' must be runs that add up to {width} x {height} pixels within "
                              f'the frame of {size[1]} x {size[0]}; export the task again')
    values = np.arange(len(runs)) % 2 == 1
    return placed_mask(np.repeat(values, runs).reshape(height, width), left, top, size)
