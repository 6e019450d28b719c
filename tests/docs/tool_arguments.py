"""Whether a command line of a page is one that its tool takes, without doing what it says."""
from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from page_commands import tool_call
from scripts import REPO, load_tool

from vatrack.apis import ConfigError, load_config, parse_options

#: What a synopsis consists of; such a line is no command that could be run.
_SYNOPSIS = re.compile(r'[][{}|]|\.\.\.')
#: Words that stand for a choice or a number of the reader.
_CHOICES = {'NAME', 'METRIC', 'FORMAT', 'KIND', 'N', 'S', 'RATE', 'DATASET'}


class _Parsed(Exception):
    """Parsing succeeded; the tool is to go no further."""


def command_fault(command: str, monkeypatch) -> str | None:
    """Say what is wrong with ``python tools/NAME.py ...``, or None.

    A synopsis (with brackets, braces or words such as NAME) must use options that exist. Anything
    else must parse; its configs must exist, and so must the keys that ``--cfg-options`` change.
    """
    command = re.sub(r'^torchrun .*? tools/', 'python tools/', command)
    name = re.search(r'tools/(\w+)\.py', command)[1]
    if not (REPO / 'tools' / f'{name}.py').is_file():
        return f'there is no tools/{name}.py'
    call = None if _SYNOPSIS.search(re.sub(r"'[^']*'|\"[^\"]*\"|=\S*", '', command)) else tool_call(
        command.partition(' | ')[0])
    if call is None or _CHOICES & set(call[1]):
        wrong = set(re.findall(r'(?<![\w-])--[a-z][\w-]*', command)) - _options(name, monkeypatch)
        return f'no such options: {sorted(wrong)}' if wrong else None
    return _parse_fault(*call[:2], monkeypatch) or _config_fault(call[1])


def _parse_fault(name: str, arguments: list[str], monkeypatch) -> str | None:
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, args=None, namespace=None) -> argparse.Namespace:
        raise _Parsed(parse(parser, args, namespace))

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)
    try:
        load_tool(name).main(arguments)
    except _Parsed:
        return None
    except SystemExit as error:
        return f'does not parse (exit code {error.code})' if error.code else None
    finally:
        monkeypatch.undo()
    return 'parses no arguments'


def _config_fault(arguments: list[str]) -> str | None:
    configs = [REPO / word for word in arguments if re.fullmatch(r'configs/\S+', word)]
    missing = [str(path.relative_to(REPO)) for path in configs if '*' not in path.name
               and not path.exists()]
    if missing:
        return f'no such configs: {missing}'
    if '--cfg-options' in arguments and configs and configs[0].is_file():
        items = arguments[arguments.index('--cfg-options') + 1:]
        items = items[:next((i for i, word in enumerate(items) if word.startswith('--')), None)]
        try:
            load_config(configs[0], parse_options(items))
        except ConfigError as error:
            return str(error)
    return None


def _options(name: str, monkeypatch) -> set[str]:
    """All options of a tool and of its sub-commands."""
    found: list[argparse.ArgumentParser] = []

    def keep(parser: argparse.ArgumentParser, args=None, namespace=None) -> None:
        found.append(parser)
        raise _Parsed

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', keep)
    try:
        load_tool(name).main([])
    except _Parsed:
        pass
    finally:
        monkeypatch.undo()
    return {option for parser in _with_commands(found[0])
            for option in parser._option_string_actions}


def _with_commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _with_commands(command)
