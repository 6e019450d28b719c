"""Reading checkpoints without trusting them, and writing them whole or not at all."""
from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .convert import Conversion
from .errors import CheckpointError, UntrustedCheckpointError
from .safe_load import load

_PREFIX = 'module.'  # of models that were trained by several processes
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """What a checkpoint file holds.

    Attributes:
        path: The file.
        sha256: Of its bytes, hexadecimal.
        state_dict: Entries by name, without ``module.``.
        classes: Class names in label order, where the file says them.
        dropped: What else it holds: meta, optimizer, ...
        prefixed: Whether ``module.`` was taken off all names.
    """

    path: Path
    sha256: str
    state_dict: Mapping[str, Tensor]
    classes: tuple[str, ...] | None
    dropped: tuple[str, ...]
    prefixed: bool


def read_checkpoint(path: str | Path) -> ReleasedCheckpoint:
    """Read ``{'state_dict': ..., 'meta': ...}`` or a plain state dict, onto the CPU.

    Args:
        path: The file, in any format of ``torch.save``.

    Raises:
        CheckpointError: The file is missing, damaged, or no state dict.
        UntrustedCheckpointError: It holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint')
    content = _load(path)
    if not isinstance(content, Mapping):
        raise CheckpointError(f'{path}: holds a {type(content).__name__}, but a checkpoint is a '
                              "state dict or {'state_dict': ..., 'meta': ...}")
    whole = 'state_dict' in content
    state = content['state_dict'] if whole else content
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f'{path}: its state dict is empty or none')
    wrong = [str(key) for key, value in state.items()
             if not (isinstance(key, str) and isinstance(value, Tensor))]
    if wrong:
        raise CheckpointError(f'{path}: {len(wrong)} of {len(state)} entries are no named tensors '
                              f'({", ".join(wrong[:3])}); give a state dict, or '
                              "{'state_dict': ..., 'meta': ...}")
    prefixed = all(key.startswith(_PREFIX) for key in state)
    if prefixed:
        state = {key[len(_PREFIX):]: value for key, value in state.items()}
    return ReleasedCheckpoint(
        path, _sha256(path), state, _classes(content.get('meta')) if whole else None,
        tuple(str(key) for key in content if key != 'state_dict') if whole else (),
        prefixed)


def write_checkpoint(path: str | Path, conversion: Conversion, source: ReleasedCheckpoint,
                     tool: str) -> None:
    """Write converted entries and where they come from; the file appears when it is complete.

    Args:
        path: The file; missing folders are made, an older file is replaced.
        conversion: The entries.
        source: The file that they come from.
        tool: Name and version of what converts.

    Raises:
        CheckpointError: ``path`` is the source or a folder.
    """
    path = Path(path)
    check_output(path, source.path)
    meta = {'source': source.path.name, 'source_sha256': source.sha256, 'kind': conversion.kind,
            'tool': tool}
    if source.classes and conversion.kind != 'coco':
        meta['classes'] = list(source.classes)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        torch.save({'meta': meta, 'state_dict': conversion.state_dict}, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_output(path: str | Path, source: str | Path) -> None:
    """Refuse to write over the source.

    Raises:
        CheckpointError: ``path`` is ``source``, by whatever name, or a folder.
    """
    path, source = Path(path), Path(source)
    if path.is_dir():
        raise CheckpointError(f'{path}: is a folder; name the file to write')
    if path.exists() and source.exists() and path.samefile(source):
        raise CheckpointError(f'{path}: is the released checkpoint itself, which is kept; name '
                              'another file to write')


def _load(path: Path) -> Any:
    try:
        return load(path, 'cpu')
    except (OSError, UntrustedCheckpointError):
        raise
    except (ImportError, AttributeError) as error:
        raise CheckpointError(f'{path}: holds an object of a package that is not installed here '
                              f'({error}); save its state_dict alone where that is installed'
                              ) from error
    except Exception as error:  # unpickling damaged bytes can fail in any way
        raise CheckpointError(f'{path}: damaged, cut off, or no checkpoint of PyTorch; get it '
                              'again') from error


def _classes(meta: object) -> tuple[str, ...] | None:
    """Class names of the meta of mmcv (CLASSES) or mmengine (dataset_meta)."""
    if not isinstance(meta, Mapping):
        return None
    dataset = meta.get('dataset_meta')
    names = meta.get('CLASSES') or (dataset.get('classes') if isinstance(dataset, Mapping)
                                    else None)
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
