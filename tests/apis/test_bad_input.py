"""What the tools say when their input is wrong: one line on stderr, exit code 1, no traceback."""
from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_run import CONFIG, data_options, test_tool, train_tool


@pytest.fixture
def data(tiny_data, tmp_path):
    """A copy of the tiny data that can be damaged."""
    return shutil.copytree(tiny_data, tmp_path / 'data')


@pytest.fixture
def error_line(capfd) -> Callable[[], str]:
    """The one line that a tool printed about an error."""

    def read() -> str:
        printed = capfd.readouterr()
        assert 'Traceback' not in printed.out + printed.err
        (line,) = [line for line in printed.err.splitlines() if line.startswith('error: ')]
        assert printed.err.rstrip().endswith(line)
        return line

    return read


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def resize_first_mask(content: dict) -> None:
    content['annotations'][0]['amodal_mask']['size'] = [32, 48]


def set_category(content: dict) -> None:
    content['annotations'][3]['category_id'] = 99


@pytest.mark.parametrize(('damage', 'parts'), [
    (Path.unlink, ['no such annotation file', 'tools/convert.py']),
    (cut_off, ['not valid JSON', 'cut off']),
    (lambda path: edit(path, resize_first_mask), ['annotations[0] (id 1)', '[32, 48]', '[64, 96]']),
    (lambda path: edit(path, set_category), ['annotations[3] (id 4)', "'category_id' 99"]),
], ids=['missing', 'cut off', 'mask size', 'category'])
def test_wrong_annotation_file(data, tmp_path, error_line, damage, parts):
    damage(data / 'train.json')
    assert train_tool(data, tmp_path / 'run') == 1
    line = error_line()
    for part in [str(data / 'train.json'), *parts]:
        assert part in line


@pytest.mark.parametrize('workers', [0, 1])
def test_missing_frame(data, tmp_path, error_line, workers):
    """With a worker torch wraps the error, traceback and all, into another one."""
    for image in (data / 'train' / 'train_0001' / 'images').iterdir():
        image.unlink()
    options = (f'train_dataloader.num_workers={workers}',)
    assert train_tool(data, tmp_path / 'run', options=options) == 1
    line = error_line()
    assert line.startswith("error: video 'train_0001': no frame ")
    assert str(data / 'train' / 'train_0001' / 'images') in line and 'extract the frames' in line


def test_missing_frame_while_testing_keeps_the_videos_that_are_done(
        trained_run, data, tmp_path, error_line):
    (data / 'val' / 'val_0002' / 'images' / '000001.png').unlink()
    out = tmp_path / 'results.json'
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_2.pth', '--out', out,
                     '--work-dir', tmp_path / 'test', '--cfg-options', *data_options(data),
                     'test_dataloader.batch_size=3') == 1
    assert "video 'val_0002'" in error_line()
    assert not out.exists()
    (part,) = (tmp_path / 'results.json.parts').iterdir()
    assert {json.loads(line)['video_id'] for line in part.read_text().splitlines()} == {1, 2}


@pytest.mark.parametrize(('option', 'part'), [
    ('train_dataloader.dataset.max_oclusion=0.5', "did you mean 'max_occlusion'?"),
    ('model.detector.backbone.width=3', "ResNet takes no 'width'"),
    ("val_dataloader.dataset.metainfo.classes=['shark']", "['shark']"),
    ('train_dataloader.batch_size=0',
     '--cfg-options train_dataloader.batch_size: must be a whole number of at least 1, got 0'),
    ('model.detector.backbone.depth=19',
     'model.detector.backbone (ResNet): invalid depth 19 for resnet'),
])
def test_wrong_options(tiny_data, tmp_path, error_line, option, part):
    assert train_tool(tiny_data, tmp_path / 'run', options=(option,)) == 1
    assert part in error_line()


@pytest.mark.parametrize('option', ['--work-dir', '--out', '--show-dir'])
def test_folder_of_results_that_is_a_file(trained_run, tmp_path, error_line, option):
    (tmp_path / 'file').touch()
    outputs = {'--work-dir': tmp_path, '--out': tmp_path / 'results.json',
               option: tmp_path / 'file' / 'x'}
    arguments = [each for pair in outputs.items() for each in pair]
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_2.pth', *arguments) == 1
    assert 'nothing can be written to this folder (' in error_line()


