"""The shapes of a CVAT task, frame by frame: identity, class, kind and mask of each."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from vatrack.structures import MASK_KINDS

from ...common import ConversionError
from ...parts.image_files import image_size
from ...parts.shape_rules import Shape
from ..drawn_labels import DrawnLabels
from .export import attribute, element_mask, number, pieces
from .frames import CvatTask

_KINDS = {'true': 'amodal', 'amodal': 'amodal', 'false': 'visible', 'visible': 'visible',
          '': 'visible'}


@dataclass(frozen=True, slots=True)
class ShapeOptions:
    """What shapes mean.

    Attributes:
        labels: What the labels mean.
        instance_attribute: Attribute that is the identity; None: the group,
            else the track.
        amodal_attribute: Attribute that says whether a shape is amodal, or None.
    """

    labels: DrawnLabels = field(default_factory=DrawnLabels)
    instance_attribute: str | None = None
    amodal_attribute: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of masks that are drawn."""
        return MASK_KINDS if self.amodal_attribute else self.labels.kinds


class CvatReader:
    """Reads the shapes of a task.

    Args:
        task: The task, its frames in place.
        options: What shapes mean.
    """

    def __init__(self, task: CvatTask, options: ShapeOptions) -> None:
        self._task = task
        self._options = options
        self._ids: dict[tuple[str, str], int] = {}
        self._seen: dict[int, set[int]] = defaultdict(set)
        self._tracks: set[tuple[str, int, str]] = set()

    @property
    def num_objects(self) -> int:
        """Number of objects that :meth:`shapes` found."""
        return len(self._seen)

    @property
    def num_lone(self) -> int:
        """How many of them are in one frame only, though there are several."""
        return (len(self._task.numbers) > 1) * sum(len(seen) == 1 for seen in self._seen.values())

    def shapes(self) -> Iterator[list[Shape]]:
        """The shapes of each frame, from back to front.

        Raises:
            ConversionError: The file is broken, a shape has no area or no
                identity, or belongs to no frame; names track and frame.
        """
        by_frame: dict[int, list[tuple[float, Shape]]] = defaultdict(list)
        size = self._task.head.size or image_size(self._task.paths[0])
        for frame, z_order, shape in self._all(size):
            by_frame[frame].append((z_order, shape))
            self._seen[shape.instance_id].add(frame)
        for frame in self._numbers(by_frame):
            yield [shape for _, shape in sorted(by_frame[frame], key=lambda pair: pair[0])]

    def _all(self, size: tuple[int, int]) -> Iterator[tuple[int, float, Shape]]:
        """(frame, z order, shape) of everything that is drawn, in the order of the file."""
        for piece in pieces(self._task.path):
            if piece.tag not in ('track', 'image'):
                continue
            frames: set[int] = set()
            for element in piece:
                if element.get('outside') == '1':
                    continue
                try:
                    frame = self._frame(piece, element, frames, size)
                    shape = self._shape(piece, element, size)
                    if shape is not None and piece.tag == 'track':
                        self._check_track(piece, frame, shape)
                    z_order = number(element, 'z_order') if 'z_order' in element.attrib else 0.
                except ConversionError as error:
                    at = f', frame {element.get("frame")}' if piece.tag == 'track' else ''
                    raise ConversionError(
                        f'{self._task.path}: {piece.tag} {piece.get("id")}{at}, {element.tag} '
                        f"('{self._label(piece, element)}'): {error}") from None
                if shape is not None:
                    yield frame, z_order, shape

    @staticmethod
    def _frame(piece: Element, element: Element, seen: set[int], size: tuple[int, int]) -> int:
        """Frame of a shape; a track has one shape per frame, ``seen`` collects them."""
        if piece.tag == 'image':
            stated = int(number(piece, 'height')), int(number(piece, 'width'))
            if stated != size:
                raise ConversionError(f'was drawn on {stated[1]} x {stated[0]} pixels, but the '
                                      f'frames have {size[1]} x {size[0]}; use the frames that '
                                      'were labelled, all of one size')
            return int(number(piece, 'id'))
        frame = int(number(element, 'frame'))
        if frame in seen:
            raise ConversionError('the track has two shapes in this frame; export the task again')
        seen.add(frame)
        return frame

    def _check_track(self, piece: Element, frame: int, shape: Shape) -> None:
        """Refuse two tracks of one id in a frame: they would be parts of one object."""
        key = piece.get('id', ''), frame, shape.kind
        if key in self._tracks:
            raise ConversionError('another track of the same id is in this frame; give the two '
                                  'different ids, or export the task again')
        self._tracks.add(key)

    def _shape(self, piece: Element, element: Element, size: tuple[int, int]) -> Shape | None:
        written = self._label(piece, element)
        if written in self._options.labels.leave_out:
            return None
        label, kind = self._options.labels.split(written)
        if self._options.amodal_attribute:
            kind = self._kind(element)
        key = self._identity(piece, element)
        instance_id = self._ids.setdefault(key, len(self._ids) + 1)
        return Shape(instance_id, label, kind, element_mask(element, size))

    @staticmethod
    def _label(piece: Element, element: Element) -> str:
        return (piece if piece.tag == 'track' else element).get('label', '')

    def _kind(self, element: Element) -> str:
        name = self._options.amodal_attribute
        value = attribute(element, name)
        kind = _KINDS.get((value or '').strip().lower())
        if kind is None:
            raise ConversionError(f"the attribute '{name}' is '{value}', expected one of "
                                  f'{[*filter(None, _KINDS)]}; correct it in CVAT')
        return kind

    def _identity(self, piece: Element, element: Element) -> tuple[str, str]:
        name = self._options.instance_attribute
        if name:
            value = attribute(element, name)
            if not value:
                raise ConversionError(f"has no attribute '{name}', which says what object it is; "
                                      'fill it in in CVAT')
            return name, value
        owner = piece if piece.tag == 'track' else element
        group = owner.get('group_id')
        if group not in (None, '', '0'):
            return 'group', group
        if piece.tag == 'track':
            return 'track', piece.get('id', '')
        if len(self._task.numbers) == 1:
            return 'shape', str(len(self._ids))
        raise ConversionError('belongs to no group, so it is not known which object of the video '
                              'it is; group the shapes of an object in CVAT, export tracks as '
                              '"CVAT for video 1.1", or use --instance-attribute')

    def _numbers(self, by_frame: dict[int, list[tuple[float, Shape]]]) -> list[int]:
        """Frame numbers as the shapes state them: in the video, or counted from 0."""
        for numbers in (self._task.numbers, list(range(len(self._task.numbers)))):
            if by_frame.keys() <= set(numbers):
                return numbers
        strange = min(by_frame.keys() - set(self._task.numbers))
        raise ConversionError(f'{self._task.path}: frame {strange} has shapes, but the task has '
                              f'only {len(self._task.numbers)} frames; export the task again')
