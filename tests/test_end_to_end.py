"""Training, resuming and testing through the command line tools, on the shrunk synthetic config."""
from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from scripts import REPO, load_tool
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_run import CONFIG, TWO_EPOCHS, test_tool, tiny_options, train_tool

from vatrack.evaluation import metric as metric_module

STEPS = [2, 4, 6, 8, 10, 12]


def state(checkpoint: Path) -> dict[str, torch.Tensor]:
    """All tensors of the model, and the state and learning rates of the optimizer."""
    content = torch.load(checkpoint, weights_only=False)
    optimizer = {f'optimizer.{number}.{name}': torch.as_tensor(value)
                 for number, slots in content['optimizer']['state'].items()
                 for name, value in slots.items()}
    rates = {f'lr.{number}': torch.tensor(group['lr'], dtype=torch.float64)
             for number, group in enumerate(content['optimizer']['param_groups'])}
    return {**content['state_dict'], **optimizer, **rates}


def differing(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> list[str]:
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]


@pytest.fixture
def one_worker_run(tiny_data, tmp_path):
    options = (*TWO_EPOCHS, 'train_dataloader.num_workers=1')
    assert train_tool(tiny_data, tmp_path / 'straight', options=options) == 0
    return tmp_path / 'straight'


@pytest.mark.slow
@pytest.mark.parametrize(('straight', 'workers', 'how'), [
    ('trained_run', 0, 'path'), ('one_worker_run', 1, 'auto')])
def test_resumed_training_ends_bit_for_bit_like_training_in_one_go(
        request, tiny_data, tmp_path, straight, workers, how):
    straight = request.getfixturevalue(straight)
    resumed = tmp_path / 'resumed'
    args = ['--resume', str(straight / 'epoch_1.pth')]
    if how == 'auto':  # a run that was stopped after an epoch, and moved
        args = ['--resume']
        resumed.mkdir()
        shutil.copy(straight / 'epoch_1.pth', resumed)
        (resumed / 'last_checkpoint').write_text('/gone/epoch_1.pth')

    options = (*TWO_EPOCHS, f'train_dataloader.num_workers={workers}')
    assert train_tool(tiny_data, resumed, *args, options=options) == 0

    end = state(straight / 'epoch_2.pth')
    assert differing(state(resumed / 'epoch_2.pth'), end) == []
    assert len(differing(state(straight / 'epoch_1.pth'), end)) > 100


def test_seed_of_the_command_line_counts(trained_run, tiny_data, tmp_path):
    """Other data in another order, from the first step on."""
    options = (*TWO_EPOCHS, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=9')
    assert train_tool(tiny_data, tmp_path, '--seed', '7', options=options) == 0
    assert len(differing(state(tmp_path / 'epoch_1.pth'), state(trained_run / 'epoch_1.pth'))) > 100


def test_resume_without_a_run_says_so(tiny_data, tmp_path, capsys):
    assert train_tool(tiny_data, tmp_path, '--resume') == 1
    assert f'error: {tmp_path}: no checkpoint to resume from' in capsys.readouterr().err


def test_training_writes_scalars_checkpoints_and_the_time_left(trained_run):
    names = {path.name for path in trained_run.iterdir()}
    assert {'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint', CONFIG.name} <= names
    assert 'last_good.pth' not in names
    assert json.loads((trained_run / 'val_results.json').read_text())
    (scalars,) = trained_run.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert [line['step'] for line in lines if 'loss' in line] == STEPS
    assert {'lr', 'loss_rpn_cls', 'loss_cls', 'loss_amodal_mask', 'loss_visible_mask',
            'loss_track', 'grad_norm', 'time'} <= lines[0].keys()
    assert sum('amodal/video/vAP' in line for line in lines) == 2
    (log,) = trained_run.glob('*/*.log')
    assert log.read_text().count('eta: 0:0') >= len(STEPS)


def test_tensorboard_holds_the_losses(trained_run):
    (folder,) = trained_run.glob('*/vis_data')
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Scalars('loss_amodal_mask')] == STEPS


def test_training_warns_of_nothing_about_registries(trained_run):
    (log,) = trained_run.glob('*/*.log')
    warnings = [line for line in log.read_text().splitlines() if 'WARNING' in line]
    assert not [line for line in warnings if 'scope' in line or 'registry' in line]


@pytest.fixture
def run(trained_run, tmp_path, monkeypatch):
    """A copy of the trained run in ``work_dirs``, its config, and the current folder."""
    folder = tmp_path / 'work_dirs' / CONFIG.stem
    folder.mkdir(parents=True)
    for name in ('epoch_2.pth', CONFIG.name):
        shutil.copy(trained_run / name, folder)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    monkeypatch.chdir(tmp_path)
    return folder


def metrics(path: Path) -> dict:
    return json.loads(path.read_text())


