from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from tiny_run import CONFIG, tiny_config

from vatrack.apis import ConfigError, load_config, parse_options, train
from vatrack.apis.config import (
    build_runner,
    check_association,
    config_errors,
    dicts_of,
    fill_num_classes,
)


@pytest.mark.parametrize(('item', 'value'), [
    ('a.b=1', 1), ('a.b=0.5', 0.5), ('a.b=1e-3', 0.001), ('a.b=[1, 2]', [1, 2]),
    ('a.b=(96, 64)', (96, 64)), ("a.b={'x': 1}", {'x': 1}), ('a.b=text', 'text'),
    ("a.b='1'", '1'), ('a.b=True', True), ('a.b=false', False), ('a.b=none', None),
    ('a.b=data/x=y.json', 'data/x=y.json'), ('a.b=', ''),
])
def test_option_values_are_literals_or_text(item, value):
    assert parse_options([item]) == {'a.b': value}


def test_no_options():
    assert parse_options(None) == {}


def test_option_without_value_is_refused():
    with pytest.raises(ConfigError, match='write KEY=VALUE'):
        parse_options(['a.b'])


def test_options_reach_dicts_lists_and_absent_parts():
    config = load_config(CONFIG, parse_options([
        'model.association.tracker.match_score_thr=0.6',
        'train_dataloader.dataset.pipeline.0.transforms.3.prob=0.25',
        'model.detector.roi_head.bbox_head.loss_cls.class_weight=[1, 2, 3, 4, 5, 6]',
        'auto_scale_lr.enable=True', 'custom_imports=None', 'load_from=weights.pth']))
    assert config.model.association.tracker.match_score_thr == 0.6
    assert config.train_dataloader.dataset.pipeline[0].transforms[3].prob == 0.25
    # A parameter of its class, though much like the loss_weight that is there.
    assert config.model.detector.roi_head.bbox_head.loss_cls.class_weight == [1, 2, 3, 4, 5, 6]
    assert config.auto_scale_lr.enable is True
    assert config.load_from == 'weights.pth'


@pytest.mark.parametrize(('option', 'message'), [
    ('model.association.traker.match_score_thr=0.6',
     "model.association has no 'traker'; did you mean 'tracker'?"),
    ('modle.association=None', "the config has no 'modle'; did you mean 'model'?"),
    ('optim_wrapper.optimizer.lrr=0.1', "no such key; did you mean 'lr'?"),
    ('train_cfg.max_epoch=2', "no such key; did you mean 'max_epochs'?"),
    ('train_dataloader.dataset.pipeline.7.x=2', "train_dataloader.dataset.pipeline has no '7'"),
    ('work_dri=x', "no such key; did you mean 'work_dir'?"),
])
def test_misspelt_options_are_refused(option, message):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIG, parse_options([option]))
    assert message in str(caught.value)
    assert option.partition('=')[0] in str(caught.value)


@pytest.mark.parametrize('option', [
    'max_epochs=9', 'scale=(96, 64)', 'scale.0=96', 'mask_head.num_convs=1',
    'train_pipeline.0.transforms.2.scale=(96, 64)', 'association.head.type=MTTrackHead',
    'association.tracker.init_score_thr=0.1', 'data_root=elsewhere/', 'vis_backends=[]'])
def test_variables_that_only_helped_to_write_the_config_are_refused(option):
    """What they went into has its value already, and nothing would change."""
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIG, parse_options([option]))
    assert f'--cfg-options {option.partition("=")[0]}: ' in str(caught.value)
    assert 'only helped to write the config' in str(caught.value)
    assert "'model'" in str(caught.value) and 'train_dataloader' in str(caught.value)


@pytest.mark.parametrize(('text', 'message'), [
    ("model = dict(tracker=dict(match_score_thr=0.6))",
     'model.tracker is now model.association.tracker'),
    ("model = dict(track_head=dict(type='QDTrackHead'))",
     'model.track_head is now model.association.head'),
    ("model = dict(type='TrackedRCNN')", "model.type 'TrackedRCNN' is now 'TrackedDetector'"),
    ("model = dict(detector=dict(type='MaskRCNN'))",
     "model.detector.type 'MaskRCNN' is now 'AmodalMaskRCNN'"),
])
def test_names_of_earlier_versions_are_refused_with_the_new_one(tmp_path, text, message):
    path = write_config(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f'{path}: {message}; see docs/migration.md'


@pytest.mark.parametrize(('option', 'message'), [
    ('model.tracker.match_score_thr=0.6', 'model.tracker is now model.association.tracker'),
    ("model.tracker={'type': 'IoUTracker'}", 'model.tracker is now model.association.tracker'),
    ('model.track_head.embed_head.num_fcs=2', 'model.track_head is now model.association.head'),
])
def test_options_of_earlier_versions_are_refused_with_the_new_key(option, message):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIG, parse_options([option]))
    assert str(caught.value) == f'--cfg-options {option.partition("=")[0]}: {message}'


