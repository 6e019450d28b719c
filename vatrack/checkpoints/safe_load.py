"""Checkpoints are read as data: no code of theirs is run unless the user trusts them.

A checkpoint is a pickle, and a pickle can call any function. PyTorch's ``weights_only`` unpickler
calls only what rebuilds tensors; mmengine, however, falls back to the other one where that refuses,
and allows ``getattr``, which reaches any function, and numpy's own reconstructors, which are not
made for hostile data; ``torch.hub`` does not use it at all. :func:`install` puts :func:`load` and
:func:`load_url` in their place.

What mmengine puts into checkpoints besides tensors (histories of logged numbers, numbers and arrays
of numpy) is rebuilt by stand-ins here, which make exactly that out of checked values.
"""
from __future__ import annotations

import logging
import os
import pickle
import pickletools
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import hub

from .errors import UntrustedCheckpointError

#: Environment variable that, set to 1, lets checkpoints run code; child processes inherit it.
SWITCH = 'VATRACK_TRUST_CHECKPOINT'

_REFUSED = re.compile(r'GLOBAL (\S+) (?:was not an allowed|whose module)|unrecognized function (.+)'
                      r'|but got (<class .+>)|(TorchScript) archives')
#: What files of tensors name.
_HARMLESS = re.compile(r'torch\._utils\._rebuild_\w+|torch\.\w+Storage|collections\.OrderedDict'
                       r'|_codecs\.encode')
_PLAIN_DTYPE = re.compile(r'[biufc]\d{1,2}')
_LOCK = threading.RLock()  # PyTorch's list of what is allowed is one for all threads


def install() -> None:
    """Let mmengine and ``torch.hub`` read checkpoints as data; a second call changes nothing.

    Importing vatrack does this, in every process. ``torch.load(..., weights_only=False)`` in
    somebody's own code stays what it is: whoever writes that has decided.
    """
    mmengine_checkpoint._safe_torch_load = load
    mmengine_checkpoint.load_url = load_url
    # Its default, for torchvision and others have imported it under names of their own.
    function = hub.load_state_dict_from_url
    *others, _ = function.__defaults__
    function.__defaults__ = (*others, not is_trusted())


def trust_checkpoints() -> None:
    """Let checkpoints run code, in this process and in those that it starts."""
    os.environ[SWITCH] = '1'


def is_trusted() -> bool:
    """Whether checkpoints may run code."""
    return os.environ.get(SWITCH) == '1'


def load(file: str | os.PathLike | BinaryIO, map_location: Any = None, **options: Any) -> Any:
    """``torch.load`` that runs no code of the file; takes the place of mmengine's.

    Args:
        file: Checkpoint in any format of ``torch.save``: name, or opened to read and seek.
        map_location: As of ``torch.load``.
        options: Further ones of ``torch.load``.

    Raises:
        UntrustedCheckpointError: The file holds anything but tensors and plain values, and is not
            trusted; names the class or function.
    """
    options.pop('weights_only', None)
    return _read(lambda weights_only: torch.load(file, map_location, weights_only=weights_only,
                                                 **options), file, file)


def load_url(url: str, model_dir: str | None = None, map_location: Any = None,
             progress: bool = True) -> Any:
    """``torch.hub.load_state_dict_from_url`` that runs no code of the file.

    Args:
        url: Address; what was downloaded before is taken from ``model_dir``.
        model_dir: Folder to keep the file; None: that of ``torch.hub``.
        map_location: As of ``torch.load``.
        progress: Whether to show how much has been downloaded.

    Raises:
        UntrustedCheckpointError: As of :func:`load`.
    """
    folder = Path(hub.get_dir(), 'checkpoints') if model_dir is None else Path(model_dir)
    return _read(lambda weights_only: hub.load_state_dict_from_url(
        url, str(folder), map_location, progress, weights_only=weights_only),
        folder / Path(urlparse(url).path).name, url)


