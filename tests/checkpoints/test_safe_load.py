"""A checkpoint that would run code is refused wherever checkpoints are read."""
from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hub.hub import load_checkpoint as load_hub_checkpoint
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    _load_checkpoint,
    get_external_models,
    get_torchvision_models,
    load_checkpoint,
)
from scripts import REPO
from tiny_run import CONFIG, TWO_EPOCHS, test_tool, train_tool
from torch.utils import model_zoo
from torchvision._internally_replaced_utils import load_state_dict_from_url

from vatrack.apis import VideoInferencer
from vatrack.checkpoints import UntrustedCheckpointError, load
from vatrack.checkpoints.safe_load import SWITCH
from vatrack.engine import PlainCheckpointHook

URL = 'https://vatrack.invalid/payload.pth'


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.fixture
def made(tmp_path) -> Path:
    """Folder that the payload makes when it runs."""
    return tmp_path / 'made'


@pytest.fixture
def payload(made, tmp_path) -> Path:
    path = tmp_path / 'payload.pth'
    torch.save({'state_dict': {'weight': torch.zeros(1)}, 'meta': Calls(os.mkdir, str(made))}, path)
    return path


@pytest.fixture
def cached(payload, tmp_path, monkeypatch) -> Callable[[str], str]:
    """Put the payload where the file of an address is kept once it was downloaded."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))

    def cache(url: str) -> str:
        target = tmp_path / 'home/hub/checkpoints' / url.rpartition('/')[2]
        target.parent.mkdir(parents=True)
        target.write_bytes(payload.read_bytes())
        return url

    return cache


def initialise(path: Path) -> None:
    class Model(BaseModule):
        pass

    Model(init_cfg=dict(type='Pretrained', checkpoint=str(path))).init_weights()


@pytest.mark.parametrize('read', [
    load, lambda path: CheckpointLoader.load_checkpoint(str(path)),
    lambda path: _load_checkpoint(str(path), 'cpu'),
    lambda path: load_checkpoint(torch.nn.Linear(1, 1), str(path)),
    lambda path: load_hub_checkpoint(torch.nn.Linear(1, 1), str(path)),
    lambda path: load(io.BytesIO(path.read_bytes())), initialise])
def test_a_payload_in_a_file_is_refused_by_name(read, payload, made):
    with pytest.raises(UntrustedCheckpointError, match=r'mkdir.*--trust-checkpoint.*=1'):
        read(payload)
    assert not made.exists()


@pytest.mark.parametrize(('name', 'url'), [
    (URL, URL), ('torchvision://resnet50', get_torchvision_models()['resnet50']),
    ('open-mmlab://resnext101_64x4d', get_external_models()['resnext101_64x4d'])])
def test_a_payload_at_an_address_is_refused_by_name(name, url, cached, made):
    cached(url)
    with pytest.raises(UntrustedCheckpointError, match=f'{url}: refused, .*mkdir'):
        CheckpointLoader.load_checkpoint(name)
    assert not made.exists()


@pytest.mark.parametrize('read', [torch.hub.load_state_dict_from_url, model_zoo.load_url,
                                  load_state_dict_from_url])
def test_torch_hub_refuses_it_under_all_its_names(read, cached, made):
    with pytest.raises(pickle.UnpicklingError, match='mkdir'):
        read(cached(URL))
    assert not made.exists()


@pytest.mark.parametrize('write', [
    lambda content, file: torch.save(content, file, pickle_protocol=4),
    lambda content, file: torch.save(content, file, _use_new_zipfile_serialization=False),
    lambda content, file: file.write(pickle.dumps(content, 0)),
    lambda content, file: file.write(pickle.dumps(content))])
def test_no_form_of_pickle_gets_through(write, made, tmp_path):
    with (tmp_path / 'payload.pth').open('wb') as file:
        write([['mkdir'], Calls(os.mkdir, str(made))], file)
    with pytest.raises(UntrustedCheckpointError, match=r'holds (posix|nt)\.mkdir, which'):
        load(tmp_path / 'payload.pth')
    assert not made.exists()


@pytest.mark.parametrize(('content', 'name'), [
    # getattr, which mmengine allows, reaches any function: getattr(getattr, '__self__').exec.
    (Calls(getattr, getattr, '__self__'), 'builtins.getattr'),
    (np.array([None, 'object']), 'numpy.dtype'),
    (np.array([(1, 2)], 'u1,u1'), 'numpy.dtype')])
def test_what_is_allowed_for_old_checkpoints_does_no_more(content, name, tmp_path):
    torch.save({'meta': content}, tmp_path / 'payload.pth')
    with pytest.raises(UntrustedCheckpointError, match=name):
        load(tmp_path / 'payload.pth')


def test_a_method_of_a_history_is_not_replaced(tmp_path):
    buffer = HistoryBuffer([1.0], [1])
    buffer.__getstate__()
    buffer._statistics_methods = {'mean': 'changed'}
    torch.save(buffer, tmp_path / 'history.pth')
    assert load(tmp_path / 'history.pth').statistics('mean') == 1
    assert HistoryBuffer._statistics_methods['mean'] is HistoryBuffer.mean


def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / 'program.pth')
    with pytest.raises(UntrustedCheckpointError, match='holds TorchScript'):
        load(tmp_path / 'program.pth')


def test_a_config_in_a_checkpoint_is_not_run_when_it_is_resumed(tmp_path):
    """mmengine's Runner.resume runs the text of ``meta.config`` as Python."""
    torch.save({'meta': {'config': 'import os', 'epoch': 1}}, tmp_path / 'payload.pth')
    assert load(tmp_path / 'payload.pth') == {'meta': {'epoch': 1}}


