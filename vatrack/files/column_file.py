"""Named arrays in one file that is mapped into memory instead of being read.

Processes that map the same file share its pages, and only what is used is ever
loaded.
"""
from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
        contents = dict(bytes=self._size, crc32=self._checksum, columns=self._columns)
        with open(self._folder / _CONTENTS, 'w', encoding='utf-8') as file:
            json.dump(contents, file)
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
    return json.loads((folder / _CONTENTS).read_text(encoding='utf-8'))
