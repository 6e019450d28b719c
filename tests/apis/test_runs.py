from __future__ import annotations

import os
from pathlib import Path

import pytest

from vatrack.apis import ConfigError, RunError, default_work_dir, find_run, last_checkpoint


def make_run(root: Path, name: str, age: int = 0, epochs: tuple[int, ...] = (1, 2)) -> Path:
    """A folder as training leaves it; ``age`` in seconds."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / f'{name}.py').write_text('')
    for epoch in epochs:
        (folder / f'epoch_{epoch}.pth').write_text('')
    pointer = folder / 'last_checkpoint'
    pointer.write_text(str(folder / f'epoch_{epochs[-1]}.pth'))
    stamp = pointer.stat().st_mtime - age
    os.utime(pointer, (stamp, stamp))
    return folder


def test_work_dir_has_the_name_of_the_config():
    assert default_work_dir('configs/vatrack_qd_sailvos.py') == Path('work_dirs/vatrack_qd_sailvos')


def test_bare_call_takes_the_newest_run_and_says_which(tmp_path, capsys):
    make_run(tmp_path, 'old', age=100)
    folder = make_run(tmp_path, 'new', age=10)
    make_run(tmp_path, 'older', age=200)
    run = find_run(root=tmp_path)
    assert run == (folder / 'new.py', folder / 'epoch_2.pth')
    assert capsys.readouterr().out == f'testing {run[1]} with {run[0]}\n'


def test_a_run_without_its_checkpoint_is_passed_over(tmp_path):
    folder = make_run(tmp_path, 'old', age=100)
    (make_run(tmp_path, 'new') / 'epoch_2.pth').unlink()
    assert find_run(root=tmp_path)[0] == folder / 'old.py'


@pytest.mark.parametrize('folders', [[], ['empty']])
def test_without_any_run_the_message_says_how_to_make_one(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(RunError) as caught:
        find_run(root=tmp_path)
    assert 'python tools/train.py configs/vatrack_qd_synthetic.py' in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_config_alone_takes_the_last_checkpoint_of_its_run(tmp_path, capsys):
    folder = make_run(tmp_path, 'mine', age=100)
    make_run(tmp_path, 'newer')
    config = folder / 'mine.py'
    assert find_run(config, root=tmp_path) == (config, folder / 'epoch_2.pth')
    assert 'epoch_2.pth' in capsys.readouterr().out


def test_config_that_was_never_trained(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text('')
    with pytest.raises(RunError, match=f'train with python tools/train.py {config}'):
        find_run(config, root=tmp_path)


def test_both_given_are_taken_as_they_are(tmp_path, capsys):
    config = tmp_path / 'mine.py'
    config.write_text('')
    assert find_run(config, 'any.pth') == (config, Path('any.pth'))
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('weights', [None, 'epoch_1.pth'])
def test_missing_config_is_refused_before_its_run_is_looked_for(tmp_path, weights):
    with pytest.raises(ConfigError, match='no such config'):
        find_run(tmp_path / 'mine.py', weights, tmp_path)


def test_copied_run_finds_its_own_checkpoint(tmp_path):
    folder = make_run(tmp_path, 'run')
    copy = make_run(tmp_path, 'copy')
    (copy / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    assert last_checkpoint(copy) == copy / 'epoch_2.pth'
    (copy / 'epoch_2.pth').unlink()
    assert last_checkpoint(copy) == folder / 'epoch_2.pth'


def test_no_checkpoint_yet(tmp_path):
    assert last_checkpoint(tmp_path) is None
