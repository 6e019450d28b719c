"""Training as a function."""
from __future__ import annotations

import logging
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import barrier, get_world_size
from mmengine.logging import print_log
from mmengine.registry import DefaultScope

from vatrack.checkpoints import CheckpointError
from vatrack.engine import (
    CheckpointHook,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
    bare_model,
)
from vatrack.models.video_model import VideoModel
from vatrack.registry import MODELS
from vatrack.stopping import Stopped, as_stop, deferred

from .command_line import resume_command
from .config import ConfigError, build_runner, check_association, check_parts, config_errors
from .launch import check_launcher, check_writable, launch_errors
from .loader_errors import loader_errors
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
        ConfigError: The config names a class, key or value that cannot be, or a
            video-level metric for a model that does not track; or the machine
            cannot do what it asks for.
        WeightsError: Pretrained weights or the checkpoint cannot be had, or the
            checkpoint is of another architecture, or the config has changed so
            that training cannot go on from it.
        LoaderError: A process that loads data died.
        UntrustedCheckpointError: One of them would run code.
        CheckpointError: A checkpoint cannot be written, or ``save_best`` names no number.
        NonFiniteError: A loss became NaN or infinite.
        Stopped: A signal asked for it; a checkpoint is written.
    """
    check_parts(config, 'train')
    check_association(config, 'val')
    check_launcher(config)
    check_writable(config.work_dir, '--work-dir')
    _check_compile(config)
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
    with config_errors(config), loader_errors():
        if resume is not None:
            notes += take_over_settings(config, resume)
        with launch_errors():
            runner = build_runner(config)
        if resume is not None:
            check_resumable(bare_model(runner), resume)
        _check_batches(runner)
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


def _check_compile(config: Config) -> None:
    """Refuse torch.compile for the models of vatrack.

    Raises:
        ConfigError: ``compile`` is set for one.
    """
    if not config.get('compile'):
        return
    with config_errors(config), DefaultScope.overwrite_default_scope('vatrack'):
        cls = MODELS.get(config.model.type)
    if isinstance(cls, type) and issubclass(cls, VideoModel):
        raise ConfigError(f'{config.filename}: compile cannot serve {cls.__name__}: it takes lists '
                          'of frames with other numbers of objects and regions in every step, for '
                          'which torch.compile would compile anew, for minutes; leave compile out')


def _check_batches(runner: Runner) -> None:
    """Refuse a data loader that gives no batch, or is to give more than there are.

    Raises:
        ConfigError: Says how many there are, and what is asked for.
    """
    loader = runner.train_loop.dataloader  # built here, as runner.train() does first of all
    config = runner.cfg.train_dataloader
    where = f'{runner.cfg.filename}: train_dataloader'
    step = config.get('batch_size', 1) * get_world_size()
    # What mmengine puts around a dataset for num_batch_per_epoch.
    all_clips = len(vars(loader.dataset).get('_dataset', loader.dataset))
    if len(loader.dataset) > all_clips:
        raise ConfigError(f'{where}.num_batch_per_epoch is {config.num_batch_per_epoch}, but the '
                          f'data are {all_clips} clips, {all_clips // step} batches of {step}; '
                          'give at most as many, or leave it out to take all')
    if len(loader) == 0:
        raise ConfigError(f'{where}.drop_last leaves out a batch that is not full, and '
                          f'{all_clips} clips do not fill one of {step}; give a smaller '
                          'batch_size, or drop_last=False')


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
    """Train in mixed precision, in place; on a CPU, where that does not pay, with a warning.

    Args:
        config: Config with an ``optim_wrapper``.
        dtype: 'bf16' or 'fp16'; fp16 scales the loss dynamically.

    Raises:
        ConfigError: fp16 without a GPU.
    """
    on_cpu = not torch.cuda.is_available()
    if dtype == 'bf16':
        if on_cpu:
            print_log('--amp bf16 is hardly faster than float32 on a CPU, and several times slower '
                      'on one without bfloat16 instructions; better leave --amp out there',
                      'current', logging.WARNING)
        config.optim_wrapper.type = 'Bf16OptimWrapper'
        return
    if on_cpu:
        raise ConfigError('--amp fp16 needs a CUDA GPU; on a CPU leave --amp out')
    config.optim_wrapper.update(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
