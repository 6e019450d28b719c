"""Decoding a window of a mask, and reading its run lengths."""
from __future__ import annotations

import numpy as np
import pytest

from vatrack.structures.rle import are_whole, decode_window, encode, parse_counts


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


def test_many_masks_are_judged_as_one_by_one():
    """A mask among others is whole exactly if its own runs fill its image."""
    rng = np.random.default_rng(0)
    masks = [encode((rng.random((1, *rng.integers(1, 50, 2))) < density).repeat(4, 1))[0]
             for density in (0, .02, .5, 1) * 30]
    assert are_whole(masks) and are_whole([])
    outcomes = set()
    for _ in range(300):
        place = int(rng.integers(len(masks)))
        symbols = list(masks[place]['counts'])
        where, symbol = int(rng.integers(len(symbols))), chr(rng.integers(45, 115))
        symbols[where:where + int(rng.integers(2))] = [symbol] * int(rng.integers(2))
        damaged = {**masks[place], 'counts': ''.join(symbols)}
        try:
            runs = parse_counts(damaged['counts'])
            whole = bool(runs[0] >= 0 and (runs[1:] > 0).all()
                         and runs.sum() == np.prod(damaged['size']))
        except ValueError:
            whole = False
        assert are_whole([*masks[:place], damaged, *masks[place + 1:]]) == whole
        outcomes.add(whole)
    assert outcomes == {True, False}


@pytest.mark.parametrize('mask', [
    {'size': [2, 2], 'counts': ''}, {'size': [2, 2], 'counts': 'é'}, {'size': 4, 'counts': '4'},
    {'size': [2, 2], 'counts': [4]}, {'size': [2, '2'], 'counts': '4'}, {'size': [2, 2]}, None])
def test_what_is_no_mask_is_not_whole(mask):
    good = {'size': [2, 2], 'counts': '4'}
    assert are_whole([good]) and not are_whole([good, mask]) and not are_whole([mask, good])
