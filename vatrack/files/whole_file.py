"""Files that appear under their name only when they are complete."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replace_when_done(path: str | Path, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a file that takes the name ``path`` only if the block ends without error.

    Args:
        path: The file; missing folders are made.
        binary: Whether bytes are written instead of text.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'{path.name}.{os.getpid()}.part')
    mode, encoding = ('wb', None) if binary else ('w', 'utf-8')
    try:
        with temporary.open(mode, encoding=encoding) as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