def test_other_processes_refuse_it_too(payload, made):
    with (ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool,
          pytest.raises(UntrustedCheckpointError)):
        pool.submit(_in_process, str(payload)).result()
    assert not made.exists()


def _in_process(path: str) -> None:
    CheckpointLoader.load_checkpoint(path)


@pytest.mark.parametrize('source', ['file', 'url'])
def test_the_switch_trusts(source, payload, cached, made, monkeypatch):
    monkeypatch.setenv(SWITCH, '0')
    name = str(payload) if source == 'file' else cached(URL)
    with pytest.raises(UntrustedCheckpointError):
        CheckpointLoader.load_checkpoint(name)
    monkeypatch.setenv(SWITCH, '1')
    assert CheckpointLoader.load_checkpoint(name)['state_dict'].keys() == {'weight'}
    assert made.is_dir()


def test_damage_is_no_refusal(payload, tmp_path):
    payload.write_bytes(payload.read_bytes()[:-100])
    with pytest.raises(RuntimeError):
        load(payload)
    payload.write_bytes(b'not weights')
    with pytest.raises(pickle.UnpicklingError):
        load(payload)


@pytest.fixture
def poisoned(trained_run, made, tmp_path) -> Path:
    """A checkpoint of a run, with a payload."""
    content = torch.load(trained_run / 'epoch_1.pth', weights_only=True)
    content['meta']['note'] = Calls(os.mkdir, str(made))
    torch.save(content, tmp_path / 'poisoned.pth')
    return tmp_path / 'poisoned.pth'


@pytest.mark.parametrize('call', [
    lambda path, data, run, tool: train_tool(data, path.parent / 'run', '--resume', str(path)),
    lambda path, data, run, tool: train_tool(data, path.parent / 'run',
                                             options=(f'load_from={path}',)),
    lambda path, data, run, tool: train_tool(data, path.parent / 'run', options=(
        f"model.detector.backbone.init_cfg={{'type': 'Pretrained', 'checkpoint': '{path}'}}",)),
    lambda path, data, run, tool: test_tool(run / CONFIG.name, path),
    lambda path, data, run, tool: tool('demo', data / 'val/val_0000/images', run / CONFIG.name,
                                       path, '--out', path.parent / 'film.mp4'),
    lambda path, data, run, tool: tool('convert_checkpoint', path, path.parent / 'out.pth'),
], ids=['resume', 'load_from', 'init_cfg', 'test', 'demo', 'convert'])
def test_tools_say_what_they_refuse(call, poisoned, made, trained_run, tiny_data, run_tool, capsys):
    assert call(poisoned, tiny_data, trained_run, run_tool) == 1
    error = capsys.readouterr().err
    assert f'error: {poisoned}: refused, because it holds' in error
    assert 'mkdir' in error and '--trust-checkpoint' in error
    assert not made.exists()


def test_tools_trust_when_they_are_told_to(poisoned, made, trained_run, tmp_path):
    assert test_tool(trained_run / CONFIG.name, poisoned, '--trust-checkpoint', '--eval', 'AP',
                     '--out', tmp_path / 'results.json') == 0
    assert made.is_dir()


def test_the_inferencer_refuses_it(poisoned, made, trained_run):
    with pytest.raises(UntrustedCheckpointError, match='mkdir'):
        VideoInferencer(trained_run / CONFIG.name, poisoned)
    assert not made.exists()


