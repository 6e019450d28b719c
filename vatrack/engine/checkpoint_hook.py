"""When checkpoints are written, which are kept, and which is the best."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine import hooks
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from vatrack.checkpoints import CheckpointError
from vatrack.files.whole_file import replace_when_done
from vatrack.registry import HOOKS

#: The checkpoint of a training that was stopped; the next one that is due takes its place.
INTERRUPTED = 'interrupted.pth'
#: Numbers of which less is better.
_ERRORS = ('IDSW', 'Frag', 'ML', 'FN', 'FP', 'IDFN', 'IDFP')
#: What 'auto' looks for.
_MAIN_NUMBERS = ('vAP', 'AP')


@HOOKS.register_module()
class CheckpointHook(hooks.CheckpointHook):
    """Keep the last checkpoints and the best one; takes the place of mmengine's in every config.

    An old checkpoint is removed only when the new one is complete, and ``last_checkpoint`` never
    names one that is not.

    Args:
        *args: As of mmengine's.
        save_best: Number by which the best is chosen, or several: as the evaluator calls it
            ('amodal/video/vAP') or the end of that ('vAP', amodal where there are both kinds);
            'auto': vAP if it is computed, else AP, else the first.
        rule: 'greater' or 'less' is better; None: by the name.
        **kwargs: As of mmengine's.
    """

    def __init__(self, *args: Any, save_best: str | Sequence[str] | None = None,
                 rule: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.best_names = [save_best] if isinstance(save_best, str) else list(save_best or ())
        if rule not in ('greater', 'less', None):
            raise CheckpointError(f'CheckpointHook: rule is {rule!r}; greater or less')
        self.rule = rule
        self._saved_iter: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Refuse a ``save_best`` that nothing computes, and remove what killed runs left.

        Raises:
            CheckpointError: Names the numbers there are.
        """
        super().before_train(runner)
        evaluator = runner.val_loop and runner.val_evaluator
        names = [name for metric in getattr(evaluator, 'metrics', ())
                 for name in getattr(metric, 'number_names', list)()]
        for wanted in self.best_names if names else ():
            if wanted != 'auto' and wanted.rpartition('/')[2] not in _ends(names):
                raise _unknown(wanted, names)
        if is_main_process():
            for part in Path(self.out_dir).glob('*.part'):
                part.unlink(missing_ok=True)

    def save_interrupted(self, runner: Runner) -> Path:
        """Write the state after the last complete iteration; returns the checkpoint.

        That is one that was written anyway, if it is of the same iteration.
        """
        if self._saved_iter != runner.iter:
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save(runner, INTERRUPTED, meta)
        return Path(self.last_ckpt)

    def _save(self, runner: Runner, name: str, meta: dict[str, int]) -> None:
        self.last_ckpt = str(Path(self.out_dir, name))
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(self.out_dir, name, save_optimizer=self.save_optimizer,
                               save_param_scheduler=self.save_param_scheduler, meta=meta,
                               backend_args=self.backend_args, **self.args)
        self._saved_iter = meta['iter']
        if is_main_process():
            with replace_when_done(Path(runner.work_dir, 'last_checkpoint')) as file:
                file.write(self.last_ckpt)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, int]) -> None:
        """Write a checkpoint, then remove those that it takes the place of."""
        outdated = []
        if self.max_keep_ckpts > 0:
            kept = [*(each for each in self.keep_ckpt_ids if each != step), step]
            outdated = kept[:-self.max_keep_ckpts]
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(kept[-self.max_keep_ckpts:])
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        if not self.by_epoch:
            runner.gather_buffers()
        self._save(runner, self.filename_tmpl.format(step), meta)
        if is_main_process():
            for name in [INTERRUPTED, *map(self.filename_tmpl.format, outdated)]:
                Path(self.out_dir, name).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Write the checkpoint that a validation found best so far, by each of the numbers."""
        info = runner.message_hub.runtime_info
        step = runner.epoch if self.by_epoch else runner.iter
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        improved = False
        for wanted in self.best_names:
            key = _key(wanted, list(metrics))
            # mmengine's names, for a single number and for several.
            several = f'_{key}' * (len(self.best_names) > 1)
            best, score = info.get(f'best_score{several}'), metrics[key]
            if best is not None and not self._is_better(key, score, best):
                continue
            improved = True
            name = f'best_{key}_{self.filename_tmpl.format(step)}'.replace('/', '_')
            previous = info.get(f'best_ckpt{several}')
            runner.message_hub.update_info(f'best_score{several}', score)
            runner.message_hub.update_info(f'best_ckpt{several}', str(Path(self.out_dir, name)))
            runner.save_checkpoint(self.out_dir, name, save_optimizer=False,
                                   save_param_scheduler=False, meta=meta,
                                   backend_args=self.backend_args)
            runner.logger.info('%s is the best so far: %s = %.4f', name, key, score)
            # By its name here: a run that was resumed from elsewhere leaves that run's alone.
            if previous is not None and Path(previous).name != name and is_main_process():
                Path(self.out_dir, Path(previous).name).unlink(missing_ok=True)
        if improved and self.last_ckpt is not None and self._saved_iter == runner.iter:
            # Else a run that is resumed from it would not know of the best.
            self._save_checkpoint_with_step(runner, step, meta)

    def _is_better(self, key: str, score: float, best: float) -> bool:
        name = key.rpartition('/')[2]
        lower = name.partition('_')[0] in _ERRORS or 'loss' in name
        rule = self.rule or ('less' if lower else 'greater')
        return score < best if rule == 'less' else score > best


def _key(wanted: str, keys: Sequence[str]) -> str:
    """The number that a name of ``save_best`` means.

    Raises:
        CheckpointError: There is none.
    """
    if wanted in keys:
        return wanted
    for end in _MAIN_NUMBERS if wanted == 'auto' else (wanted,):
        found = [key for key in keys if f'/{key}'.endswith(f'/{end}')]
        if found:
            return next((key for key in found if key.startswith('amodal/')), found[0])
    if wanted == 'auto':
        return keys[0]
    raise _unknown(wanted, keys)


def _ends(names: Sequence[str]) -> list[str]:
    return [name.rpartition('/')[2] for name in names]


def _unknown(wanted: str, names: Sequence[str]) -> CheckpointError:
    return CheckpointError(
        f'default_hooks.checkpoint.save_best={wanted}: the validation computes no such number; '
        f'choose from {", ".join(dict.fromkeys(_ends(names)))}, or ask for more with '
        'val_evaluator.metric')
