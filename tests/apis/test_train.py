from __future__ import annotations

import json
from copy import deepcopy

import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny_run import tiny_config, train_tool

from vatrack.apis import ConfigError, set_amp
from vatrack.apis.config import build_runner
from vatrack.engine import Bf16OptimWrapper


@pytest.fixture
def config(tiny_data, tmp_path):
    return tiny_config(tiny_data, tmp_path)


def test_bf16_needs_no_loss_scale(config):
    before = deepcopy(config.optim_wrapper)
    set_amp(config, 'bf16')
    assert config.optim_wrapper == {**before, 'type': 'Bf16OptimWrapper'}


def test_bf16_casts_the_forward_pass_alone():
    net = torch.nn.Linear(2, 2)
    wrapper = Bf16OptimWrapper(torch.optim.SGD(net.parameters(), lr=0.1))
    assert isinstance(wrapper, OptimWrapper)
    with wrapper.optim_context(net):
        loss = net(torch.ones(1, 2))
        assert loss.dtype == torch.bfloat16
    assert net(torch.ones(1, 2)).dtype == torch.float32
    before = net.weight.clone()
    wrapper.update_params(loss.float().sum())
    assert net.weight.dtype == torch.float32 and not torch.equal(net.weight, before)


def test_fp16_scales_the_loss(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    before = deepcopy(config.optim_wrapper)
    set_amp(config, 'fp16')
    assert config.optim_wrapper == {**before, 'type': 'AmpOptimWrapper', 'dtype': 'float16',
                                    'loss_scale': 'dynamic'}


def test_fp16_is_refused_without_a_gpu(config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match='needs a CUDA GPU'):
        set_amp(config, 'fp16')


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('dtype', ['bf16', 'fp16'])
def test_mixed_precision_on_a_gpu(tiny_data, tmp_path, dtype):
    assert train_tool(tiny_data, tmp_path, '--amp', dtype) == 0
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    losses = [json.loads(line) for line in scalars.read_text().splitlines() if '"loss"' in line]
    assert losses and all(torch.tensor(line['loss']).isfinite() for line in losses)


@pytest.mark.parametrize('objects', [True, False])
def test_every_parameter_has_a_gradient_whatever_the_batch_shows(config, objects):
    """Else DistributedDataParallel waits for it, and training in several processes stops."""
    runner = build_runner(config)
    batch = next(iter(runner.train_dataloader))
    if not objects:
        for clip in batch['data_samples']:
            for frame in clip.video_data_samples:
                frame.gt_instances = frame.gt_instances[:0]
    model = runner.model.train()
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert [name for name, parameter in model.named_parameters()
            if parameter.requires_grad and parameter.grad is None] == []
