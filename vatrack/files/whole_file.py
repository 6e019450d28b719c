"""Files that appear under their name only when they are complete."""
from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

_REMEDIES = {
    errno.ENOSPC: 'free some space, or choose another place',
    errno.EDQUOT: 'free some of your quota, or choose another place',
    errno.EISDIR: 'a folder is there: choose another name',
    errno.ENOTDIR: 'a file stands where a folder is needed: choose another place',
    errno.EEXIST: 'a file stands where a folder is needed: choose another place',
}


class OutputError(OSError):
    """A file cannot be written; says which, why, and what to do."""


@contextmanager
def replace_when_done(path: str | Path, mode: str = 'w', sync: bool = True) -> Iterator[IO[Any]]:
    """Open a file that takes the name ``path`` only if the block ends without error.

    Neither an error nor a kill leaves half of it under that name. Folders are made. A link stays,
    and what it leads to is replaced; devices, such as ``/dev/null``, are written to as they are.

    Args:
        path: The file.
        mode: 'w' for UTF-8 text, 'wb' for bytes.
        sync: Wait until it is on disk, so that a power cut does no harm either; of many small
            files that takes long.

    Raises:
        OutputError: The file cannot be written: a full disk, a folder that is read-only ...
    """
    encoding = None if 'b' in mode else 'utf-8'
    path = Path(path)
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f'{target.name}.{os.getpid()}.part')
    in_place = path.exists() and not path.is_file()
    try:
        if in_place:
            with path.open(mode, encoding=encoding) as file:
                yield file
            return
        make_folder(target.parent)
        with temporary.open(mode, encoding=encoding) as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        # Those of the block itself name a file of its own, or have no number.
        if error.errno is None or isinstance(error, OutputError) or error.filename not in (
                None, str(temporary), str(target), str(path)):
            raise
        raise _named(path, error) from error
    finally:
        if not in_place:
            _remove(temporary)


@contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """A block that writes a file or a folder, and makes the folders around it.

    Raises:
        OutputError: One of them cannot be written. Errors of other files stay what they are.
    """
    place = Path(os.path.abspath(path))
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename  # a copy has two
        named = place if name is None else Path(os.path.abspath(name))
        around = named.is_relative_to(place.parent) or place.is_relative_to(named)
        if isinstance(error, OutputError) and isinstance(error.__cause__, OSError):
            error = error.__cause__  # what it named may be a temporary file
        if error.errno is None or isinstance(error, FileNotFoundError) or not around:
            raise
        raise _named(path, error) from error


def make_folder(path: str | Path) -> None:
    """Make a folder for output, and those around it, unless it is there.

    Raises:
        OutputError: That is not possible.
    """
    with output_errors(path):
        Path(path).mkdir(parents=True, exist_ok=True)


def _named(path: str | Path, error: OSError) -> OutputError:
    remedy = _REMEDIES.get(error.errno, 'choose a place that is writable')
    return OutputError(f'{path}: cannot be written: {error.strerror}; {remedy}')


def _remove(path: Path) -> None:
    """Remove a file, if it is there and can be removed: an error that is on its way says more."""
    with suppress(OSError):
        path.unlink()
