"""Pickles of plain data, read without running code: containers, numbers, text, numpy arrays."""
from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CheckpointError, UntrustedCheckpointError
from .safe_load import _STAND_INS, _Dtype, _History, _statistic


def _frombuffer(data: bytes, dtype: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
    """In place of numpy's own, which newer pickles name."""
    if not isinstance(dtype, _Dtype) or order not in ('C', 'F'):
        raise pickle.UnpicklingError('an array of numpy is not one of numbers')
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


#: What a pickle may name, and what is called in its place.
_ALLOWED = {name: stand_in for stand_in, name in _STAND_INS if stand_in not in (_History,
                                                                                _statistic)}
_ALLOWED |= {f'numpy.{core}.numeric._frombuffer': _frombuffer for core in ('core', '_core')}
_ALLOWED |= {f'{module}.{name}': kind for module in ('builtins', '__builtin__')
             for name, kind in (('set', set), ('frozenset', frozenset), ('bytes', bytes),
                                ('bytearray', bytearray))}


class _PlainUnpickler(pickle.Unpickler):
    refused: str | None = None

    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get(f'{module}.{name}')
        if found is not None:
            return found
        if (module, name) == ('_codecs', 'encode'):  # how protocol 2 writes bytes
            return _latin_bytes
        if (module, name) == ('collections', 'OrderedDict'):
            return dict
        self.refused = f'{module}.{name}'
        raise pickle.UnpicklingError(f'{self.refused} is refused')


def load_plain_pickle(path: str | Path) -> Any:
    """Content of a pickle file that holds data alone; nothing that it names is called.

    Allowed are dicts, lists, tuples, sets, numbers, text, bytes, None, and arrays and numbers of
    numpy. Text of Python 2 is read as Latin-1. Arrays are of a sub-class of ``np.ndarray``.

    Raises:
        UntrustedCheckpointError: It names anything else, which could run code.
        CheckpointError: It is damaged, or no pickle.
        OSError: It cannot be read.
    """
    with Path(path).open('rb') as file:
        unpickler = _PlainUnpickler(file, encoding='latin1')
        try:
            return unpickler.load()
        except OSError:
            raise
        except Exception as error:  # what an attacker wrote can fail in any way
            if unpickler.refused is not None:
                raise UntrustedCheckpointError(
                    f'{path}: refused, because it holds {unpickler.refused}, which is no plain '
                    'data and which could run code; get the published file, or have its author '
                    'write dicts, lists and numbers alone') from error
            raise CheckpointError(f'{path}: no readable pickle ({error or type(error).__name__}); '
                                  'download it again') from error


def _latin_bytes(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'text in {encoding!r} stands for no bytes')
    return text.encode('latin1')
