from __future__ import annotations

import json
from copy import deepcopy

import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny_run import tiny_config, train_tool

from vatrack.apis import ConfigError, set_amp, train
from vatrack.apis.config import build_runner
from vatrack.engine import Bf16OptimWrapper


@pytest.fixture
def config(tiny_data, tmp_path):
    return tiny_config(tiny_data, tmp_path)


def test_bf16_needs_no_loss_scale(config):
    before = deepcopy(config.optim_wrapper)
    set_amp(config, 'bf16')
    assert config.optim_wrapper == {**before, 'type': 'Bf16OptimWrapper'}


@pytest.mark.parametrize('gpu', [False, True])
def test_bf16_is_advised_against_on_a_cpu(config, monkeypatch, gpu):
    said = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setitem(set_amp.__globals__, 'print_log', lambda text, *_: said.append(text))
    set_amp(config, 'bf16')
    assert ['leave --amp out' in text for text in said] == [True] * (not gpu)


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


@pytest.mark.parametrize(('options', 'fault'), [
    (['compile=True'], 'compile cannot serve TrackedDetector'),
    (["compile={'backend': 'eager'}"], 'leave compile out'),
    (['train_dataloader.batch_size=64', 'train_dataloader.drop_last=True'],
     'train_dataloader.drop_last leaves out a batch that is not full, and 12 clips do not fill one '
     'of 64; give a smaller batch_size, or drop_last=False'),
    (['train_dataloader.num_batch_per_epoch=7'],
     'train_dataloader.num_batch_per_epoch is 7, but the data are 12 clips, 6 batches of 2; give '
     'at most as many, or leave it out to take all'),
    (["visualizer.vis_backends=[{'type': 'WandbVisBackend'}]"],
     'visualizer.vis_backends.0 (WandbVisBackend): Please run "pip install wandb"'),
    (['log_level=LOUD'], 'log_level: must be one of DEBUG, INFO, WARNING, ERROR'),
    (['env_cfg.mp_cfg.mp_start_method=x'], "cannot find context for 'x' (in setup_env)"),
    (['auto_scale_lr.enable=True'], 'Lack of `base_batch_size` in `auto_scale_lr`. (in scale_lr)'),
    (["activation_checkpointing=['x']"], "'TrackedDetector' object has no attribute 'x' (in"),
    (['optim_wrapper=None'], 'optim_wrapper must say what to build, got None'),
    (['val_cfg=None'], 'val_cfg is None; give all three, or None for all'),
    (['val_evaluator.ann_file=/nope.json'], '/nope.json: no such annotation file; it is val_eval'),
    (['launcher=pytorch'], '--launcher pytorch: RANK, '),
])
def test_what_cannot_be_trained_is_refused_before_it_is(tiny_data, tmp_path, options, fault):
    with pytest.raises(ConfigError) as caught:
        train(tiny_config(tiny_data, tmp_path, *options))
    assert fault in str(caught.value)
    assert not list(tmp_path.glob('*.pth'))


def test_all_clips_fill_whole_batches(tiny_data, tmp_path):
    train(tiny_config(tiny_data, tmp_path, 'train_dataloader.num_batch_per_epoch=1',
                      'train_dataloader.batch_size=12', 'train_dataloader.drop_last=True',
                      *(f'val_{name}=None' for name in ('dataloader', 'cfg', 'evaluator'))))
    assert (tmp_path / 'epoch_1.pth').is_file()


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