def _read(read: Callable[[bool], Any], file: str | os.PathLike | BinaryIO, source: Any) -> Any:
    """Call ``read(True)``, and ``read(False)`` only if checkpoints are trusted."""
    start = file.tell() if hasattr(file, 'tell') else 0
    try:
        with _LOCK, torch.serialization.safe_globals(_STAND_INS):
            return _without_program(read(True))
    except OSError:
        raise
    except Exception as error:  # unpickling what an attacker wrote can fail in any way
        if hasattr(file, 'seek'):
            file.seek(start)
        name = _refused(error, file)
        if not is_trusted():
            if name is None:
                raise
            raise UntrustedCheckpointError(
                f'{source}: refused, because it holds {name}, which is no weight and which could '
                f'run code. If you trust whoever made the file, --trust-checkpoint of the tools '
                f'or {SWITCH}=1 in the environment unpickles it, with any code that it holds'
            ) from error
    print_log(f'{source}: may run code, for checkpoints are trusted ({SWITCH}=1)', 'current',
              logging.WARNING)
    return read(False)


def _without_program(content: Any) -> Any:
    """Leave out the text of a config, which mmengine would run as Python when it resumes."""
    meta = content.get('meta') if isinstance(content, dict) else None
    if isinstance(meta, dict) and not is_trusted():
        meta.pop('config', None)
    return content


def _refused(error: Exception, file: str | os.PathLike | BinaryIO) -> str | None:
    """Name of the class or function that was refused; None where the file is damaged."""
    found = _REFUSED.search(str(error))
    if found:
        return next(filter(None, found.groups()))
    try:
        return next((name for name in _names(file) if name not in _STAND_IN_NAMES
                     and not _HARMLESS.fullmatch(name)), None)
    except (ValueError, OSError, zipfile.BadZipFile, KeyError, IndexError):
        return None


def _names(file: str | os.PathLike | BinaryIO) -> Iterator[str]:
    """What the pickles of a file name, for PyTorch's message names nothing of newer protocols."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            name = next(n for n in archive.namelist() if n.endswith('data.pkl'))
            yield from _names_in_pickle(archive.read(name))
    elif isinstance(file, str | os.PathLike):
        yield from _names_in_pickle(Path(file).read_bytes())


def _names_in_pickle(content: bytes) -> Iterator[str]:
    strings, memo, top = [], {}, None
    for operation, argument, _ in pickletools.genops(content):
        name = operation.name
        if name in ('GLOBAL', 'INST'):
            yield argument.replace(' ', '.')
        elif name == 'STACK_GLOBAL':
            yield '.'.join(strings[-2:])
        if name == 'MEMOIZE':
            memo[len(memo)] = top
        elif name.endswith('PUT'):
            memo[argument] = top
        else:
            top = (argument if 'UNICODE' in name else
                   memo.get(argument) if name.endswith('GET') else None)
            strings += [top] * (top is not None)


def _refusal(name: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f'GLOBAL {name} was not an allowed global')  # as PyTorch says it


class _History(HistoryBuffer):
    """Rebuilds an mmengine HistoryBuffer, of its numbers alone."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.max_length = int(state['max_length'])
        self._log_history = np.array(state['_log_history'])
        self._count_history = np.array(state['_count_history'])
        self._set_default_statistics()
        self.__class__ = HistoryBuffer


def _statistic(owner: object, name: object) -> None:
    """In place of ``getattr``: nothing, for a HistoryBuffer lists its methods and has them."""
    if owner is not _History:
        raise _refusal('builtins.getattr')


class _Dtype:
    """A numpy dtype of numbers."""

    def __init__(self, name: str, *_: bool) -> None:
        if not (isinstance(name, str) and _PLAIN_DTYPE.fullmatch(name)):
            raise _refusal('numpy.dtype')
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """A numpy array of numbers."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise _refusal('numpy.dtype')
        super().__setstate__((version, shape, dtype.dtype, fortran, data))

    def __reduce__(self) -> tuple:
        return np.array(self).__reduce__()  # not to be written under this name


def _array(*_: object) -> _Array:
    return _Array(0)


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    return np.frombuffer(data, dtype.dtype, count=1)[0]


_STAND_INS: list[tuple[Callable, str]] = [
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_statistic, 'builtins.getattr'),
    (_Dtype, 'numpy.dtype'),
    (_Array, 'numpy.ndarray'),
    *((stand_in, f'numpy.{core}.multiarray.{name}') for core in ('core', '_core')
      for stand_in, name in ((_array, '_reconstruct'), (_scalar, 'scalar')))]
_STAND_IN_NAMES = {name for _, name in _STAND_INS}
