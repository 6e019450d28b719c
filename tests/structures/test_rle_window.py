"""Decoding a window of a mask, and reading its run lengths."""
from __future__ import annotations

import numpy as np
import pytest

from vatrack.structures.rle import decode_window, encode, parse_counts


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((height, width)) < 0.4).astype(np.uint8)


@pytest.mark.parametrize('window', [(0, 0, 23, 37), (3, 5, 20, 30), (0, 36, 1, 37), (22, 0, 23, 1),
                                    (5, 5, 5, 5), (4, 0, 9, 37)])
@pytest.mark.parametrize('mask', [noise(37, 23, 0), noise(37, 23, 1), np.zeros((37, 23), np.uint8),
                                  np.ones((37, 23), np.uint8)])
def test_a_window_holds_the_pixels_of_the_mask(mask, window):
    x1, y1, x2, y2 = window
    found = decode_window(encode(mask[None])[0], window)
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    assert np.array_equal(found, mask[y1:y2, x1:x2])


def test_runs_of_all_lengths():
    runs = [0, 1, 31, 32, 1000, 5, 40_000, 3, 70_000, 1]
    mask = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
    rle = encode(mask.reshape(1, 1, -1))[0]
    assert parse_counts(rle['counts']).tolist() == runs


@pytest.mark.parametrize(('counts', 'message'), [('a\x7f', 'not a COCO RLE'), ('0P', 'not a COCO'),
                                                 ('PPPPPPPP0', 'above'), ('!', 'not a COCO')])
def test_damaged_strings_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        parse_counts(counts)
