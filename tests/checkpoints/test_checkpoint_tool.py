"""tools/convert_checkpoint.py, on files with the true names and shapes but next to no bytes."""
from __future__ import annotations

import argparse
import hashlib
import os
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import pytest
import torch
from released import CONFIGS, DETECTORS, constants, released_shapes
from scripts import REPO

import vatrack
from vatrack.checkpoints import CheckpointError, read_checkpoint

CLASSES = ('person', 'car', 'motorcycle', 'truck', 'bird', 'dog', 'handbag', 'suitcase', 'bottle',
           'cup', 'bowl', 'chair', 'potted plant', 'bed', 'dining table', 'tv', 'laptop',
           'cell phone', 'bag', 'bin', 'box', 'door', 'road barrier', 'stick')


@pytest.fixture(scope='module')
def states():
    return {kind: constants(released_shapes(kind)) for kind in DETECTORS}


@pytest.fixture
def convert(run_tool, tmp_path):
    """Convert a file to ``out.pth``: arguments -> exit code."""
    return lambda source, *arguments: run_tool('convert_checkpoint', source, tmp_path / 'out.pth',
                                               *arguments)


def save(content: object, path: Path, **options) -> Path:
    torch.save(content, path, **options)
    return path


class RunsCode:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('kind', DETECTORS)
def test_a_released_file_is_converted(kind, states, convert, tmp_path, capsys):
    meta = dict(CLASSES=CLASSES, config='model = dict()', epoch=12, pcan_version='0.1.0')
    source = save(dict(meta=meta, state_dict=OrderedDict(states[kind]),
                       optimizer=dict(state={0: dict(momentum_buffer=torch.zeros(2))})),
                  tmp_path / 'released.pth')
    before = source.read_bytes()

    assert convert(source, '--from', kind) == 0

    out = torch.load(tmp_path / 'out.pth', weights_only=True)
    sha256 = hashlib.sha256(before).hexdigest()
    assert source.read_bytes() == before
    assert out.keys() == {'meta', 'state_dict'}
    expected = dict(source='released.pth', source_sha256=sha256, kind=kind,
                    tool=f'vatrack {vatrack.__version__}')
    assert out['meta'] == (expected if kind == 'coco' else expected | dict(classes=list(CLASSES)))
    same = states[kind]['backbone.layer4.2.bn3.running_var']
    assert torch.equal(out['state_dict']['detector.backbone.layer4.2.bn3.running_var'], same)
    text = capsys.readouterr().out
    for part in (f'{len(states[kind])} entries, sha256 {sha256}',
                 'dropped, no weights: meta, optimizer',
                 f'{len(out["state_dict"])} entries written'):
        assert part in text
    assert sorted(os.listdir(tmp_path)) == ['out.pth', 'released.pth']


@pytest.mark.parametrize('wrap', [True, False])
@pytest.mark.parametrize('prefix', ['module.', ''])
@pytest.mark.parametrize('zipped', [True, False])
def test_every_form_of_file_gives_the_same(wrap, prefix, zipped, states, convert, tmp_path, capsys):
    state = {f'{prefix}{key}': value for key, value in states['vatrack'].items()}
    source = save({'state_dict': state} if wrap else state, tmp_path / 'released.pth',
                  _use_new_zipfile_serialization=zipped)
    assert convert(source) == 0
    out = torch.load(tmp_path / 'out.pth', weights_only=True)
    assert 'classes' not in out['meta'] and len(out['state_dict']) == 694
    head = 'roi_head.amodal_mask_head.conv_logits.bias'
    assert torch.equal(out['state_dict']['detector.roi_head.mask_heads.amodal.conv_logits.bias'],
                       states['vatrack'][head])
    assert ("'module.' taken off" in capsys.readouterr().out) is bool(prefix)


def test_a_prefix_of_some_entries_only_is_no_prefix(states, convert, tmp_path, capsys):
    state = dict(states['vatrack'])
    state['module.mu0'] = state.pop('mu0')
    assert convert(save(state, tmp_path / 'released.pth')) == 1
    assert '1 missing (mu0); 1 unknown (module.mu0)' in capsys.readouterr().err


