"""Every config: it loads, its model has the size it should have, and it takes a step.

Steps are taken on frames of 96x64 with few regions. Models from ``_base_/models/tracked_rcnn_x101``
take theirs with a ResNeXt of 50 layers in 4 groups in place of 101 in 64, which would take minutes;
all else is as the config says. The full models are built without memory, on the meta device.
"""
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from scripts import REPO
from tiny_run import data_options

from vatrack.apis import load_config, parse_options
from vatrack.apis.config import build_runner, dicts_of
from vatrack.apis.weights import drop_pretrained
from vatrack.registry import MODELS
from vatrack.structures import masks_field

CONFIGS = sorted(path for path in (REPO / 'configs').rglob('*.py') if '_base_' not in path.parts)
CLASSES = ('fish', 'turtle', 'jellyfish', 'starfish', 'leaf')


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_there_are_configs():
    assert {'vatrack_qd_synthetic', 'vatrack_qd_sailvos', 'vatrack_qd_sailvos-cut'} <= {
        path.stem for path in CONFIGS}


def test_the_docstring_says_how_to_train_and_test(path):
    text = path.read_text()
    assert text.startswith('"""')
    if path.parent.name == 'configs':
        assert f'python tools/train.py configs/{path.name}' in text
        assert 'python tools/test.py' in text


def test_test_data_and_truth_are_one_file(path):
    """Data are named in several places of a config; they must not come apart."""
    config = load_config(path)
    for name in ('val', 'test'):
        dataset = config[f'{name}_dataloader'].dataset
        truth = Path(config[f'{name}_evaluator'].ann_file)
        assert Path(dataset.data_root, dataset.ann_file) == truth
        assert dataset.test_mode and config[f'{name}_dataloader'].sampler.type == 'VideoSampler'


def test_numbers_of_classes_agree(path):
    config = load_config(path)
    classes = [config[f'{name}_dataloader'].dataset.metainfo.classes
               for name in ('train', 'val', 'test')]
    assert classes[0] == classes[1] == classes[2]
    heads = {key: node.num_classes for key, node in dicts_of(config.model, 'model')
             if 'num_classes' in node}
    assert len(heads) == 3 and set(heads.values()) == {len(classes[0])}


def test_class_weights_have_one_entry_per_class_and_background():
    config = load_config(REPO / 'configs/vatrack/qd_sailvos-cut_released-code.py')
    head = config.model.detector.roi_head.bbox_head
    assert len(head.loss_cls.class_weight) == head.num_classes + 1


@pytest.fixture
def full_model(path: Path) -> torch.nn.Module:
    config = load_config(path)
    with DefaultScope.overwrite_default_scope('vatrack'), torch.device('meta'):
        return MODELS.build(config.model)


def test_full_model_is_built(path, full_model):
    assert full_model.detector.roi_head.mask_kinds == ('visible', 'amodal')
    parameters = sum(parameter.numel() for parameter in full_model.parameters())
    if load_config(path).model.detector.backbone.type == 'ResNeXt':
        assert parameters == 120_091_896  # as the public code of VATrack
    elif load_config(path).model.detector.backbone.depth == 18:
        assert parameters < 10e6


def small(path: Path, root: Path, work_dir: Path) -> Config:
    options = [
        *data_options(root),
        *(f'{name}_dataloader.dataset.metainfo.classes={CLASSES}'
          for name in ('train', 'val', 'test')),
        *(f'{name}_dataloader.dataset.pipeline.0.transforms.{index}.scale=(96, 64)'
          for name, index in [('train', 2), ('val', 1), ('test', 1)]),
        'train_dataloader.batch_size=1', 'test_dataloader.batch_size=1',
        'model.detector.train_cfg.rpn_proposal.max_per_img=20',
        'model.detector.train_cfg.rcnn.sampler.num=16',
        'model.detector.test_cfg.rpn.max_per_img=10',
        'model.track_head.train_cfg.sampler.num=16']
    config = load_config(path, parse_options(options))
    if config.model.detector.backbone.type == 'ResNeXt':
        config.model.detector.backbone.update(depth=50, groups=4)
    drop_pretrained(config)
    config.work_dir, config.log_level = str(work_dir), 'ERROR'
    return config


def test_one_step_of_training_and_of_testing(path, tiny_data, tmp_path):
    runner = build_runner(small(path, tiny_data, tmp_path))
    runner.train_loop, runner.test_loop  # noqa: B018  (built when asked for)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert runner.build_param_scheduler(runner.param_schedulers)
    model = runner.model

    model.train()
    losses = model.train_step(next(iter(runner.train_dataloader)), runner.optim_wrapper)

    assert {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'loss_visible_mask',
            'loss_amodal_mask', 'loss_track', 'loss_track_aux'} <= losses.keys()
    assert all(torch.isfinite(value).all() for value in losses.values())
    assert all(parameter.isfinite().all() for parameter in model.parameters())

    model.eval()
    with torch.no_grad():
        (clip,) = model.test_step(next(iter(runner.test_dataloader)))
    (frame,) = clip.video_data_samples
    found = frame.pred_track_instances
    assert {'bboxes', 'scores', 'labels', 'instances_id', masks_field('visible'),
            masks_field('amodal')} <= set(found.keys())
