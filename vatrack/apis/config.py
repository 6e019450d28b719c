"""Reading configs and refusing what is misspelt in them."""
from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.registry import DefaultScope
from torch import nn

from vatrack.engine import Runner
from vatrack.evaluation.metric_names import ALL_METRICS, METRICS
from vatrack.registry import MODELS
from vatrack.stopping import left_to_system

from .build_errors import build_fault
from .config_tree import dicts_of, did_you_mean
from .settings import setting_faults

#: What a runner reads: its parameters, and what it looks up in the config itself.
RUNNER_KEYS = (*(k for k in inspect.signature(Runner.__init__).parameters if k != 'self'),
                'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'compile',
                'activation_checkpointing', 'efficient_conv_bn_eval')

#: Keys of earlier versions, and what they are called now.
RENAMED = {'model.tracker': 'model.association.tracker',
           'model.track_head': 'model.association.head'}
#: Classes of earlier versions by the key whose type they were.
RENAMED_TYPES = {'model': ('TrackedRCNN', 'TrackedDetector'),
                 'model.detector': ('MaskRCNN', 'AmodalMaskRCNN')}

#: Where a config states its classes.
_CLASSES = 'train_dataloader.dataset.metainfo.classes'


class ConfigError(ValueError):
    """A config or an override of it is wrong; says where and what was meant."""


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config, apply ``--cfg-options``, and fill in the numbers of classes.

    Args:
        path: Config file.
        options: Values by dotted key, for example
            ``{'model.association.tracker.match_score_thr': 0.6}``.

    Raises:
        ConfigError: The file is missing or broken, a top-level key looks
            misspelt, an option names a key whose parent does not exist, a
            value is impossible, or see :func:`fill_num_classes`.
    """
    path = Path(path)
    check_config_file(path)
    try:
        config = Config.fromfile(path)
    except (Exception, SystemExit) as error:  # a config is a program: it may do anything
        raise ConfigError(f'{path}: cannot be read as a config: {type(error).__name__}: '
                          f'{error}') from error
    for key in config:
        near = difflib.get_close_matches(key, RUNNER_KEYS, n=1, cutoff=0.85)
        if near and key not in RUNNER_KEYS:
            raise ConfigError(f'{path}: unknown key {key!r}{did_you_mean(near)}')
    _refuse_renamed(config, path, options or {})
    for key in options or {}:
        _check_option(config, key)
    if options:
        config.merge_from_dict(options)
    _refuse_settings(config, options or {})
    return fill_num_classes(config)


def _refuse_settings(config: Config, options: dict[str, Any]) -> None:
    """Name a value that no class can make sense of, and where it was given."""
    read = {name: value for name, value in config.items() if name in RUNNER_KEYS}
    for key, fault in setting_faults(read):
        given = any(f'{key}.'.startswith(f'{option}.') for option in options)
        where = '--cfg-options' if given else f'{config.filename}:'
        raise ConfigError(f'{where} {key}: {fault}')


def fill_num_classes(config: Config) -> Config:
    """Give the heads of a model as many classes as the training data have, in place.

    A config states its classes once, as ``metainfo.classes`` of the training
    dataset. ``num_classes`` of every part of the model that predicts classes
    follows where it is absent or None. Needed after ``Config.fromfile``, which
    knows nothing of it; :func:`load_config` does it.

    Args:
        config: With or without a model; its ``--cfg-options`` are in it already.

    Returns:
        The same config.

    Raises:
        ConfigError: A ``num_classes`` or the length of a ``class_weight``
            contradicts the classes, or ``num_classes`` is stated nowhere.
    """
    classes = _classes_of(config)
    for key, node in dicts_of(config.get('model'), 'model'):
        if not _predicts_classes(node):
            continue
        if node.get('num_classes') is None and classes is not None:
            node['num_classes'] = len(classes)
        fault = _classes_fault(node, classes)
        if fault:
            raise ConfigError(f'{config.filename}: {key}.{fault}')
    return config


def _classes_of(config: Config) -> list[str] | None:
    for _, node in dicts_of(config.get('train_dataloader'), 'train_dataloader'):
        metainfo = node.get('metainfo')
        if isinstance(metainfo, dict) and metainfo.get('classes') is not None:
            return list(metainfo['classes'])
    return None


def _predicts_classes(node: dict) -> bool:
    """Whether a config is that of a class which is built for a number of classes."""
    parameter = _parameter(node, 'num_classes')
    # An RPN head has one, 'object', whatever the data are.
    return parameter is not None and parameter.default != 1


def _parameter(node: dict, name: str) -> inspect.Parameter | None:
    """A parameter of the class of a part of a model, its own or handed on to a base class."""
    try:
        cls = MODELS.get(node['type']) if isinstance(node.get('type'), str) else None
    except RuntimeError:  # there is no such class, which is said when it is to be built
        cls = None
    for base in inspect.getmro(cls) if inspect.isclass(cls) else ():
        if '__init__' in vars(base):
            parameters = inspect.signature(base.__init__).parameters
            if name in parameters:
                return parameters[name]
            if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
                break
    return None


def _classes_fault(node: dict, classes: list[str] | None) -> str | None:
    """What contradicts the classes of the training data in the config of a head."""
    count = node.get('num_classes')
    if count is None:
        return f'num_classes follows {_CLASSES}, which the config does not state; state one of them'
    if classes is None:
        return None
    first = ', '.join(classes[:3]) + ', ...' * (len(classes) > 3)
    named = f'{_CLASSES} names {len(classes)} ({first})'
    if count != len(classes):
        return (f'num_classes is {count}, but {named}; change the classes, and leave num_classes '
                'out or set it to None: it follows them')
    loss = node.get('loss_cls') or {}
    expected = count if loss.get('use_sigmoid') else count + 1
    weights = loss.get('class_weight')
    if weights is not None and len(weights) != expected:
        return (f'loss_cls.class_weight has {len(weights)} numbers, but {named}; give one for each'
                f'{" and one for the background" * (expected > count)}')
    return None


def tracks(config: Config) -> bool:
    """Whether the model of a config links the objects of frames to tracks."""
    tracker = config.model.get('association', {}).get('tracker', {})
    return tracker.get('type') != 'NoAssociation'


def _refuse_renamed(config: Config, path: Path, options: dict[str, Any]) -> None:
    """Name the new keys to a config or an option that was written for an earlier version."""
    model = config.get('model')
    # A model of another class, such as mmdet's MaskTrackRCNN, may well have these keys.
    if not isinstance(model, dict) or model.get('type') not in RENAMED_TYPES['model']:
        return
    for old, new in RENAMED.items():
        node: Any = model
        for part in old.split('.')[1:]:
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            raise ConfigError(f'{path}: {old} is now {new}; see docs/migration.md')
    for key, (old, new) in RENAMED_TYPES.items():
        node = model if key == 'model' else model.get(key.partition('.')[2])
        if isinstance(node, dict) and node.get('type') == old:
            raise ConfigError(f'{path}: {key}.type {old!r} is now {new!r}; see docs/migration.md')
    for key in options:
        renamed = next((old for old in RENAMED if f'{key}.'.startswith(f'{old}.')), None)
        if renamed:
            raise ConfigError(f'--cfg-options {key}: {renamed} is now {RENAMED[renamed]}')


def check_parts(config: Config, split: str) -> None:
    """Refuse a config that lacks what training or testing is made of.

    Args:
        config: Complete config.
        split: 'train' or 'test'.

    Raises:
        ConfigError: Names what is missing.
    """
    needed = ['model', f'{split}_dataloader', f'{split}_cfg',
              'optim_wrapper' if split == 'train' else 'test_evaluator']
    for name in needed:
        if not isinstance(config.get(name), dict | list):
            raise ConfigError(f'{config.filename}: {name} must say what to build, got '
                              f'{config.get(name)!r}; take one of configs/_base_')
    validation = 'val_dataloader', 'val_cfg', 'val_evaluator'
    absent = [name for name in validation if not config.get(name)]
    if split == 'train' and absent and len(absent) < len(validation):
        raise ConfigError(f'{config.filename}: validation needs {", ".join(validation)}, but '
                          f'{", ".join(absent)} is None; give all three, or None for all')
    name = 'val_evaluator' if split == 'train' else 'test_evaluator'
    file = config[name].get('ann_file') if isinstance(config.get(name), dict) else None
    if file is not None and not Path(file).is_file():
        # Else it would be missed after hours: it is read when all frames are processed.
        raise ConfigError(f'{file}: no such annotation file; it is {name}.ann_file of '
                          f'{config.filename}')


def check_association(config: Config, split: str) -> None:
    """Refuse video-level metrics for a model that does not track.

    Args:
        config: Complete config.
        split: Whose evaluator to look at, 'val' or 'test'.

    Raises:
        ConfigError: Names the metrics, and how to choose a tracker.
    """
    evaluator = config.get(f'{split}_evaluator')
    if not evaluator or tracks(config):
        return
    asked = evaluator.get('metric', ())
    video = [name for name in ([asked] if isinstance(asked, str) else asked)
             if name == ALL_METRICS or (name in METRICS and METRICS[name].level == 'video')]
    if video:
        raise ConfigError(
            f'{config.filename}: this model finds objects in single images '
            f'(model.association.tracker is NoAssociation), so that {", ".join(video)} would '
            'measure nothing of it; ask for AP, AR or mIoU, or choose a tracker, for example '
            '--cfg-options model.association.tracker.type=IoUTracker')


def check_config_file(path: str | Path) -> None:
    """Refuse a config that is not there, or is something else.

    Raises:
        ConfigError: Names configs of similar name.
    """
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob('*.py')])
        raise ConfigError(f'{path}: no such config{did_you_mean(near)}')
    if path.suffix != '.py':
        raise ConfigError(f'{path}: a config is a .py file; checkpoints and results come second')


def _check_option(config: Config, key: str) -> None:
    node: Any = dict(config.items())
    *parents, leaf = key.split('.')
    top = (*parents, leaf)[0]
    if key == 'num_classes':
        raise ConfigError(f'--cfg-options {key}: the number of classes follows {_CLASSES}; change '
                          'those')
    if top in node and top not in RUNNER_KEYS:
        raise ConfigError(f'--cfg-options {key}: {top!r} only helped to write the config, nothing '
                          'reads it any more; change what it went into, under one of '
                          f'{[name for name in node if name in RUNNER_KEYS]}')
    for i, part in enumerate(parents):
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and isinstance(node.get(part), dict | list | tuple):
            node = node[part]
        elif isinstance(node, dict) and part in node and node[part] is None:
            return  # an optional part, such as clip_grad=None
        elif i == 0 and part in RUNNER_KEYS:
            return  # one that the config leaves out, such as auto_scale_lr
        else:
            near = difflib.get_close_matches(part, list(node) if isinstance(node, dict) else [])
            where = '.'.join(parents[:i]) or 'the config'
            raise ConfigError(f'--cfg-options {key}: {where} has no {part!r}{did_you_mean(near)}')
    if isinstance(node, dict):
        known = list(node) if parents else [*node, *RUNNER_KEYS]
        near = difflib.get_close_matches(leaf, known, n=1, cutoff=0.8)
        if near and leaf not in known and _parameter(node, leaf) is None:
            raise ConfigError(f'--cfg-options {key}: no such key{did_you_mean(near)}')


def parse_options(items: list[str] | None) -> dict[str, Any]:
    """Turn ``['a.b=1', 'c=[1,2]']`` into ``{'a.b': 1, 'c': [1, 2]}``.

    Values are Python literals; anything else is taken as a string.
    """
    options = {}
    for item in items or []:
        key, sign, value = item.partition('=')
        if not sign:
            raise ConfigError(f'--cfg-options {item}: write KEY=VALUE')
        try:
            options[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[key] = {'true': True, 'false': False, 'none': None}.get(value.lower(), value)
    return options


def build_runner(config: Config) -> Runner:
    """Build the runner of a config; to be called inside of :func:`config_errors`.

    mmengine's own way to start several processes needs a GPU for each; where
    there is none, they are CPU processes here, and talk by gloo.
    """
    fill_needs(config)
    if config.get('launcher') == 'pytorch' and not torch.cuda.is_available():
        if not is_distributed():
            with left_to_system():
                torch.distributed.init_process_group('gloo')
        config.model_wrapper_cfg = {'type': 'MMDistributedDataParallel',
                                    **(config.get('model_wrapper_cfg') or {}), 'device_ids': None}
    return Runner.from_cfg(config)


def is_rule(config: Config) -> bool:
    """Whether the model of a config completes tracks by a rule, which has nothing to learn."""
    model = config.get('model', {})
    return model.get('type') == 'TrackCompleter' and model.get('objective') is None


def fill_needs(config: Config) -> None:
    """Let the datasets of a completion model load what its parts look at, in place.

    What that is follows from the inputs of a network, the kind of a rule, or a
    loss: whoever changes them need not say it twice.
    """
    if config.model.get('type') != 'TrackCompleter':
        return
    with torch.device('meta'):
        parts = [MODELS.build(part) for part in (config.model.completer,
                                                 config.model.get('objective')) if part]
    needs = sorted(frozenset().union(*(getattr(part, 'needs', ()) for part in parts)))
    for split in ('train', 'val', 'test'):
        loader = config.get(f'{split}_dataloader')
        if loader and loader.dataset.get('needs') is None:
            loader.dataset.needs = needs


def build_on_meta(config: Config) -> nn.Module:
    """Build the model of a config on the meta device: names and shapes, without memory.

    Raises:
        ConfigError: See :func:`config_errors`.
    """
    with (config_errors(config), DefaultScope.overwrite_default_scope('vatrack'),
          torch.device('meta')):
        return MODELS.build(config.model)


@contextmanager
def config_errors(config: Config) -> Iterator[None]:
    """Around all that builds parts of a config: name the key and class that are wrong.

    Raises:
        ConfigError: A class does not exist, got a key that it does not take, misses one that
            it needs, or refuses a value; or a package is not installed.
    """
    try:
        yield
    except Exception as error:
        fault = build_fault(config, error)
        if fault is None:
            raise
        raise ConfigError(f'{config.filename}: {fault}') from error
