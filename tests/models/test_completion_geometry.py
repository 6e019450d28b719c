"""Windows, patches and motion: whole pixels stay exact, and every index means what it says."""
from __future__ import annotations

import pytest
import torch

from vatrack.models.completion.geometry import (
    carry,
    crop,
    fit_aspect,
    paste,
    read_motion,
    visible_motion,
)

EXACT = {'atol': 2e-6, 'rtol': 0}


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_crop_at_identity_scale_cuts_and_pads_with_zeros():
    windows = random(2, 3, 10, 12)
    origins = torch.tensor([[5, -3], [0, 0]])
    # In the windows: x 2..8, y 1..6 of the first; x -2..4, y -3..2 of the second.
    boxes = torch.tensor([[7., -2, 13, 3], [-2, -3, 4, 2]])
    patches = crop(windows, boxes, origins, (5, 6))
    torch.testing.assert_close(patches[0], windows[0, :, 1:6, 2:8], **EXACT)
    torch.testing.assert_close(patches[1, :, 3:, 2:], windows[1, :, :2, :4], **EXACT)
    assert patches[1, :, :3].eq(0).all() and patches[1, :, :, :2].eq(0).all()


def test_crop_averages_where_it_shrinks():
    window = random(1, 1, 8, 16)
    patch = crop(window, torch.tensor([[0., 0, 16, 8]]), torch.zeros(1, 2), (2, 4))
    torch.testing.assert_close(patch, torch.nn.functional.avg_pool2d(window, 4), **EXACT)


def test_paste_undoes_crop_at_identity_scale():
    windows = torch.zeros(2, 2, 12, 14)
    windows[:, :, 2:9, 3:12] = random(2, 2, 7, 9)
    origins = torch.tensor([[-4, 20], [7, 0]])
    boxes = torch.tensor([[-2., 21, 10, 31], [9, 1, 21, 11]])
    patches = crop(windows, boxes, origins, (10, 12))
    torch.testing.assert_close(paste(patches, boxes, origins, (12, 14)), windows, **EXACT)
    # Into a window that lies elsewhere, the content stays where it is in the frame.
    moved = paste(patches, boxes, origins + torch.tensor([3, -1]), (12, 14))
    torch.testing.assert_close(moved[:, :, 1:, :11], windows[:, :, :11, 3:], **EXACT)


@pytest.mark.parametrize('scale', [2, 4])
def test_paste_enlarges_as_torch_does(scale):
    patches = random(1, 2, 5, 6)
    boxes = torch.tensor([[0., 0, 6 * scale, 5 * scale]])
    pasted = paste(patches, boxes, torch.zeros(1, 2), (5 * scale, 6 * scale))
    torch.testing.assert_close(
        pasted[:, :, scale:-scale, scale:-scale], torch.nn.functional.interpolate(
            patches, scale_factor=scale, mode='bilinear')[:, :, scale:-scale, scale:-scale])


def test_mean_of_visible_motion_and_the_last_one_known_of_hidden_objects():
    visible = torch.zeros(1, 5, 2, 3, dtype=torch.bool)
    flow = random(1, 5, 2, 2, 3)
    visible[0, 1, 0, :2] = visible[0, 4, 1, 1:] = True
    motion, mean = visible_motion(visible, flow)
    first, last = flow[0, 1, :, 0, :2].mean(dim=1), flow[0, 4, :, 1, 1:].mean(dim=1)
    torch.testing.assert_close(mean[0], torch.stack([torch.zeros(2), first, first, first, last]))
    torch.testing.assert_close(motion[0, 1, :, 0, :2], flow[0, 1, :, 0, :2])
    assert motion[0, 1, 0, 1].eq(mean[0, 1, 0]).all() and motion[0, 3, 1].eq(mean[0, 3, 1]).all()


def test_flow_that_is_not_a_number_outside_the_object_does_not_matter():
    visible = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    flow = torch.full((1, 1, 2, 2, 2), torch.nan)
    motion, mean = visible_motion(visible, flow)
    assert mean.eq(0).all() and motion.eq(0).all()


def test_carry_by_whole_pixels_is_exact_wherever_the_windows_lie():
    frames = torch.zeros(2, 1, 40, 50)
    frames[0, 0, 10:16, 20:28] = random(6, 8)
    frames[1, 0, 13:19, 16:24] = frames[0, 0, 10:16, 20:28]  # 4 to the left, 3 down
    origins = torch.tensor([[17, 8], [12, 7]])  # of windows 14 high and 16 wide
    windows = torch.stack([frame[:, y:y + 14, x:x + 16]
                           for frame, (x, y) in zip(frames, origins.tolist(), strict=True)])
    motion = torch.tensor([-4., 3])[None, :, None, None].expand(1, 2, 14, 16)
    carried = carry(windows[:1], motion, origins[1:] - origins[:1])
    torch.testing.assert_close(carried, windows[1:], **EXACT)


def test_motion_is_read_in_the_window_of_the_target():
    field, elsewhere = random(1, 2, 6, 7), torch.tensor([[9., -9]])
    found = read_motion(field, elsewhere, torch.tensor([[2, -1]]))
    torch.testing.assert_close(found[:, :, 1:, :5], field[:, :, :5, 2:], **EXACT)
    assert found[0, 0, 0].allclose(torch.tensor(9.)) and found[0, 1, :, 5:].allclose(
        torch.tensor(-9.))
    assert read_motion(field, elsewhere, torch.zeros(1, 2)).equal(field)


def test_more_lookups_find_the_motion_that_arrives():
    # Growing by a quarter: what arrives at y was at y / 1.25, and moved by y / 5.
    x = torch.arange(32.)
    field = torch.stack([x / 4, x * 0]).expand(4, 2, 32).permute(1, 0, 2)[None]
    zeros = torch.zeros(1, 2)
    once = read_motion(field, zeros, zeros)[0, 0, 0]
    often = read_motion(field, zeros, zeros, lookups=8)[0, 0, 0]
    torch.testing.assert_close(once, x / 4)
    torch.testing.assert_close(often, x / 5, atol=1e-3, rtol=0)


def test_boxes_grow_to_the_aspect_of_the_patch():
    boxes = torch.tensor([[10., 10, 20, 20], [0, 0, 40, 10], [0, 0, 20, 10]])
    grown = fit_aspect(boxes, (64, 128))
    expected = torch.tensor([[5., 10, 25, 20], [0, -5, 40, 15], [0, 0, 20, 10]])
    torch.testing.assert_close(grown, expected)
    torch.testing.assert_close(fit_aspect(grown, (64, 128)), grown)
