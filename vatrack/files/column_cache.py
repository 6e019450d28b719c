"""What is worked out from a file once: named arrays on disk, for all processes and later runs.

The arrays lie in one file that is mapped into memory instead of being read:
processes share its pages, and only what is used is ever loaded. Where it is
kept: in ``$VATRACK_CACHE`` if that is set, else in ``.vatrack_cache`` beside
the source if that folder is writable and has room, else in
``$XDG_CACHE_HOME/vatrack`` or ``~/.cache/vatrack``, else in the folder of the
system for temporary files.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from errno import EACCES
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from mmengine.logging import print_log

from .errors import AnnotationError

_DATA, _CONTENTS = 'columns.bin', 'columns.json'
_ALIGNMENT = 64
_BLOCK_BYTES = 4 << 20


class ColumnWriter:
    """Writes arrays one after another; nothing counts before :meth:`close`.

    Args:
        folder: An existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = open(folder / _DATA, 'wb')  # noqa: SIM115 - closed by close()
        self._columns: dict[str, tuple[str, list[int], int]] = {}
        self._size = self._checksum = 0
        self._write(b'columns\n')  # an empty file could not be mapped

    def __enter__(self) -> ColumnWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def append(self, name: str, array: np.ndarray) -> None:
        """Write a whole column."""
        self._begin(name, array.dtype, list(array.shape))
        self._write(np.ascontiguousarray(array).reshape(-1).view(np.uint8))

    def extend(self, name: str, data: bytes | bytearray) -> None:
        """Write more of a column of bytes; no other may be written in between."""
        if name not in self._columns:
            self._begin(name, np.dtype(np.uint8), [0])
        self._columns[name][1][0] += len(data)
        self._write(data)

    def append_texts(self, name: str, texts: Sequence[str]) -> None:
        """Write a column of strings; :class:`Texts` reads it."""
        encoded = [text.encode('utf-8', 'surrogatepass') for text in texts]
        self.append(f'{name}_ends', np.cumsum([0, *map(len, encoded)], dtype=np.int64))
        self.extend(f'{name}_text', b''.join(encoded))

    def close(self) -> None:
        """Bring everything to disk and write the table of contents."""
        self._file.flush()
        os.fsync(self._file.fileno())
        contents = json.dumps(
            dict(bytes=self._size, crc32=self._checksum, columns=self._columns)).encode()
        with open(self._folder / _CONTENTS, 'wb') as file:
            file.write(b'%08x\n%b' % (zlib.crc32(contents), contents))
            file.flush()
            os.fsync(file.fileno())

    def _begin(self, name: str, dtype: np.dtype, shape: list[int]) -> None:
        self._write(bytes(-self._size % _ALIGNMENT))
        self._columns[name] = dtype.str, shape, self._size

    def _write(self, data: bytes | bytearray | np.ndarray) -> None:
        self._file.write(data)
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)


def are_columns_sound(folder: Path) -> bool:
    """Whether a folder holds columns exactly as they were written."""
    try:
        contents = _contents(folder)
        checksum, block = 0, bytearray(_BLOCK_BYTES)
        with open(folder / _DATA, 'rb', buffering=0) as file:
            if os.fstat(file.fileno()).st_size != contents['bytes']:
                return False
            while length := file.readinto(block):
                checksum = zlib.crc32(memoryview(block)[:length], checksum)
        return checksum == contents['crc32']
    except (OSError, ValueError, KeyError, TypeError):
        return False


def map_columns(folder: Path) -> dict[str, np.ndarray]:
    """Map the columns of a folder into memory, read-only.

    Raises:
        OSError: The folder is not there.
    """
    data = np.asarray(np.memmap(folder / _DATA, np.uint8, mode='r'))
    columns = {}
    for name, (dtype, shape, start) in _contents(folder)['columns'].items():
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        columns[name] = data[start:start + size].view(dtype).reshape(shape)
    return columns


class Texts(Sequence[str]):
    """The strings of a column that :meth:`ColumnWriter.append_texts` wrote."""

    def __init__(self, columns: dict[str, np.ndarray], name: str) -> None:
        self._ends, self._text = columns[f'{name}_ends'], memoryview(columns[f'{name}_text'])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        start, end = self._ends[range(len(self))[index]:][:2].tolist()
        return str(self._text[start:end], 'utf-8', 'surrogatepass')


def _contents(folder: Path) -> dict[str, Any]:
    checksum, _, contents = (folder / _CONTENTS).read_bytes().partition(b'\n')
    if checksum != b'%08x' % zlib.crc32(contents):
        raise ValueError(f'{folder / _CONTENTS}: damaged')
    return json.loads(contents)


#: Environment variable that names the folder to keep things in.
CACHE_VARIABLE = 'VATRACK_CACHE'

_BESIDE = '.vatrack_cache'


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
        AnnotationError: No place is writable and has room.
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
            try:
                return _build(shelf, key, is_sound, build)
            except OSError as error:
                refusals.append(f'{shelf}: {error.strerror}')
                print_log(f'{shelf}: an index cannot be written here ({error.strerror})',
                          'current', logging.WARNING)
    raise AnnotationError(f'{source}: its index cannot be kept anywhere ({"; ".join(refusals)}); '
                          f'make room, or set {CACHE_VARIABLE} to a writable folder')


def _places(source: Path) -> Iterator[Path]:
    if os.environ.get(CACHE_VARIABLE):
        yield Path(os.environ[CACHE_VARIABLE]).absolute()
        return
    yield source.parent / _BESIDE
    if os.environ.get('XDG_CACHE_HOME'):
        yield Path(os.environ['XDG_CACHE_HOME'], 'vatrack')
    elif os.path.isabs(home := os.path.expanduser('~')):
        yield Path(home, '.cache', 'vatrack')
    yield Path(tempfile.gettempdir(), f'vatrack-{os.getuid()}')


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
    if folder.exists():
        print_log(f'{folder}: this index is damaged, and is made anew', 'current', logging.WARNING)
    try:
        for outdated in shelf.iterdir():
            if outdated.is_dir():
                shutil.rmtree(outdated)
        unfinished.mkdir()
        build(unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
