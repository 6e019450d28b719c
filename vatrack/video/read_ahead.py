"""Prepare items in a thread while the ones before are being used."""
from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar('Item')
_END = object()


def read_ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """Take items in a thread of its own, at most ``depth`` ahead of the user.

    Order is kept. An error of ``items`` is raised here after the items before
    it. The thread ends with the iteration, also when that is left early; an
    item that is being made then is waited for a second at most.

    Args:
        items: Iterated in the thread, and closed there if it is a generator.
        depth: Number of items that may wait, at least 1.
    """
    waiting: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, waiting, stopped), daemon=True,
                              name='vatrack-read-ahead')
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
            del item  # or it would live until the next is there
    finally:
        stopped.set()
        while not waiting.empty():
            waiting.get_nowait()
        thread.join(timeout=1)


def _fill(items: Iterable[Item], waiting: queue.Queue, stopped: threading.Event) -> None:
    try:
        for item in items:
            waiting.put((item, None))
            del item
            if stopped.is_set():
                return
        waiting.put((_END, None))
    except BaseException as error:
        waiting.put((None, error))
    finally:
        if isinstance(items, Generator):
            items.close()
