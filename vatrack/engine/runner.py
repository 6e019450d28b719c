"""mmengine's runner, with files that are whole and a place in the data."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from mmengine import runner as mmengine_runner
from mmengine.dist import all_gather_object, get_rank, get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop

from vatrack import stopping
from vatrack.checkpoints import CheckpointError
from vatrack.files.whole_file import replace_when_done

from .bare_model import bare_model

#: Every runner has these, also those of configs that were written before there were any.
_NEEDED_HOOKS = {'epoch_seed': {'type': 'EpochSeedHook'},
                 'plain_checkpoint': {'type': 'PlainCheckpointHook'}}


class Runner(mmengine_runner.Runner):
    """A runner whose checkpoints appear when they are complete, and say where in the data they are.

    ``meta.position`` of a checkpoint has what :meth:`EpochBasedTrainLoop.start_at` needs, and the
    buffers of the model in every process (``buffers``, statistics of batch norm for example) where
    they differ: within an epoch.
    """

    _buffers: list[dict[str, torch.Tensor]] | None = None
    _position: dict[str, Any] | None = None

    def register_default_hooks(self, hooks: dict[str, Hook | dict] | None = None) -> None:
        """Register the hooks of a config, and those that no training is without."""
        super().register_default_hooks({**_NEEDED_HOOKS, **(hooks or {})})

    def setup_env(self, env_cfg: dict) -> None:
        """As of mmengine, which may wait here for the other processes of a training."""
        with stopping.left_to_system():
            super().setup_env(env_cfg)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop; ``by_epoch`` in place of a type means one of ours as well."""
        if isinstance(loop, dict) and 'type' not in loop:
            by_epoch = loop.get('by_epoch')
            loop = {key: value for key, value in loop.items() if key != 'by_epoch'}
            loop['type'] = 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'
        return super().build_train_loop(loop)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """As of mmengine; validation and testing stop between two batches at the latest."""
        super().call_hook(fn_name, **kwargs)
        if fn_name in ('after_val_iter', 'after_test_iter'):
            stopping.check()

    def gather_buffers(self) -> None:
        """Give the next checkpoint the buffers of all processes, which take part together."""
        if get_world_size() > 1:
            self._buffers = all_gather_object(
                {name: buffer.cpu() for name, buffer in bare_model(self).named_buffers()})

    @master_only
    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, meta: dict | None = None,
                        by_epoch: bool = True, **kwargs: Any) -> None:
        """Write a checkpoint beside ``filename``, bring it to disk, then give it that name.

        Args:
            out_dir: Folder.
            filename: Name in it.
            *args: As of mmengine.
            meta: As of mmengine.
            by_epoch: As of mmengine.
            **kwargs: As of mmengine.

        Raises:
            CheckpointError: It cannot be written, on a full disk for example; what was there under
                that name is there still.
        """
        place = {'epoch': self.epoch + by_epoch, 'iter': self.iter + (not by_epoch), **(meta or {})}
        position = self.train_loop.position(place['epoch'], place['iter'])
        if self._buffers is not None:
            position['buffers'], self._buffers = self._buffers, None
        target = Path(out_dir, filename)
        part = target.with_name(f'{filename}.{os.getpid()}.part')
        try:
            super().save_checkpoint(out_dir, part.name, *args, meta={**place, 'position': position},
                                    by_epoch=by_epoch, **kwargs)
            with part.open('rb') as file:
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            raise CheckpointError(
                f'{target}: cannot be written ({error.strerror}); the checkpoints before it are '
                'whole. Make room, and go on from the last with --resume') from error
        finally:
            part.unlink(missing_ok=True)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict:
        """As of mmengine; keeps where in the data the checkpoint is."""
        checkpoint = super().load_checkpoint(*args, **kwargs)
        self._position = checkpoint.get('meta', {}).get('position')
        return checkpoint

    def resume(self, *args: Any, **kwargs: Any) -> None:
        """Resume, with the sample that comes next.

        Raises:
            CheckpointError: The checkpoint is of the middle of an epoch, and of another number of
                processes.
        """
        super().resume(*args, **kwargs)
        position = self._position
        self.train_loop.start_at(position)
        if not position or not position['batches']:
            return
        if position['processes'] != get_world_size():
            raise CheckpointError(
                f'the checkpoint is of the middle of an epoch ({position["batches"]} batches), of '
                f'{position["processes"]} processes; here are {get_world_size()}, which would take '
                'other samples. Start as many, or go on from the end of an epoch: '
                '--resume epoch_N.pth')
        if 'buffers' in position:
            bare_model(self).load_state_dict(position['buffers'][get_rank()], strict=False)

    @master_only
    def dump_config(self) -> None:
        """Write the complete config to the work dir, as a whole."""
        if self.cfg.filename is None:
            super().dump_config()
            return
        text = self.cfg.pretty_text  # takes a second, in which the file would be empty
        with replace_when_done(Path(self.work_dir, Path(self.cfg.filename).name)) as file:
            file.write(text)