@pytest.mark.parametrize(('meta', 'found'), [
    (dict(dataset_meta=dict(classes=('a', 'b'))), ('a', 'b')), (dict(CLASSES=['a']), ('a',)),
    (dict(CLASSES=(1, 2)), None), ({}, None), (None, None)])
def test_classes_are_read_where_they_are_said(meta, found, tmp_path):
    path = save({'state_dict': {'a': torch.zeros(1)}, 'meta': meta}, tmp_path / 'a.pth')
    assert read_checkpoint(path).classes == found


@pytest.mark.parametrize('zipped', [True, False])
def test_code_in_a_file_is_not_run(zipped, states, convert, tmp_path, capsys):
    source = save({'state_dict': states['vatrack'], 'meta': RunsCode(tmp_path / 'made')},
                  tmp_path / 'released.pth', _use_new_zipfile_serialization=zipped)
    assert convert(source) == 1
    assert not (tmp_path / 'made').exists() and not (tmp_path / 'out.pth').exists()
    error = capsys.readouterr().err
    assert f'{source}: refused, because it holds' in error
    assert 'mkdir' in error and '--trust-checkpoint' in error
    assert convert(source, '--trust-checkpoint') == 0
    assert (tmp_path / 'made').is_dir()


def test_objects_of_old_meta_need_trust(states, convert, tmp_path, capsys):
    meta = dict(CLASSES=CLASSES, args=argparse.Namespace(lr=0.0025))
    source = save(dict(state_dict=states['vatrack'], meta=meta), tmp_path / 'released.pth')
    assert convert(source) == 1
    assert 'it holds argparse.Namespace' in capsys.readouterr().err
    assert convert(source, '--trust-checkpoint') == 0
    assert torch.load(tmp_path / 'out.pth', weights_only=True)['meta']['classes'] == list(CLASSES)


def test_objects_of_packages_that_are_absent_are_named(states, convert, tmp_path, capsys):
    gone = type('Config', (), {'__module__': 'gone_package'})
    module = type(os)('gone_package')
    module.Config = gone
    with mock.patch.dict('sys.modules', gone_package=module):
        source = save(dict(state_dict=states['vatrack'], meta=gone()), tmp_path / 'released.pth')
    assert convert(source, '--trust-checkpoint') == 1
    assert "not installed here (No module named 'gone_package')" in capsys.readouterr().err


@pytest.mark.parametrize('content', [
    b'', b'not weights', b'\x80\x02}q\x00', lambda whole: whole[:-100], lambda whole: whole[:99]])
@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('more', [(), ('--trust-checkpoint',)])
def test_damaged_files_are_refused(content, zipped, more, states, convert, tmp_path, capsys):
    source = save(dict(state_dict=states['coco']), tmp_path / 'released.pth',
                  _use_new_zipfile_serialization=zipped)
    source.write_bytes(content(source.read_bytes()) if callable(content) else content)
    assert convert(source, *more) == 1
    assert f'error: {source}: damaged' in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['released.pth']


@pytest.mark.parametrize(('content', 'message'), [
    ([1, 2], 'holds a list, but a checkpoint is a state dict'),
    (dict(state_dict={}), 'its state dict is empty or none'),
    (dict(state_dict=None), 'its state dict is empty or none'),
    (dict(epoch=3, model={}), r'2 of 2 entries are no named tensors (epoch, model)'),
    ({1: torch.zeros(1)}, r'1 of 1 entries are no named tensors (1)'),
])
def test_files_of_other_things_are_refused(content, message, convert, tmp_path, capsys):
    source = save(content, tmp_path / 'released.pth')
    assert convert(source) == 1
    assert f'{source}: {message}' in capsys.readouterr().err


def test_a_missing_file_is_named(convert, tmp_path, capsys):
    assert convert(tmp_path / 'none.pth') == 1
    assert f'{tmp_path / "none.pth"}: no such checkpoint' in capsys.readouterr().err


