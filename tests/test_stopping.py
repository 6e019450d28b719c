"""SIGTERM and Ctrl-C end a tool in order."""
from __future__ import annotations

import os
import signal
import time
from errno import ENOSPC
from pathlib import Path

import pytest

from vatrack import stopping
from vatrack.files.whole_file import replace_when_done
from vatrack.stopping import Stopped, deferred, process_pool, run_tool


@pytest.fixture(autouse=True)
def signals():
    """Put back what ``run_tool`` changes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stopping._State.owner = stopping._State.pending = None


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_line_and_the_conventional_exit_code(number, code, tmp_path, capsys):
    def main() -> int:
        with replace_when_done(tmp_path / 'result.json') as file:
            file.write('{')
            signal.raise_signal(number)
        return 0

    assert run_tool(main) == code
    assert capsys.readouterr().err == f'\nstopped by {signal.Signals(number).name}\n'
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_catches_everything_does_not_hide_it(capsys):
    def main() -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        except:  # noqa: E722 - as yapf and mmengine do
            raise SyntaxError('cannot be formatted') from None

    assert run_tool(main) == 143
    assert capsys.readouterr().err == '\nstopped by SIGTERM\n'


def test_a_deferred_block_ends_first():
    done = []

    def main() -> int:
        with deferred():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)  # torchrun's, after that of the batch system
            done.append('block')
        done.append('never')

    assert run_tool(main) == 143 and done == ['block']


def test_a_wait_that_no_handler_can_interrupt_is_ended_by_the_system():
    pid = os.fork()
    if not pid:
        def main() -> int:
            with stopping.left_to_system():
                signal.raise_signal(signal.SIGINT)
            return 0
        os._exit(run_tool(main))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGINT
    before = signal.getsignal(signal.SIGTERM)
    with stopping.left_to_system():
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_insists_is_obeyed():
    done = []

    def main() -> int:
        with deferred():
            signal.raise_signal(signal.SIGINT)
            done.append('first')
            signal.raise_signal(signal.SIGINT)
            done.append('never')

    assert run_tool(main) == 130 and done == ['first']


def test_an_error_of_what_ends_at_the_same_time_is_no_error():
    def main() -> int:
        with deferred(raises=False):
            signal.raise_signal(signal.SIGTERM)
            raise RuntimeError('Connection closed by peer')

    assert run_tool(main) == 143


def test_without_a_signal_errors_are_errors(capsys):
    with pytest.raises(RuntimeError, match='a defect'), deferred():
        raise RuntimeError('a defect')
    stopping.check()

    def main() -> int:
        raise OSError(ENOSPC, os.strerror(ENOSPC), 'log.json')

    assert run_tool(main) == 1
    assert capsys.readouterr().err == ('error: log.json: No space left on device; make room and '
                                       'start again\n')


def half_a_file(path: Path) -> None:
    with replace_when_done(path) as file:
        file.write('half')
        path.with_suffix('.begun').touch()
        time.sleep(60)


def test_a_pool_ends_at_once_and_leaves_no_half_files(tmp_path):
    def main() -> int:
        with process_pool(2) as pool:
            jobs = [pool.submit(half_a_file, tmp_path / f'{i}.json') for i in range(4)]
            while len(list(tmp_path.glob('*.begun'))) < 2:
                time.sleep(0.01)
            pids.extend(pool._processes)
            os.kill(os.getpid(), signal.SIGINT)
            jobs[0].result()

    pids: list[int] = []
    begin = time.monotonic()
    assert run_tool(main) == 130
    assert time.monotonic() - begin < 30
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ['.begun', '.begun']
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_stop_travels_between_processes():
    stop = Stopped(signal.SIGTERM)
    kind, arguments = stop.__reduce__()
    assert kind(*arguments).number == signal.SIGTERM and stopping.exit_code(stop) == 143
