from __future__ import annotations

import numpy as np
import pytest

from vatrack.evaluation.box_overlap_rate import box_overlap_rate, frame_bor
from vatrack.structures import Frame, Instance, Video

SIZE = (20, 16)


@pytest.mark.parametrize(('boxes', 'expected'), [
    ([], None),
    ([[3, 3, 3, 8]], None),  # no width
    ([[30, 3, 35, 8]], None),  # outside of the frame
    ([[1, 1, 5, 5]], 0),
    ([[1, 1, 5, 5], [5, 1, 8, 5]], 0),  # they touch
    ([[1, 1, 5, 5], [1, 1, 5, 5]], 1),
    ([[0, 0, 4, 4], [1, 1, 2, 2]], 1 / 16),
    ([[0, 0, 2, 2], [1, 0, 3, 2]], 2 / 6),
    ([[0, 0, 4, 4], [2, 0, 6, 4], [3, 0, 7, 4]], 16 / 28),  # three on one place count once
    ([[0, 0, 2, 2], [10, 10, 14, 14], [12, 10, 16, 14]], 8 / 28),
    ([[-4, 0, 4, 4], [-4, 0, 2, 4]], 8 / 16),  # clipped at the left
    ([[0.5, 0, 1.25, 1], [1, 0, 2, 1]], .25 / 1.5)])
def test_by_hand(boxes, expected):
    found = box_overlap_rate(np.array(boxes, float), SIZE)
    assert found == (expected if expected is None else pytest.approx(expected, abs=1e-12))


@pytest.mark.parametrize('seed', range(4))
def test_equals_counting_pixels(seed):
    rng = np.random.default_rng(seed)
    low = rng.integers(-3, 14, (12, 2))
    boxes = np.hstack([low, low + rng.integers(1, 7, (12, 2))])
    cover = np.zeros(SIZE[::-1], int)
    for x1, y1, x2, y2 in boxes.clip(0, [*SIZE, *SIZE]):
        cover[y1:y2, x1:x2] += 1
    assert box_overlap_rate(boxes, SIZE) == pytest.approx(
        (cover >= 2).sum() / (cover >= 1).sum(), abs=1e-12)


def test_crowd_and_objects_without_a_box_are_left_out():
    boxes = [{'visible': (0, 0, 4, 4)}, {'visible': (2, 0, 6, 4)}, {'amodal': (0, 0, 9, 9)}]
    instances = [Instance(i, i, 1, {}, box) for i, box in enumerate(boxes)]
    frame, video = Frame(0, 0, 'x', instances), Video(1, 'x', *SIZE)
    assert frame_bor(video, frame) == pytest.approx(8 / 24)
    assert frame_bor(video, frame, 'amodal') == 0
    instances[1].iscrowd = True
    assert frame_bor(video, frame) == 0
