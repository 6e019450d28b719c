"""Stop a training run before a NaN reaches the weights."""
from __future__ import annotations

from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from vatrack.registry import HOOKS


class NonFiniteError(FloatingPointError):
    """A loss or gradient is NaN or infinite."""


@HOOKS.register_module()
class FiniteGuardHook(Hook):
    """Check the gradients before every optimizer step.

    A NaN or infinite loss gives such gradients, so that one check covers
    both. When it fails, the weights are still those of the last good state:
    they are saved as ``last_good.pth`` and the run stops with an error that
    names the samples of the batch. (fp16 training skips such steps and lowers
    its loss scale instead; it is stopped only when that has not helped for
    ``patience`` steps.)

    Args:
        patience: Consecutive skipped steps before an fp16 run is stopped.
    """

    priority = 'VERY_LOW'

    def __init__(self, patience: int = 50) -> None:
        self.patience = patience

    def before_train(self, runner: Runner) -> None:
        """Put the check in front of the optimizer's step."""
        self._skipped = 0
        self._scaler = (runner.optim_wrapper.loss_scaler
                        if isinstance(runner.optim_wrapper, AmpOptimWrapper) else None)
        optimizer = runner.optim_wrapper.optimizer
        self._handle = optimizer.register_step_pre_hook(lambda *_: self._check(runner))

    def after_train(self, runner: Runner) -> None:
        """Remove the check."""
        self._handle.remove()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None
                          ) -> None:
        """Remember the batch, to name it, and the loss scale, to see a skipped step."""
        self._batch = data_batch
        self._scale = self._scaler.get_scale() if self._skips else None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None,
                         outputs: dict | None = None) -> None:
        """Count the steps that the loss scaler skipped."""
        if not self._skips:
            return
        self._skipped = self._skipped + 1 if self._scaler.get_scale() < self._scale else 0
        if self._skipped >= self.patience:
            self._stop(runner)

    @property
    def _skips(self) -> bool:
        return self._scaler is not None and self._scaler.is_enabled()

    def _check(self, runner: Runner) -> None:
        gradients = [p.grad for p in runner.model.parameters() if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        if not torch.isfinite(norms).all():
            self._stop(runner)

    def _stop(self, runner: Runner) -> None:
        runner.save_checkpoint(runner.work_dir, 'last_good.pth', save_optimizer=True,
                               by_epoch=False)
        samples = ', '.join(f'{frame.img_path} (video {frame.video_name!r}, frame {frame.frame_id})'
                            for clip in self._batch['data_samples']
                            for frame in clip.video_data_samples)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        losses = ', '.join(f'{name}={value:.4g}' for name, value in
                           getattr(model, 'last_losses', {}).items())
        raise NonFiniteError(
            f'iteration {runner.iter + 1}: the loss or its gradient is not finite ({losses}). '
            f'Samples: {samples}. The weights before this step are in '
            f'{Path(runner.work_dir) / "last_good.pth"}. Look at these samples (tools/browse.py), '
            'lower optim_wrapper.optimizer.lr, lengthen the warm-up, or clip gradients with '
            '--cfg-options optim_wrapper.clip_grad.max_norm=35')
