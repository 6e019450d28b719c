from __future__ import annotations

import numpy as np
import pytest

from vatrack.visualization.areas import blend, plain, tint

COLOR = (250, 3, 90)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_plain():
    image = plain(4, 7, COLOR)
    assert image.shape == (4, 7, 3) and image.dtype == np.uint8
    assert (image == COLOR).all()
    assert plain(0, 5, COLOR).shape == (0, 5, 3)


@pytest.mark.parametrize('opacity', [0.0, 0.3, 1.0])
@pytest.mark.parametrize('density', [0.0, 0.03, 0.5, 1.0])
def test_blending_is_the_same_for_lines_and_areas(opacity, density):
    canvas, cover = noise(60, 90, 3), noise(40, 50)
    cover[np.random.default_rng(1).random(cover.shape) >= density] = 0
    weight = opacity / 255 * cover[..., None].astype(float)
    expected = canvas.astype(float)
    expected[10:50, 20:70] += (np.array(COLOR) - expected[10:50, 20:70]) * weight
    blend(canvas[10:50, 20:70], cover, COLOR, opacity)
    assert np.abs(canvas - expected).max() <= 1.01


def test_tint_changes_the_masked_pixels():
    canvas, mask = noise(30, 40, 3), (noise(20, 20) > 100).astype(np.uint8)
    before = canvas.copy()
    tint(canvas[5:25, 5:25], COLOR, 0.25, mask)
    inside = np.zeros((30, 40), bool)
    inside[5:25, 5:25] = mask
    assert (canvas[~inside] == before[~inside]).all()
    expected = before[inside] * 0.75 + 0.25 * np.array(COLOR)
    assert np.abs(canvas[inside] - expected).max() <= 0.51
