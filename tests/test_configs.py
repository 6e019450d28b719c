"""Every config: it says what its name says, its model has its size, and it takes a step.

``tests/config_names.py`` turns the name of a config into what is to be expected of it. Steps are
taken on frames of 96x64 with few regions and narrow layers; a ResNeXt has 50 layers in 4 groups in
place of 101 in 64. The models are built in full too, without memory, on the meta device.
"""
from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
import torch
from config_names import CONFIGS, Expected, difference, expected, variant_of
from mmengine.config import Config
from mmengine.registry import DefaultScope
from scripts import REPO
from tiny_run import data_options

from vatrack.apis import load_config, parse_options
from vatrack.apis.config import ConfigError, build_runner, check_association, dicts_of
from vatrack.apis.weights import drop_pretrained
from vatrack.registry import MODELS
from vatrack.structures import bboxes_field, masks_field

CLASSES = ('fish', 'turtle', 'jellyfish', 'starfish', 'leaf')


@pytest.fixture(scope='module', params=CONFIGS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope='module')
def config(path: Path) -> Config:
    """Read only."""
    return load_config(path)


@pytest.fixture(scope='module')
def named(path: Path) -> Expected:
    return expected(path)


def test_every_system_is_there_on_every_dataset():
    names = {path.stem for path in CONFIGS if path.parent.name == 'configs'}
    systems = {'vatrack_qd', 'vatrack_mt', 'vatrack-2box_qd', 'amodaltrack_qd', 'amodaltrack_mt',
               'qdtrack_qd', 'masktrack-rcnn_mt', 'maskamodal_none', 'maskjoint_none'}
    assert {f'{system}_{dataset}' for system in systems
            for dataset in ('sailvos-cut', 'sailvos', 'synthetic')} == names - {
                'vatrack_qd_fishbowl', 'vatrack_qd_own-data', 'qdtrack_qd_own-data'}


def test_the_docstring_says_how_to_train_and_test(path, named):
    text = path.read_text()
    assert text.startswith('"""')
    if path.parent.name == 'configs':
        assert f'python tools/train.py configs/{path.name}' in text
        assert (f'python tools/test.py configs/{path.name} CHECKPOINT --eval '
                f'{" ".join(named.metrics)}\n') in text


def test_the_docstring_names_the_files_of_the_parts(path, config):
    """In reading order: the class that wires the parts, the detector, what associates."""
    if path.parent.name != 'configs':
        return
    words = re.search(r'^parts   (.*(?:\n {8}.*)*)', path.read_text(), re.MULTILINE)[1]
    parts = [REPO / 'vatrack' / word for word in re.split(r',\s+', words)]
    assert [part for part in parts if not part.is_file()] == []
    classes = [MODELS.get(node.type) for _, node in dicts_of(config.model, 'model')
               if isinstance(node.get('type'), str)]
    files = [Path(inspect.getfile(cls)) for cls in classes
             if cls and cls.__module__.startswith('vatrack.')]
    assert set(parts) == set(files) and parts[0] == files[0]


def test_the_model_is_the_system_of_the_name(config, named):
    roi_head = config.model.detector.roi_head
    heads = {kind for kind, head in roi_head.mask_heads.items() if head is not None}
    assert heads == set(named.mask_kinds)
    association = config.model.association
    assert association.tracker.type == named.tracker
    assert association.get('head', {}).get('type') == named.embedding_head
    second = roi_head.get('visible_bbox_head')
    assert second == (roi_head.bbox_head if named.box_kinds == ('amodal', 'visible') else None)


def test_training_data_are_those_of_the_system(config, named):
    dataset = config.train_dataloader.dataset
    assert set(dataset.mask_kinds) == set(named.mask_kinds)
    assert tuple(dataset.box_kinds) == named.box_kinds
    if named.embedding_head is None:
        assert dataset.clip_sampler is None
    else:
        full_mt = named.tracker == 'MTTracker' and config.model.detector.backbone.depth > 18
        assert dataset.clip_sampler == dict(type='KeyReferenceSampler', num_refs=1,
                                            scope=100 if full_mt else 3)


def test_test_data_and_truth_are_one_file(config, named):
    """Data are named in several places of a config; they must not come apart."""
    for name, file in (('val', named.val_file), ('test', named.test_file)):
        dataset, evaluator = config[f'{name}_dataloader'].dataset, config[f'{name}_evaluator']
        truth = Path(dataset.data_root, dataset.ann_file)
        assert truth == Path(evaluator.ann_file) == Path('data', file)
        assert dataset.test_mode and config[f'{name}_dataloader'].sampler.type == 'VideoSampler'
        assert evaluator.metric == named.metrics and evaluator.protocol == named.protocol
        check_association(config, name)
    train = config.train_dataloader.dataset
    assert Path(train.data_root, train.ann_file) == Path('data', named.train_file)


