"""Values of settings that no class can make sense of are refused before anything is built."""
from __future__ import annotations

import math

import pytest
from tiny_run import CONFIG, tiny_options

from vatrack.apis import ConfigError, load_config, parse_options
from vatrack.apis.settings import RULES, setting_faults

TRACKER = 'model.association.tracker'
DETECTOR = 'model.detector'


@pytest.mark.parametrize(('option', 'fault'), [
    ('train_dataloader.batch_size=0', 'must be a whole number of at least 1, got 0'),
    ('train_dataloader.batch_size=two', "must be a whole number of at least 1, got 'two', a text"),
    ('val_dataloader.batch_size=-3', 'must be a whole number of at least 1, got -3'),
    ('train_dataloader.num_workers=-1', 'must be a whole number of at least 0, got -1'),
    ('train_dataloader.num_batch_per_epoch=0', 'must be a whole number of at least 1, or None'),
    ('train_dataloader.persistent_workers=True', 'is True, but num_workers is 0'),
    ('train_dataloader.prefetch_factor=2', 'is 2, but num_workers is 0'),
    ('train_dataloader.dataset.scale=(0, 64)', 'must be a number above 0, got (0, 64)'),
    ('train_dataloader.dataset.metainfo.classes=()', 'a list of different names, at least one'),
    ("train_dataloader.dataset.metainfo.classes='fish'", "at least one, or None, got 'fish'"),
    ("train_dataloader.dataset.metainfo.classes=('fish', 'fish')", 'a list of different names'),
    ('train_dataloader.dataset.max_occlusion=75', 'must be a number from 0 to 1, or None, got 75'),
    ('train_dataloader.dataset.clip_sampler.num_refs=0', 'must be a whole number of at least 1'),
    ('train_dataloader.dataset.pipeline.0.transforms.3.prob=2', 'must be a number from 0 to 1'),
    ('train_cfg.max_epochs=0', 'must be a whole number of at least 1, got 0'),
    ("train_cfg={'type': 'IterBasedTrainLoop', 'max_iters': 0}", 'at least 1, got 0'),
    ('train_cfg.val_interval=0', 'must be a whole number of at least 1, got 0'),
    ('optim_wrapper.optimizer.lr=0,0025', "above 0, got '0,0025', a text; write 0.0025"),
    ('optim_wrapper.optimizer.lr=nan', "must be a number above 0, got 'nan', a text"),
    ('optim_wrapper.optimizer.lr=-1', 'must be a number above 0, got -1'),
    ('optim_wrapper.optimizer.lr=1e999', 'must be a number above 0, got inf'),
    ("param_scheduler=[{'type': 'MultiStepLR', 'milestones': 'x'}]", 'a list of whole numbers'),
    ('default_hooks.checkpoint.interval=0', 'or -1 for never, got 0'),
    ('randomness.seed=-1', 'must be a whole number from 0 to 2**32 - 1'),
    (f'{DETECTOR}.backbone.frozen_stages=9', 'must be a whole number from -1 (none) to 4'),
    (f'{DETECTOR}.rpn_head.loss_cls.loss_weight=-1', 'must be a number of at least 0, got -1'),
    (f'{DETECTOR}.test_cfg.rcnn.score_thr=1.5', 'must be a number from 0 to 1, or None, got 1.5'),
    (f'{DETECTOR}.neck.out_channels=0', 'must be a whole number of at least 1, got 0'),
    ('model.association.head.embed_head.embed_channels=0', 'at least 1, got 0'),
    ('model.data_preprocessor.std=[0, 0, 0]', 'must be a number above 0, got [0, 0, 0]'),
    (f'{TRACKER}.memo_momentum=1.5', 'must be a number from 0 to 1, got 1.5'),
    (f'{TRACKER}.memo_tracklet_frames=0', 'must be a whole number of at least 1, got 0'),
])
def test_impossible_values_are_refused_with_their_option(tmp_path, option, fault):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIG, parse_options(tiny_options(tmp_path, option)))
    key = option.partition('=')[0]
    assert str(caught.value).startswith(f'--cfg-options {key}')
    assert fault in str(caught.value)


def test_impossible_value_of_a_file_is_named_with_the_file(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\ntrain_dataloader = dict(batch_size=0)\n')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (f'{path}: train_dataloader.batch_size: must be a whole number of '
                                 'at least 1, got 0')


@pytest.mark.parametrize('node', [
    dict(prob=[0.2, 0.3], scale=(96, 64)), dict(scale=[(96, 64), (48, 32)]), dict(scale=(.8, 1.2)),
    dict(batch_size=2, num_workers=1, persistent_workers=True, prefetch_factor=4),
    dict(num_batch_per_epoch=None, max_occlusion=None, load_from=None),
    dict(frozen_stages=-1), dict(frozen_stages=5, num_stages=5), dict(ignore_iof_thr=-1),
    dict(neg_iou_thr=(0, 0.3)), dict(mask_thr_binary=-1), dict(match_score_thr=2.0),
    dict(interval=-1), dict(in_channels=[8, 16]), dict(lr=1), dict(loss_weight=0),
    # A config of its own, and settings of several parts.
    dict(scale=dict(type='Scale')), dict(loss_weight=dict(mask=1.0)), {3: 4},
])
def test_what_some_class_understands_is_accepted(node):
    assert list(setting_faults(node, 'x')) == []


@pytest.mark.parametrize('value', [math.nan, 'x', True, -5])
def test_every_rule_refuses_something(value):
    for names, rule in RULES.items():
        assert not all(map(rule.holds, (math.nan, 'x', True, -5, None))), names
    assert not RULES['max_epochs|max_iters|val_interval|accumulative_counts'].holds(value)


def test_faults_are_found_in_lists_with_their_keys():
    node = [dict(type='A'), dict(transforms=[dict(prob=2)])]
    assert list(setting_faults(node, 'pipeline')) == [
        ('pipeline.1.transforms.0.prob', 'must be a number from 0 to 1, got 2')]
