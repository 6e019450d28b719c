"""Kill trainings, tests and conversions at random moments, and see that nothing is lost.

    python tests/fuzz/kills.py --train 40 --test 20 --convert 10 --seed 0

After every kill: no half file under a final name, no process left, no traceback; the same command
goes on, and ends with the weights, results or annotations of a run that was left alone. Every
second training has two processes, as torchrun starts them. One in three kills comes while a file
is being written. Victims are forks of this process, which has imported everything; ``--real`` adds
true command lines, torchrun among them.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing.util
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'converters'))

import vatrack  # noqa: F401 - before torch  # isort: skip

import cv2
import torch
from made_sailvos import make_sailvos
from mmengine.fileio import LocalBackend
from scripts import REPO, load_tool
from tiny_run import CONFIG, TWO_EPOCHS, tiny_options

from vatrack import stopping
from vatrack.apis import WeightsError
from vatrack.apis.weights import check_checkpoint_file
from vatrack.synthetic import SceneConfig, generate

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: What torchrun waits before it kills processes that were told to end.
PATIENCE = 30


class Lost(AssertionError):
    """Something was lost."""


@dataclass
class Job:
    """A command that can be killed and started again.

    Attributes:
        name: For messages.
        command: Tool and arguments, given the folder of the run and whether it was killed before.
        result: What must be the same in the end, out of the folder.
        processes: How many share the work.
    """

    name: str
    command: Callable[[Path, bool], list[str]]
    result: Callable[[Path], object]
    processes: int = 1


def start(command: Sequence[str], log: Path, processes: int, real: bool,
          in_writing: tuple[int, int] | None = None) -> list[int]:
    """Start a command; returns its process ids, each that of a session of its own.

    Args:
        command: Tool and arguments.
        log: Where its output goes.
        processes: How many.
        real: By the command line and not by a fork.
        in_writing: Signal that it sends to itself within the n-th file that mmengine writes.
    """
    if real:
        python = [sys.executable]
        if processes > 1:
            python += ['-m', 'torch.distributed.run', '--nproc_per_node', str(processes),
                       '--master_port', str(free_port())]
        tool = str(REPO / 'tools' / f'{command[0]}.py')
        with log.open('a') as file:
            child = subprocess.Popen([*python, tool, *command[1:]], stdout=file, stderr=file,
                                     stdin=subprocess.DEVNULL, start_new_session=True)
        return [child.pid]
    port, pids = free_port(), []
    for rank in range(processes):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        code = 70
        try:
            os.setsid()
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if processes > 1:
                os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1',
                                  WORLD_SIZE=str(processes), MASTER_PORT=str(port))
            if in_writing:
                kill_in_writing(*in_writing)
            sys.argv = [f'tools/{command[0]}.py', *command[1:]]
            code = stopping.run_tool(lambda: load_tool(command[0]).main(list(command[1:])))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                multiprocessing.util._exit_function()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pids


def kill_in_writing(number: int, count: int) -> None:
    """Let this process get a signal when half of a file is written."""
    original, left = LocalBackend.put, [count]

    def put(self, content, filename):
        left[0] -= 1
        if left[0]:
            original(self, content, filename)
            return
        with open(filename, 'wb') as file:
            file.write(content[:random.randrange(len(content))])
            file.flush()
            os.kill(os.getpid(), number)
        original(self, content, filename)

    LocalBackend.put = put


def free_port() -> int:
    """A port of this machine that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait(pids: list[int], limit: float, group: bool) -> list[int]:
    """Exit codes; when one process ends otherwise than well, the others are told to, as torchrun.

    Args:
        pids: Processes.
        limit: Seconds until it counts as hanging.
        group: Whether they are one training, started by forks.
    """
    codes: dict[int, int] = {}
    end, told = time.monotonic() + limit, None
    while len(codes) < len(pids):
        for pid in set(pids) - codes.keys():
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                codes[pid] = os.waitstatus_to_exitcode(status)
        if group and told is None and any(codes.values()):
            told = time.monotonic()
            send(set(pids) - codes.keys(), signal.SIGTERM)
        if time.monotonic() > (end if told is None else min(end, told + PATIENCE)):
            send(set(pids) - codes.keys(), signal.SIGKILL)
            if told is None:
                raise Lost(f'hangs: {set(pids) - codes.keys()}')
        time.sleep(0.01)
    return [codes[pid] for pid in pids]


