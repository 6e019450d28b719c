"""Errors of the classes that a config names, as one line: which key, which class, what is wrong."""
from __future__ import annotations

import difflib
import inspect
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import Registry

from .config_tree import dicts_of, did_you_mean

_WRONG_ARGUMENT = re.compile(r"(\w+)\.__init__\(\) (?:got an unexpected keyword argument '(\w+)'"
                             r"|missing \d+ required (?:\w|-| )*arguments?: (.+))")
_UNKNOWN_CLASS = re.compile(r"(\w+) is not in the (?:\w+::)?([\w ]+) registry")
#: Packages whose functions named build... make an object of a config.
_BUILDERS = ('mmengine.', 'mmcv.')
_OWN = Path(__file__).resolve().parents[1]
#: What else a runner does with a config before it runs.
_SETUP = ('setup_env', 'set_randomness', 'register_custom_hooks', 'register_default_hooks',
          'scale_lr', 'turn_on_activation_checkpointing', 'turn_on_efficient_conv_bn_eval')
#: Not what a config says, but what a machine has.
_OF_THE_MACHINE = (MemoryError, torch.OutOfMemoryError)


def build_fault(config: Config, error: Exception) -> str | None:
    """What an error says of a config: while a class of it was built, or by a check of vatrack.

    Args:
        config: What was built, or run.
        error: As it was caught.

    Returns:
        ``'model.detector.backbone (ResNet): invalid depth 19 for resnet'``, ``'model.type: there
        is no ...'``; None for errors that have a class of vatrack, and say all themselves, and
        for those of a program that runs.
    """
    if type(error).__module__.partition('.')[0] == 'vatrack' or isinstance(error, _OF_THE_MACHINE):
        return None
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][::-1]
    if isinstance(error, ImportError):
        return _missing_package(config, error, frames)
    built = next(filter(None, map(_built_by, frames)), None)
    if built is None:
        setup = next((frame.f_code.co_name for frame in frames
                      if frame.f_code.co_name in _SETUP and _module(frame)[:9] == 'mmengine.'), '')
        if setup:
            return f'{_text(error)} (in {setup})'
        return str(error) if isinstance(error, ValueError) and _is_worded(error) else None
    key = _key_of(config, built)
    unknown = _UNKNOWN_CLASS.search(str(error)) if isinstance(error, KeyError) else None
    if unknown:
        name, kind = unknown.groups()
        return f'{key}.type: {_no_class(config, name, kind)}'.removeprefix('.')
    wrong = _WRONG_ARGUMENT.search(str(error)) if isinstance(error, TypeError) else None
    if wrong:
        name, surplus, missing = wrong.groups()
        near = _similar_parameters(name, surplus) if surplus else []
        fault = f'takes no {surplus!r}{did_you_mean(near)}' if surplus else f'lacks {missing}'
        return f'{key}: {name} {fault}'.removeprefix(': ')
    unknown_type = _unknown_type(built) if isinstance(error, TypeError | AssertionError) else ''
    return f'{_named(key, built.get("type"))}: {unknown_type or _text(error)}'


def _is_worded(error: Exception) -> bool:
    """Whether a ``raise`` of vatrack raised it, and not a function that it calls."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return _OWN in Path(last.filename).parents and (last.line or '').startswith('raise ')


def _built_by(frame: FrameType) -> dict | None:
    """The config that a frame builds something of, if it is of a builder."""
    code = frame.f_code
    if not code.co_name.startswith('build') or not _module(frame).startswith(_BUILDERS):
        return None
    arguments = map(frame.f_locals.get, code.co_varnames[:code.co_argcount])
    return next((each for each in arguments if isinstance(each, dict)), None)


def _missing_package(config: Config, error: ImportError, frames: list[FrameType]) -> str:
    """Names what of the config needs a package: backends of visualizers import theirs late."""
    for frame in frames:
        name = type(frame.f_locals.get('self')).__name__
        for key, node in _dicts(config):
            if node.get('type') == name:
                return f'{_named(key, name)}: {error}, or take it out of the config'
    return f'{error}'


def _key_of(config: Config, built: dict) -> str:
    """Dotted key of a config that was built; '' if a program made it.

    Builders add values, such as ``params``, and some take out what they have used.
    """
    for required in (True, False):
        for key, node in _dicts(config):
            alike = node['type'] == built.get('type') if 'type' in node else (
                bool(node) and node.keys() == built.keys())
            if alike and _agree(built, node, required):
                return key
    return ''


def _agree(built: dict, node: dict, required: bool) -> bool:
    """Whether two configs have equal values; ``required``: of all keys of the second."""
    try:
        return all(bool(built[key] == value) if key in built else not required
                   for key, value in node.items())
    except (ValueError, RuntimeError):  # arrays have no truth
        return False


def _dicts(config: Config) -> Iterator[tuple[str, dict]]:
    for name, value in config.items():
        yield from dicts_of(value, name)


def _named(key: str, kind: Any) -> str:
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return f'{key} ({name})' if key and name else key or name or 'the config'


def _text(error: Exception) -> str:
    """Message of an error; an assertion without one is quoted."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    text = ' '.join(text.split())
    if isinstance(error, AssertionError) and not text:
        text = traceback.extract_tb(error.__traceback__)[-1].line
    plain = isinstance(error, ValueError | AssertionError | KeyError)
    return text if plain and ' ' in text else f'{type(error).__name__}: {text}'


def _module(frame: FrameType) -> str:
    return frame.f_globals.get('__name__', '')


def _no_class(config: Config, name: str, kind: str) -> str:
    """That no class of a kind has a name, and which has a similar one."""
    near = difflib.get_close_matches(name, _class_names(kind), n=1)
    if near == [name]:
        return (f'there is no {kind} {name!r} for default_scope={config.get("default_scope")!r}; '
                "the classes of vatrack need default_scope='vatrack'")
    return f'there is no {kind} {name!r}{did_you_mean(near)}'


def _unknown_type(built: dict) -> str:
    """The misspelt type of a config or a part of it, where the builder takes None for a class."""
    known = [name for level in _registries() for name in level.module_dict]
    for _, node in dicts_of(built, ''):
        name = str(node.get('type')).rpartition('.')[2]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if isinstance(node.get('type'), str) and name not in known and near:
            return f'there is no {name!r}{did_you_mean(near)}'
    return ''


def _class_names(kind: str) -> list[str]:
    return [name for level in _registries() if level.name == kind for name in level.module_dict]


def _similar_parameters(class_name: str, key: str) -> list[str]:
    for level in _registries():
        cls = level.module_dict.get(class_name)
        if cls is not None:
            names = [n for c in cls.__mro__ if '__init__' in vars(c)
                     for n in inspect.signature(c.__init__).parameters]
            return difflib.get_close_matches(key, names, n=1)
    return []


def _registries() -> Iterator[Registry]:
    from vatrack import registry
    for child in vars(registry).values():
        while isinstance(child, Registry):
            yield child
            child = child.parent
