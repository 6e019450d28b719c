from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from vatrack.visualization.palette import (
    CHART_COLORS,
    KIND_COLORS,
    distinct_colors,
    text_color,
    track_color,
)


def linear(color: tuple[int, int, int]) -> np.ndarray:
    srgb = np.array(color) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055)**2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    to_lms = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                       [0.2119034982, 0.6806995451, 0.1073969566],
                       [0.0883024619, 0.2817188376, 0.6299787005]])
    to_lab = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                       [1.9779984951, -2.4285922050, 0.4505937099],
                       [0.0259040371, 0.7827717662, -0.8086757660]])
    return to_lab @ np.cbrt(to_lms @ rgb)


# Machado et al., "A physiologically-based model for simulation of color vision deficiency", 2009,
# complete deficiency, on linear RGB.
VISION = {
    'normal': np.eye(3),
    'protanopia': np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    'deuteranopia': np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    'tritanopia': np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]])
}


def as_seen(color: tuple[int, int, int], vision: str) -> np.ndarray:
    """A colour in OKLab, as seen with a kind of vision."""
    return oklab((VISION[vision] @ linear(color)).clip(0, 1))


def seen(track_id: int, vision: str) -> np.ndarray:
    return as_seen(track_color(track_id), vision)


def closest(ids: range, vision: str) -> float:
    return closest_of([track_color(track_id) for track_id in ids], vision)


def closest_of(colors: list[tuple[int, int, int]], vision: str) -> float:
    labs = [as_seen(color, vision) for color in colors]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(labs, 2))


def test_colors_are_stable_for_any_integer():
    assert track_color(0) == (179, 97, 248)
    assert track_color(np.int64(7)) == track_color(7) == track_color(7 + 24 * 10**15)
    assert track_color(-1) == track_color(23)
    assert len(set(map(track_color, range(24)))) == 24


@pytest.mark.parametrize('vision', VISION)
def test_all_viewers_tell_the_first_colors_apart(vision):
    """The golden-angle hues in use before came as close as 0.003 with protanopia."""
    assert closest(range(8), vision) > 0.08
    assert closest(range(12), vision) > 0.075
    assert closest(range(24), vision) > 0.04


def test_normal_vision_has_more():
    assert closest(range(12), 'normal') > 0.14
    assert closest(range(24), 'normal') > 0.075


@pytest.mark.parametrize('track_id', range(24))
def test_colors_stand_out_from_black_and_white(track_id):
    luminance = linear(track_color(track_id)) @ (0.2126, 0.7152, 0.0722)
    assert (luminance + 0.05) / 0.05 > 5
    assert 1.05 / (luminance + 0.05) > 1.4
    assert np.hypot(*seen(track_id, 'normal')[1:]) > 0.09


@pytest.mark.parametrize('color', [track_color(i) for i in range(24)])
def test_text_has_contrast_on_its_label(color):
    first, second = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) for c in (color, text_color(color)))
    assert (second + 0.05) / (first + 0.05) > 3


@pytest.mark.parametrize('vision', VISION)
def test_all_viewers_tell_bars_apart(vision):
    assert closest_of(list(CHART_COLORS), vision) > 0.075
    assert closest_of(list(KIND_COLORS.values()), vision) > 0.2


def test_others_never_have_the_colours_of_the_first():
    colors = distinct_colors(20, 10)
    assert colors[:20] == [track_color(k) for k in range(20)]
    assert set(colors[20:]) == {track_color(k) for k in range(20, 24)}
    assert distinct_colors(2, 1) == [track_color(k) for k in range(3)]
    assert len(distinct_colors(30, 5)) == 35
