from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from tiny_run import tiny_config

from vatrack.apis.config import build_runner
from vatrack.engine import FiniteGuardHook, NonFiniteError

BAD_STEP = 3


class Recorder:
    """Replaces the total loss of one step; remembers the state before every step."""

    def __init__(self, runner, spoil) -> None:
        self.states, self.batches, self.calls = [], [], 0
        self.runner, self.spoil, self.parse = runner, spoil, runner.model.parse_losses
        self.step = runner.model.train_step
        runner.model.parse_losses, runner.model.train_step = self.parse_losses, self.train_step

    def train_step(self, data, optim_wrapper):
        self.states.append({name: value.clone()
                            for name, value in self.runner.model.state_dict().items()})
        self.batches.append([frame for clip in data['data_samples']
                             for frame in clip.video_data_samples])
        return self.step(data, optim_wrapper)

    def parse_losses(self, losses):
        self.calls += 1
        total, logged = self.parse(losses)
        return (self.spoil(total) if self.calls == BAD_STEP else total), logged


class Overflow(torch.autograd.Function):
    """A finite value with an infinite gradient."""

    @staticmethod
    def forward(context, value):
        return value.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * float('inf')


@pytest.fixture
def runner(tiny_data, tmp_path):
    return build_runner(tiny_config(tiny_data, tmp_path, 'train_cfg.val_interval=9'))


@pytest.mark.parametrize('spoil', [lambda loss: loss * float('nan'), Overflow.apply],
                         ids=['loss', 'gradient only'])
def test_bad_step_is_not_taken_and_the_message_names_the_samples(runner, tmp_path, spoil):
    recorder = Recorder(runner, spoil)

    with pytest.raises(NonFiniteError) as caught:
        runner.train()

    assert recorder.calls == BAD_STEP
    message = str(caught.value)
    assert f'iteration {BAD_STEP}:' in message
    assert 'loss_rpn_cls=' in message and 'loss_amodal_mask=' in message
    assert str(tmp_path / 'last_good.pth') in message
    for frame in recorder.batches[-1]:
        assert frame.img_path in message and Path(frame.img_path).is_file()
        assert f'video {frame.video_name!r}, frame {frame.frame_id}' in message
    assert_saved_state(tmp_path, recorder.states[-1])


def assert_saved_state(work_dir: Path, state: dict[str, torch.Tensor]) -> None:
    checkpoint = torch.load(work_dir / 'last_good.pth', weights_only=False)
    saved = checkpoint['state_dict']
    assert saved.keys() == state.keys()
    assert [name for name in state if not torch.equal(saved[name], state[name])] == []
    assert all(value.isfinite().all() for value in saved.values())
    assert checkpoint['meta']['iter'] == BAD_STEP - 1
    assert all(value.isfinite().all() for slots in checkpoint['optimizer']['state'].values()
               for value in slots.values())


def test_nan_pixels_spoil_neither_weights_nor_batch_norm(runner, tmp_path):
    recorder = Recorder(runner, spoil=lambda loss: loss)
    normalise = runner.model.data_preprocessor.forward

    def normalise_one_batch_wrong(*args):
        data = normalise(*args)
        if recorder.calls == BAD_STEP - 1:
            data['inputs'] = data['inputs'] * float('nan')
        return data

    runner.model.data_preprocessor.forward = normalise_one_batch_wrong

    with pytest.raises(NonFiniteError, match='loss_cls=nan'):
        runner.train()

    assert_saved_state(tmp_path, recorder.states[-1])
    assert all(value.isfinite().all() for value in runner.model.state_dict().values())


def test_nan_loss_whose_gradient_is_finite_is_found(runner, tmp_path):
    """A constant NaN, such as a mean over nothing, has no gradient at all."""
    recorder = Recorder(runner, spoil=lambda loss: loss)
    losses = runner.model.detector.rpn_head.loss_by_feat

    def with_constant(*args, **kwargs):
        found = losses(*args, **kwargs)
        if recorder.calls == BAD_STEP - 1:
            found['loss_rpn_cls'] = [found['loss_rpn_cls'][0] + float('nan')]
        return found

    runner.model.detector.rpn_head.loss_by_feat = with_constant

    with pytest.raises(NonFiniteError, match='loss_rpn_cls=nan'):
        runner.train()

    assert_saved_state(tmp_path, recorder.states[-1])


