"""What the machine lacks is said before a model is built."""
from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from vatrack.apis import ConfigError
from vatrack.apis.launch import check_launcher, check_writable, launch_errors


def test_folder_is_made(tmp_path):
    check_writable(tmp_path / 'a' / 'b', '--work-dir')
    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def a_file(folder: Path) -> Path:
    path = folder / 'file'
    path.write_text('')
    return path


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / 'run'


def link_loop(folder: Path) -> Path:
    (folder / 'one').symlink_to(folder / 'other')
    (folder / 'other').symlink_to(folder / 'one')
    return folder / 'one'


def dangling_link(folder: Path) -> Path:
    (folder / 'link').symlink_to(folder / 'gone' / 'target')
    return folder / 'link'


def of_the_kernel(folder: Path) -> Path:
    return Path('/proc/vatrack')


@pytest.mark.parametrize('make', [a_file, below_a_file, link_loop, dangling_link, of_the_kernel])
def test_folder_that_cannot_be_written_is_refused(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(ConfigError, match=r'nothing can be written .*--out') as caught:
        check_writable(path, '--out')
    assert str(caught.value).startswith(f'{path}: ')


def test_read_only_folder_is_refused(tmp_path, monkeypatch):
    def refuse(dir: Path) -> None:
        raise PermissionError(13, 'Permission denied', str(dir))

    monkeypatch.setattr('tempfile.TemporaryFile', refuse)  # for root nothing is read-only
    with pytest.raises(ConfigError, match='Permission denied'):
        check_writable(tmp_path, '--work-dir')


@pytest.mark.parametrize(('launcher', 'variable', 'command'), [
    ('pytorch', 'RANK', 'torchrun'), ('slurm', 'SLURM_PROCID', 'srun'),
    ('mpi', 'OMPI_COMM_WORLD_RANK', 'mpirun')])
def test_launcher_that_has_launched_nothing(monkeypatch, launcher, variable, command):
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=rf'--launcher {launcher}: .*{variable}.*{command}'):
        check_launcher(Config(dict(launcher=launcher)))


def test_one_process_needs_no_launcher():
    check_launcher(Config({}))
    check_launcher(Config(dict(launcher='none')))


@pytest.mark.parametrize(('gpus', 'refused'), [(0, False), (1, True), (2, False)])
def test_more_processes_than_gpus(monkeypatch, gpus, refused):
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '1')
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    config = Config(dict(launcher='pytorch'))
    if not refused:
        return check_launcher(config)
    with pytest.raises(ConfigError, match='2 processes on a machine with 1 GPUs'):
        check_launcher(config)


def test_port_in_use(monkeypatch):
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = str(other.getsockname()[1])
        for name, value in dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, RANK='0',
                                WORLD_SIZE='2').items():
            monkeypatch.setenv(name, value)
        with (pytest.raises(ConfigError, match=rf'127.0.0.1:{port}: .*--master_port another'),
              launch_errors()):
            torch.distributed.init_process_group('gloo')
