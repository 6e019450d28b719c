from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from vatrack.apis.environment import commit, environment, hardware


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git repository of one commit with one file."""
    if shutil.which('git') is None:
        pytest.skip('needs git')
    (tmp_path / 'file').write_text('one')
    author = ['-c', 'user.name=a', '-c', 'user.email=a@b.c', '-c', 'commit.gpgsign=false']
    for command in (['init', '-q'], ['add', 'file'], [*author, 'commit', '-q', '-m', 'first']):
        subprocess.run(['git', '-C', str(tmp_path), *command], check=True)
    return tmp_path


def test_commit_of_a_checkout_and_whether_files_differ(checkout):
    short = commit(checkout)
    assert len(short) >= 7 and int(short, 16) >= 0
    (checkout / 'unknown to git').write_text('')
    assert commit(checkout) == short
    (checkout / 'file').write_text('two')
    assert commit(checkout) == f'{short}+'


def test_a_folder_inside_of_a_checkout_has_no_commit_of_its_own(checkout):
    inside = checkout / 'downloaded'
    inside.mkdir()
    assert commit(inside) is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert commit(checkout) is None


def test_hardware_is_the_device_that_torch_uses(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert hardware().endswith(' cores') and len(hardware()) > len(', 16 cores')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'A GPU')
    assert hardware() == 'A GPU'
    assert environment()['hardware'] == 'A GPU' and environment()['torch'] == torch.__version__
