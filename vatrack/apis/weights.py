"""Weights from elsewhere: pretrained ones to start from, checkpoints to test."""
from __future__ import annotations

import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from vatrack.checkpoints import UntrustedCheckpointError
from vatrack.models.tracked_detector import rename_entries

from .config_tree import dicts_of


class WeightsError(RuntimeError):
    """Weights cannot be had or do not fit; says which and what to do."""


def train_from_scratch(config: Config) -> None:
    """Drop all pretrained weights, and what makes sense only with them, in place.

    A frozen stem and batch norm with fixed statistics need pretrained
    weights; without them both are trained.
    """
    config.load_from = None
    drop_pretrained(config)
    for _, node in dicts_of(config.model, 'model'):
        if 'frozen_stages' in node:
            node.frozen_stages = -1
        if 'norm_eval' in node:
            node.norm_eval = False


def drop_pretrained(config: Config) -> None:
    """Remove every ``init_cfg`` of type Pretrained, in place: a checkpoint follows."""
    for _, node in _pretrained_owners(config):
        node.init_cfg = None


def fetch_pretrained(config: Config) -> None:
    """Make sure that all pretrained weights of a config can be had.

    Raises:
        WeightsError: A file is missing or a download fails; names the weights
            and the ways out.
        UntrustedCheckpointError: Some would run code.
    """
    for key, source in pretrained_sources(config):
        try:
            with _network_timeout(30):
                CheckpointLoader.load_checkpoint(source, map_location='cpu')
        except UntrustedCheckpointError:
            raise
        except (OSError, RuntimeError, ValueError, LookupError, EOFError, UnpicklingError) as error:
            raise WeightsError(
                f'{config.filename}: cannot get the pretrained weights {source} ({key}): {error}. '
                'Without network, download the file elsewhere and give its path with --cfg-options '
                f'{key}=PATH, or train from random weights with --from-scratch'
            ) from error


def pretrained_sources(config: Config) -> list[tuple[str, str]]:
    """Dotted keys that name pretrained weights, and the files or addresses that they name."""
    sources = [(f'{key}.init_cfg.checkpoint', node.init_cfg.checkpoint)
               for key, node in _pretrained_owners(config)]
    return [*sources, ('load_from', config.load_from)] if config.get('load_from') else sources


@contextmanager
def _network_timeout(seconds: float) -> Iterator[None]:
    """Let no connection hang for longer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _pretrained_owners(config: Config) -> list[tuple[str, ConfigDict]]:
    return [(key, node) for key, node in dicts_of(config.get('model'), 'model')
            if isinstance(node.get('init_cfg'), dict) and node.init_cfg.get('type') == 'Pretrained']


def check_checkpoint_file(path: str | Path) -> None:
    """Refuse a checkpoint that is missing, cut off or damaged, before anything is built.

    PyTorch itself does not look at the checksums that it writes.

    Raises:
        WeightsError: Names the file and the remedy.
    """
    if not Path(path).is_file():
        raise WeightsError(f'{path}: no such checkpoint')
    try:
        with zipfile.ZipFile(path) as archive:
            whole = archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError):
        whole = False
    if not whole:
        raise WeightsError(f'{path}: not a complete checkpoint (cut off while it was written or '
                           'copied?); use an earlier epoch_*.pth of the same folder')


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint strictly.

    Raises:
        WeightsError: The file is missing or damaged, or its entries are not
            those of the model.
        UntrustedCheckpointError: It would run code.
    """
    check_checkpoint_file(path)
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    state = checkpoint.get('state_dict', checkpoint)
    rename_entries(state)
    _check_entries(model.state_dict(), state, path)
    with torch.no_grad():
        model.load_state_dict(state)


def check_resumable(model: nn.Module, path: str | Path) -> None:
    """Make sure that training can go on from a checkpoint; mmengine loads whatever fits.

    Raises:
        WeightsError: Its entries are not those of the model, or it holds
            weights alone.
        UntrustedCheckpointError: It would run code.
    """
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    absent = {'state_dict', 'optimizer', 'meta', 'message_hub'} - checkpoint.keys()
    if absent:
        raise WeightsError(f'{path}: holds no state of a training run (no {sorted(absent)}); to '
                           'start from its weights use --cfg-options load_from=PATH')
    rename_entries(checkpoint['state_dict'])
    _check_entries(model.state_dict(), checkpoint['state_dict'], path)


def _check_entries(own: dict[str, Tensor], state: dict[str, Tensor], path: str | Path) -> None:
    missing = sorted(own.keys() - state.keys())
    surplus = sorted(state.keys() - own.keys())
    resized = sorted(f'{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}'
                     for k in own.keys() & state.keys() if state[k].shape != own[k].shape)
    if missing or surplus or resized:
        parts = [f'{len(names)} {what} (for example {names[0]})' for what, names in
                 [('missing', missing), ('not of the model', surplus), ('of another size', resized)]
                 if names]
        raise WeightsError(
            f'{path}: is of another architecture than the config: of {len(own)} entries '
            f'{", ".join(parts)}. Use the config it was trained with (the .py file in its folder)')