def test_bare_test_call_takes_the_newest_run(run, capsys):
    config = (run / CONFIG.name).read_bytes()
    assert test_tool('--eval', 'vAP', '--visible-as-amodal', '--protocol', 'ytvis',
                     '--cfg-options', 'model.association.tracker.match_score_thr=0.6') == 0
    printed = capsys.readouterr().out
    assert 'testing work_dirs/vatrack_qd_synthetic/epoch_2.pth with work_dirs/' in printed
    assert 'visible masks against amodal truth' in printed
    assert printed.count('protocol  ytvis') == 2
    written = metrics(run / 'results.metrics.json')
    assert written['protocol']['name'] == 'ytvis'
    assert {name.split('/')[1] for name in written['metrics']} == {'video'}
    assert isinstance(json.loads((run / 'results.json').read_text()), list)
    # The next bare call must not find the options of this one in the config.
    assert (run / CONFIG.name).read_bytes() == config


def test_bare_test_call_without_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert test_tool() == 1
    error = capsys.readouterr().err
    assert error.startswith('error: no run in') and 'tools/train.py' in error


def test_config_alone_takes_the_last_checkpoint_of_its_run(run, capsys):
    shutil.copy(run / CONFIG.name, CONFIG.name)
    assert test_tool(CONFIG.name, '--eval', 'AP') == 0
    assert 'epoch_2.pth with vatrack_qd_synthetic.py' in capsys.readouterr().out


def test_results_are_scored_again_to_the_same_numbers_without_a_model(run, tmp_path, monkeypatch):
    out = tmp_path / 'new' / 'out.json'
    config, show = run / CONFIG.name, tmp_path / 'pictures'
    assert test_tool(config, run / 'epoch_2.pth', '--out', out, '--show-dir', show,
                     '--score-thr', '0') == 0
    first, results = metrics(out.with_suffix('.metrics.json')), out.read_text()
    assert len(json.loads(results)) > 0
    assert sorted(path.name for path in show.iterdir()) == [
        '0001_val_0000.mp4', '0002_val_0001.mp4', '0003_val_0002.mp4', 'contact_sheet.png']
    assert all(path.stat().st_size > 1000 for path in show.iterdir())

    monkeypatch.setattr(import_module('vatrack.apis.test'), 'build_runner', None)
    out.with_suffix('.metrics.json').unlink()
    assert test_tool(config, out, '--score-thr', '0') == 0
    assert metrics(out.with_suffix('.metrics.json')) == first
    assert out.read_text() == results


def test_results_are_on_disk_before_they_are_scored(run, monkeypatch):
    def fail(*_, **__):
        raise MemoryError('no score today')

    monkeypatch.setattr(metric_module, 'evaluate', fail)
    with pytest.raises(MemoryError, match='no score today'):
        test_tool(run / CONFIG.name, run / 'epoch_2.pth')
    monkeypatch.undo()
    assert test_tool(run / CONFIG.name, run / 'results.json') == 0


def test_unknown_metric_lists_those_there_are(capsys):
    with pytest.raises(SystemExit) as caught:
        test_tool('--eval', 'mAP')
    assert caught.value.code != 0
    error = capsys.readouterr().err
    assert 'mAP' in error and 'vAP' in error and 'Traceback' not in error


@pytest.mark.parametrize('tool', ['train', 'test'])
@pytest.mark.parametrize('launcher', ['none', 'pytorch', 'slurm', 'mpi'])
def test_launchers(tool, launcher):
    args = load_tool(tool).parse_args(['config.py', '--launcher', launcher])
    assert args.launcher == launcher
    assert os.environ['LOCAL_RANK']


def test_bf16_training_on_a_cpu(tiny_data, tmp_path):
    assert train_tool(tiny_data, tmp_path, '--amp', 'bf16') == 0
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    losses = [json.loads(line) for line in scalars.read_text().splitlines() if '"loss"' in line]
    assert losses and all(torch.tensor(line['loss']).isfinite() for line in losses)
    weights = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['state_dict']
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}


def launch(tool: str, *args: str | Path) -> subprocess.CompletedProcess:
    """Run a tool in two processes, as torchrun does, on CPUs."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node', '2',
               '--master_port', str(port), REPO / 'tools' / f'{tool}.py', '--launcher', 'pytorch']
    return subprocess.run([*map(str, command), *map(str, args)], capture_output=True, text=True,
                          env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''},
                          timeout=300, check=False)


@pytest.mark.slow
def test_two_processes_train_together(tiny_data, tmp_path):
    done = launch('train', CONFIG, '--work-dir', tmp_path, '--cfg-options',
                  *tiny_options(tiny_data))
    assert done.returncode == 0, done.stderr
    assert 'Epoch(train) [1][3/3]' in done.stdout  # 12 clips in batches of 2, in 2 processes
    assert 'amodal/video/vAP' in done.stdout
    assert (tmp_path / 'epoch_1.pth').is_file()


@pytest.mark.slow
def test_two_processes_test_to_the_very_numbers_of_one(run, tmp_path):
    """The number of threads changes the rounding, so both runs have one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert test_tool(run / CONFIG.name, run / 'epoch_2.pth', '--out', 'one.json') == 0
    finally:
        torch.set_num_threads(threads)
    done = launch('test', run / CONFIG.name, run / 'epoch_2.pth', '--out', 'two.json')
    assert done.returncode == 0, done.stderr
    assert Path('two.metrics.json').read_text() == Path('one.metrics.json').read_text()
    assert Path('two.json').read_text() == Path('one.json').read_text()
