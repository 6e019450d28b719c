"""What is worked out from a file once and kept on disk, for all processes and later runs.

Where it is kept: in ``$VATRACK_CACHE`` if that is set, else in ``.vatrack_cache``
beside the file if that folder is writable, else in ``$XDG_CACHE_HOME/vatrack``
or ``~/.cache/vatrack``.
"""
from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from errno import EACCES
from pathlib import Path
from typing import TextIO

from .errors import AnnotationError

#: Environment variable that names the folder to keep things in.
CACHE_VARIABLE = 'VATRACK_CACHE'

_BESIDE = '.vatrack_cache'
_BLOCK_BYTES = 4 << 20


def content_hash(path: str | Path) -> str:
    """Name of the content of a file: SHA-1, over 1 GB/s on any present-day processor."""
    digest, block = hashlib.sha1(usedforsecurity=False), bytearray(_BLOCK_BYTES)
    with open(path, 'rb', buffering=0) as file:
        while length := file.readinto(block):
            digest.update(memoryview(block)[:length])
    return digest.hexdigest()


def cached_folder(source: Path, key: str, is_sound: Callable[[Path], bool],
                  build: Callable[[Path], None]) -> Path:
    """The folder that was built from a file, building it if need be.

    Of several processes that ask at once, one builds while the others wait.
    What is kept of earlier contents of the same file is removed then.

    Args:
        source: The file.
        key: Names the content of the file and the version of what is built.
        is_sound: Whether a folder, which may not exist, is complete and whole.
        build: Fills an empty folder.

    Raises:
        AnnotationError: No place is writable, or the disk is full.
    """
    source = source.absolute()
    shelves = [_shelf(source, place) for place in _places(source)]
    for shelf in shelves:
        if is_sound(shelf / key):
            return shelf / key
    refusals = []
    for shelf in shelves:
        try:
            lock = _lock(shelf)
        except OSError as error:
            refusals.append(f'{shelf.parent}: {error.strerror}')
            continue
        with lock:
            return _build(shelf, key, is_sound, build)
    raise AnnotationError(f'{source}: its index cannot be kept anywhere ({"; ".join(refusals)}); '
                          f'set {CACHE_VARIABLE} to a writable folder')


def _places(source: Path) -> Iterator[Path]:
    if os.environ.get(CACHE_VARIABLE):
        yield Path(os.environ[CACHE_VARIABLE]).absolute()
        return
    yield source.parent / _BESIDE
    if os.environ.get('XDG_CACHE_HOME'):
        yield Path(os.environ['XDG_CACHE_HOME'], 'vatrack')
    elif os.path.isabs(home := os.path.expanduser('~')):
        yield Path(home, '.cache', 'vatrack')


def _shelf(source: Path, place: Path) -> Path:
    """Folder of everything about one file; beside it, the file may move with its folder."""
    identity = source.name if place.name == _BESIDE else str(source.resolve())
    mark = hashlib.sha1(os.fsencode(identity), usedforsecurity=False).hexdigest()[:10]
    return place / f'{source.name[:60]}-{mark}'


def _lock(shelf: Path) -> TextIO:
    """Wait until no other process works on the shelf; closing the file gives it free."""
    existing = next(folder for folder in (shelf, *shelf.parents) if folder.exists())
    # A super-user may write everywhere, but leaves folders alone that nobody may write to.
    if not existing.stat().st_mode & 0o222:
        raise PermissionError(EACCES, os.strerror(EACCES))
    shelf.mkdir(parents=True, exist_ok=True)
    file = open(shelf / 'lock', 'a')  # noqa: SIM115 - the caller closes it
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        file.close()
        raise
    return file


def _build(shelf: Path, key: str, is_sound: Callable[[Path], bool],
           build: Callable[[Path], None]) -> Path:
    """Build ``shelf / key`` unless another process just did; the shelf is locked."""
    folder, unfinished = shelf / key, shelf / 'unfinished'
    if is_sound(folder):
        return folder
    try:
        for outdated in shelf.iterdir():
            if outdated.is_dir():
                shutil.rmtree(outdated)
        unfinished.mkdir()
        build(unfinished)
        unfinished.rename(folder)
    except OSError as error:
        raise AnnotationError(f'{folder}: cannot be written ({error.strerror}); make room, or set '
                              f'{CACHE_VARIABLE} to another folder') from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