def test_checkpoints_of_a_run_are_plain(trained_run, run_tool, tmp_path, capsys):
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        content = torch.load(trained_run / name, weights_only=True)
    assert len(content['message_hub']['log_scalars']['train/loss']['log_history']) == 12
    assert run_tool('convert_checkpoint', trained_run / name, tmp_path / 'out.pth') == 1
    assert "has vatrack's names already" in capsys.readouterr().err


@pytest.fixture
def old_checkpoint(trained_run, tmp_path) -> Path:
    """The first checkpoint of the run as version 0.1 wrote it."""
    content = torch.load(trained_run / 'epoch_1.pth', weights_only=True)
    PlainCheckpointHook().after_load_checkpoint(None, content)
    content['message_hub']['runtime_info']['eta'] = np.float64(0.1)
    content['message_hub']['runtime_info']['counts'] = np.arange(3)
    torch.save(content, tmp_path / 'old.pth')
    return tmp_path / 'old.pth'


def test_an_old_checkpoint_is_read_to_the_bit(old_checkpoint):
    with pytest.raises(pickle.UnpicklingError):
        torch.load(old_checkpoint, weights_only=True)
    hub, expected = (each['message_hub'] for each in (
        load(old_checkpoint), torch.load(old_checkpoint, weights_only=False)))
    assert hub['log_scalars'].keys() == expected['log_scalars'].keys()
    for name, history in expected['log_scalars'].items():
        assert type(hub['log_scalars'][name]) is HistoryBuffer
        for array, other in zip(hub['log_scalars'][name].data, history.data, strict=True):
            assert type(array) is np.ndarray and array.dtype == other.dtype
            assert array.tobytes() == other.tobytes()
    info = hub['runtime_info']
    assert info['eta'].dtype == np.float64 and info['eta'] == np.float64(0.1)
    assert info['counts'].tolist() == [0, 1, 2]
    assert type(pickle.loads(pickle.dumps(info['counts']))) is np.ndarray


@pytest.mark.slow
def test_an_old_checkpoint_is_resumed(old_checkpoint, trained_run, tiny_data, tmp_path):
    assert train_tool(tiny_data, tmp_path / 'run', '--resume', str(old_checkpoint),
                      options=TWO_EPOCHS) == 0
    end, expected = (torch.load(folder / 'epoch_2.pth', weights_only=True)
                     for folder in (tmp_path / 'run', trained_run))
    assert [name for name, value in expected['state_dict'].items()
            if not torch.equal(end['state_dict'][name], value)] == []
    histories = [each['message_hub']['log_scalars']['train/loss'] for each in (end, expected)]
    assert torch.equal(*(each['log_history'] for each in histories))


def test_histories_survive_saving_to_the_bit():
    hook, buffer = PlainCheckpointHook(), HistoryBuffer([0.1, 1 / 3, float('nan')], [1, 2, 3], 5)
    checkpoint = {'state_dict': {}, 'message_hub': {'log_scalars': {'loss': buffer}}}
    hook.before_save_checkpoint(None, checkpoint)
    file = io.BytesIO()
    torch.save(checkpoint, file)
    file.seek(0)
    read = torch.load(file, weights_only=True)
    hook.after_load_checkpoint(None, read)
    (found,) = read['message_hub']['log_scalars'].values()
    assert found.max_length == 5
    for array, expected in zip(found.data, buffer.data, strict=True):
        assert array.dtype == expected.dtype and array.tobytes() == expected.tobytes()


def test_what_cannot_be_made_plain_is_named():
    warnings = []
    runner = SimpleNamespace(logger=SimpleNamespace(
        warning=lambda text, *parts: warnings.append(text % parts)))
    checkpoint = {'state_dict': {}, 'meta': {'path': Path('a'), 'span': range(3), 'rate': (
        np.float32(0.5), np.int64(2), np.str_('x'))}}
    PlainCheckpointHook().before_save_checkpoint(runner, checkpoint)
    assert checkpoint['meta'] == {'path': 'a', 'span': range(3), 'rate': (0.5, 2, 'x')}
    assert [type(each) for each in checkpoint['meta']['rate']] == [float, int, str]
    assert len(warnings) == 1 and 'meta of the checkpoint holds builtins.range' in warnings[0]


def test_configs_have_the_hook():
    assert "type='PlainCheckpointHook'" in (REPO / 'configs/_base_/runtime.py').read_text()
