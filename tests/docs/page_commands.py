"""Commands and files of a documentation page, to run it as a reader would.

A fenced block is marked by an HTML comment on the line right before it::

    <!-- run -->            bash or python: run, in the order of the page
    <!-- file: NAME -->     written to NAME, below the folder in which the page runs

Blocks without a mark are only shown. In bash blocks, ``python tools/X.py ...`` is called in this
process, which saves the seconds of its imports; anything else goes to bash. ``configs``, ``tools``
and ``vatrack`` are there, as in a checkout, and an empty ``docs``. The python blocks of a page
share their variables.
"""
from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts import REPO, load_tool

_MARK = re.compile(r'<!--\s*(run|file:\s*(?P<name>[^\s>]+))\s*-->')
_FENCE = re.compile(r'(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>\w*)')
_TOOL = re.compile(r'(?:\S*/)?python3? tools/(?P<name>\w+)\.py\b')
_SHELL = ('|', '&&', '||', ';', '<', '>>', '2>', '&', '(')


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The page.
        line: Number of the first line inside the fence, from 1.
        language: What stands behind the opening fence, or ''.
        text: What stands inside, without the indentation of the fence.
        run: Whether it is marked to be run.
        file: Name of the file that it is marked to be, or None.
    """

    page: Path
    line: int
    language: str
    text: str
    run: bool = False
    file: str | None = None

    def commands(self) -> Iterator[tuple[int, str]]:
        """Line numbers and commands of a shell block; continued lines are one command."""
        command, start = '', 0
        for number, line in enumerate(self.text.splitlines(), self.line):
            start = start if command else number
            command += line
            if command.endswith('\\'):
                command = command[:-1].rstrip() + ' '
                continue
            if command.strip() and not command.lstrip().startswith('#'):
                yield start, command.strip()
            command = ''


def read_blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    blocks, lines = [], page.read_text(encoding='utf-8').splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        mark = _MARK.fullmatch(lines[number - 1].strip()) if number else None
        end = next(i for i in range(number + 1, len(lines))
                   if lines[i].strip() == opening['fence'])
        indent = len(opening['indent'])
        text = '\n'.join(line[indent:] for line in lines[number + 1:end]) + '\n'
        name = mark['name'] if mark else None
        blocks.append(Block(page, number + 2, opening['language'], text,
                            run=mark is not None and name is None, file=name))
        number = end + 1
    return blocks


def run_page(page: Path, folder: Path) -> int:
    """Write the files and run the blocks of a page; returns how many blocks were run.

    Args:
        page: Markdown file.
        folder: Where to run; files that the page takes for granted must be there.

    Raises:
        AssertionError: A command failed; names page, line and command.
    """
    for name in ('configs', 'tools', 'vatrack'):
        if not (folder / name).exists():
            (folder / name).symlink_to(REPO / name)
    (folder / 'docs').mkdir(exist_ok=True)
    done, variables = 0, {'__name__': page.stem}
    with _inside(folder):
        for block in read_blocks(page):
            if block.file is not None:
                Path(block.file).parent.mkdir(parents=True, exist_ok=True)
                Path(block.file).write_text(block.text, encoding='utf-8')
            elif block.run:
                _run_block(block, variables)
                done += 1
    return done


def _run_block(block: Block, variables: dict) -> None:
    if block.language == 'python':
        source = '\n' * (block.line - 1) + block.text  # tracebacks name the line of the page
        exec(compile(source, str(block.page), 'exec'), variables)
        return
    assert block.language == 'bash', f'{block.page}:{block.line}: only bash and python can be run'
    for line, command in block.commands():
        code = run_command(command)
        assert code == 0, f'{block.page}:{line}: exit code {code} of: {command}'


def run_command(command: str) -> int:
    """Run one command line in the current folder; returns its exit code."""
    tool = tool_call(command)
    if tool is None:
        environment = {**os.environ, 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'}
        return subprocess.run(['bash', '-ec', command], env=environment, check=False).returncode
    name, arguments, target = tool
    with contextlib.ExitStack() as stack:
        if target is not None:
            file = stack.enter_context(open(target, 'w', encoding='utf-8'))
            stack.enter_context(contextlib.redirect_stdout(file))
        try:
            return load_tool(name).main(arguments) or 0
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 1


def tool_call(command: str) -> tuple[str, list[str], str | None] | None:
    """Name, arguments and redirection of ``python tools/NAME.py ... [> FILE]``.

    None for anything that needs a shell.
    """
    found = _TOOL.match(command)
    if found is None:
        return None
    arguments, target = shlex.split(command[found.end():], comments=True), None
    if '>' in arguments[-2:-1]:
        *arguments, _, target = arguments
    return None if any(each in _SHELL for each in arguments) else (found['name'], arguments, target)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before, environment = Path.cwd(), dict(os.environ)
    os.environ.pop('VATRACK_DATA', None)  # a reader has set nothing; tests of configs have
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.update(environment)
