"""Checkpoints as released, made here: mmdet's own modules say their names and shapes."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from scripts import REPO
from torch import Tensor, nn

from vatrack.apis import load_config
from vatrack.apis.weights import drop_pretrained
from vatrack.registry import MODELS

LEGACY = ('qdtrack', 'amodaltrack', 'vatrack', 'vatrack-2box')
DETECTORS = (*LEGACY, 'coco')
CONFIGS = {kind: REPO / f'configs/{kind}_qd_sailvos-cut.py' for kind in LEGACY}

#: Where the modules of each release are in vatrack's models, by hand.
MODULES = {
    'qdtrack': {'roi_head.bbox_head': 'detector.roi_head.bbox_head',
                'roi_head.mask_head': 'detector.roi_head.mask_heads.visible'},
    'amodaltrack': {'roi_head.bbox_head': 'detector.roi_head.bbox_head',
                    'roi_head.mask_head': 'detector.roi_head.mask_heads.amodal'},
    'vatrack': {'roi_head.bbox_head': 'detector.roi_head.bbox_head',
                'roi_head.mask_head': 'detector.roi_head.mask_heads.visible',
                'roi_head.amodal_mask_head': 'detector.roi_head.mask_heads.amodal'},
    'vatrack-2box': {'roi_head.bbox_head': 'detector.roi_head.visible_bbox_head',
                     'roi_head.amodal_bbox_head': 'detector.roi_head.bbox_head',
                     'roi_head.mask_head': 'detector.roi_head.mask_heads.visible',
                     'roi_head.amodal_mask_head': 'detector.roi_head.mask_heads.amodal'},
}
for modules in MODULES.values():
    modules |= {'backbone': 'detector.backbone', 'neck': 'detector.neck',
                'rpn_head': 'detector.rpn_head',
                'roi_head.track_head': 'association.head.embed_head'}


def model_config(kind: str, **changes: Any) -> ConfigDict:
    """Config of the model that a kind is of; ``changes`` are dotted keys of it."""
    config = load_config(CONFIGS[kind])
    # Not by load_config, which holds numbers of classes against the classes of the data.
    config.merge_from_dict({f'model.{key}': each for key, each in changes.items()})
    drop_pretrained(config)
    return config.model


def build(config: ConfigDict, device: str = 'cpu') -> nn.Module:
    """A model in evaluation mode; on the meta device it takes no memory."""
    with DefaultScope.overwrite_default_scope('vatrack'), torch.device(device):
        return MODELS.build(config).eval()


def released_shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the entries of a released checkpoint."""
    if kind == 'coco':
        heads = {f'detector.roi_head.{head}.num_classes': 80
                 for head in ('bbox_head', 'mask_heads.visible')}
        state = entries(build(model_config('qdtrack', **heads), 'meta'), {
            name: path for name, path in MODULES['qdtrack'].items() if 'track' not in name})
    else:
        state = entries(build(model_config(kind), 'meta'), MODULES[kind])
        state |= {f'mu{i}': torch.empty(1, 256, 30, device='meta') for i in range(5)}
    return {key: tuple(value.shape) for key, value in state.items()}


def entries(model: nn.Module, modules: Mapping[str, str]) -> dict[str, Tensor]:
    """State of modules of a model, each under another name."""
    return {f'{name}.{key}': value for name, path in modules.items()
            for key, value in model.get_submodule(path).state_dict().items()}


def constants(shapes: Mapping[str, Iterable[int]]) -> dict[str, Tensor]:
    """A state dict whose entries hold one number each, and no more memory: their position."""
    return {key: torch.tensor(i if key.endswith('num_batches_tracked') else float(i)).expand(shape)
            for i, (key, shape) in enumerate(shapes.items())}