def test_ablation_into_a_file(tmp_path, error_line, run_tool):
    (tmp_path / 'file').touch()
    assert run_tool('ablate', CONFIG, '--out', tmp_path / 'file' / 'study') == 1
    assert 'nothing can be written to this folder (' in error_line()


def test_impossible_setting_of_an_ablation(tmp_path, error_line, run_tool):
    assert run_tool('ablate', CONFIG, '--out', tmp_path, '--cfg-options',
                    'train_cfg.max_epochs=0') == 1
    assert error_line() == ('error: --cfg-options train_cfg.max_epochs: must be a whole number of '
                            'at least 1, got 0')


def test_wrong_config_file(tiny_data, tmp_path, error_line):
    config = tmp_path / 'mine.py'
    config.write_text(f'_base_ = {str(CONFIG)!r}\n'
                      'model = dict(detector=dict(bckbone=dict(depth=34)))\n')
    assert train_tool(tiny_data, tmp_path / 'run', config=config) == 1
    line = error_line()
    assert str(config) in line and "MaskRCNN takes no 'bckbone'; did you mean 'backbone'?" in line


@pytest.mark.parametrize('tool', [train_tool, test_tool])
def test_missing_config(tiny_data, tmp_path, error_line, tool):
    config = CONFIG.with_name('vatrack_qd_syntetic.py')
    arguments = (config,) if tool is test_tool else (tiny_data, tmp_path / 'run')
    assert tool(*arguments, **({} if tool is test_tool else {'config': config})) == 1
    assert "no such config; did you mean 'vatrack_qd_synthetic.py'?" in error_line()


def test_missing_pretrained_weights(tiny_data, tmp_path, error_line):
    checkpoint = tmp_path / 'resnet18.pth'
    options = (f"model.detector.backbone.init_cfg={{'type': 'Pretrained', "
               f"'checkpoint': '{checkpoint}'}}",)
    assert train_tool(tiny_data, tmp_path / 'run', options=options) == 1
    line = error_line()
    assert str(checkpoint) in line and '--from-scratch' in line
    assert 'model.detector.backbone.init_cfg.checkpoint=PATH' in line


def test_from_scratch_needs_no_pretrained_weights(tiny_data, tmp_path):
    options = ("model.detector.backbone.init_cfg={'type': 'Pretrained', 'checkpoint': 'gone.pth'}",
               'train_cfg.val_interval=9')
    assert train_tool(tiny_data, tmp_path, '--from-scratch', options=options) == 0


def test_fp16_on_a_cpu(tiny_data, tmp_path, error_line, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert train_tool(tiny_data, tmp_path, '--amp', 'fp16') == 1
    assert error_line().endswith('on a CPU leave --amp out')


@pytest.fixture
def truncated(trained_run, tmp_path) -> Path:
    path = shutil.copy(trained_run / 'epoch_2.pth', tmp_path)
    Path(path).write_bytes(Path(path).read_bytes()[:-5000])
    return path


def test_truncated_checkpoint_is_not_resumed(tiny_data, tmp_path, error_line, truncated):
    assert train_tool(tiny_data, tmp_path / 'run', '--resume', str(truncated)) == 1
    assert f'{truncated}: not a complete checkpoint' in error_line()


def test_truncated_checkpoint_is_not_tested(trained_run, error_line, truncated):
    assert test_tool(trained_run / CONFIG.name, truncated) == 1
    assert f'{truncated}: not a complete checkpoint' in error_line()


def test_checkpoint_of_another_architecture_is_not_resumed(
        trained_run, tiny_data, tmp_path, error_line):
    options = ('model.association.head.embed_head.embed_channels=32',)
    assert train_tool(tiny_data, tmp_path / 'run', '--resume', str(trained_run / 'epoch_1.pth'),
                      options=options) == 1
    line = error_line()
    assert 'of another architecture' in line and 'association.head.embed_head' in line


def test_checkpoint_of_another_architecture_is_not_tested(trained_run, tmp_path, error_line):
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_2.pth', '--work-dir', tmp_path,
                     '--cfg-options', 'model.association.head.embed_head.embed_channels=32') == 1
    assert 'of another architecture' in error_line()


