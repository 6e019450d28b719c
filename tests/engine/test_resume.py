"""A training that was stopped anywhere goes on as if it had not been."""
from __future__ import annotations

import signal
from pathlib import Path

import pytest
import stop_at  # noqa: F401 - registers the hook
import torch
from tiny_run import TWO_EPOCHS, train_tool

from vatrack import stopping

ITERATIONS = ('train_cfg.type=IterBasedTrainLoop', 'train_cfg.max_iters=12',
              'train_cfg.val_interval=6', 'default_hooks.checkpoint.by_epoch=False',
              'default_hooks.checkpoint.interval=3')


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


def stopped_training(data: Path, folder: Path, options: tuple[str, ...], iteration: int = 3,
                     number: int = signal.SIGTERM) -> int:
    hook = f"custom_hooks=[{{'type': 'StopAtHook', 'iteration': {iteration}, 'number': {number}}}]"
    code = stopping.run_tool(lambda: train_tool(data, folder, options=(*options, hook)))
    stopping._State.pending = None
    return code


def test_stopped_within_an_epoch(tiny_data, trained_run, tmp_path, capsys):
    options = (*TWO_EPOCHS, 'train_dataloader.num_workers=2')
    assert stopped_training(tiny_data, tmp_path, options) == 143
    last = (tmp_path / 'last_checkpoint').read_text()
    assert last == str(tmp_path / 'interrupted.pth')
    error = capsys.readouterr().err
    assert f'stopped by SIGTERM: after iteration 3, the checkpoint is {last}' in error
    assert 'Traceback' not in error and error.rstrip().endswith('--resume')
    # Other workers: a sample does not depend on who loads it.
    assert train_tool(tiny_data, tmp_path, '--resume', options=TWO_EPOCHS) == 0
    assert same(tmp_path / 'epoch_2.pth', trained_run / 'epoch_2.pth')
    assert not (tmp_path / 'interrupted.pth').exists()
