"""What ends the processes that load data, as an error for the user."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class LoaderError(RuntimeError):
    """A process that loads data died, or ran out of memory."""


#: What torch says, and why that happens.
_CAUSES = {
    'out of shared memory': 'shared memory is full: make /dev/shm larger, ',
    'killed by signal': 'it was killed, as the system does when memory runs out: ',
    'exited unexpectedly': 'it was killed, as the system does when memory runs out: ',
    'MemoryError': 'memory ran out: ',
    "can't allocate memory": 'memory ran out: ',
}


@contextmanager
def loader_errors() -> Iterator[None]:
    """Around a run: say in one line if a data worker dies.

    Raises:
        LoaderError: One did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        cause = next((cause for said, cause in _CAUSES.items() if said in text), None)
        if cause is None or 'DataLoader worker' not in text:
            raise
        raise LoaderError('a process that loads data has ended: ' + cause + 'lower num_workers of '
                          'the dataloader (0 loads in the process itself), its batch_size, or '
                          'free some memory, and go on with --resume') from error
