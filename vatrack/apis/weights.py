"""Weights from elsewhere: pretrained ones to start from, checkpoints to test."""
from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from .config import dicts_of


class WeightsError(RuntimeError):
    """Weights cannot be had or do not fit; says which and what to do."""


def train_from_scratch(config: Config) -> None:
    """Drop all pretrained weights, and what makes sense only with them, in place.

    A frozen stem and batch norm with fixed statistics need pretrained
    weights; without them both are trained.
    """
    config.load_from = None
    drop_pretrained(config)
    for node in dicts_of(config.model):
        if 'frozen_stages' in node:
            node.frozen_stages = -1
        if 'norm_eval' in node:
            node.norm_eval = False


def drop_pretrained(config: Config) -> None:
    """Remove every ``init_cfg`` of type Pretrained, in place: a checkpoint follows."""
    for node in _pretrained_owners(config):
        node.init_cfg = None


def fetch_pretrained(config: Config) -> None:
    """Make sure that all pretrained weights of a config can be had.

    Raises:
        WeightsError: A file is missing or a download fails; names the weights
            and the ways out.
    """
    sources = [(node.init_cfg.checkpoint, 'init_cfg.checkpoint')
               for node in _pretrained_owners(config)]
    if config.get('load_from'):
        sources.append((config.load_from, 'load_from'))
    for source, key in sources:
        try:
            CheckpointLoader.load_checkpoint(source, map_location='cpu')
        except (OSError, RuntimeError, ValueError) as error:
            raise WeightsError(
                f'{config.filename}: cannot get the pretrained weights {source} ({key}): {error}. '
                'Without network, download the file elsewhere and give its path with --cfg-options '
                f'(key ending in {key}), or train from random weights with --from-scratch'
            ) from error


def _pretrained_owners(config: Config) -> list[dict]:
    return [node for node in dicts_of(config.model)
            if isinstance(node.get('init_cfg'), dict) and node.init_cfg.get('type') == 'Pretrained']


def check_checkpoint_file(path: str | Path) -> None:
    """Refuse a checkpoint that is missing or cut off, before anything is built.

    Raises:
        WeightsError: Names the file and the remedy.
    """
    if not Path(path).is_file():
        raise WeightsError(f'{path}: no such checkpoint')
    if not zipfile.is_zipfile(path):
        raise WeightsError(f'{path}: not a complete checkpoint (cut off while it was written or '
                           'copied?); use an earlier epoch_*.pth of the same folder')


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint strictly.

    Raises:
        WeightsError: The file is missing or damaged, or its entries are not
            those of the model.
    """
    check_checkpoint_file(path)
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    state = checkpoint.get('state_dict', checkpoint)
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    surplus = sorted(state.keys() - own.keys())
    resized = [f'{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}'
               for k in own.keys() & state.keys() if state[k].shape != own[k].shape]
    if missing or surplus or resized:
        parts = [f'{len(names)} {what} (for example {names[0]})' for what, names in
                 [('missing', missing), ('not of the model', surplus), ('of another size', resized)]
                 if names]
        raise WeightsError(
            f'{path}: is of another architecture than the config: of {len(own)} entries '
            f'{", ".join(parts)}. Test it with the config it was trained with (the .py file in '
            'its folder)')
    with torch.no_grad():
        model.load_state_dict(state)