def test_numbers_of_classes_agree(config, named):
    classes = [config[f'{name}_dataloader'].dataset.metainfo.classes
               for name in ('train', 'val', 'test')]
    assert classes[0] == classes[1] == classes[2]
    heads = [node.num_classes for _, node in dicts_of(config.model, 'model')
             if 'num_classes' in node]
    assert heads == [len(classes[0])] * (len(named.box_kinds) + len(named.mask_kinds))


def test_own_data_are_where_the_environment_says(tmp_path, monkeypatch):
    path = REPO / 'configs' / 'vatrack_qd_own-data.py'
    categories = [{'id': 7, 'name': 'fish'}, {'id': 3, 'name': 'crab'}]
    (tmp_path / 'train.json').write_text(json.dumps({'categories': categories}))
    monkeypatch.setenv('VATRACK_DATA', str(tmp_path))
    config = load_config(path)
    assert config.model.detector.roi_head.bbox_head.num_classes == 2
    assert tuple(config.test_dataloader.dataset.metainfo.classes) == ('fish', 'crab')
    assert config.test_evaluator.ann_file == f'{tmp_path}/val.json'
    config.dump(tmp_path / 'dumped.py')
    monkeypatch.delenv('VATRACK_DATA')
    monkeypatch.chdir(tmp_path)
    assert load_config(tmp_path / 'dumped.py').to_dict() == config.to_dict()
    with pytest.raises(ConfigError, match=r'data/own/train\.json: no such annotation file'):
        load_config(path)


def test_frames_have_the_resolution_of_the_name(config, named):
    for name in ('train', 'val', 'test'):
        dataset = config[f'{name}_dataloader'].dataset
        assert tuple(dataset.scale) == named.scale
        assert dict(type='Resize', keep_ratio=True) in dataset.pipeline[0].transforms


#: VATrack's code for QD; mmtracking for MT.
TRACKERS = {
    'QDTracker': dict(
        init_score_thr=.01, obj_score_thr=.01, match_score_thr=.5, memo_tracklet_frames=32,
        memo_backdrop_frames=1, memo_momentum=.8, nms_conf_thr=.5, nms_backdrop_iou_thr=.3,
        nms_class_iou_thr=.7, with_cats=True, match_metric='bisoftmax'),
    'MTTracker': dict(init_score_thr=0., score_weight=1., iou_weight=2., label_weight=10.,
                      memo_frames=20),
    'NoAssociation': {},
}
#: Anchors, proposals before and after NMS, regions in training; proposals in testing.
PROPOSALS = dict.fromkeys(TRACKERS, (256, 2000, 1000, 512, 1000, 1000)) | {
    'MTTracker': (64, 200, 200, 128, 200, 200)}


def test_recipe_of_the_paper(config, named):
    if config.model.detector.backbone.get('depth') == 18:
        assert config.train_cfg.max_epochs <= 40
        return
    assert config.model.association.tracker == TRACKERS[named.tracker] | {'type': named.tracker}
    found = config.model.detector.test_cfg.rcnn
    assert (found.score_thr, found.nms.iou_threshold, found.max_per_img) == (.01, .5, 100)
    training, testing = config.model.detector.train_cfg, config.model.detector.test_cfg
    assert ((training.rpn.sampler.num, training.rpn_proposal.nms_pre,
             training.rpn_proposal.max_per_img, training.rcnn.sampler.num, testing.rpn.nms_pre,
             testing.rpn.max_per_img) == PROPOSALS[named.tracker])
    optimizer, (warm_up, steps) = config.optim_wrapper.optimizer, config.param_scheduler
    if named.embedding_head is None:  # images: mmdet's, for a batch of 4
        rate, warm_ups = .005, [(500, .001)]
    else:
        rate, warm_ups = .0025, [(2000, 1 / 2000), (6000, 1 / 6000)]
    assert optimizer == dict(type='SGD', lr=rate, momentum=.9, weight_decay=1e-4)
    assert (warm_up.end, warm_up.start_factor) in warm_ups
    assert (steps.milestones, steps.gamma, config.train_cfg.max_epochs) == ([8, 11], .1, 12)
    assert config.train_dataloader.batch_size == 4


def test_full_model_has_its_size(config, named):
    with DefaultScope.overwrite_default_scope('vatrack'), torch.device('meta'):
        model = MODELS.build(config.model)
    assert set(model.detector.roi_head.mask_kinds) == set(named.mask_kinds)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if config.model.detector.backbone.type == 'ResNeXt':
        assert parameters == named.parameters
    elif config.model.detector.backbone.depth == 18:
        assert parameters < 10e6


