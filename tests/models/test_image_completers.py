"""Completion of single images: the U-Net of PCNet-M, and shapes of a codebook."""
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_clips import moving_block, random_clips
from mmengine.config import Config
from scripts import REPO

from vatrack.models.completion import ImageUNet, ShapePriorNet, Supervised
from vatrack.models.completion.unet import UNet
from vatrack.registry import MODELS


def test_unet_has_the_parameters_of_pcnet_m():
    def double_conv(before: int, after: int) -> int:
        weights = 9 * before * after + 9 * after * after
        return weights + 2 * (after + 2 * after)  # biases, batch normalisation

    down = [(2, 32), (32, 64), (64, 128), (128, 256), (256, 256)]
    up = [(512, 128), (256, 64), (128, 32), (64, 32)]
    expected = sum(double_conv(*pair) for pair in down + up) + 32 * 2 + 2
    assert expected == 3_352_002
    assert sum(value.numel() for value in UNet(2).parameters()) == expected


@pytest.mark.parametrize('size', [(16, 16), (37, 50)])
def test_unet_keeps_sizes(size):
    assert UNet(3, 1, width=4)(torch.zeros(2, 3, *size)).shape == (2, 1, *size)


@pytest.mark.parametrize('network', [
    dict(type=ImageUNet, width=4, depth=2),
    dict(type=ShapePriorNet, width=4, depth=2, codes=4, priors=2, refine_channels=4)])
def test_each_frame_is_completed_from_itself(network):
    network = dict(network)
    torch.manual_seed(0)
    completer = network.pop('type')(patch_size=(32, 32), **network).eval()
    clips = random_clips(count=2, frames=3)
    whole = completer(clips)
    assert whole.probability.shape == clips.visible.shape
    assert torch.equal(whole.known, clips.valid)
    assert not whole.probability[:, :, :, 120:].any()  # beyond all boxes
    single = completer(clips[1:].part(range(1, 2)))
    torch.testing.assert_close(single.probability[0, 0], whole.probability[1, 1])


@pytest.mark.parametrize('completer', [
    dict(type=ImageUNet, inputs=('visible', 'others'), patch_size=(32, 32), width=8, depth=2),
    dict(type=ShapePriorNet, inputs=('visible', 'others'), patch_size=(32, 32), width=8, depth=2,
         codes=4, priors=2, refine_channels=8)])
def test_learns_what_it_is_told(completer):
    completer = dict(completer)
    torch.manual_seed(0)
    network = completer.pop('type')(**completer)
    clips = moving_block(frames=4)
    objective = Supervised(reduction='mean')
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = objective(clips, network(clips))['loss_mask']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.1 * losses[0]
    hidden = clips.amodal & clips.others
    assert (network(clips).probability[hidden] > 0.5).float().mean() > 0.9


def test_inputs_are_checked():
    with pytest.raises(ValueError, match='flow'):
        ImageUNet(inputs=('visible', 'flow'))
    with pytest.raises(ValueError, match='halved 4 times'):
        ImageUNet(patch_size=(8, 64))
    with pytest.raises(ValueError, match='priors=9'):
        ShapePriorNet(codes=4, priors=9)
    assert ImageUNet().needs == {'image'}
    assert ImageUNet(inputs=('visible',)).needs == frozenset()
    with pytest.raises(ValueError, match='the clips have none'):
        ImageUNet(patch_size=(32, 32))(replace(random_clips(), image=None))


def test_codebook_is_the_means_of_the_shapes():
    """Two kinds of shapes, noisy: the centres of k-means are their means."""
    torch.manual_seed(0)
    network = ShapePriorNet(codes=2, priors=1, code_size=(4, 4), patch_size=(16, 16), depth=2)
    left, top = torch.zeros(4, 4), torch.zeros(4, 4)
    left[:, :2], top[:2] = 1, 1
    kinds = torch.arange(40) % 2
    shapes = torch.where(kinds[:, None, None] == 0, left, top) * (0.8 + 0.2 * torch.rand(40, 4, 4))
    network.learn_shapes(torch.stack([left, top]))  # the first ones are the first centres
    for batch in shapes.split(8):
        network.learn_shapes(batch)
    assert network.members.tolist() == [21, 21]
    for kind, first in enumerate((left, top)):
        expected = torch.cat([first[None], shapes[kinds == kind]]).mean(0)
        torch.testing.assert_close(network.retrieve(first[None])[0, 0], expected)


def test_codebook_is_learnt_in_training_alone_and_saved():
    torch.manual_seed(0)
    clips = moving_block(frames=4)
    settings = dict(inputs=('visible',), codes=3, priors=2, patch_size=(32, 32), width=4, depth=2)
    network = ShapePriorNet(**settings)
    network.eval()(clips)
    assert not network.members.any()
    assert not network.retrieve(torch.ones(1, 32, 32)).any()
    network.train()(clips)
    assert network.members.sum() == 4
    loaded = ShapePriorNet(**settings)
    loaded.load_state_dict(network.state_dict())
    assert torch.equal(loaded.codes, network.codes) and loaded.codes.any()


@pytest.mark.parametrize('path', sorted(
    path for path in (REPO / 'configs/_base_/completion').glob('*.py')
    if not path.stem.startswith('savos')), ids=lambda path: path.stem)
def test_configs_of_baselines_complete_and_learn(path):
    model = Config.fromfile(path).model
    if 'patch_size' in model.completer:
        model.completer.patch_size = (32, 32)
    torch.manual_seed(0)
    model = MODELS.build(model)
    clips = random_clips(count=2, frames=3, size=(40, 70))
    if model.objective is not None:
        loss = sum(model.loss(clips).values())
        loss.backward()
        assert torch.isfinite(loss) and loss > 0
    masks = model.eval().complete([clips[:1], clips[1:].part(range(2))])
    assert [mask.shape for mask in masks] == [(3, 40, 70), (2, 40, 70)]
    assert all((mask & seen).sum() == seen.sum() for mask, seen in zip(
        masks, (clips.visible[0], clips.visible[1, :2]), strict=True))
