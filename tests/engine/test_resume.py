"""A training that was stopped anywhere goes on as if it had not been."""
from __future__ import annotations

import os
import re
import shutil
import signal
from errno import ENOSPC
from pathlib import Path

import pytest
import stop_at  # noqa: F401 - registers the hook
import torch
from mmengine.fileio import LocalBackend
from tiny_run import TWO_EPOCHS, tiny_config, train_tool

from vatrack import stopping
from vatrack.apis import WeightsError, train
from vatrack.apis.resume import newest_whole_checkpoint, take_over_settings
from vatrack.apis.weights import check_checkpoint_file


@pytest.fixture(autouse=True)
def signals():
    """Put back what ``run_tool`` changes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stopping._State.owner = stopping._State.pending = None


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)['state_dict']


def same(first: Path, second: Path) -> bool:
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stopped(train, iteration: int, number: int = signal.SIGTERM) -> int:
    """Call ``train`` with a hook that raises a signal; returns the exit code."""
    hook = dict(type='StopAtHook', iteration=iteration, number=int(number))
    code = stopping.run_tool(lambda: train(hook))
    stopping._State.pending = None
    return code


def test_stopped_within_an_epoch(tiny_data, trained_run, tmp_path, capsys):
    options = (*TWO_EPOCHS, 'train_dataloader.num_workers=2')
    assert stopped(lambda hook: train_tool(
        tiny_data, tmp_path, options=(*options, f'custom_hooks=[{hook}]')), 3) == 143
    last = (tmp_path / 'last_checkpoint').read_text()
    assert last == str(tmp_path / 'interrupted.pth')
    error = capsys.readouterr().err
    assert f'stopped by SIGTERM: after iteration 3, the checkpoint is {last}' in error
    assert 'Traceback' not in error and error.rstrip().endswith('--resume')
    # Other workers: a sample does not depend on who loads it.
    assert train_tool(tiny_data, tmp_path, '--resume', options=TWO_EPOCHS) == 0
    assert same(tmp_path / 'epoch_2.pth', trained_run / 'epoch_2.pth')
    assert not (tmp_path / 'interrupted.pth').exists()


def test_iterations_are_resumed_in_the_middle_of_the_data(tiny_data, tmp_path):
    """Batches of the second pass, from workers; validation in between."""
    def train_iterations(folder, resume=None, hook=None):
        config = tiny_config(tiny_data, folder, 'train_dataloader.num_workers=1')
        config.train_cfg = dict(by_epoch=False, max_iters=12, val_interval=6)
        config.param_scheduler = config.param_scheduler[:1]
        config.default_hooks.checkpoint = dict(type='CheckpointHook', interval=5, by_epoch=False)
        config.custom_hooks = [hook] if hook else []
        train(config, resume)
        return 0

    assert train_iterations(tmp_path / 'straight') == 0
    folder = tmp_path / 'stopped'
    assert stopped(lambda hook: train_iterations(folder, hook=hook), 8, signal.SIGINT) == 130
    assert train_iterations(folder, 'auto') == 0
    assert same(folder / 'iter_12.pth', tmp_path / 'straight' / 'iter_12.pth')


@pytest.fixture
def run(trained_run, tmp_path) -> Path:
    """A copy of a run whose second checkpoint can be damaged."""
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        shutil.copy2(trained_run / name, tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    return tmp_path


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize('damage', [cut_off, flip_a_bit])
def test_damaged_checkpoints_are_skipped(run, damage):
    """PyTorch loads weights with a flipped bit without a word."""
    damage(run / 'epoch_2.pth')
    path, notes = newest_whole_checkpoint(run)
    assert path == run / 'epoch_1.pth'
    assert notes == [f'{run}/epoch_2.pth is damaged, going on from {path}']
    damage(path)
    with pytest.raises(WeightsError, match=r'to resume from \(epoch_2.pth, epoch_1.pth'):
        newest_whole_checkpoint(run)


@pytest.mark.parametrize('pointer', ['', '\0\0\0', '/gone/epoch_9.pth'])
def test_a_damaged_pointer_is_no_matter(run, pointer):
    (run / 'last_checkpoint').write_text(pointer)
    assert newest_whole_checkpoint(run) == (run / 'epoch_2.pth', [])


def test_a_full_disk_leaves_the_last_good_checkpoint(tiny_data, tmp_path, capsys, monkeypatch):
    written = []

    def full(self, content, filename):
        written.append(Path(filename))
        written[-1].write_bytes(content[:1000])
        if len(written) > 1:
            raise OSError(ENOSPC, os.strerror(ENOSPC), filename)
        written[-1].write_bytes(content)

    monkeypatch.setattr(LocalBackend, 'put', full)
    options = (*TWO_EPOCHS, 'train_cfg.val_interval=9', 'default_hooks.checkpoint.max_keep_ckpts=1')
    assert train_tool(tiny_data, tmp_path, options=options) == 1
    error, = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert f'{tmp_path}/epoch_2.pth: cannot be written (No space left on device)' in error
    assert (tmp_path / 'last_checkpoint').read_text() == f'{tmp_path}/epoch_1.pth'
    check_checkpoint_file(tmp_path / 'epoch_1.pth')
    assert sorted(tmp_path.glob('epoch_2*')) == []
    assert all(path.suffix == '.part' for path in written)


class TestSettings:
    """What becomes of settings that were changed since the checkpoint."""

    @pytest.fixture(scope='class')
    def middle(self, trained_run, tmp_path_factory) -> Path:
        """A checkpoint of the middle of an epoch."""
        content = torch.load(trained_run / 'epoch_1.pth', weights_only=True)
        content['meta']['position']['batches'] = 2
        path = tmp_path_factory.mktemp('middle') / 'interrupted.pth'
        torch.save(content, path)
        return path

    def settings(self, data: Path, folder: Path, *options: str):
        config = tiny_config(data, folder, *TWO_EPOCHS, *options)
        config.val_evaluator.out = str(folder / 'val_results.json')
        return config

    def test_unchanged_ones_need_no_word(self, tiny_data, trained_run):
        config = self.settings(tiny_data, trained_run)
        assert take_over_settings(config, trained_run / 'epoch_1.pth') == []

    def test_each_change_is_told(self, tiny_data, trained_run):
        config = self.settings(
            tiny_data, trained_run, 'optim_wrapper.optimizer.lr=0.5', 'randomness.seed=9',
            'param_scheduler.0.end=7', 'model.detector.roi_head.bbox_head.loss_cls.loss_weight=3.0',
            'train_dataloader.dataset.max_occlusion=0.5', 'train_dataloader.batch_size=1')
        note, = take_over_settings(config, trained_run / 'epoch_1.pth')
        followed, restored = note.split('NOT followed')
        for text in ('loss_cls.loss_weight 1.0 -> 3.0', 'max_occlusion 0.95 -> 0.5',
                     'train_dataloader.batch_size 2 -> 1'):
            assert text in followed
        for text in ('optim_wrapper.optimizer.lr 0.001 -> 0.5', 'param_scheduler.0.end 100 -> 7',
                     'randomness.seed 0 -> 9', '--cfg-options load_from='):
            assert text in restored
        assert config.randomness.seed == 0

    @pytest.mark.parametrize(('option', 'text'), [
        ("optim_wrapper.optimizer={'type': 'SGD', 'lr': 0.1}", "type 'AdamW' -> 'SGD'"),
        ("train_dataloader.dataset.metainfo.classes=('turtle','fish','jellyfish','starfish','leaf')",
         "classes ['fish', 'turtle'"),
        ("param_scheduler=[{'type': 'LinearLR', 'end': 5}]", "-> ['LinearLR']")])
    def test_other_state_is_refused(self, tiny_data, trained_run, option, text):
        config = self.settings(tiny_data, trained_run, option)
        with pytest.raises(WeightsError, match=re.escape(text)):
            take_over_settings(config, trained_run / 'epoch_1.pth')

    @pytest.mark.parametrize('option', ['train_dataloader.batch_size=1',
                                        'train_dataloader.dataset.max_occlusion=0.5'])
    def test_another_order_is_refused_within_an_epoch(self, tiny_data, trained_run, middle, option):
        config = self.settings(tiny_data, trained_run, option)
        with pytest.raises(WeightsError, match='samples would come in another order: train_data'):
            take_over_settings(config, middle)

    def test_another_look_is_followed_within_an_epoch(self, tiny_data, trained_run, middle):
        config = self.settings(tiny_data, trained_run, 'train_dataloader.dataset.scale=(48, 32)')
        note, = take_over_settings(config, middle)
        assert 'scale [96, 64] -> [48, 32]' in note
