"""Where the time of a pipeline goes."""
from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar('Item')
_END = object()


class Stopwatch:
    """Adds up the seconds of stages; the time of a stage inside another is its own only.

    Stages may run in several threads; then their sum is more than the time
    that passes.

    Args:
        wait: Called around stages on a device, to wait for its work; None
            leaves that work to the stage that needs its outcome first.
    """

    def __init__(self, wait: Callable[[], None] | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._wait = wait
        self._local = threading.local()

    @contextmanager
    def measure(self, stage: str, on_device: bool = False) -> Iterator[None]:
        """Add the time of the block to a stage."""
        wait = self._wait if on_device else None
        if wait:
            wait()
        outer = getattr(self._local, 'inner', 0.0)
        self._local.inner = 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            if wait:
                wait()
            elapsed = time.perf_counter() - start
            self.seconds[stage] += elapsed - self._local.inner
            self._local.inner = outer + elapsed

    def each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; the time that it takes to get them is added to a stage."""
        iterator = iter(items)
        while True:
            with self.measure(stage):
                item = next(iterator, _END)
            if item is _END:
                return
            yield item
            del item  # or it would live until the next is there
