"""Files that appear under their name only when they are complete."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replace_when_done(path: str | Path, mode: str = 'w') -> Iterator[IO]:
    """Open a file that takes the name ``path`` only if the block ends without error.

    It is on disk by then: neither a kill nor a power cut leaves half of it under that name.

    Args:
        path: The file; missing folders are made, an older file is replaced.
        mode: 'w' for UTF-8 text, 'wb' for bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        with temporary.open(mode, encoding=None if 'b' in mode else 'utf-8') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
