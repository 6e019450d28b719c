"""What a config comes to, said in a few lines."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .config import build_on_meta
from .config_tree import dicts_of
from .weights import pretrained_sources

_SPLITS = ('train', 'val', 'test')


def recipe(config: Config, parameters: bool = False) -> dict[str, str]:
    """What matters most in a config: data, model, training, weights.

    Whatever a config does not have is left out, so that any config of mmengine
    gives as much as it holds.

    Args:
        config: As :func:`~.config.load_config` gives it.
        parameters: Whether to build the model, without memory, and count its
            parameters.

    Returns:
        Text by name, in the order to read it.

    Raises:
        ConfigError: The model cannot be built.
    """
    lines = dict(_lines(config))
    if parameters and 'model' in config:
        count = sum(each.numel() for each in build_on_meta(config).parameters())
        lines['parameters'] = f'{count:,}'
    return {name: text for name, text in lines.items() if text}


def recipe_comment(config: Config, parameters: bool = False) -> str:
    """The recipe as comments of Python, one line each; arguments as of :func:`recipe`."""
    lines = recipe(config, parameters)
    width = max(map(len, lines), default=0)
    return '\n'.join(f'# {name:<{width}}  {text}' for name, text in lines.items())


def _lines(config: Config) -> Iterator[tuple[str, str]]:
    datasets = {split: _find(config, f'{split}_dataloader.dataset') or {} for split in _SPLITS}
    training = datasets['train']
    yield 'config', str(config.filename or '')
    yield 'data', _of_splits(datasets, _file)
    classes = _find(training, 'metainfo.classes') or ()
    yield 'classes', f'{len(classes)}: {", ".join(classes)}' if classes else ''
    yield 'scale', _of_splits(datasets, _scale)
    if 'clip_sampler' in training:
        yield 'clips', _call(training['clip_sampler']) or 'single images'
    yield 'boxes', ', '.join(training.get('box_kinds', ()))
    yield 'masks', ', '.join(training.get('mask_kinds', ()))
    for part in ('model', 'model.detector', 'model.detector.backbone'):
        yield part.rpartition('.')[2], _name(_find(config, part))
    yield 'association', ', '.join(_name(_find(config, f'model.association{part}'))
                                   for part in ('', '.head', '.tracker')
                                   if _find(config, f'model.association{part}'))
    yield 'weights', ', '.join(f'{source} ({key.removesuffix(".init_cfg.checkpoint")})'
                               for key, source in pretrained_sources(config))
    yield 'batch size', str(_find(config, 'train_dataloader.batch_size') or '')
    yield 'epochs', str(_find(config, 'train_cfg.max_epochs') or '')
    yield 'optimizer', _call(_find(config, 'optim_wrapper.optimizer'))
    schedule = config.get('param_scheduler') or []
    yield 'schedule', ', '.join(map(_call, schedule if isinstance(schedule, list) else [schedule]))
    metric = _find(config, 'test_evaluator.metric') or ()
    yield 'metrics', ', '.join([metric] if isinstance(metric, str) else metric)
    yield 'protocol', str(_find(config, 'test_evaluator.protocol') or '')


def _find(node: Any, key: str) -> Any:
    """The value of a dotted key, or None."""
    for part in key.split('.'):
        node = node.get(part) if isinstance(node, dict | Config) else None
    return node


def _of_splits(datasets: dict[str, dict], text: Callable[[dict], str]) -> str:
    """A text for each split, those that are alike together: ``'a (train), b (val, test)'``."""
    splits: dict[str, list[str]] = {}
    for split, dataset in datasets.items():
        splits.setdefault(text(dataset), []).append(split)
    splits.pop('', None)
    return ', '.join(each if len(names) == len(datasets) else f'{each} ({", ".join(names)})'
                     for each, names in splits.items())


def _file(dataset: dict) -> str:
    if not dataset.get('ann_file'):
        return ''
    return str(Path(dataset.get('data_root') or '', dataset['ann_file']))


def _scale(dataset: dict) -> str:
    scales = [node['scale'] for _, node in dicts_of(dataset, '') if node.get('scale')]
    return ', '.join(dict.fromkeys('x'.join(map(str, scale)) for scale in scales))


def _name(part: Any) -> str:
    if not isinstance(part, dict):
        return ''
    return f'{part.get("type", "")}-{part["depth"]}' if 'depth' in part else part.get('type', '')


def _call(part: Any) -> str:
    """A config as a call of its class: ``SGD(lr=0.0025, momentum=0.9)``."""
    if not isinstance(part, dict):
        return ''
    arguments = ', '.join(f'{name}={value:g}' if isinstance(value, float) else f'{name}={value!r}'
                          for name, value in part.items() if name != 'type')
    return f'{part.get("type", "")}({arguments})'
