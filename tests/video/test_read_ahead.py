from __future__ import annotations

import gc
import threading
import weakref
from itertools import count

import pytest

from vatrack.video import read_ahead


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == 'vatrack-read-ahead']


def test_order_is_kept_and_the_thread_ends():
    assert list(read_ahead(range(50), 3)) == list(range(50))
    assert list(read_ahead([], 3)) == []
    assert not workers()


def test_items_are_made_elsewhere_and_not_too_far_ahead():
    made = []
    gate = threading.Semaphore(0)

    def items():
        for index in count():
            made.append(threading.current_thread().name)
            gate.release()
            yield index

    ahead = read_ahead(items(), 2)
    assert next(ahead) == 0
    for _ in range(4):  # the one taken, two that wait, one that waits to be put
        assert gate.acquire(timeout=5)
    assert not gate.acquire(timeout=.05)
    assert set(made) == {'vatrack-read-ahead'}
    ahead.close()
    assert not workers()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise KeyError('broken')

    seen = []
    with pytest.raises(KeyError, match='broken'):
        seen.extend(read_ahead(items(), 5))
    assert seen == [1, 2]
    assert not workers()


def test_left_early_the_source_is_closed():
    closed = threading.Event()

    def items():
        try:
            yield from count()
        finally:
            closed.set()

    ahead = read_ahead(items(), 1)
    next(ahead)
    ahead.close()
    assert closed.wait(5)


def test_items_that_were_used_are_let_go():
    class Item:
        pass

    ahead = read_ahead((Item() for _ in range(9)), 2)
    references = []
    for _ in range(9):
        references.append(weakref.ref(next(ahead)))
        gc.collect()
        assert sum(reference() is not None for reference in references) <= 1  # the last one
