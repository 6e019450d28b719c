"""Test-time adaptation: it learns on the video, stops by the rule, and leaves no trace."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_clips import moving_block, random_clips
from torch import nn

from vatrack.models.completion import (
    Adaptation,
    Completed,
    ImageUNet,
    SaVos,
    SelfOcclusion,
    SelfSupervised,
)
from vatrack.structures.object_clips import ObjectClips


@pytest.fixture(scope='module')
def video() -> list[ObjectClips]:
    """A block of 6 frames, and rectangles of 5 and 3 frames that come padded."""
    still = replace(random_clips(size=(40, 70)), forward=torch.zeros(2, 6, 2, 40, 70),
                    backward=torch.zeros(2, 6, 2, 40, 70))
    padded = ObjectClips.stack([still[:1].part(range(5)), still[1:].part(range(3))])
    return [moving_block(frames=6), padded]


def image_network() -> ImageUNet:
    torch.manual_seed(0)
    return ImageUNet(('visible', 'others'), (32, 32), width=4, depth=2)


def test_leaves_no_trace(video):
    """Of weights, statistics, mode, gradients and random numbers; also if something fails."""
    network = image_network().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shown = video[0]
    with torch.no_grad():
        answer = network(shown).probability
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        with (pytest.raises(KeyError), Adaptation(lr=1e-2, max_iters=3).adapt(
                network, SelfOcclusion(), video) as rows):
            assert not torch.is_grad_enabled() and not network.training
            assert len(rows) == 4
            assert not torch.equal(network(shown).probability, answer)
            raise KeyError
        assert torch.equal(torch.rand(2), expected)
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not network.training and all(value.grad is None for value in network.parameters())
    assert torch.equal(network(shown).probability, answer)


def test_savos_fits_itself_to_a_video_and_the_same_way_each_time(video):
    torch.manual_seed(0)
    network = SaVos((16, 16), widths=[8] * 3, motion_widths=[8] * 3, hidden=8).eval()
    adaptation = Adaptation(lr=1e-2, max_iters=5)
    curves = []
    for seed in range(2):
        torch.manual_seed(seed)
        with adaptation.adapt(network, SelfSupervised(), video[:1]) as rows:
            curves.append(rows)
    assert curves[0] == curves[1]
    assert [row['iteration'] for row in rows] == list(range(len(rows)))
    assert rows[0]['loss'] is None and rows[-1]['loss'] < rows[1]['loss']
    assert rows[-1]['visible_iou'] != rows[0]['visible_iou']
    assert all('occluded_iou' in row for row in rows)


class Recorded(nn.Module):
    """A network of one number per visible IoU that is wanted next; records what it is shown."""

    def __init__(self, quality: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.quality, self.shown = list(quality), []

    def forward(self, clips: ObjectClips) -> Completed:
        self.shown.append((self.training, clips.num_frames, len(clips)))
        if self.training:
            return Completed(clips.visible * self.weight.sigmoid(), clips.valid)
        share = self.quality.pop(0)
        rows = torch.arange(10)[:, None].expand(10, 10) < round(10 * share)
        return Completed(rows.float().expand(clips.visible.shape), clips.valid)


class Square(nn.Module):
    """A loss that anything has, in training."""

    def __init__(self, factor: float = 1.) -> None:
        super().__init__()
        self.factor = factor

    def prepare(self, clips: ObjectClips) -> ObjectClips:
        assert self.training
        return clips

    def forward(self, clips: ObjectClips, completed: Completed) -> dict[str, torch.Tensor]:
        return dict(loss=completed.probability.square().sum() * self.factor, count=torch.ones(()))


def full_squares(frames: int, count: int = 1) -> ObjectClips:
    visible = torch.ones(count, frames, 10, 10, dtype=torch.bool)
    return ObjectClips(visible=visible, others=~visible, boxes=torch.zeros(count, frames, 4),
                       origins=torch.zeros(count, frames, 2, dtype=torch.long),
                       valid=torch.ones(count, frames, dtype=torch.bool))


@pytest.mark.parametrize(('quality', 'steps'), [
    ([0., .1, .2, .3, .4, .5, .6], 6),            # goes on gaining: to max_iters
    ([.1, .2, .3, .3, .3, .3, .3], 5),            # since iteration 2 nothing, 3 of patience
    ([.5, .4, .4, .4, .9, .9, .9], 3),            # nothing at first: stopped as soon as may be
])
def test_stops_when_visible_iou_gains_no_more(quality, steps):
    network = Recorded(quality)
    adaptation = Adaptation(max_iters=6, patience=3, clip_length=4)
    with adaptation.adapt(network, Square(), [full_squares(9)]) as rows:
        assert len(rows) == steps + 1
    assert [round(row['visible_iou'], 3) for row in rows] == quality[:steps + 1]
    trained = [shown for shown in network.shown if shown[0]]
    assert trained == [(True, 4, 1)] * steps  # clips of the length of training
    assert all(frames == 9 for training, frames, _ in network.shown if not training)


def test_all_tracks_take_part_in_each_step():
    network = Recorded([.5] * 10)
    adaptation = Adaptation(max_iters=1, batch_tracks=2)
    objective = Square().eval()
    with adaptation.adapt(network, objective, [full_squares(4, count=3)]) as rows:
        assert rows[0]['visible_iou'] == pytest.approx(.5)
    assert not objective.training
    assert [shown[2] for shown in network.shown if shown[0]] == [2, 1]
    assert rows[1]['loss'] == pytest.approx((2 * 2 + 1 * 1) / 3 * 4 * 100 * .25)


def test_visible_iou_is_that_of_the_paper(video):
    network = image_network().eval()
    with Adaptation(max_iters=1).adapt(network, SelfOcclusion(), video) as rows:
        pass
    seen, hidden = [], []
    for clip in (video[0], video[1][:1], video[1][1:].part(range(3))):
        probability = network(clip).probability[0]
        length = int(clip.valid.sum())
        for t in range(1, length - 1):
            mask, visible, others, amodal = (value.numpy() for value in (
                probability[t] > .5, clip.visible[0, t], clip.others[0, t], clip.amodal[0, t]))
            weight = 1 - others.astype(int)  # W of Eq. 5
            both, either = (weight * (mask & visible)).sum(), (weight * (mask | visible)).sum()
            seen.append(both / either)
            if (amodal & others).any():
                hidden.append((mask & amodal & others).sum() / ((mask | amodal) & others).sum())
    np.testing.assert_allclose(rows[0]['visible_iou'], np.mean(seen), atol=1e-6)
    np.testing.assert_allclose(rows[0]['occluded_iou'], np.mean(hidden), atol=1e-6)


def test_what_cannot_be_adapted_to():
    network = Recorded([.5] * 3)
    with Adaptation().adapt(network, Square(), [full_squares(2)]) as rows:
        assert rows == []
    named = moving_block(frames=4)
    with (pytest.raises(FloatingPointError, match='video made: the loss became nan'),
          Adaptation().adapt(image_network(), Square(float('nan')), [named])):
        pass
    with pytest.raises(ValueError, match='above 0'):
        Adaptation(lr=0)
