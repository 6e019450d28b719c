r"""Throw damaged files at the readers, checkers, converters and evaluators.

Each case damages a tiny valid input by a seed of its own (case 0: not at all) and gives it to a
tool of the project, in
a child process with limits on time and memory. A case is fine, refused (an error of the project),
or a fault: an exception that is not the project's own, a crash, a hang, or nonsense that was
accepted (what a check passes must be loaded, drawn, scored and written again).

Examples:
    python tests/fuzz/fuzz.py --cases 200
    python tests/fuzz/fuzz.py --targets annotations --cases 10000 --keep /tmp/faults
    python tests/fuzz/fuzz.py --targets annotations --first 4711 --cases 1 --keep /tmp/faults

Exit code 0 if there is no fault, else 1.
"""
from __future__ import annotations

import argparse
import faulthandler
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(path) for path in (HERE, REPO, REPO / 'tests', REPO / 'tests/converters',
                                       REPO / 'tests/files/foreign')]

from accepted import Nonsense  # noqa: E402 - the path comes first
from targets import TARGETS, Target  # noqa: E402 - the path comes first

# Cases in one child: few enough that what one leaves behind does not reach far.
_BATCH = 100
_MEMORY = 2 << 30


@dataclass
class Outcome:
    """What became of the cases of a target.

    Attributes:
        counts: Number of cases by kind: fine, refused, or a kind of fault.
        faults: Number and first case by description of a fault.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[int]] = field(default_factory=dict)

    def add(self, case: int, kind: str, text: str) -> None:
        """Count a case in."""
        self.counts[kind] += 1
        if kind not in ('fine', 'refused'):
            known = self.faults.setdefault(f'{kind}: {text}', [0, case])
            known[0] += 1


def run_target(name: str, first: int, cases: int, seed: int, seconds: float,
               keep: Path | None = None) -> Outcome:
    """Run cases of one target, in children of this process.

    Args:
        name: Key of TARGETS.
        first: Number of the first case; a case of one number and seed is always the same.
        cases: How many.
        seed: Of all cases.
        seconds: Time limit of a case.
        keep: Folder that gets the input of every fault; None: none is kept.
    """
    outcome, case = Outcome(), first
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, 'template')
        template.mkdir()
        TARGETS[name].make(template)
        while case < first + cases:
            stop = min(case + _BATCH, first + cases)
            for done, kind, text in _batch(name, Path(folder), range(case, stop), seed, seconds):
                known = f'{kind}: {text}' in outcome.faults
                outcome.add(done, kind, text)
                if keep is not None and kind not in ('fine', 'refused') and not known:
                    _damage(TARGETS[name], template, keep / f'{name}-{seed}-{done}', seed, done)
                case = done + 1
    return outcome


def _batch(name: str, folder: Path, cases: range, seed: int, seconds: float
           ) -> Iterator[tuple[int, str, str]]:
    """Run cases in one child until it ends, or must be ended: (case, kind, text) of each."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        _child(name, folder, cases, seed, write_end)
    os.close(write_end)
    case, lines = cases.start, b''
    try:
        while case < cases.stop:
            ready, _, _ = select.select([read_end], [], [], seconds)
            data = os.read(read_end, 1 << 16) if ready else b''
            if not data:
                if not ready:
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                child = 0
                yield case, *(('crash', _ending(status)) if ready else
                              ('hang', f'more than {seconds:g} s'))
                return
            *whole, lines = (lines + data).split(b'\n')
            for line in whole:
                kind, text = json.loads(line)
                yield case, kind, text
                case += 1
    finally:
        os.close(read_end)
        if child:
            os.waitpid(child, 0)
        shutil.rmtree(folder / 'case', ignore_errors=True)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f'exit code {code}'


def _child(name: str, folder: Path, cases: range, seed: int, write_end: int) -> None:
    """Run cases and report each; never returns."""
    try:
        faulthandler.disable()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (used + _MEMORY, used + _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ['VATRACK_CACHE'] = str(folder / 'case/cache')
        for case in cases:
            kind, text = _one(TARGETS[name], folder, seed, case)
            os.write(write_end, json.dumps([kind, text[:600]]).encode() + b'\n')
    finally:
        os._exit(0)


def _one(target: Target, folder: Path, seed: int, case: int) -> tuple[str, str]:
    place = folder / 'case'
    rng = _damage(target, folder / 'template', place, seed, case)
    # As on a terminal: what cannot be encoded ends in an exception on stdout.
    sys.stdout = io.TextIOWrapper(io.BytesIO(), 'utf-8', 'strict', write_through=True)
    sys.stderr = io.TextIOWrapper(io.BytesIO(), 'utf-8', 'backslashreplace', write_through=True)
    try:
        if target.run(place, rng) == 0:
            return 'fine', ''
        if not case:
            return 'seed', sys.stderr.buffer.getvalue().decode()
        said = sys.stderr.buffer.getvalue() + sys.stdout.buffer.getvalue()
        return ('refused', '') if b'error' in said.lower() or b'NOT ok' in said else (
            'silent', 'refused without a message')
    except Nonsense as error:
        return 'nonsense', str(error)
    except MemoryError:
        return 'memory', _where()
    except (Exception, SystemExit) as error:
        return 'exception', f'{type(error).__name__} at {_where()}: {str(error)[:120]!a}'


def _damage(target: Target, template: Path, place: Path, seed: int, case: int) -> Random:
    rng = Random(f'{seed}-{case}')
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(template, place, symlinks=True)
    if case:
        target.damage(rng, place)
    return rng


def _where() -> str:
    """The innermost line of the repository that the exception came through."""
    frames = [frame for frame in traceback.extract_tb(sys.exc_info()[2])
              if str(REPO) in frame.filename and str(HERE) not in frame.filename]
    return f'{Path(frames[-1].filename).relative_to(REPO)}:{frames[-1].lineno}' if frames else '?'


def main(argv: Sequence[str] | None = None) -> int:
    """Run targets; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--targets', nargs='+', choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument('--cases', type=int, default=100, help='of each target')
    parser.add_argument('--first', type=int, default=0, help='number of the first case')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--seconds', type=float, default=20, help='time limit of a case')
    parser.add_argument('--keep', type=Path, help='folder for the input of each new fault')
    args = parser.parse_args(argv)
    total: Counter[str] = Counter()
    for name in args.targets:
        start = time.monotonic()
        outcome = run_target(name, args.first, args.cases, args.seed, args.seconds, args.keep)
        total += outcome.counts
        counts = ', '.join(f'{count} {kind}' for kind, count in sorted(outcome.counts.items()))
        print(f'{name}: {counts} ({time.monotonic() - start:.0f} s)', flush=True)
        for text, (count, case) in outcome.faults.items():
            print(f'  {count} x, first case {case}: {text}', flush=True)
    faults = sum(total.values()) - total['fine'] - total['refused']
    print(f'{sum(total.values())} cases, {total["refused"]} refused, {faults} faults')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