def test_models_of_other_classes_may_have_the_keys_of_earlier_versions(tmp_path):
    path = write_config(tmp_path, "model = dict(_delete_=True, type='mmdet.MaskTrackRCNN', "
                        "detector=dict(type='MaskRCNN'), track_head=dict(), tracker=dict())")
    config = load_config(path, {'model.tracker.num_frames_retain': 5})
    assert config.model.tracker.num_frames_retain == 5


@pytest.mark.parametrize('name', ['find_unused_parameters', 'sync_bn', 'model_wrapper_cfg'])
def test_what_the_runner_looks_up_itself_may_be_set(tmp_path, name):
    path = write_config(tmp_path, f'{name} = dict(x=1)')
    assert load_config(path, parse_options([f'{name}.x=2']))[name].x == 2
    assert load_config(CONFIG, parse_options([f'{name}=True']))[name] is True


IMAGE_BASED = CONFIG.with_name('maskjoint_none_synthetic.py')
TWO_BOXES = CONFIG.with_name('vatrack-2box_qd_synthetic.py')


@pytest.mark.parametrize('split', ['val', 'test'])
@pytest.mark.parametrize('metric', [['AP', 'vAP'], ['vAP'], 'vAP', 'HOTA', ['mIoU', 'all']])
def test_video_metrics_without_association_are_refused(split, metric):
    config = load_config(IMAGE_BASED)
    for name in ('val', 'test'):
        check_association(config, name)
    config[f'{split}_evaluator'].metric = metric
    check_association(config, 'test' if split == 'val' else 'val')
    with pytest.raises(ConfigError, match=r'(vAP|HOTA|all) would measure nothing of it; ask for '
                       'AP, AR or mIoU, .*type=IoUTracker') as e:
        check_association(config, split)
    assert str(IMAGE_BASED) in str(e.value)


@pytest.mark.parametrize('options', [
    ['model.association.tracker.type=IoUTracker', "test_evaluator.metric=['AP', 'vAP']"],
    ["test_evaluator.metric='AP'"], ['test_evaluator=None']])
def test_association_by_overlap_is_one_option_away(options):
    check_association(load_config(IMAGE_BASED, parse_options(options)), 'test')


@pytest.mark.parametrize('metric', [['AP', 'vAP'], 'vAP'])
def test_systems_that_track_may_be_asked_for_anything(metric):
    check_association(load_config(CONFIG, {'test_evaluator.metric': metric}), 'test')


def write_config(folder: Path, text: str) -> Path:
    path = folder / 'mine.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\n{text}\n')
    return path


