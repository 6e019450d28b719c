from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import load_checkpoint, load_state_dict
from tiny_model import build, config

from vatrack.apis import load_config
from vatrack.apis.weights import check_resumable, load_weights
from vatrack.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def single_head_checkpoint(model, prefix: str) -> dict[str, torch.Tensor]:
    """Weights named as mmdet's Mask R-CNN names them, all ones."""
    head = model.detector.roi_head.mask_heads[model.detector.roi_head.mask_kinds[0]]
    return {f'{prefix}roi_head.mask_head.{key}': torch.ones_like(value)
            for key, value in head.state_dict().items()}


def is_filled(module) -> bool:
    return all((value == 1).all() for value in module.state_dict().values())


@pytest.mark.parametrize(('kinds', 'filled'), [
    (('visible', 'amodal'), 'visible'), (('amodal', 'visible'), 'visible'),
    (('visible',), 'visible'), (('amodal',), 'amodal')])
@pytest.mark.parametrize('loader', ['torch', 'mmengine'])
@pytest.mark.parametrize('whole', [True, False])
def test_single_mask_head_fills_one_kind(kinds, filled, loader, whole):
    model = build(config(kinds))
    target, prefix = (model, 'detector.') if whole else (model.detector, '')
    weights = single_head_checkpoint(model, prefix)
    given = copy.deepcopy(weights)
    if loader == 'torch':
        result = target.load_state_dict(weights, strict=False)
        assert result.unexpected_keys == []
        assert not any(f'mask_heads.{filled}' in key for key in result.missing_keys)
    else:
        load_state_dict(target, weights)
    assert weights.keys() == given.keys()
    for kind, head in model.detector.roi_head.mask_heads.items():
        assert is_filled(head) is (kind == filled)


def test_own_checkpoints_load_strictly():
    model, other = build(seed=0), build(seed=1)
    other.load_state_dict(model.state_dict(), strict=True)
    for key, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)
    assert not any('.mask_head.' in key for key in model.state_dict())


def load_by_torch(model, path: Path) -> None:
    model.load_state_dict(torch.load(path, weights_only=False)['state_dict'], strict=True)


def load_by_mmengine(model, path: Path) -> None:
    load_checkpoint(model, str(path), strict=True)


@pytest.mark.parametrize('load', [load_by_torch, load_by_mmengine, load_weights])
@pytest.mark.parametrize('association', ['qd', 'mt'])
def test_checkpoints_of_version_0_1_are_loaded(association, load, tmp_path):
    """Where the embedding head was ``track_head``."""
    saved, model = (build(config(association=association), seed) for seed in (0, 1))
    state = {key.replace('association.head.', 'track_head.'): value
             for key, value in saved.state_dict().items()}
    assert any(key.startswith('track_head.') for key in state)
    path = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict=state, optimizer={}, meta={}, message_hub={}), path)
    check_resumable(model, path)
    load(model, path)
    for key, value in saved.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)


def build_config(name: str):
    with DefaultScope.overwrite_default_scope('vatrack'), torch.device('meta'):
        return MODELS.build(load_config(CONFIGS / name).model)


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_sizes_of_vatrack():
    """Measured on the released architecture: ResNeXt-101 64x4d, 24 classes."""
    model = build_config('vatrack_qd_sailvos-cut.py')
    roi_head = model.detector.roi_head
    assert {name: count(part) for name, part in [
        ('backbone', model.detector.backbone), ('neck', model.detector.neck),
        ('rpn', model.detector.rpn_head), ('box', roi_head.bbox_head),
        ('visible', roi_head.mask_heads['visible']), ('amodal', roi_head.mask_heads['amodal']),
        ('track', model.association.head)]} == dict(
            backbone=81_406_272, neck=3_344_384, rpn=593_935, box=14_019_705, visible=2_628_888,
            amodal=2_628_888, track=15_469_824)
    assert count(model) == 120_091_896
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert frozen == 117_463_008 - 117_060_256