class FakeScaler:
    """Loss scaler that halves its scale, as it does when it skips a step, at given steps."""

    def __init__(self, skips: set[int]) -> None:
        self.skips, self.step_number, self.scale = skips, 0, 2.0**16

    def is_enabled(self) -> bool:
        return True

    def get_scale(self) -> float:
        return self.scale

    def update(self) -> None:
        if self.step_number in self.skips:
            self.scale /= 2
        self.step_number += 1


def fp16_runner(model: torch.nn.Module, scaler: FakeScaler, work_dir: Path) -> SimpleNamespace:
    """All of a runner that the hook needs, with an fp16 wrapper that needs no GPU."""
    wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper)
    wrapper.loss_scaler, wrapper.optimizer = scaler, torch.optim.SGD(model.parameters(), lr=1.0)
    runner = SimpleNamespace(model=model, optim_wrapper=wrapper, work_dir=str(work_dir), iter=0,
                             epoch=0, saved=[])

    def save_checkpoint(out_dir, filename, **_):
        runner.saved.append((filename, {k: v.clone() for k, v in model.state_dict().items()}))

    runner.save_checkpoint = save_checkpoint
    return runner


def run_fp16(hook: FiniteGuardHook, runner: SimpleNamespace, steps: int) -> None:
    hook.before_train(runner)
    for _ in range(steps):
        hook.before_train_iter(runner, runner.iter, {'data_samples': []})
        if runner.optim_wrapper.loss_scaler.step_number in runner.optim_wrapper.loss_scaler.skips:
            runner.model.running_mean.fill_(float('nan'))  # what an overflow does to batch norm
        runner.optim_wrapper.loss_scaler.update()
        hook.after_train_iter(runner, runner.iter, {'data_samples': []})
        runner.iter += 1
    hook.after_train(runner)


def test_fp16_skips_are_borne_as_long_as_lowering_the_scale_helps(tmp_path):
    runner = fp16_runner(torch.nn.BatchNorm1d(2), FakeScaler({0, 1, 3, 4, 6}), tmp_path)
    run_fp16(FiniteGuardHook(patience=3), runner, steps=8)
    assert runner.iter == 8 and runner.saved == []


def test_fp16_is_stopped_after_patience_skips_in_a_row(tmp_path):
    runner = fp16_runner(torch.nn.BatchNorm1d(2), FakeScaler({1, 3, 4, 5, 6}), tmp_path)
    runner.model.running_mean.fill_(0.5)
    with pytest.raises(NonFiniteError, match='iteration 6'):
        run_fp16(FiniteGuardHook(patience=3), runner, steps=8)
    ((name, state),) = runner.saved
    assert name == 'last_good.pth'
    assert all(value.isfinite().all() for value in state.values())


def test_model_without_buffers(tmp_path):
    runner = fp16_runner(torch.nn.Linear(2, 2), FakeScaler({1}), tmp_path)
    runner.model.running_mean = torch.zeros(2)
    run_fp16(FiniteGuardHook(), runner, steps=3)
    assert runner.iter == 3


def test_training_again_after_a_stop_checks_once(tmp_path):
    """An error elsewhere leaves the check on the optimizer; the next run takes it off."""
    runner = fp16_runner(torch.nn.Linear(2, 2), FakeScaler(set()), tmp_path)
    hook = FiniteGuardHook()
    for _ in range(2):
        hook.before_train(runner)
    assert len(runner.optim_wrapper.optimizer._optimizer_step_pre_hooks) == 1
    hook.after_train(runner)
    hook.after_train(runner)
    assert not runner.optim_wrapper.optimizer._optimizer_step_pre_hooks
