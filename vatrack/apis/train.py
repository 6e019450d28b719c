"""Training as a function."""
from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config

from vatrack.engine import bare_model

from .config import ConfigError, build_runner, check_association, config_errors
from .loader_errors import loader_errors
from .runs import last_checkpoint
from .weights import (
    WeightsError,
    check_checkpoint_file,
    check_resumable,
    drop_pretrained,
    fetch_pretrained,
    train_from_scratch,
)


def train(config: Config, resume: str | None = None, from_scratch: bool = False) -> None:
    """Train as the config says; checkpoints and logs go to ``config.work_dir``.

    So do the tracks of the last validation, as ``val_results.json``.

    Args:
        config: Complete config with ``work_dir``.
        resume: None; 'auto' for the last checkpoint of ``work_dir``; or a
            checkpoint file.
        from_scratch: Use no pretrained weights.

    Raises:
        ConfigError: The config names a class or key that does not exist, or a
            video-level metric for a model that does not track.
        WeightsError: Pretrained weights or the checkpoint cannot be had, or the
            checkpoint is of another architecture.
        LoaderError: A process that loads data died.
        UntrustedCheckpointError: One of them would run code.
        NonFiniteError: A loss became NaN or infinite.
    """
    check_association(config, 'val')
    if from_scratch:
        train_from_scratch(config)
    if resume == 'auto':
        resume = last_checkpoint(config.work_dir)
        if resume is None:
            raise WeightsError(f'{config.work_dir}: no checkpoint to resume from; leave --resume '
                               'out to start a run, or name the checkpoint')
    if resume is None:
        fetch_pretrained(config)
    else:
        check_checkpoint_file(resume)
        drop_pretrained(config)
        config.load_from, config.resume = str(resume), True
    evaluator = config.get('val_evaluator')
    if evaluator and evaluator.get('type') == 'VideoInstanceMetric':
        # Processes on several nodes share the work dir, but no folder for temporary files.
        evaluator.setdefault('out', str(Path(config.work_dir, 'val_results.json')))
    with config_errors(config), loader_errors():
        runner = build_runner(config)
        if resume is not None:
            check_resumable(bare_model(runner), resume)
        runner.train()
    runner.logger.info('Trained. Test with: python tools/test.py %s %s',
                       Path(runner.work_dir) / Path(config.filename).name,
                       last_checkpoint(runner.work_dir))


def set_amp(config: Config, dtype: str) -> None:
    """Train in mixed precision, in place.

    Args:
        config: Config with an ``optim_wrapper``.
        dtype: 'bf16' or 'fp16'; fp16 scales the loss dynamically.

    Raises:
        ConfigError: fp16 without a GPU.
    """
    if dtype == 'bf16':
        config.optim_wrapper.type = 'Bf16OptimWrapper'
        return
    if not torch.cuda.is_available():
        raise ConfigError('--amp fp16 needs a CUDA GPU; on a CPU train with --amp bf16')
    config.optim_wrapper.update(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
