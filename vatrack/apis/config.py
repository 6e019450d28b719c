"""Reading configs and refusing what is misspelt in them."""
from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

_RUNNER_KEYS = tuple(k for k in inspect.signature(Runner.__init__).parameters if k != 'self') + (
    'env_cfg', 'auto_scale_lr', 'default_scope', 'vis_backends')


class ConfigError(ValueError):
    """A config or an override of it is wrong; says where and what was meant."""


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config and apply ``--cfg-options``.

    Args:
        path: Config file.
        options: Values by dotted key, for example
            ``{'model.tracker.match_score_thr': 0.6}``.

    Raises:
        ConfigError: The file is missing or broken, a top-level key looks
            misspelt, or an option names a key whose parent does not exist.
    """
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob('*.py')])
        raise ConfigError(f'{path}: no such config{_did_you_mean(near)}')
    try:
        config = Config.fromfile(path)
    except (SyntaxError, KeyError, TypeError, NameError, FileNotFoundError) as error:
        raise ConfigError(f'{path}: cannot be read as a config: {error}') from error
    for key in config:
        if key not in _RUNNER_KEYS and isinstance(config[key], dict | list):
            near = difflib.get_close_matches(key, _RUNNER_KEYS, n=1, cutoff=0.85)
            if near:
                raise ConfigError(f'{path}: unknown key {key!r}{_did_you_mean(near)}')
    for key in options or {}:
        _check_option(config, key)
    if options:
        config.merge_from_dict(options)
    return config


def _check_option(config: Config, key: str) -> None:
    node: Any = dict(config.items())
    *parents, leaf = key.split('.')
    for i, part in enumerate(parents):
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and isinstance(node.get(part), dict | list | tuple):
            node = node[part]
        elif isinstance(node, dict) and part in node and node[part] is None:
            return  # an optional part, such as clip_grad=None
        else:
            near = difflib.get_close_matches(part, list(node) if isinstance(node, dict) else [])
            where = '.'.join(parents[:i]) or 'the config'
            raise ConfigError(f'--cfg-options {key}: {where} has no {part!r}{_did_you_mean(near)}')
    if isinstance(node, dict) and leaf not in node:
        near = difflib.get_close_matches(leaf, list(node), n=1, cutoff=0.8)
        if near:
            raise ConfigError(f'--cfg-options {key}: no such key{_did_you_mean(near)}')


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
    """Build the runner of a config.

    Raises:
        ConfigError: A key that a class does not take, or a class that does
            not exist.
    """
    try:
        return Runner.from_cfg(config)
    except TypeError as error:
        found = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'",
                          str(error))
        if found is None:
            raise
        name, key = found.groups()
        raise ConfigError(f'{config.filename}: {name} takes no {key!r}'
                          f'{_did_you_mean(_similar_parameters(name, key))}') from error
    except KeyError as error:
        if 'is not in the' not in str(error):
            raise
        raise ConfigError(f'{config.filename}: {error.args[0]}') from error


def _similar_parameters(class_name: str, key: str) -> list[str]:
    from vatrack import registry
    for candidate in vars(registry).values():
        for level in _levels(candidate):
            cls = level.module_dict.get(class_name)
            if cls is not None:
                names = [n for c in cls.__mro__ if '__init__' in vars(c)
                         for n in inspect.signature(c.__init__).parameters]
                return difflib.get_close_matches(key, names, n=1)
    return []


def _levels(registry: Any) -> Iterator[Any]:
    while registry is not None and hasattr(registry, 'module_dict'):
        yield registry
        registry = registry.parent


def dicts_of(node: Any) -> Iterator[ConfigDict]:
    """All dicts inside a config value, depth first, the value itself included."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from dicts_of(child)


def _did_you_mean(near: list[str]) -> str:
    return f'; did you mean {near[0]!r}?' if near else ''
