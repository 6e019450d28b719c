"""How PCNet-M is trained: objects that are covered on purpose, and the loss of what is hidden."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_clips import moving_block, random_clips

from vatrack.models.completion import Completed, ImageUNet, SaVos, SelfOcclusion
from vatrack.models.completion.geometry import carry, read_motion, visible_motion
from vatrack.structures.object_clips import ObjectClips

PLAIN = dict(flip=0., shift=0., scale=(1., 1.))


def blobs(count: int = 4, frames: int = 3, seed: int = 0) -> ObjectClips:
    """Ellipses of different sizes in 48 x 64 windows anywhere; image and flow say whose."""
    random = np.random.default_rng(seed)
    visible = torch.zeros(count, frames, 48, 64, dtype=torch.bool)
    y, x = torch.meshgrid(torch.arange(48), torch.arange(64), indexing='ij')
    for row in range(count):
        width, height = random.uniform(5, 11), random.uniform(5, 11)
        for t in range(frames):
            visible[row, t] = ((x - 32 - t) / width) ** 2 + ((y - 24) / height) ** 2 < 1
    origins = random.integers(-50, 50, (count, 1, 2)) + random.integers(-2, 3, (count, frames, 2))
    whose = torch.arange(count)[:, None, None, None, None].expand(-1, frames, 3, 48, 64)
    return ObjectClips(
        visible=visible, others=torch.zeros_like(visible),
        origins=torch.from_numpy(origins),
        boxes=torch.tensor([16., 8, 48, 40]).expand(count, frames, 4),
        valid=torch.ones(count, frames, dtype=torch.bool), image=whose.to(torch.uint8) + 10,
        forward=whose[:, :, :2].float(), backward=-whose[:, :, :2].float())


def tight(mask: torch.Tensor) -> torch.Tensor:
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    return mask[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def corner(mask: torch.Tensor) -> torch.Tensor:
    return torch.stack([mask.any(0).nonzero()[0, 0], mask.any(1).nonzero()[0, 0]])


@pytest.mark.parametrize('level', ['frame', 'clip'])
def test_every_object_is_cut_by_another_one(level):
    torch.manual_seed(0)
    clips = blobs()
    shown = SelfOcclusion(level, cover_probability=1., cut=(0.05, 0.6), **PLAIN).prepare(clips)
    assert torch.equal(shown.amodal, clips.visible)
    assert torch.equal(shown.visible, clips.visible & ~shown.others)
    share = 1 - shown.visible.sum((-2, -1)) / clips.visible.sum((-2, -1))
    inside = (share >= 0.05) & (share <= 0.6)
    assert inside.all() if level == 'frame' else inside.any(1).all()
    for row in range(len(clips)):
        partners, ways = set(), set()
        for t in range(clips.num_frames):
            front = shown.others[row, t]
            partner = int(shown.image[row, t, 0][front].unique()) - 10
            assert partner != row
            # Its own shape, unless the window cuts it; its image and its flow come along.
            times = range(clips.num_frames) if level == 'frame' else [t]
            whole = not (front[0].any() or front[-1].any() or front[:, 0].any()
                         or front[:, -1].any())
            assert not whole or any(torch.equal(tight(front), tight(clips.visible[partner, time]))
                                    for time in times)
            assert (shown.forward[row, t][:, front] == partner).all()
            assert (shown.backward[row, t][:, ~front] == -row).all()
            if whole:
                way = (corner(front) + clips.origins[row, t]
                       - corner(clips.visible[partner, t]) - clips.origins[partner, t])
                ways.add(tuple(way.tolist()))
            partners.add(partner)
        if level == 'clip':
            assert len(partners) == 1 and len(ways) <= 1


def test_two_cases_in_their_proportion():
    torch.manual_seed(0)
    clips = blobs(count=40, frames=5)
    shown = SelfOcclusion(**PLAIN).prepare(clips)
    assert not (shown.visible & shown.others).any()
    whole = (shown.visible == shown.amodal).flatten(2).all(2)  # case 2: B lies behind
    assert 0.13 < whole.float().mean() < 0.27


def test_validation_is_always_of_the_same_clips():
    clips = blobs()
    objective = SelfOcclusion()
    fixed = [objective.eval().prepare(clips) for _ in range(2)]
    drawn = [objective.train().prepare(clips) for _ in range(2)]
    assert torch.equal(fixed[0].others, fixed[1].others)
    assert not torch.equal(drawn[0].others, drawn[1].others)


def test_boxes_overlap_as_asked():
    torch.manual_seed(0)
    size = torch.rand(5000, 2, 2) * 30 + 5
    start = torch.rand(5000, 2, 2) * 100
    own, other = torch.cat([start, start + size], dim=-1).unbind(1)
    for least, most in ((0.4, 1.0), (0.3, 0.6)):
        way = SelfOcclusion(overlap=(least, most))._place(own, other).repeat(1, 2)
        lower = torch.maximum(own[:, :2], (other + way)[:, :2])
        upper = torch.minimum(own[:, 2:], (other + way)[:, 2:])
        share = (upper - lower) / size.amin(1)
        # Whole pixels: half a pixel of the smallest side is a tenth.
        assert least - 0.11 < share.min() < least + 0.02 and most - 0.02 < share.max() < most + 0.11


def test_what_cannot_be_covered_stays_as_it_is():
    torch.manual_seed(0)
    clips = blobs(count=2)
    hidden = clips.visible.clone()
    hidden[0, 1] = False
    clips = replace(clips, visible=hidden)
    shown = SelfOcclusion(cover_probability=1., **PLAIN).prepare(clips)
    assert not shown.others[0, 1].any() and shown.others[0, 0].any()
    unlucky = SelfOcclusion(cut=(0.99, 1.0), overlap=(0.1, 0.2), tries=3, **PLAIN).prepare(clips)
    assert not unlucky.others.any() and torch.equal(unlucky.visible, clips.visible)
    alone = SelfOcclusion(cover_probability=1., **PLAIN).prepare(clips[1:])  # by itself
    assert alone.others.flatten(2).any(2).all()
    with pytest.raises(ValueError, match="'video'"):
        SelfOcclusion(level='video')


def test_mirrored_clips_move_as_mirrored_objects_do():
    clips = moving_block(hidden=None)
    clips = replace(clips, origins=clips.origins + torch.arange(5)[None, :, None], visible=torch.
                    stack([each.roll((-t, -t), (0, 1)) for t, each in
                           enumerate(clips.visible[0])])[None],
                    forward=torch.stack([each.roll((-t, -t), (1, 2)) for t, each in
                                         enumerate(clips.forward[0])])[None])
    for flip in (0., 1.):
        objective = SelfOcclusion('clip', cut=(2., 3.), flip=flip, shift=0., scale=(1., 1.))
        shown = objective.prepare(clips)
        assert (shown.forward[0, 0, 0].max() > 0) == (flip == 0)
        motion, mean = visible_motion(shown.visible, shown.forward)
        shift = torch.diff(shown.origins[0], dim=0)
        motion = read_motion(motion[0, :-1], mean[0, :-1], shift)
        moved = carry(shown.visible[0, :-1, None].float(), motion, shift)[:, 0] > 0.5
        assert torch.equal(moved, shown.visible[0, 1:]) and moved.any()
        centre = (shown.boxes[0, :, 0] + shown.boxes[0, :, 2]) / 2
        if flip:
            expected = 2 * clips.origins[0, 0, 0] + 40 - (clips.boxes[0, :, ::2].sum(1) / 2)
            torch.testing.assert_close(centre, expected)


def test_boxes_are_moved_and_scaled_within_limits():
    torch.manual_seed(0)
    clips = blobs(count=40, frames=5)
    boxes = SelfOcclusion(flip=0., shift=0.2, scale=(0.8, 1.2)).prepare(clips).boxes
    size = boxes[..., 2:] - boxes[..., :2]
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    torch.testing.assert_close(size[..., 0], size[..., 1])
    assert 0.8 * 32 <= size.min() < 27 and 37 < size.max() <= 1.2 * 32 + 1e-4
    way = centre - torch.tensor([32., 24])
    assert 5.5 < way.abs().max() <= 0.2 * 32 + 1e-4


def test_loss_is_the_weighted_cross_entropy():
    torch.manual_seed(0)
    clips = blobs(count=2, frames=3)
    objective = SelfOcclusion(inside_weight=5., outside_weight=1.)
    shown = replace(objective.prepare(clips), boxes=torch.tensor(
        [10.2, 5., 40., 30.4]).expand(2, 3, 4) + clips.origins.repeat(1, 1, 2),
        origins=clips.origins)
    probability = torch.rand(clips.visible.shape)
    known = torch.tensor([[True, True, False], [True, False, True]])
    means = []
    for row in range(2):
        for t in range(3):
            terms = []
            for y in range(5, 30):  # pixels whose centres lie in the box
                for x in range(10, 40):
                    p = float(probability[row, t, y, x])
                    p = p if shown.amodal[row, t, y, x] else 1 - p
                    terms.append(-np.log(p) * (5 if shown.others[row, t, y, x] else 1))
            if known[row, t]:
                means.append(np.mean(terms))
    loss = objective(shown, Completed(probability, known))['loss_mask']
    np.testing.assert_allclose(float(loss), np.mean(means), rtol=1e-4)


@pytest.mark.parametrize('network', ['image', 'savos'])
def test_networks_learn_from_it(network):
    """PCNet-M; and SaVos's network with Self-Deocclusion's loss (supplement, Table 2)."""
    torch.manual_seed(0)
    if network == 'image':
        completer = ImageUNet(('visible', 'others'), (32, 32), width=8, depth=2)
        objective = SelfOcclusion('frame')
    else:
        completer = SaVos((32, 32), widths=(8, 8, 8, 8), motion_widths=(8, 8, 8, 8), hidden=8)
        objective = SelfOcclusion('clip')
    optimizer = torch.optim.Adam(completer.parameters(), lr=1e-2)
    clips = random_clips(count=3, frames=4, size=(40, 70))
    still = torch.zeros_like(clips.forward)
    shown = objective.prepare(replace(clips, forward=still, backward=still))
    losses = []
    for _ in range(40):
        loss = objective(shown, completer(shown))['loss_mask']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