@pytest.mark.parametrize('link', [None, 'symlink_to', 'hardlink_to'])
def test_the_source_is_never_replaced(link, states, run_tool, tmp_path, capsys):
    source = save(states['vatrack'], tmp_path / 'released.pth')
    before, out = source.read_bytes(), source
    if link:
        out = tmp_path / 'other.pth'
        getattr(out, link)(source)
    assert run_tool('convert_checkpoint', source, out) == 1
    assert 'is the released checkpoint itself' in capsys.readouterr().err
    assert source.read_bytes() == before


def test_a_folder_is_no_output(states, run_tool, tmp_path, capsys):
    source = save(states['vatrack'], tmp_path / 'released.pth')
    assert run_tool('convert_checkpoint', source, tmp_path) == 1
    assert f'{tmp_path}: is a folder' in capsys.readouterr().err


def test_an_interrupted_write_leaves_the_older_file(states, convert, tmp_path, capsys):
    source = save(states['vatrack'], tmp_path / 'released.pth')
    (tmp_path / 'out.pth').write_bytes(b'older')

    def full_disk(content: object, path: Path) -> None:
        Path(path).write_bytes(b'half')
        raise OSError(28, 'No space left on device')

    with mock.patch('torch.save', full_disk):
        assert convert(source) == 1
    assert 'No space left' in capsys.readouterr().err
    assert (tmp_path / 'out.pth').read_bytes() == b'older'
    assert sorted(os.listdir(tmp_path)) == ['out.pth', 'released.pth']
    assert convert(source) == 0
    assert len(torch.load(tmp_path / 'out.pth')['state_dict']) == 694


@pytest.mark.parametrize(('classes', 'message'), [
    (CLASSES, 'classes: 24, the same in the checkpoint and in the config'),
    (CLASSES[1::-1] + CLASSES[2:], 'WARNING: the classes of the checkpoint differ'),
    (None, 'classes: the checkpoint or the config does not say them'),
])
def test_a_config_is_held_against_the_result(classes, message, states, convert, tmp_path, capsys):
    source = save(dict(state_dict=states['vatrack'], meta=dict(CLASSES=classes)),
                  tmp_path / 'released.pth')
    assert convert(source, '--config', CONFIGS['vatrack']) == 0
    text = capsys.readouterr().out
    assert f'fits the model of {CONFIGS["vatrack"]}' in text and message in text


def test_a_config_says_what_coco_weights_leave(states, convert, tmp_path, capsys):
    source = save(states['coco'], tmp_path / 'released.pth')
    assert convert(source, '--copy-amodal', '--config', CONFIGS['vatrack']) == 0
    text = capsys.readouterr().out
    assert 'left to be initialised: 24 entries' in text and 'fits the model' in text


@pytest.mark.parametrize('config', ['qd_sailvos-cut_r50.py', 'qd_sailvos-sample_cpu.py'])
def test_a_config_that_does_not_fit_stops_before_anything_is_written(
        config, states, convert, tmp_path, capsys):
    source = save(states['vatrack'], tmp_path / 'released.pth')
    assert convert(source, '--config', REPO / 'configs' / 'vatrack' / config) == 1
    error = capsys.readouterr().err
    assert f'{config}: its model is not that of a vatrack checkpoint' in error
    assert os.listdir(tmp_path) == ['released.pth']


def test_a_missing_config_is_named(states, convert, tmp_path, capsys):
    source = save(states['vatrack'], tmp_path / 'released.pth')
    assert convert(source, '--config', 'configs/none.py') == 1
    assert 'configs/none.py' in capsys.readouterr().err


def test_errors_name_the_file_and_the_option(states, convert, tmp_path, capsys):
    source = save(states['vatrack-2box'], tmp_path / 'released.pth')
    assert convert(source, '--from', 'vatrack') == 1
    assert (f'{source}: this looks like a vatrack-2box checkpoint: use --from vatrack-2box'
            in capsys.readouterr().err)
    with pytest.raises(SystemExit):
        convert(source, '--from', 'vatrack2')


def test_the_python_interface_raises(tmp_path):
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        read_checkpoint(tmp_path / 'none.pth')