def test_missing_checkpoint(trained_run, error_line):
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_9.pth') == 1
    assert 'epoch_9.pth: no such checkpoint' in error_line()


def test_missing_annotation_file_while_testing(trained_run, data, tmp_path, error_line):
    (data / 'val.json').unlink()
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_2.pth', '--work-dir', tmp_path,
                     '--cfg-options', *data_options(data)) == 1
    assert f'{data}/val.json: no such annotation file' in error_line()


def test_evaluator_with_the_annotations_of_other_data(trained_run, tiny_data, tmp_path, error_line):
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_2.pth', '--work-dir', tmp_path,
                     '--out', tmp_path / 'results.json', '--cfg-options',
                     f'test_evaluator.ann_file={tiny_data}/train.json') == 1
    assert 'give the ann_file of the dataset to the evaluator' in error_line()


RESULT = {'video_id': 1, 'category_id': 1, 'score': 0.5, 'segmentations': [None] * 5}


@pytest.mark.parametrize(('text', 'part'), [
    (json.dumps([{**RESULT, 'video_id': 77}]), 'has no such video'),
    (json.dumps([{**RESULT, 'segmentations': [None] * 12}]), '12 amodal masks for a video of 5'),
    (json.dumps([RESULT])[:-5], 'the file is damaged or cut off'),
    (json.dumps({'a': 1}), 'must hold one JSON list'),
], ids=['other video', 'other length', 'cut off', 'no list'])
def test_results_of_other_data(trained_run, tmp_path, error_line, text, part):
    (tmp_path / 'results.json').write_text(text)
    assert test_tool(trained_run / CONFIG.name, tmp_path / 'results.json') == 1
    line = error_line()
    assert part in line and str(tmp_path / 'results.json') in line


def test_missing_results(trained_run, tmp_path, error_line):
    assert test_tool(trained_run / CONFIG.name, tmp_path / 'results.json') == 1
    assert 'cannot read this result file' in error_line()


def test_visible_as_amodal_without_visible_masks(trained_run, tmp_path, error_line):
    (tmp_path / 'results.json').write_text(json.dumps([RESULT]))
    assert test_tool(trained_run / CONFIG.name, tmp_path / 'results.json',
                     '--visible-as-amodal') == 1
    assert 'cannot score' in error_line()


def test_pictures_without_frames(trained_run, data, tmp_path, error_line):
    shutil.rmtree(data / 'val')
    (tmp_path / 'results.json').write_text(json.dumps([RESULT]))
    assert test_tool(trained_run / CONFIG.name, tmp_path / 'results.json', '--show-dir',
                     tmp_path / 'pictures', '--cfg-options', *data_options(data)) == 1
    assert "video 'val_0000': no frame" in error_line()


def test_frames_of_another_size_for_pictures(trained_run, data, tmp_path, error_line):
    frame = data / 'val' / 'val_0000' / 'images' / '000000.png'
    frame.write_bytes(b'not an image')
    (tmp_path / 'results.json').write_text(json.dumps([RESULT]))
    assert test_tool(trained_run / CONFIG.name, tmp_path / 'results.json', '--show-dir',
                     tmp_path / 'pictures', '--cfg-options', *data_options(data)) == 1
    assert str(frame) in error_line()


def test_data_without_truth_is_tested_and_explained(trained_run, data, tmp_path, capfd):
    edit(data / 'val.json', lambda content: content.update(annotations=[]))
    out = tmp_path / 'results.json'
    assert test_tool(trained_run / CONFIG.name, trained_run / 'epoch_2.pth', '--out', out,
                     '--work-dir', tmp_path, '--cfg-options', *data_options(data)) == 0
    values = json.loads((tmp_path / 'results.metrics.json').read_text())['metrics']
    assert values and set(values.values()) == {-1}
    printed = capfd.readouterr().out
    assert 'n/a' in printed and 'visible: all n/a, because' in printed