@pytest.mark.parametrize(('text', 'message'), [
    ('train_dataloder = dict(batch_size=2)',
     "unknown key 'train_dataloder'; did you mean 'train_dataloader'?"),
    ("laod_from = 'weights.pth'", "unknown key 'laod_from'; did you mean 'load_from'?"),
    ('model = dict(', 'SyntaxError'),
    ('model = dict(depth=depth)', "NameError: name 'depth' is not defined"),
    ('model = {}["x"]', "KeyError: 'x'"),
    ('x = 1 / 0', 'ZeroDivisionError'),
    ('raise SystemExit(3)', 'SystemExit: 3'),
    ('train_pipeline = _base_.train_pipelin', 'train_pipelin'),
])
def test_broken_config_file_is_refused_by_name(tmp_path, text, message):
    path = write_config(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_missing_config_names_a_similar_one():
    with pytest.raises(ConfigError, match="no such config; did you mean 'vatrack_qd_synthetic"):
        load_config(CONFIG.with_name('vatrack_qd_syntetic.py'))


def test_missing_base_is_named(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = './nowhere.py'\n")
    with pytest.raises(ConfigError, match='nowhere'):
        load_config(path)


@pytest.mark.parametrize('name', ['epoch_1.pth', 'results.json'])
def test_checkpoint_or_results_in_place_of_the_config_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text('[]')
    with pytest.raises(ConfigError, match=r'a config is a \.py file'):
        load_config(path)


@pytest.mark.parametrize(('text', 'message'), [
    ('model = dict(detector=dict(bckbone=dict(depth=18)))',
     "MaskRCNN takes no 'bckbone'; did you mean 'backbone'?"),
    ("model = dict(association=dict(tracker=dict(type='QDTraker')))",
     "there is no model 'QDTraker'; did you mean 'QDTracker'?"),
    ("model = dict(detector=dict(neck=dict(_delete_=True, type='FPN', in_channels=[8])))",
     "FPN lacks 'out_channels' and 'num_outs'"),
])
def test_wrong_class_or_argument_is_named_with_the_file(tmp_path, text, message):
    path = write_config(tmp_path, text)
    config = load_config(path)
    config.work_dir = str(tmp_path)
    with pytest.raises(ConfigError) as caught, config_errors(config):
        build_runner(config)
    assert message in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(('option', 'message'), [
    ('train_dataloader.dataset.limit=0.5', "Dataset takes no 'limit'"),
    ('val_evaluator.rounding=3', "Metric takes no 'rounding'"),
    ('default_hooks.finite_guard.type=FinitGuardHook',
     "there is no hook 'FinitGuardHook'; did you mean 'FiniteGuardHook'?"),
])
def test_parts_that_are_built_later_are_named_too(tiny_data, tmp_path, option, message):
    with pytest.raises(ConfigError) as caught:
        train(tiny_config(tiny_data, tmp_path, option))
    assert message in str(caught.value)


@pytest.mark.parametrize('error', [
    TypeError("f() got an unexpected keyword argument 'x'"), TypeError('unsupported operand'),
    KeyError('labels'), ValueError('x'),
])
def test_errors_of_the_program_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, config_errors(load_config(CONFIG)):
        raise error
    assert caught.value is error


def test_dicts_of_finds_every_dict_once_and_its_key():
    tree = {'a': [{'b': 1}, ({'c': {}},)], 'd': 'text'}
    assert list(dicts_of(tree, 'x')) == [
        ('x', tree), ('x.a.0', {'b': 1}), ('x.a.1.0', {'c': {}}), ('x.a.1.0.c', {})]


def numbers_of_classes(config: Config) -> set[int]:
    return {node.num_classes for _, node in dicts_of(config.model, 'model')
            if 'num_classes' in node}


CLASSES = 'train_dataloader.dataset.metainfo.classes'
HEAD = 'model.detector.roi_head.bbox_head'


@pytest.mark.parametrize('options', [
    {CLASSES: ('fish', 'leaf')}, {CLASSES: ['fish', 'leaf'], f'{HEAD}.num_classes': None},
    {CLASSES: ('fish', 'leaf'), f'{HEAD}.num_classes': 2}])
def test_numbers_of_classes_follow_the_classes(options):
    config = load_config(TWO_BOXES, options)
    assert numbers_of_classes(config) == {2}
    assert sum('num_classes' in node for _, node in dicts_of(config.model, 'model')) == 4
    assert 'num_classes' not in config.model.detector.rpn_head  # its one class is 'object'


def test_numbers_of_classes_are_filled_in_after_fromfile():
    config = Config.fromfile(TWO_BOXES)
    assert numbers_of_classes(config) == set()
    assert fill_num_classes(config) is config
    assert config.to_dict() == load_config(TWO_BOXES).to_dict()


def test_numbers_of_classes_of_a_saved_config_are_held_against_its_classes(tmp_path):
    path = tmp_path / 'saved.py'
    load_config(CONFIG).dump(path)
    assert load_config(path).to_dict() == load_config(CONFIG).to_dict()
    with pytest.raises(ConfigError, match=rf'num_classes is 5, but {CLASSES} names 1 \(fish\)'):
        load_config(path, {CLASSES: ('fish',)})


def test_configs_without_a_model_or_without_data_are_read(tmp_path):
    data = CONFIG.parent / '_base_/datasets/synthetic.py'
    assert 'model' not in load_config(data)
    with pytest.raises(ConfigError, match=rf'num_classes follows {CLASSES}, which the config does'):
        load_config(CONFIG.parent / '_base_/models/tracked_rcnn_r18.py')


@pytest.mark.parametrize(('options', 'message'), [
    ({f'{HEAD}.num_classes': 7}, f'{HEAD}.num_classes is 7, but {CLASSES} names 5 (fish, turtle, '
     'jellyfish, ...)'),
    ({f'{HEAD}.loss_cls.class_weight': [1.] * 5}, f'{HEAD}.loss_cls.class_weight has 5 numbers, '
     f'but {CLASSES} names 5 (fish, turtle, jellyfish, ...); give one for each and one for the '
     'background'),
    ({'num_classes': 7}, f'--cfg-options num_classes: the number of classes follows {CLASSES}'),
])
def test_what_contradicts_the_classes_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIG, options)
    assert message in str(caught.value)
