"""Files that appear under their name only when they are complete."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replace_when_done(path: str | Path) -> Iterator[IO[str]]:
    """Open a text file that takes the name ``path`` only if the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        with temporary.open('w', encoding='utf-8') as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