def send(pids: Sequence[int] | set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def left_over(sessions: list[int]) -> list[str]:
    """Processes of some sessions that are still there."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(')')[2].split()[:4]
            if int(session) in sessions and state != 'Z':
                found.append(stat.parent.name)
    return found


def check_files(folder: Path) -> None:
    """No half file under a final name; logs are appended to, line by line."""
    for path in folder.rglob('*'):
        apart = any(part in ('vis_data', '.vatrack_cache') or part.endswith('.parts')
                    for part in path.parts) or re.fullmatch(r'\d{8}_\d{6}\.json', path.name)
        if path.is_file() and not apart:
            try:
                _check_file(path)
            except (ValueError, SyntaxError, WeightsError) as error:
                raise Lost(f'{path}: {error}') from error


def _check_file(path: Path) -> None:
    if path.suffix == '.pth':
        check_checkpoint_file(path)
    elif path.suffix == '.json':
        json.loads(path.read_text())
    elif path.suffix == '.py':
        compile(path.read_text() or '?', path, 'exec')
    elif path.suffix in ('.png', '.jpg', '.bmp') and cv2.imread(str(path)) is None:
        raise ValueError('no image')
    elif path.name == 'last_checkpoint':
        check_checkpoint_file(path.read_text())


def attempt(job: Job, folder: Path, chance: random.Random, seconds: float, expected: object,
            real: bool, number: int) -> str:
    """Kill a run, then let it end; returns what happened."""
    log, one_training = folder.with_suffix('.log'), job.processes > 1 and not real
    in_writing, delay = None, chance.uniform(0, seconds)
    if chance.random() < 1 / 3 and job.name.startswith('train') and not real:
        in_writing = (number, chance.randint(1, 3))
    how = f'{signal.Signals(number).name} ' + (
        f'in file {in_writing[1]}' if in_writing else f'after {delay:.2f} of {seconds:.2f} s')
    pids = start(job.command(folder, False), log, job.processes, real, in_writing)
    if in_writing is None:
        time.sleep(delay)
        send_somehow(pids, number, chance)
    begin = time.monotonic()
    codes = wait(pids, 120, one_training)
    took = '' if in_writing else f', ended {time.monotonic() - begin:.1f} s later'
    if number != signal.SIGKILL:
        check_end(log, codes, number, real, job.processes)
    check_left_over(pids)
    check_files(folder)
    log.unlink(missing_ok=True)
    if any(codes):
        then = wait(start(job.command(folder, True), log, job.processes, real), 120, one_training)
        if any(then):
            raise Lost(f'{how}: going on failed with {then}, see {log}')
    check_files(folder)
    if job.result(folder) != expected:
        raise Lost(f'{how}: another result')
    return f'{how}: exit {codes}{took}'


def send_somehow(pids: list[int], number: int, chance: random.Random) -> None:
    """To one process if it dies of it, to all, or to their helpers too, as batch systems do."""
    if number == signal.SIGKILL:
        send(pids[:1], number)
    elif chance.random() < 2 / 3:
        send(pids, number)
    else:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)


def check_end(log: Path, codes: list[int], number: int, real: bool, processes: int) -> None:
    """No traceback and the conventional exit code after a signal that can be handled."""
    text = log.read_text(errors='replace') if log.exists() else ''
    if real and processes > 1:
        return  # torchrun itself ends with a traceback and an exit code of its own
    if 'Traceback' in text:
        raise Lost(f'{signal.Signals(number).name}: traceback in {log}')
    # While it imports, or waits for the other processes to begin, the system ends it.
    by_system = [-number, -signal.SIGTERM] if real or processes > 1 else []
    if not set(codes) <= {0, 128 + number, 128 + signal.SIGTERM, *by_system}:
        raise Lost(f'{signal.Signals(number).name}: exit codes {codes}, see {log}')


def check_left_over(sessions: list[int]) -> None:
    """No process is left; loader workers look for their parent every few seconds."""
    deadline = time.monotonic() + 15
    while left := left_over(sessions):
        if time.monotonic() > deadline:
            send([int(pid) for pid in left], signal.SIGKILL)
            raise Lost(f'processes {left} are left')
        time.sleep(0.2)


def weights(folder: Path) -> dict[str, bytes]:
    """All weights at the end of a training, as bytes."""
    state = torch.load(folder / 'epoch_2.pth', weights_only=True)['state_dict']
    return {name: value.numpy().tobytes() for name, value in state.items()}


def jobs(root: Path) -> dict[str, list[Job]]:
    """What is killed; makes the data."""
    data = root / 'data'
    scene = SceneConfig(num_frames=6, width=96, height=64, objects=(2, 3), occlusion='high')
    generate(data, 'train', 2, scene)
    generate(data, 'val', 1, scene)
    made = make_sailvos(root / 'raw', {
        'train': {f'a_{i}_ext': [5, 9, 7] for i in range(6)}, 'valid': {'one': [6, 7]}})
    options = [*tiny_options(data, *TWO_EPOCHS, 'train_dataloader.num_workers=1',
                             'train_cfg.val_interval=2'),
               'train_dataloader.batch_size=1']
    options = [each for each in options if not each.startswith('experiment_name')]

    def train(folder: Path, again: bool, *more: str) -> list[str]:
        resume = ['--resume'] * (again and any(folder.glob('*.pth')))
        return ['train', str(CONFIG), '--work-dir', str(folder), *more, '--cfg-options', *options,
                *resume]

    def train_two(folder: Path, again: bool) -> list[str]:
        return train(folder, again, '--launcher', 'pytorch')

    def test(folder: Path, again: bool) -> list[str]:
        return ['test', str(CONFIG), str(root / 'train-1-reference' / 'epoch_2.pth'), '--out',
                str(folder / 'results.json'), '--work-dir', str(folder / 'test'), '--cfg-options',
                *options]

    def test_result(folder: Path) -> tuple[str, object]:
        numbers = json.loads((folder / 'results.metrics.json').read_text())
        return (folder / 'results.json').read_text(), numbers['metrics']

    def convert(folder: Path, again: bool) -> list[str]:
        return ['convert', 'sailvos-cut', str(made.root), '--out', str(folder), '--detect',
                '--legacy-channels', '--threshold', '255', '--workers', '2']

    def synthetic(folder: Path, again: bool) -> list[str]:
        return ['make_synthetic', '--out', str(folder), '--splits', 'val:3x20', '--width', '96',
                '--height', '64', '--overwrite']

    def annotations(folder: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(folder.glob('**/joint/*.json'))
                } | {path.name: path.read_text() for path in sorted(folder.glob('val.json'))}

    return {'train': [Job('train-1', train, weights),
                      Job('train-2', train_two, weights, processes=2)],
            'test': [Job('test', test, test_result)],
            'convert': [Job('convert', convert, annotations),
                        Job('make_synthetic', synthetic, annotations)]}


def reference(job: Job, root: Path) -> tuple[object, float]:
    """Result and seconds of a run that is left alone."""
    folder, begin = root / f'{job.name}-reference', time.monotonic()
    log = folder.with_suffix('.log')
    codes = wait(start(job.command(folder, False), log, job.processes, False), 300, False)
    if any(codes):
        raise Lost(f'{job.name}: fails by itself, see {log}')
    return job.result(folder), time.monotonic() - begin


def main() -> int:
    """Kill; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('train', 'test', 'convert'):
        parser.add_argument(f'--{name}', type=int, default=2, metavar='N', help='kills')
    parser.add_argument('--real', type=int, default=0, metavar='N',
                        help='trainings killed on true command lines')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--keep', metavar='DIR', help='work here, and keep what failed')
    args = parser.parse_args()
    root = Path(args.keep or tempfile.mkdtemp(prefix='vatrack-kills-'))
    root.mkdir(parents=True, exist_ok=True)
    for name in ('train', 'test', 'convert', 'make_synthetic'):
        load_tool(name)
    failures = total = 0
    all_jobs, known = jobs(root), {}
    for kind, of_kind in all_jobs.items():
        plan = [(i, False) for i in range(getattr(args, kind))]
        plan += [(i, True) for i in range(args.real)] if kind == 'train' else []
        for i, real in plan:
            job, number = of_kind[i % len(of_kind)], SIGNALS[i // len(of_kind) % len(SIGNALS)]
            for each in (all_jobs['train'][0], job):  # tests need what it trains
                if each.name not in known:
                    known[each.name] = reference(each, root)
            expected, seconds = known[job.name]
            chance = random.Random(f'{args.seed}-{kind}-{i}-{real}')
            folder = root / f'{job.name}-{i}{"-real" * real}'
            total += 1
            try:
                said = attempt(job, folder, chance, seconds + 9 * real, expected, real, number)
                shutil.rmtree(folder, ignore_errors=True)
            except Lost as error:
                failures += 1
                said = f'LOST: {error}'
            print(f'{folder.name}: {said}', flush=True)
    if not (args.keep or failures):
        shutil.rmtree(root)
    print(f'{total} kills, {failures} failures' + f', see {root}' * bool(failures))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
