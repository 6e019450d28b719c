from __future__ import annotations

import pytest
from mmengine.config import Config
from scripts import REPO, load_tool

from vatrack.apis import load_config, parse_options
from vatrack.apis.recipe import recipe

CONFIGS = REPO / 'configs'


def test_recipe_of_a_system():
    lines = recipe(load_config(CONFIGS / 'vatrack_mt_sailvos.py'), parameters=True)
    train, val, test = (f'data/sailvos_{file}.json' for file in (
        'cut_json/joint/train(bbox=amdl_bbox)', 'cut_json/joint/valid(bbox=amdl_bbox)',
        'complete_json/joint/valid'))
    assert lines.pop('classes').startswith('24: person, car, ')
    assert lines == {
        'config': str(CONFIGS / 'vatrack_mt_sailvos.py'),
        'data': f'{train} (train), {val} (val), {test} (test)',
        'scale': '1280x800', 'clips': 'KeyReferenceSampler(scope=100, num_refs=1)',
        'boxes': 'amodal', 'masks': 'amodal, visible',
        'model': 'TrackedDetector', 'detector': 'AmodalMaskRCNN', 'backbone': 'ResNeXt-101',
        'association': 'EmbeddingAssociation, MTTrackHead, MTTracker',
        'weights': 'open-mmlab://resnext101_64x4d (model.detector.backbone)',
        'batch size': '4', 'epochs': '12',
        'optimizer': 'SGD(lr=0.0025, momentum=0.9, weight_decay=0.0001)',
        'schedule': 'LinearLR(start_factor=0.0005, by_epoch=False, begin=0, end=2000), '
                    'MultiStepLR(by_epoch=True, milestones=[8, 11], gamma=0.1)',
        'metrics': 'AP, vAP', 'protocol': 'sailvos', 'parameters': '118,517,752'}


@pytest.mark.parametrize(('name', 'option', 'line', 'text'), [
    ('maskjoint_none_synthetic', 'randomness.seed=0', 'clips', 'single images'),
    ('maskjoint_none_synthetic', 'randomness.seed=0', 'association',
     'TrackerAssociation, NoAssociation'),
    ('vatrack_qd_synthetic', 'load_from=a.pth', 'weights', 'a.pth (load_from)'),
    ('vatrack_qd_synthetic', 'test_dataloader.dataset.scale=(512, 320)', 'scale',
     '256x160 (train, val), 512x320 (test)'),
    ('vatrack_qd_synthetic', 'test_evaluator.metric=vAP', 'metrics', 'vAP'),
])
def test_lines_of_the_recipe(name, option, line, text):
    assert recipe(load_config(CONFIGS / f'{name}.py', parse_options([option])))[line] == text


def test_what_a_config_does_not_have_is_left_out():
    assert recipe(Config(dict(train_cfg=dict(max_epochs=3), model=dict(type='X')))) == {
        'model': 'X', 'epochs': '3'}


def test_the_tool_prints_a_config(tmp_path, capsys):
    path, option = CONFIGS / 'vatrack-2box_qd_synthetic.py', 'train_cfg.max_epochs=9'
    assert load_tool('print_config').main([str(path), '--cfg-options', option]) == 0
    printed = capsys.readouterr().out
    first, *others = printed.splitlines()
    assert first.split() == ['#', 'config', str(path)]
    assert '# epochs       9' in others[:20]
    (tmp_path / 'mine.py').write_text(printed)
    assert load_config(tmp_path / 'mine.py').to_dict() == load_config(
        path, parse_options([option])).to_dict()


def test_the_tool_refuses_what_the_others_refuse(capsys):
    path = CONFIGS / 'vatrack_qd_synthetic.py'
    assert load_tool('print_config').main([str(path), '--cfg-options', 'modle.x=1']) == 1
    out, err = capsys.readouterr()
    assert out == '' and "did you mean 'model'?" in err
