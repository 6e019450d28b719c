"""Train and test the runs of a study, each in a process of its own."""
from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM

from vatrack.checkpoints import load
from vatrack.stopping import exit_code

from ..config import ConfigError
from ..environment import environment
from ..runs import last_checkpoint
from .numbers import main_numbers
from .study import Run, next_step, read_state, write_state

#: Runs a command, sends its output to the end of a file and returns the exit code.
RunCommand = Callable[[Sequence[str], Path], int]

_TOOLS = Path(__file__).resolve().parents[3] / 'tools'


def perform_all(runs: Sequence[Run], run_command: RunCommand) -> dict[Run, Path]:
    """Perform runs in order and print one line for each.

    A run that fails does not stop the others; the end of its log is printed.

    Returns:
        Log by failed run.
    """
    failures = {}
    for number, run in enumerate(runs, 1):
        print(f'[{number}/{len(runs)}] {run.name}: ', end='', flush=True)
        start, step = time.monotonic(), next_step(run)
        log = perform(run, run_command)
        seconds = '' if step == 'done' else f' {time.monotonic() - start:.0f} s,'
        if log is None:
            print(f'{step}{seconds or ","} {main_numbers(run)}')
        else:
            failures[run] = log
            print(f'{step}{seconds} FAILED; the end of {log}:')
            print(''.join(f'    {line}\n' for line in _last_lines(log)), end='')
    return failures


def perform(run: Run, run_command: RunCommand) -> Path | None:
    """Do what is still to be done of a run.

    Args:
        run: Run; if its folder holds a run of another config, that is deleted.
        run_command: Usually :func:`run_logged`.

    Returns:
        None, or the log of the command that failed.
    """
    step = next_step(run)
    if step == 'redo':
        shutil.rmtree(run.folder)
        step = 'train'
    if step in ('train', 'resume'):
        log = _train(run, step == 'resume', run_command)
        if log is not None:
            return log
        step = 'test'
    return _test(run, step == 'score', run_command) if step != 'done' else None


def run_logged(command: Sequence[str], log: Path, patience: float = 30) -> int:
    """Run a command with its output at the end of a file; returns the exit code.

    A KeyboardInterrupt goes through once the command has ended too. A terminal
    interrupts both, SIGTERM is handed on; the command has ``patience`` seconds to
    end, then it is killed.
    """
    with log.open('a', encoding='utf-8') as file:
        file.write(f'$ {shlex.join(command)}\n')
        file.flush()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                                 stderr=subprocess.STDOUT)
        try:
            return child.wait()
        except KeyboardInterrupt as stop:
            if exit_code(stop) == 128 + SIGTERM:
                child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(patience)
            raise
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def _train(run: Run, resume: bool, run_command: RunCommand) -> Path | None:
    state = {'config': str(run.path), 'seed': run.seed, 'resolved': run.resolved}
    write_state(run, state)
    log, begun_in = run.folder / 'train.log', environment()
    command = [sys.executable, str(_TOOLS / 'train.py'), str(run.path), '--work-dir',
               str(run.folder), *(['--resume'] if resume else []), '--cfg-options', *run.options]
    if not _succeeds(run, command, log, run_command):
        return log
    checkpoint = last_checkpoint(run.folder)
    if checkpoint is None:
        _note(log, f'{run.folder}: training ended without a checkpoint')
        return log
    write_state(run, {**state, 'trained': {**begun_in, 'iterations': _iterations(checkpoint)}})
    return None


def _test(run: Run, score: bool, run_command: RunCommand) -> Path | None:
    """Test the last checkpoint, or ``score`` the results that are there once more."""
    log, results = run.folder / 'test.log', run.folder / 'results.json'
    protocol = ['--protocol', run.study.protocol] if run.study.protocol else []
    command = [sys.executable, str(_TOOLS / 'test.py'), str(run.path),
               str(results if score else last_checkpoint(run.folder)),
               '--eval', *run.tested_as['eval'], *protocol, '--out', str(results),
               '--work-dir', str(run.folder / 'test'), '--cfg-options', *run.options]
    if not _succeeds(run, command, log, run_command):
        return log
    write_state(run, {**read_state(run), 'tested': run.tested_as})
    return None


def _succeeds(run: Run, command: Sequence[str], log: Path, run_command: RunCommand) -> bool:
    """Run a command of a run, unless its config is no longer what ``run.json`` will say."""
    try:
        current = Run(run.study, run.path, run.seed).resolved
    except ConfigError as error:
        _note(log, str(error))
        return False
    if current != run.resolved:
        _note(log, f'{run.path}: was changed since this command was started; start it again')
        return False
    return run_command(command, log) == 0


def _note(log: Path, text: str) -> None:
    with log.open('a', encoding='utf-8') as file:
        file.write(f'{text}\n')


def _iterations(checkpoint: Path) -> int:
    content = load(checkpoint, 'cpu', mmap=True)
    return content['meta']['iter']


def _last_lines(log: Path, count: int = 15) -> list[str]:
    return log.read_text(encoding='utf-8', errors='replace').splitlines()[-count:]
