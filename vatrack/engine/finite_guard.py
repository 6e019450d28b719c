"""Stop a training run before a NaN reaches the weights."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from vatrack.registry import HOOKS

from .bare_model import bare_model


class NonFiniteError(FloatingPointError):
    """A loss or gradient is NaN or infinite."""


@HOOKS.register_module()
class FiniteGuardHook(Hook):
    """Check the losses and the gradients before every optimizer step.

    When one is NaN or infinite, the weights are still those of the last good
    state: they are saved as ``last_good.pth``, with the statistics of batch
    norm from before the forward pass, and the run stops with an error that
    names the samples of the batch. (fp16 training skips such steps and lowers
    its loss scale instead; it is stopped only when that has not helped for
    ``patience`` steps.)

    Args:
        patience: Consecutive skipped steps before an fp16 run is stopped.
    """

    priority = 'VERY_LOW'

    def __init__(self, patience: int = 50) -> None:
        self.patience = patience
        self._handles: list[RemovableHandle] = []
        self._losses: dict[str, Tensor] = {}

    def before_train(self, runner: Runner) -> None:
        """Put the check in front of the optimizer's step."""
        self._remove()  # of a run that was broken off
        self._skipped = 0
        wrapper = runner.optim_wrapper
        scales = isinstance(wrapper, AmpOptimWrapper) and wrapper.loss_scaler.is_enabled()
        self._scaler = wrapper.loss_scaler if scales else None
        self._buffers = [buffer.clone() for buffer in bare_model(runner).buffers()]
        self._handles = [
            wrapper.optimizer.register_step_pre_hook(lambda *_: self._check(runner)),
            bare_model(runner).register_forward_hook(self._keep_losses)]

    def after_train(self, runner: Runner) -> None:
        """Remove the check."""
        self._remove()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None
                          ) -> None:
        """Remember the batch, to name it, and what a bad step changes besides the weights."""
        self._batch = data_batch
        self._scale = self._scaler.get_scale() if self._scaler else None
        _copy(self._buffers, list(bare_model(runner).buffers()))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None,
                         outputs: dict | None = None) -> None:
        """Count the steps that the loss scaler skipped, and undo what they did to batch norm."""
        if self._scaler is None:
            return
        if self._scaler.get_scale() >= self._scale:
            self._skipped = 0
            return
        self._skipped += 1
        self._restore(runner)
        if self._skipped >= self.patience:
            self._stop(runner)

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _keep_losses(self, model: nn.Module, inputs: tuple, outputs: Any) -> None:
        """Remember the losses of a training step, for the message."""
        if model.training and isinstance(outputs, dict):
            self._losses = {name: sum(each.detach().mean() for each in _as_list(value))
                            for name, value in outputs.items()}

    def _check(self, runner: Runner) -> None:
        gradients = [p.grad for p in runner.model.parameters() if p.grad is not None]
        values = [*torch._foreach_norm(gradients), *self._losses.values()]
        if not torch.stack([value.float() for value in values]).isfinite().all():
            self._stop(runner)

    def _restore(self, runner: Runner) -> None:
        _copy(list(bare_model(runner).buffers()), self._buffers)

    def _stop(self, runner: Runner) -> None:
        self._remove()
        self._restore(runner)
        runner.save_checkpoint(runner.work_dir, 'last_good.pth', by_epoch=False,
                               meta=dict(epoch=runner.epoch, iter=runner.iter))
        samples = ', '.join(f'{frame.img_path} (video {frame.video_name!r}, frame {frame.frame_id})'
                            for clip in self._batch['data_samples']
                            for frame in clip.video_data_samples)
        losses = ', '.join(f'{name}={value:.4g}' for name, value in self._losses.items())
        raise NonFiniteError(
            f'iteration {runner.iter + 1}: the loss or its gradient is not finite ({losses}). '
            f'Samples: {samples}. The weights before this step are in '
            f'{Path(runner.work_dir) / "last_good.pth"}. Look at these samples (tools/browse.py), '
            'lower optim_wrapper.optimizer.lr, lengthen the warm-up, or clip gradients with '
            '--cfg-options optim_wrapper.clip_grad.max_norm=35')


def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
    if targets:
        torch._foreach_copy_(targets, sources)


def _as_list(value: Tensor | list[Tensor]) -> list[Tensor]:
    return value if isinstance(value, list) else [value]
