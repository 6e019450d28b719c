"""Ending in order when the system or the user asks for it: SIGTERM and Ctrl-C.

A tool starts through :func:`run_tool`. From then on either signal raises :class:`Stopped` in the
main thread, so that files half-written are removed and processes ended on the way out, and the tool
says one line and exits with 128 + the number of the signal, as a shell expects. What must not be
broken in the middle, a training step for example, runs inside of :func:`deferred`.
"""
from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from functools import partial
from multiprocessing import connection, parent_process
from multiprocessing.context import BaseContext
from types import FrameType
from typing import Any

from vatrack.pipes import quiet_pipes

_PATIENCE = 1.  # seconds
_LOST = 60.  # seconds after which a first signal counts as swallowed
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """The process was asked to end.

    Attributes:
        number: The signal.
        note: What the user should know, such as how to go on; '' if there is nothing to say.
        together: Whether all processes of a training stop at the same point.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f'stopped by {signal.Signals(number).name}')
        self.number = number
        self.note = ''
        self.together = False

    def __reduce__(self) -> tuple:
        return Stopped, (self.number,)


class _State:
    """Of this process; a fork starts with its parent's, and knows by ``owner``."""

    owner: int | None = None
    pending: int | None = None
    depth = 0
    since = 0.


def run_tool(main: Callable[[], int]) -> int:
    """Call the main function of a tool; returns the exit code.

    A full disk, too, is one line: it can show wherever something is written.
    """
    quiet_pipes()
    _State.owner = os.getpid()
    for number in _SIGNALS:
        signal.signal(number, _handle)
    try:
        with as_stop():
            return main()
    except KeyboardInterrupt as stop:
        # Of several processes of one training the first speaks for all.
        if os.environ.get('RANK', '0') == '0':
            note = getattr(stop, 'note', '')
            print(f'\n{stop or "stopped"}{note and ": "}{note}', file=sys.stderr)
        return exit_code(stop)
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
        print(f'error: {error.filename or "writing"}: {error.strerror}; make room and start again',
              file=sys.stderr)
        return 1


def exit_code(stop: KeyboardInterrupt) -> int:
    """128 + the number of the signal."""
    return 128 + getattr(stop, 'number', signal.SIGINT)


@contextmanager
def as_stop() -> Iterator[None]:
    """A block out of which comes :class:`Stopped`, whatever a library has made of it.

    Some catch every exception, and raise another or none.
    """
    try:
        yield
    except Exception as error:
        if _State.pending is None:
            raise
        raise Stopped(_State.pending) from error


@contextmanager
def left_to_system() -> Iterator[None]:
    """A block in which signals end this process on the spot, without a word.

    For waits in compiled code that no handler can interrupt, such as for the other processes of
    a training that is about to begin: one that was ended meanwhile would be waited for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not its business
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check() -> None:
    """Stop if that was asked for.

    Raises:
        Stopped: It was.
    """
    if _State.pending is not None and not _State.depth:
        raise Stopped(_State.pending)


def pending() -> int | None:
    """The signal that asked this process to end, if one did."""
    return _State.pending


@contextmanager
def deferred(raises: bool = True) -> Iterator[None]:
    """A block that signals do not break: :class:`Stopped` is raised at its end.

    Unless the user insists, by a second Ctrl-C. An error of the block is the cause of Stopped, for
    what ends at the same time, such as the other processes of a training, makes errors.

    Args:
        raises: False: the block itself looks at :func:`pending`; a signal alone raises nothing.
    """
    _State.depth += 1
    error = None
    try:
        yield
    except Exception as caught:
        error = caught
        if _State.pending is None:
            raise
    finally:
        _State.depth -= 1
    stops = _State.pending is not None and not _State.depth
    if stops and (raises or error is not None):
        raise Stopped(_State.pending) from error
    if error is not None:
        raise error


def _handle(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _State.owner:
        # A fork that has no rules of its own yet.
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
        if number == signal.SIGTERM:
            os.kill(os.getpid(), number)
        return
    first, now = _State.pending is None, time.monotonic()
    if first:
        _State.pending, _State.since = number, now
    insists = number == signal.SIGINT or now - _State.since > _LOST
    # A second one comes from torchrun or a batch system while this process is on its way out.
    if not _State.depth if first else insists:
        raise Stopped(number)


def leave_to_parent() -> None:
    """Let the parent of this process decide when it ends.

    A terminal, a batch system and torchrun signal all processes at once; the parent would take the
    death of its helpers for a fault of theirs. A second SIGTERM, the parent's, ends this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))


class _WorkerStopped(Stopped, SystemExit):
    """The end of a helper process; of a SystemExit multiprocessing prints no traceback."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class _Pool(ProcessPoolExecutor):
    """A pool whose processes begin nothing new once they were told to end."""

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        return super().submit(_work, function, *args, **kwargs)

    def _spawn_process(self) -> None:
        # What Python runs around a fork swallows exceptions, with their tracebacks printed.
        with deferred():
            super()._spawn_process()


def _work(function: Callable, *args: Any, **kwargs: Any) -> Any:
    if _State.pending is not None:
        os._exit(128 + _State.pending)
    return function(*args, **kwargs)


@contextmanager
def process_pool(workers: int, context: BaseContext | None = None,
                 initializer: Callable[[], object] | None = None
                 ) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that ends with the block, if by a signal then at once.

    After another error, what is under way is finished. They also end when this process is killed.

    Args:
        workers: Number of processes.
        context: How they are started; None: as usual on this system.
        initializer: What each does first.
    """
    pool = _Pool(workers, context, partial(_begin_worker, initializer))
    try:
        yield pool
    except KeyboardInterrupt:
        processes = list((pool._processes or {}).values())
        for process in processes:
            process.terminate()  # raises Stopped there: half-written files are removed
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.join(_PATIENCE)
            process.kill()
        raise
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _begin_worker(initializer: Callable[[], object] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # There is nothing to remove yet, and errors of an initializer are printed.
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer()
    signal.signal(signal.SIGTERM, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    _State.pending = number
    raise _WorkerStopped(number)


def _end_with_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)
