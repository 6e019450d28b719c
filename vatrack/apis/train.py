"""Training as a function."""
from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import barrier

from vatrack.checkpoints import CheckpointError
from vatrack.engine import (
    CheckpointHook,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
    bare_model,
)
from vatrack.stopping import Stopped, as_stop, deferred

from .command_line import resume_command
from .config import ConfigError, build_runner, check_association, config_errors
from .resume import newest_whole_checkpoint, take_over_settings
from .runs import checkpoints_of, last_checkpoint
from .weights import (
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
        resume: None; 'auto' for the last whole checkpoint of ``work_dir``; or a
            checkpoint file.
        from_scratch: Use no pretrained weights.

    Raises:
        ConfigError: The config names a class or key that does not exist, or a
            video-level metric for a model that does not track.
        WeightsError: Pretrained weights or the checkpoint cannot be had, or the
            checkpoint is of another architecture, or the config has changed so
            that training cannot go on from it.
        UntrustedCheckpointError: One of them would run code.
        CheckpointError: A checkpoint cannot be written, or ``save_best`` names no number.
        NonFiniteError: A loss became NaN or infinite.
        Stopped: A signal asked for it; a checkpoint is written.
    """
    check_association(config, 'val')
    if from_scratch:
        train_from_scratch(config)
    resume, notes = _choose_checkpoint(config, resume)
    if resume is None:
        fetch_pretrained(config)
    else:
        drop_pretrained(config)
        config.load_from, config.resume = str(resume), True
    evaluator = config.get('val_evaluator')
    if evaluator and evaluator.get('type') == 'VideoInstanceMetric':
        # Processes on several nodes share the work dir, but no folder for temporary files.
        evaluator.setdefault('out', str(Path(config.work_dir, 'val_results.json')))
    with config_errors(config):
        if resume is not None:
            notes += take_over_settings(config, resume)
        runner = build_runner(config)
        if resume is not None:
            check_resumable(bare_model(runner), resume)
        for note in notes:
            runner.logger.warning(note)
        try:
            with as_stop():
                runner.train()
        except Stopped as stop:
            stop.note = _save_stopped(runner, stop)
            raise
    runner.logger.info('Trained. Test with: python tools/test.py %s %s',
                       Path(runner.work_dir) / Path(config.filename).name,
                       last_checkpoint(runner.work_dir))


def _choose_checkpoint(config: Config, resume: str | None) -> tuple[Path | str | None, list[str]]:
    """The checkpoint to resume from, if any, and what the user should know of others."""
    if resume is None and config.get('resume'):  # of the config, as mmengine takes it
        resume = config.get('load_from') or ('auto' if checkpoints_of(config.work_dir) else None)
        config.resume = False
    if resume == 'auto':
        return newest_whole_checkpoint(config.work_dir)
    if resume is not None:
        check_checkpoint_file(resume)
    return resume, []


def _save_stopped(runner: Runner, stop: Stopped) -> str:
    """Write a checkpoint of the last complete iteration; returns what to tell the user."""
    loop = runner._train_loop
    if not isinstance(loop, EpochBasedTrainLoop | IterBasedTrainLoop):
        return 'training had not begun'
    hook = next((each for each in runner.hooks if isinstance(each, CheckpointHook)), None)
    where = f'after iteration {loop.iter}'
    if hook is None or not hook.out_dir or not loop.is_whole:
        path = last_checkpoint(runner.work_dir)
        where = f'in iteration {loop.iter + 1}'
    else:
        try:
            with deferred(raises=False):
                if stop.together:
                    runner.gather_buffers()
                path = hook.save_interrupted(runner)
                if stop.together:
                    barrier()  # the first process writes; the others wait
        # The disk is full, or another process has gone.
        except (Stopped, CheckpointError, RuntimeError) as error:
            return f'{where}; {error.__cause__ if isinstance(error, Stopped) else error}'
    if path is None:
        return f'{where}; there is no checkpoint yet'
    return f'{where}, the checkpoint is {path}. Go on with: {resume_command()}'


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
