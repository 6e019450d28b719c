"""One colour per track: stable, and told apart by colour-blind viewers too."""
from __future__ import annotations

import numpy as np

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


def text_color(background: Color) -> Color:
    """Near-black or white, whichever reads better on ``background`` (RGB)."""
    luma = float(np.dot(background, (0.2126, 0.7152, 0.0722)))
    return (16, 16, 20) if luma > 110 else (255, 255, 255)
