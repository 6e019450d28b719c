"""The command line of the synthetic generator."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scripts import REPO, load_tool

from vatrack.files import load_annotations

TOOL = REPO / 'tools' / 'make_synthetic.py'
SMALL = ['--width', '64', '--height', '48', '--objects', '2', '3']


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('make_synthetic')


def test_makes_splits_then_keeps_then_refuses_them(
        tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ['--out', str(tmp_path), '--splits', 'train:2x3', 'val:1x4', *SMALL]
    assert tool.main(argv) == 0
    made = capsys.readouterr().out.splitlines()
    assert len(made) == 2 and 'made 2 videos, 6 frames' in made[0] and 'occlusion' in made[1]
    assert len(load_annotations(tmp_path / 'val.json').videos[0].frames) == 4
    assert tool.main(argv) == 0
    assert capsys.readouterr().out.count('kept, it was made with the same options') == 2
    assert tool.main([*argv, '--seed', '1']) == 1
    assert '--overwrite' in capsys.readouterr().err
    assert tool.main([*argv, '--seed', '1', '--overwrite']) == 0


@pytest.mark.parametrize(('argv', 'message'), [
    (['--splits', 'train'], 'NAME:VIDEOSxFRAMES'), (['--splits', 'train:2x0'], 'num_frames'),
    (['--occlusion', '2'], 'occlusion'), (['--objects', '4', '1'], 'objects')])
def test_wrong_options_are_explained(tool: ModuleType, tmp_path: Path, argv: list[str],
                                     message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(['--out', str(tmp_path), *argv]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_runs_as_a_script_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(TOOL), '--out', 'here', '--splits', 'tiny:1x2',
                           *SMALL], cwd=tmp_path, env={'PATH': ''}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'here' / 'tiny' / 'tiny_0000' / 'images' / '000001.png').exists()
