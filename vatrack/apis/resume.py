"""Going on from a checkpoint: which one, and with which settings."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from vatrack.checkpoints import load

from .runs import checkpoints_of
from .weights import WeightsError, check_checkpoint_file

#: Not compared: where things are, how they are started, and what a resumed run does not read.
_ELSEWHERE = ('work_dir', 'experiment_name', 'load_from', 'resume', 'launcher', 'log_level')
#: Restored with the state of the optimizer and of the schedule.
_RESTORED = ('optim_wrapper.optimizer', 'optim_wrapper.paramwise_cfg', 'param_scheduler',
             'randomness.seed')
#: State of another kind.
_FIXED = ('optim_wrapper.optimizer.type', 'train_cfg.type', 'train_cfg.by_epoch')
#: Which sample comes when; a place within an epoch means nothing after such a change.
_ORDER = ('train_dataloader.batch_size', 'train_dataloader.sampler',
          'train_dataloader.batch_sampler', 'train_dataloader.drop_last',
          'train_dataloader.num_batch_per_epoch', 'train_dataloader.dataset')
#: But for these, which change what a sample looks like.
_LOOK = ('train_dataloader.dataset.pipeline', 'train_dataloader.dataset.scale')
_UNSET = 'unset'


def newest_whole_checkpoint(work_dir: str | Path) -> tuple[Path, list[str]]:
    """The checkpoint to go on from, and what the user should know of those that are damaged.

    Raises:
        WeightsError: There is none.
    """
    skipped = []
    for path in checkpoints_of(work_dir):
        try:
            check_checkpoint_file(path)
        except WeightsError:
            skipped.append(path)
            continue
        return path, [f'{each} is damaged, going on from {path}' for each in skipped]
    damaged = f' ({", ".join(path.name for path in skipped)}: damaged)' if skipped else ''
    raise WeightsError(f'{work_dir}: no checkpoint to resume from{damaged}; leave --resume out to '
                       'start a run, or name the checkpoint')


def take_over_settings(config: Config, path: str | Path) -> list[str]:
    """Compare a config with that of a checkpoint to go on from, in place.

    The seed of the checkpoint is taken.

    Args:
        config: Complete config.
        path: Checkpoint.

    Returns:
        What the user should know: what is followed and what is not.

    Raises:
        WeightsError: A change that training cannot go on with; names all of them.
    """
    meta = load(path, 'cpu', mmap=True).get('meta', {})
    before, now = dict(_stored_settings(meta)), dict(_settings(_plain(config.to_dict())))
    changed = [key for key in dict.fromkeys((*before, *now)) if before and not key.startswith('_')
               and before.get(key, _UNSET) != now.get(key, _UNSET) and not _is_elsewhere(key)]
    if meta.get('seed') is not None and 'randomness.seed' not in before:
        before['randomness.seed'] = meta['seed']
    texts = {key: f'{key} {before.get(key, _UNSET)!r} -> {now.get(key, _UNSET)!r}'
             for key in changed}
    refused = [texts[key] for key in changed if _is_in(key, _FIXED)]
    refused += _changed_schedulers(before, now) + _changed_classes(config, meta)
    if refused:
        raise WeightsError(
            f'{path}: training cannot go on with another state than it was saved with: '
            f'{"; ".join(refused)}. Undo the change, or start a run from these weights: without '
            f'--resume, with --cfg-options load_from={path}')
    _check_order(path, meta, changed, texts)
    if meta.get('seed') is not None:
        config.randomness = {**(config.get('randomness') or {}), 'seed': meta['seed']}
    return _report(path, changed, texts)


def _report(path: str | Path, changed: list[str], texts: dict[str, str]) -> list[str]:
    restored = [texts[key] for key in changed if _is_in(key, _RESTORED)]
    followed = [texts[key] for key in changed if not _is_in(key, _RESTORED)]
    lines = []
    if followed:
        lines += ['changed since the checkpoint, and followed:', *followed]
    if restored:
        lines += ['NOT followed, for the state of the checkpoint counts (checkpoint -> config):',
                  *restored, 'to follow these, start a run from the weights: without --resume, '
                  f'with --cfg-options load_from={path}']
    return ['\n  '.join(lines)] if lines else []


def _check_order(path: str | Path, meta: dict, changed: list[str], texts: dict[str, str]) -> None:
    """Refuse to go on within an epoch whose samples come in another order."""
    position = meta.get('position') or {}
    if not position.get('batches'):
        return
    refused = [texts[key] for key in changed if _is_in(key, _ORDER) and not _is_in(key, _LOOK)]
    if refused:
        raise WeightsError(
            f'{path}: is of the middle of an epoch ({position["batches"]} batches), and the '
            f'samples would come in another order: {"; ".join(refused)}. Undo the change, or go '
            'on from the end of an epoch: --resume epoch_N.pth')


def _changed_schedulers(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    kinds = [[value for key, value in settings.items()
              if key.startswith('param_scheduler.') and key.endswith('.type')]
             for settings in (before, now)]
    return [f'param_scheduler {kinds[0]} -> {kinds[1]}'] if before and kinds[0] != kinds[1] else []


def _changed_classes(config: Config, meta: dict) -> list[str]:
    classes = (meta.get('dataset_meta') or {}).get('classes')
    dataset = (config.get('train_dataloader') or {}).get('dataset') or {}
    asked = (dataset.get('metainfo') or {}).get('classes')
    if classes is None or asked is None or list(classes) == list(asked):
        return []
    return [f'classes {list(classes)} -> {list(asked)}']


def _is_in(key: str, parts: tuple[str, ...]) -> bool:
    return any(f'{key}.'.startswith(f'{part}.') for part in parts)


def _is_elsewhere(key: str) -> bool:
    return _is_in(key, _ELSEWHERE) or 'init_cfg' in key.split('.')


def _settings(node: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; lists of anything but dicts are values."""
    if isinstance(node, dict) and node:
        items = node.items()
    elif isinstance(node, list) and any(isinstance(each, dict) for each in node):
        items = enumerate(node)
    else:
        yield key, node
        return
    for name, child in items:
        yield from _settings(child, f'{key}.{name}' if key else str(name))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _stored_settings(meta: dict) -> Iterator[tuple[str, Any]]:
    """Settings of the text of a config in a checkpoint, which is read and not run."""
    try:
        tree = ast.parse(meta.get('cfg') or '')
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield from _settings(_plain(_value(node.value)), node.targets[0].id)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {each.arg: _value(each.value) for each in node.keywords}
    if isinstance(node, ast.Dict):
        return {_value(key): _value(value)
                for key, value in zip(node.keys, node.values, strict=True) if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(each) for each in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
