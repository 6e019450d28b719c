"""What is drawn of an instance, and how it looks: options and colours."""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vatrack.structures.rle import RLE

Color = tuple[int, int, int]

#: Seam of lines, which keeps them readable on bright ground.
SHADE: Color = (12, 12, 16)

# Found by a search in OKLCH for sets whose closest pair is as far apart as possible in OKLab, as
# seen with normal vision, protanopia, deuteranopia and tritanopia (simulated after Machado et al.,
# "A physiologically-based model for simulation of color vision deficiency", 2009). Each colour is
# the one farthest from those before it, so that few tracks get colours that differ most; the first
# twelve are a set of their own. All stand out from black (contrast above 5) and white (1.4).
_COLORS = ('b361f8', 'd2df35', 'f94a0c', '61e8fe', '49c883', 'a5a7fb', 'faa9c1', 'fa55b6',
           '3e960b', 'ba6d7e', 'f59740', '219eca', 'f7cb86', 'a3e6b0', 'cc8662', 'bd81e1',
           '70c7ed', '1fea71', 'dcbe35', 'd59acf', 'ed779f', '8576dc', '66a774', 'a3b75c')
_RGB: tuple[Color, ...] = tuple(tuple(bytes.fromhex(color)) for color in _COLORS)

#: Colours of bars in charts, on white: Okabe and Ito, "Color Universal Design", 2008, but yellow.
CHART_COLORS: tuple[Color, ...] = tuple(tuple(bytes.fromhex(color)) for color in (
    '0072b2', 'd55e00', '009e73', 'e69f00', 'cc79a7', '56b4e9', '000000'))
#: Colours of what is of one kind of mask, in charts; amodal is red and visible blue in VATrack.
KIND_COLORS: dict[str, Color] = {'amodal': CHART_COLORS[1], 'visible': CHART_COLORS[0]}


def track_color(track_id: int) -> Color:
    """RGB colour (0-255) of a track id: always the same; ids 24 apart share one."""
    return _RGB[track_id % len(_RGB)]


def distinct_colors(first: int, others: int) -> list[Color]:
    """Colours of ``first`` identities, then of ``others``, which share none with those.

    With more than 24 in all, colours repeat; those of the first are taken by others only if there
    are none left.
    """
    free = range(first, len(_RGB)) or range(len(_RGB))
    return [*map(track_color, range(first)),
            *(track_color(free[rank % len(free)]) for rank in range(others))]


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
