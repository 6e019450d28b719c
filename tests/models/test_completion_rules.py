"""Convex hulls and temporal aggregation, against plain loops over pixels."""
from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from made_clips import moving_block

from vatrack.models.completion import ConvexHull, TemporalAggregation
from vatrack.structures.object_clips import ObjectClips


def made_tracks(seed: int = 0) -> ObjectClips:
    """Two objects over 6 frames in moving windows, random masks and flow, one hidden once."""
    random = torch.Generator().manual_seed(seed)
    visible = torch.rand(2, 6, 9, 11, generator=random) < 0.3
    visible[1, 3] = False
    return ObjectClips(
        visible=visible, others=torch.zeros_like(visible),
        origins=torch.randint(-2, 3, (2, 6, 2), generator=random),
        boxes=torch.zeros(2, 6, 4), valid=torch.ones(2, 6, dtype=torch.bool),
        forward=2 * torch.randn(2, 6, 2, 9, 11, generator=random),
        backward=2 * torch.randn(2, 6, 2, 9, 11, generator=random))


def plain_aggregate(visible, flow, origins, target: int, start: int, step: int) -> np.ndarray:
    """Algorithm 1 of the supplement for one object and one frame, pixel by pixel."""
    height, width = visible.shape[1:]
    mean = np.zeros(2)
    for t in range(0 if step > 0 else len(visible) - 1, start, step):
        if visible[t].any():
            mean = flow[t][:, visible[t]].mean(axis=1)
    aggregated = visible[start]
    for t in range(start, target, step):
        if visible[t].any():
            mean = flow[t][:, visible[t]].mean(axis=1)
        moved = visible[t + step].copy()
        for y in range(height):
            for x in range(width):
                # The same place of the frame, in the window of frame t.
                sx, sy = np.array([x, y]) + origins[t + step] - origins[t]
                inside = 0 <= sx < width and 0 <= sy < height
                motion = flow[t][:, sy, sx] if inside and visible[t][sy, sx] else mean
                value = bilinear(aggregated, sx - motion[0], sy - motion[1])
                moved[y, x] |= value > 0.5
        aggregated = moved
    return aggregated


def bilinear(mask: np.ndarray, x: float, y: float) -> float:
    left, top, value = int(np.floor(x)), int(np.floor(y)), 0.0
    for column in (left, left + 1):
        for row in (top, top + 1):
            if 0 <= column < mask.shape[1] and 0 <= row < mask.shape[0] and mask[row, column]:
                value += (1 - abs(x - column)) * (1 - abs(y - row))
    return value


@pytest.mark.parametrize('k', [0, 1, 3, 9])
def test_aggregation_is_algorithm_1(k):
    clips = made_tracks()
    completed = TemporalAggregation(k)(clips)
    assert completed.known.all()
    for row in range(2):
        visible, ahead, back, origins = (value[row].numpy() for value in (
            clips.visible, clips.forward, clips.backward, clips.origins))
        for n in range(6):
            expected = (plain_aggregate(visible, ahead, origins, n, max(n - k, 0), 1)
                        | plain_aggregate(visible, back, origins, n, min(n + k, 5), -1))
            np.testing.assert_array_equal(completed.probability[row, n] > 0.5, expected)


def test_what_other_frames_show_completes_a_rigid_object():
    clips = moving_block()
    assert (clips.visible != clips.amodal).any()
    completed = TemporalAggregation(4)(clips)
    assert torch.equal(completed.probability > 0.5, clips.amodal)


def test_padding_changes_nothing():
    clips = made_tracks()
    short = ObjectClips.stack([clips[:1].part(range(4)), clips[1:]])
    for rule in (TemporalAggregation(3), ConvexHull()):
        alone = rule(clips[:1].part(range(4))).probability
        together = rule(short)
        assert torch.equal(together.probability[:1, :4], alone)
        assert not together.probability[0, 4:].any() and not together.known[0, 4:].any()


def test_hull_surrounds_all_parts_and_its_own_border():
    visible = torch.zeros(1, 2, 12, 12, dtype=torch.bool)
    visible[0, 0, 2, 2] = visible[0, 0, 2, 8] = visible[0, 0, 8, 2] = True
    visible[0, 0, 3, 3] = True  # a part inside
    clips = replace(made_tracks()[:1].part(range(2)), visible=visible)
    hull = ConvexHull()(clips).probability[0] > 0.5
    y, x = torch.meshgrid(torch.arange(12), torch.arange(12), indexing='ij')
    assert torch.equal(hull[0], (x >= 2) & (y >= 2) & (x + y <= 10))
    assert not hull[1].any()


def test_hull_of_a_drawn_polygon_is_at_least_the_polygon():
    mask = np.zeros((40, 40), np.uint8)
    cv2.fillPoly(mask, [np.array([[5, 9], [30, 4], [36, 25], [12, 34]])], 1)
    visible = torch.from_numpy(mask)[None, None] > 0
    clips = replace(made_tracks()[:1].part(range(1)), visible=visible)
    hull = ConvexHull()(clips).probability[0, 0] > 0.5
    assert (hull & visible[0, 0]).sum() == visible.sum() < hull.sum() < 1.1 * visible.sum()


def test_flow_is_asked_for():
    with pytest.raises(ValueError, match='make_flow'):
        TemporalAggregation(1)(replace(made_tracks(), forward=None))
    with pytest.raises(ValueError, match='k=-1'):
        TemporalAggregation(-1)
