"""What is drawn of an instance, and how it looks."""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vatrack.structures.rle import RLE

from .palette import Color, track_color

#: All that can be drawn of an instance, each by itself; ``docs/pictures.md`` shows them.
SHOWN = ('visible', 'amodal', 'occluded', 'boxes', 'ids', 'classes', 'scores')


@dataclass(slots=True)
class DrawnInstance:
    """One object of one frame as it is drawn.

    Attributes:
        track_id: Identity; picks the colour unless ``color`` is given.
        masks: RLE by mask kind; either kind may be absent, and all may be empty.
        label: Class name or any short text; may be empty.
        score: Confidence in [0, 1], or None for truth.
        color: RGB that replaces the colour of the track id.
        filled: Whether areas are painted, the filled mask and the hatch of the
            occluded part; else only outlines are.
        boxes: (x1, y1, x2, y2) in pixels of the frame by kind; None takes the
            tight boxes of the masks.
    """

    track_id: int
    masks: dict[str, RLE]
    label: str = ''
    score: float | None = None
    color: Color | None = None
    filled: bool = True
    boxes: dict[str, Sequence[float]] | None = None

    @property
    def rgb(self) -> Color:
        """Colour in which the instance is drawn."""
        return self.color or track_color(self.track_id)

    def caption(self, show: Collection[str] = SHOWN) -> str:
        """Text of the label beside it: those of track id, class and score that ``show`` names."""
        parts = {'ids': str(self.track_id), 'classes': self.label,
                 'scores': '' if self.score is None else f'{self.score:.2f}'}
        return ' '.join(text for name, text in parts.items() if text and name in show)


@dataclass(frozen=True, slots=True)
class DrawStyle:
    """How instances look.

    Attributes:
        show: What is drawn, names out of :data:`SHOWN`; by default all but ``'boxes'``.
        filled_kind: Kind of mask that is filled, if it is shown: ``'visible'``, or ``'amodal'``.
        fill_opacity: Opacity of the filled mask, in [0, 1].
        line_width: Width of outlines in pixels of the drawing; None fits it to the frame.
        font_size: Height of letters in pixels of the drawing; None fits it to the frame.

    Raises:
        ValueError: ``show`` names something else.
    """

    show: Collection[str] = frozenset(SHOWN) - {'boxes'}
    filled_kind: str = 'visible'
    fill_opacity: float = 0.45
    line_width: int | None = None
    font_size: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.show, str) or set(self.show) - set(SHOWN):
            raise ValueError(f'show must be a collection of names out of {", ".join(SHOWN)}; got '
                             f'{self.show!r}')
        object.__setattr__(self, 'show', frozenset(self.show))