@pytest.mark.parametrize(('name', 'parameters'), [
    ('qdtrack_qd', 117_463_008), ('amodaltrack_qd', 117_463_008), ('vatrack_qd', 120_091_896),
    ('vatrack-2box_qd', 134_111_601)])
def test_sizes_are_those_of_the_public_code(name, parameters):
    """Sums of parts elsewhere, here the numbers of the released models."""
    assert expected(REPO / 'configs' / f'{name}_sailvos-cut.py').parameters == parameters


@pytest.mark.parametrize(('left_out', 'kinds'), [
    (['amodal'], ('visible',)), (['visible'], ('amodal',)), ([], ('visible', 'amodal'))])
def test_mask_heads_are_left_out_by_option(left_out, kinds):
    options = [f'model.detector.roi_head.mask_heads.{kind}=None' for kind in left_out]
    config = load_config(REPO / 'configs/vatrack_qd_synthetic.py', parse_options(options))
    with DefaultScope.overwrite_default_scope('vatrack'), torch.device('meta'):
        assert MODELS.build(config.model).detector.roi_head.mask_kinds == kinds


def test_some_mask_head_must_stay():
    config = load_config(REPO / 'configs/maskamodal_none_synthetic.py', parse_options(
        ['model.detector.roi_head.mask_heads.amodal=None']))
    with (DefaultScope.overwrite_default_scope('vatrack'),
          pytest.raises(ValueError, match=r'mask_heads must name one or more of .* got \[\]')):
        MODELS.build(config.model)


VARIANTS = [path for path in CONFIGS if variant_of(path)[0]]


def test_there_are_variants():
    """Of VATrack on SAIL-VOS-cut, three more of released code, of VATrack on synthetic data, and of
    each system on uncut videos."""
    assert len(VARIANTS) == 10 + 3 + 3 + 9


@pytest.mark.parametrize('path', VARIANTS, ids=lambda path: path.stem)
def test_a_variant_differs_only_in_what_it_names(path):
    base, changes = variant_of(path)
    assert difference(load_config(REPO / 'configs' / base), load_config(path)) == changes


def small(path: Path, root: Path, work_dir: Path) -> Config:
    config = load_config(path)
    model = config.model
    options = [
        *data_options(root),
        *(f'{name}_dataloader.dataset.metainfo.classes={CLASSES}'
          for name in ('train', 'val', 'test')),
        *(f'{name}_dataloader.dataset.scale=(96, 64)' for name in ('train', 'val', 'test')),
        'train_dataloader.batch_size=1', 'test_dataloader.batch_size=1',
        'model.detector.train_cfg.rpn_proposal.max_per_img=20',
        'model.detector.train_cfg.rcnn.sampler.num=16',
        'model.detector.test_cfg.rpn.max_per_img=10',
        'model.detector.test_cfg.rcnn.max_per_img=5',
        *(f'model.detector.roi_head.{head}.fc_out_channels=32'
          for head in ('bbox_head', 'visible_bbox_head') if model.detector.roi_head.get(head))]
    options += [f'{key}.class_weight={[1.] * (len(CLASSES) + 1)}'
                for key, node in dicts_of(model, 'model') if 'class_weight' in node]
    if 'head' in model.association:
        options += ['model.association.head.train_cfg.sampler.num=16',
                    'model.association.head.embed_head.fc_out_channels=32']
    config = load_config(path, parse_options(options))
    if config.model.detector.backbone.type == 'ResNeXt':
        config.model.detector.backbone.update(depth=50, groups=4)
    drop_pretrained(config)
    config.work_dir, config.log_level = str(work_dir), 'ERROR'
    return config


def test_one_step_of_training_and_of_testing(path, named, tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(Config, 'pretty_text', '')  # for logs; takes longer than both steps
    runner = build_runner(small(path, tiny_data, tmp_path))
    runner.train_loop, runner.test_loop  # noqa: B018  (built when asked for)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert runner.build_param_scheduler(runner.param_schedulers)
    model = runner.model

    model.train()
    losses = model.train_step(next(iter(runner.train_dataloader)), runner.optim_wrapper)

    assert {name for name in losses if 'loss_' in name} == named.losses
    assert all(torch.isfinite(value).all() for value in losses.values())
    assert all(parameter.isfinite().all() for parameter in model.parameters())

    model.eval()
    with torch.no_grad():
        (clip,) = model.test_step(next(iter(runner.test_dataloader)))
    (frame,) = clip.video_data_samples
    assert set(frame.pred_track_instances.keys()) == {
        'bboxes', 'scores', 'labels', 'instances_id', *map(masks_field, named.mask_kinds),
        *map(bboxes_field, named.box_kinds[1:])}
