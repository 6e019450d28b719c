"""Errors of classes that a config names become one line with key and class."""
from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from vatrack.apis.build_errors import build_fault
from vatrack.apis.config import ConfigError, config_errors
from vatrack.datasets.clip_samplers import KeyReferenceSampler
from vatrack.datasets.transforms import with_scale
from vatrack.files import AnnotationError
from vatrack.registry import DATASETS, MODELS


@pytest.fixture(autouse=True)
def config_file(tmp_path, monkeypatch):
    """The file that a config says it is of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').touch()


def fault_of(build, config: dict) -> str:
    """The line about building a config, without the name of the file."""
    config = Config(config, filename='mine.py')
    with (pytest.raises(ConfigError) as caught, config_errors(config),
          DefaultScope.overwrite_default_scope('vatrack')):
        build(config)
    where, sign, fault = str(caught.value).partition('mine.py: ')
    assert (where, sign) == ('', 'mine.py: ') and '\n' not in fault
    return fault


@pytest.mark.parametrize(('node', 'fault'), [
    (dict(type='ResNet', depth=19), 'model (ResNet): invalid depth 19 for resnet'),
    (dict(type='ResNet', depth=18, width=3), "model: ResNet takes no 'width'"),
    (dict(type='ResNett', depth=18), "model.type: there is no model 'ResNett'; did you mean "
                                     "'ResNet'?"),
    (dict(type='ResNet', depth=18, norm_cfg=dict(type='GN', num_groups=7)),
     'model.norm_cfg (GN): num_channels (64) must be divisible by num_groups (7)'),
    (dict(type='FPN', in_channels=[8, 8], out_channels=8, num_outs=1),
     'model (FPN): assert num_outs >= '),
    (dict(type='QDTracker', match_metric='x'), 'model (QDTracker): match_metric must be one of'),
    (dict(type='QDTracker', match_score_thr=1.5), 'model (QDTracker): match_score_thr must be'),
    (dict(type='MTTracker', match_score_thr=-1), 'model (MTTracker): match_score_thr must be'),
    (dict(depth=3), 'model: '),
], ids=lambda value: value.get('type') if isinstance(value, dict) else '')
def test_class_that_refuses_a_value_is_named_with_its_key(node, fault):
    assert fault_of(lambda config: MODELS.build(config.model), dict(model=node)).startswith(fault)


def test_key_is_that_of_the_innermost_part():
    dataset = dict(type='AmodalVideoDataset', ann_file='x.json', lazy_init=True,
                   clip_sampler=dict(type='KeyReferenceSampler', scope=3, num_refs='x'))
    fault = fault_of(lambda config: DATASETS.build(config.train_dataloader.dataset),
                     dict(train_dataloader=dict(dataset=dataset)))
    assert fault.startswith('train_dataloader.dataset.clip_sampler (KeyReferenceSampler): '
                            "TypeError: '<' not supported")


def test_scale_that_is_no_size():
    dataset = dict(type='AmodalVideoDataset', ann_file='x.json', lazy_init=True, scale=(96.5, 64),
                   pipeline=[dict(type='Resize')])
    assert fault_of(lambda config: DATASETS.build(config.dataset), dict(dataset=dataset)) == (
        'dataset (AmodalVideoDataset): scale must be (width, height) in whole pixels, got '
        '(96.5, 64)')


def test_data_loader_is_named_by_its_key():
    loader = dict(batch_size=1, sampler=dict(type='DefaultSampler'), dataset=[1, 2], timeout=-1)
    assert fault_of(lambda config: Runner.build_dataloader(config.train_dataloader),
                    dict(train_dataloader=loader)) == (
        'train_dataloader: timeout option should be non-negative')


def test_misspelt_optimizer():
    optimizer = dict(type='Adamw', lr=0.1)
    fault = fault_of(lambda config: build_optim_wrapper(torch.nn.Linear(1, 1),
                                                        config.optim_wrapper),
                     dict(optim_wrapper=dict(type='OptimWrapper', optimizer=optimizer)))
    assert fault == "optim_wrapper (OptimWrapper): there is no 'Adamw'; did you mean 'Adam'?"


def test_scope_without_the_classes_of_vatrack():
    def build(config):
        with DefaultScope.overwrite_default_scope('mmengine'):
            MODELS.parent.parent.build(config.model)

    assert "need default_scope='vatrack'" in fault_of(
        build, dict(default_scope='mmengine', model=dict(type='QDTracker')))


class NeedsPackage:
    """As a backend of mmengine: it imports when it is used."""

    def use(self) -> None:
        raise ImportError('Please run "pip install wandb" to install wandb')


def test_missing_package_is_named_with_what_needs_it():
    backends = [dict(type='LocalVisBackend'), dict(type='NeedsPackage')]
    assert fault_of(lambda config: NeedsPackage().use(),
                    dict(visualizer=dict(vis_backends=backends))) == (
        'visualizer.vis_backends.1 (NeedsPackage): Please run "pip install wandb" to install '
        'wandb, or take it out of the config')


@pytest.mark.parametrize('error', [
    AnnotationError('a.json: damaged'), MemoryError(), torch.OutOfMemoryError('CUDA'),
    KeyboardInterrupt()])
def test_what_is_not_of_the_config_stays_what_it_is(error):
    class Broken:
        def __init__(self) -> None:
            raise error

    config = Config(dict(model=dict(type=Broken)), filename='mine.py')
    with pytest.raises(type(error)) as caught, config_errors(config):
        MODELS.build(config.model)
    assert caught.value is error


def test_checks_of_vatrack_while_a_model_runs():
    sampler = KeyReferenceSampler(scope=3, num_refs=1)
    sampler.scope = 'x'
    with pytest.raises(TypeError), config_errors(Config({}, filename='mine.py')):
        sampler.sample(1, 0, 4)
    assert fault_of(lambda config: with_scale([dict(type='Resize')], None), {}).startswith(
        'a Resize of the pipeline has no scale; give the dataset one')


def test_errors_outside_of_builders_are_no_faults():
    try:
        int('x')
    except ValueError as error:
        assert build_fault(Config({}), error) is None
