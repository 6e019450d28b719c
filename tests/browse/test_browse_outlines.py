from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from vatrack.browse.outlines import UNIT, mask_paths
from vatrack.structures import rle as rle_codec

_PART = re.compile(r'M(-?\d+) (-?\d+)l([-\d ]+)(z?)')


def rle(mask: np.ndarray) -> rle_codec.RLE:
    return rle_codec.encode(mask[None])[0]


def polygons(data: str) -> list[np.ndarray]:
    """Corners (P, 2) of each part of path data, in UNIT; the whole text must be understood."""
    parts = list(_PART.finditer(data))
    assert ''.join(part[0] for part in parts) == data
    return [np.cumsum([[int(part[1]), int(part[2])],
                       *np.array(part[3].split(), int).reshape(-1, 2)], axis=0) for part in parts]


def painted(data: str, shape: tuple[int, int]) -> np.ndarray:
    """Even-odd fill of path data at UNIT times the size of the frame."""
    canvas = np.zeros((shape[0] * UNIT, shape[1] * UNIT), np.uint8)
    cv2.fillPoly(canvas, [corners.astype(np.int32) for corners in polygons(data)], 1)
    return canvas > 0


def agreement(data: str, mask: np.ndarray) -> float:
    large = mask.repeat(UNIT, axis=0).repeat(UNIT, axis=1) > 0
    drawn = painted(data, mask.shape)
    return (drawn & large).sum() / (drawn | large).sum()


def disc(shape: tuple[int, int], center: tuple[int, int], radius: int) -> np.ndarray:
    return cv2.circle(np.zeros(shape, np.uint8), center, radius, 1, -1)


def ring() -> np.ndarray:
    return disc((90, 120), (60, 45), 30) - disc((90, 120), (60, 45), 14)


def two_parts() -> np.ndarray:
    return disc((90, 120), (25, 25), 18) | disc((90, 120), (95, 60), 20)


def at_the_border() -> np.ndarray:
    return disc((90, 120), (4, 4), 25)


def of_half_the_frame() -> np.ndarray:
    return disc((500, 800), (400, 250), 220)


def thin() -> np.ndarray:
    mask = np.zeros((90, 120), np.uint8)
    mask[20:60, 30:33] = 1
    return mask


@pytest.mark.parametrize('make', [ring, two_parts, at_the_border, of_half_the_frame, thin])
def test_paths_enclose_their_masks(make):
    mask = make()
    paths = mask_paths({'amodal': rle(mask), 'visible': rle(mask)})
    assert agreement(paths['amodal'], mask) > .9
    assert paths['visible'] == paths['amodal']
    assert 'occluded' not in paths
    assert 'shown' not in paths


def test_areas_are_closed_lines():
    data = mask_paths({'visible': rle(ring())})['visible']
    assert data.count('M') == data.count('z') == 2


def test_the_occluded_part_is_its_own_area_and_cut_out_of_the_shown_outline():
    amodal, cover = disc((90, 120), (60, 45), 30), np.zeros((90, 120), np.uint8)
    cover[:, 60:] = 1
    paths = mask_paths({'amodal': rle(amodal), 'visible': rle(amodal & (1 - cover))})
    assert agreement(paths['occluded'], amodal & cover) > .9
    assert 'z' not in paths['shown']
    right = max(corners[:, 0].max() for corners in polygons(paths['shown']))
    left = min(corners[:, 0].min() for corners in polygons(paths['hidden']))
    assert (57 < right / UNIT < 63, 57 < left / UNIT < 63) == (True, True)


def test_an_object_that_is_hidden_has_no_solid_outline():
    paths = mask_paths({'amodal': rle(ring()), 'visible': rle(np.zeros((90, 120), np.uint8))})
    assert (paths['shown'], paths['hidden']) == ('', paths['amodal'])
    assert 'visible' not in paths
    assert agreement(paths['occluded'], ring()) > .9


def test_a_single_pixel_is_not_lost():
    mask = np.zeros((90, 120), np.uint8)
    mask[33, 44] = 1
    paths = mask_paths({'amodal': rle(mask)})
    assert np.abs(polygons(paths['amodal'])[0] / UNIT - (44.5, 33.5)).max() < .7
    assert np.abs(np.array(paths['anchor']) / UNIT - (44.5, 33.5)).max() < .7


def test_no_masks_and_empty_masks_have_no_path():
    assert mask_paths({}) == {}
    assert mask_paths({'visible': rle(np.zeros((90, 120), np.uint8))}) == {}


def test_labels_go_to_the_top_of_the_largest_part():
    mask = disc((90, 120), (25, 10), 2) | disc((90, 120), (80, 60), 20)
    x, y = (side / UNIT for side in mask_paths({'amodal': rle(mask)})['anchor'])
    assert (abs(x - 80.5) < 2, abs(y - 40.5) < 1.5) == (True, True)
