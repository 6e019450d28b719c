from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from vatrack.apis import WeightsError
from vatrack.apis.weights import (
    check_checkpoint_file,
    check_resumable,
    drop_pretrained,
    fetch_pretrained,
    load_weights,
    train_from_scratch,
)


def pretrained(checkpoint: str | Path, **more) -> Config:
    backbone = dict(frozen_stages=1, norm_eval=True,
                    init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint)))
    return Config({'model': dict(detector=dict(backbone=backbone, heads=[
        dict(init_cfg=dict(type='Normal', std=0.01))])), **more})


@pytest.fixture
def net():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def save(net: nn.Module, path: Path, **more) -> Path:
    torch.save({'state_dict': net.state_dict(), **more}, path)
    return path


def test_drop_pretrained_leaves_other_initialisers():
    config = pretrained('a.pth')
    drop_pretrained(config)
    assert config.model.detector.backbone.init_cfg is None
    assert config.model.detector.heads[0].init_cfg == dict(type='Normal', std=0.01)
    assert config.model.detector.backbone.frozen_stages == 1


def test_from_scratch_trains_all_that_pretrained_weights_would_freeze():
    config = pretrained('a.pth', load_from='b.pth')
    train_from_scratch(config)
    backbone = config.model.detector.backbone
    assert (backbone.init_cfg, backbone.frozen_stages, backbone.norm_eval) == (None, -1, False)
    assert config.load_from is None


def test_pretrained_weights_that_are_there_are_fine(net, tmp_path):
    path = save(net, tmp_path / 'weights.pth')
    fetch_pretrained(pretrained(path, load_from=str(path)))


@pytest.mark.parametrize(('config', 'key'), [
    (pretrained('/nowhere/weights.pth'), 'model.detector.backbone.init_cfg.checkpoint=PATH'),
    (Config({'model': {}, 'load_from': '/nowhere/weights.pth'}), 'load_from=PATH'),
])
def test_missing_pretrained_weights_are_named_with_the_ways_out(config, key):
    with pytest.raises(WeightsError) as caught:
        fetch_pretrained(config)
    for part in ('/nowhere/weights.pth', f'--cfg-options {key}', '--from-scratch'):
        assert part in str(caught.value)


@pytest.mark.parametrize('content', [b'', b'\x80\x02}q\x00', b'not weights'])
def test_damaged_pretrained_weights_are_refused(tmp_path, content):
    (tmp_path / 'weights.pth').write_bytes(content)
    with pytest.raises(WeightsError, match='cannot get the pretrained weights'):
        fetch_pretrained(pretrained(tmp_path / 'weights.pth'))


def test_unknown_name_in_a_model_zoo_is_refused():
    with pytest.raises(WeightsError, match='torchvision://resnet5000'):
        fetch_pretrained(pretrained('torchvision://resnet5000'))


def test_a_download_cannot_hang(monkeypatch):
    """The socket timeout is set while the download runs, and only then."""
    timeouts = []

    def download(*_, **__):
        timeouts.append(socket.getdefaulttimeout())
        raise TimeoutError('timed out')

    monkeypatch.setattr(CheckpointLoader, 'load_checkpoint', download)
    before = socket.getdefaulttimeout()
    with pytest.raises(WeightsError, match=r'open-mmlab://resnext101_64x4d.*timed out'):
        fetch_pretrained(pretrained('open-mmlab://resnext101_64x4d'))
    assert timeouts == [30] and socket.getdefaulttimeout() == before


def test_load_weights_is_exact(net, tmp_path):
    path = save(net, tmp_path / 'weights.pth')
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    load_weights(other, path)
    assert all(torch.equal(a, b) for a, b in
               zip(net.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(('other', 'message'), [
    (nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)),
     r'of 7 entries 6 of another size \(for example 0.bias \(5,\) instead of \(4,\)\)'),
    (nn.Sequential(nn.Linear(3, 4)), r'5 missing \(for example 1.bias\)'),
    (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)),
     r'2 not of the model \(for example 2.bias\)'),
])
def test_other_architecture_is_refused(net, tmp_path, other, message):
    path = save(other, tmp_path / 'weights.pth', optimizer={}, meta={}, message_hub={})
    for check in (load_weights, check_resumable):
        with pytest.raises(WeightsError, match=message) as caught:
            check(net, path)
        assert str(path) in str(caught.value)


def test_truncated_checkpoint_is_refused(net, tmp_path):
    path = save(net, tmp_path / 'epoch_3.pth')
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r'epoch_3\.pth: not a complete checkpoint'):
        check_checkpoint_file(path)


def test_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(WeightsError, match='no such checkpoint'):
        check_checkpoint_file(tmp_path / 'epoch_3.pth')


def test_weights_without_training_state_cannot_be_resumed(net, tmp_path):
    path = save(net, tmp_path / 'weights.pth', meta={})
    with pytest.raises(WeightsError, match=r"no \['message_hub', 'optimizer'\].*load_from=PATH"):
        check_resumable(net, path)
    check_resumable(net, save(net, path, meta={}, optimizer={}, message_hub={}))
