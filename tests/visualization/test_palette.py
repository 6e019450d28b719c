from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from vatrack.visualization.palette import text_color, track_color


def linear(color: tuple[int, int, int]) -> np.ndarray:
    srgb = np.array(color) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055)**2.4)


def oklab(color: tuple[int, int, int]) -> np.ndarray:
    to_lms = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                       [0.2119034982, 0.6806995451, 0.1073969566],
                       [0.0883024619, 0.2817188376, 0.6299787005]])
    to_lab = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                       [1.9779984951, -2.4285922050, 0.4505937099],
                       [0.0259040371, 0.7827717662, -0.8086757660]])
    return to_lab @ np.cbrt(to_lms @ linear(color))


def test_colors_are_stable_across_calls_and_runs():
    first = [track_color(i) for i in range(6)]
    track_color.cache_clear()
    assert [track_color(i) for i in reversed(range(6))] == first[::-1]
    assert track_color(0) == (255, 104, 160)
    assert len(set(map(track_color, range(200)))) == 200


@pytest.mark.parametrize('start', [0, 1, 17, 1000])
def test_neighbouring_ids_are_perceptually_distinct(start):
    labs = [oklab(track_color(i)) for i in range(start, start + 10)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(labs, 2)) > 0.08


def test_hues_go_all_around_the_circle():
    hues = sorted(np.arctan2(lab[2], lab[1]) for lab in map(oklab, map(track_color, range(12))))
    assert max(np.diff([*hues, hues[0] + 2 * np.pi])) < 1.0


@pytest.mark.parametrize('track_id', [0, 5, 12, 99, 123456])
def test_colors_are_visible_on_black_and_white(track_id):
    luminance = linear(track_color(track_id)) @ (0.2126, 0.7152, 0.0722)
    assert (luminance + 0.05) / 0.05 > 4.5
    assert 1.05 / (luminance + 0.05) > 1.5
    assert np.hypot(*oklab(track_color(track_id))[1:]) > 0.09


@pytest.mark.parametrize('color', [track_color(i) for i in range(12)])
def test_text_has_contrast_on_its_chip(color):
    first, second = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) for c in (color, text_color(color)))
    assert (second + 0.05) / (first + 0.05) > 3
