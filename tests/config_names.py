"""What the name of a config promises: configs/SYSTEM_ASSOCIATION_DATASET.py and its variants."""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from scripts import REPO

from vatrack.apis.config import RUNNER_KEYS

CONFIGS = sorted(path for path in (REPO / 'configs').rglob('*.py')
                 if '_base_' not in path.parts and '_given_' not in path.stem
                 and not path.stem.startswith('given_'))  # those: test_completion_configs.py

#: Kinds of boxes and of masks.
_KINDS = {
    'vatrack': (('amodal',), ('amodal', 'visible')),
    'vatrack-2box': (('amodal', 'visible'), ('amodal', 'visible')),
    'amodaltrack': (('amodal',), ('amodal',)),
    'qdtrack': (('visible',), ('visible',)),
    'masktrack-rcnn': (('visible',), ('visible',)),
    'maskamodal': (('amodal',), ('amodal',)),
    'maskjoint': (('amodal',), ('amodal', 'visible')),
    'mask-rcnn': (('visible',), ('visible',)),
}
#: Tracker, embedding head, its losses and its number of parameters.
_ASSOCIATION: dict[str, tuple] = {
    'qd': ('QDTracker', 'QDTrackHead', ('loss_track', 'loss_track_aux'), 15_469_824),
    'mt': ('MTTracker', 'MTTrackHead', ('loss_track',), (12544 + 1) * 1024 + (1024 + 1) * 1024),
    'none': ('NoAssociation', None, (), 0),
}
_BACKBONE_NECK_RPN, _BOX_HEAD, _MASK_HEAD = 85_344_591, 14_019_705, 2_628_888
_CUT = 'sailvos_cut_json/joint/{}(bbox=amdl_bbox).json'
#: Files for training, validation and testing, protocol, resolution.
_DATA: dict[str, tuple] = {
    'sailvos-cut': (_CUT.format('train'), *[_CUT.format('valid')] * 2, 'sailvos', (1280, 800)),
    'sailvos': (_CUT.format('train'), _CUT.format('valid'),
                'sailvos_complete_json/joint/valid.json', 'sailvos', (1280, 800)),
    'sailvos-sample': (*['sailvos_sample/annotations.json'] * 3, 'sailvos', (320, 200)),
    'synthetic': ('synthetic/train.json', *['synthetic/val.json'] * 2, 'sailvos-full', (256, 160)),
    'fishbowl': ('fishbowl/train.json', *['fishbowl/test.json'] * 2, 'sailvos-full', (960, 640)),
}
#: Configs of the user's own data take its classes from its file; this one has five.
_OWN_DATA = REPO / 'tests' / 'own_data'
os.environ['VATRACK_DATA'] = str(_OWN_DATA)
_DATA['own-data'] = (_OWN_DATA / 'train.json', *[_OWN_DATA / 'val.json'] * 2, 'sailvos-full',
                     (1280, 800))
for _name in ('fishbowl', 'own-data'):
    _DATA[f'{_name}_cpu'] = (*_DATA[_name][:-1], (384, 256))


@dataclass(frozen=True)
class Expected:
    """What a config is to hold; files are those below ``data/``."""

    box_kinds: tuple[str, ...]
    mask_kinds: tuple[str, ...]
    tracker: str
    embedding_head: str | None
    losses: set[str]
    metrics: list[str]
    train_file: str
    val_file: str
    test_file: str
    protocol: str
    scale: tuple[int, int]
    parameters: int


def expected(path: Path) -> Expected:
    """What the name of a config promises; ``parameters`` for 24 classes and the full backbone."""
    named = path.parent.name == 'configs' or path.stem.startswith(path.parent.name)
    name = path.stem if named else f'{path.parent.name}_{path.stem}'
    name = name.replace('vatrack_mask-rcnn', 'mask-rcnn_none')
    system, association, dataset = name.split('_', 2)
    boxes, masks = _KINDS[system]
    tracker, head, track_losses, size = _ASSOCIATION[association]
    files = _DATA.get(dataset) or _DATA[dataset.split('_')[0]]
    *files, protocol, scale = files
    last = dataset.split('_')[-1]
    if last in ('640x400', '320x200'):
        scale = tuple(map(int, last.split('x')))
    if system == 'mask-rcnn':
        files = [file.replace('synthetic', 'synthetic_images') for file in files]
    losses = {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', *track_losses,
              *(f'loss_{kind}_mask' for kind in masks),
              *(f'loss_{kind}_{of}' for kind in boxes[1:] for of in ('cls', 'bbox'))}
    return Expected(boxes, masks, tracker, head, losses, ['AP'] if head is None else ['AP', 'vAP'],
                    *files, protocol, scale, _BACKBONE_NECK_RPN + size
                    + len(boxes) * _BOX_HEAD + len(masks) * _MASK_HEAD)


_ROI_HEAD = 'model.detector.roi_head'
_COCO = ('https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_x101_64x4d_fpn_1x_coco'
         '/mask_rcnn_x101_64x4d_fpn_1x_coco_20200201-9352eb0d.pth')
#: In label order; only the released code has them.
_CLASS_WEIGHTS = [.1, .8, 12.5, 7., 15.5, 16., 9.5, 20.8, .9, .9, 3.5, .8, 1.5, 17.8, 1.9, 3.4,
                  104., 4.4, 1.8, 1.4, .35, .8, 1.3, 3.3, 1.]
_VARIANTS: dict[str, dict[str, Any]] = {
    'class-weights': {f'{_ROI_HEAD}.bbox_head.loss_cls.class_weight': _CLASS_WEIGHTS},
    'coco': {'model.detector.init_cfg': dict(type='Pretrained', checkpoint=_COCO),
             'model.detector.backbone.init_cfg': None},
    'warmup-6000': {'param_scheduler.0.start_factor': 1 / 6000, 'param_scheduler.0.end': 6000},
    'r50': {'model.detector.backbone': dict(
        type='ResNet', depth=50, num_stages=4, out_indices=[0, 1, 2, 3], frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True), norm_eval=True, style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))},
}
#: What the released code of a system does that the paper does not say. Of two box heads COCO's
#: weights are to start the visible one.
_RELEASED = {
    'qdtrack': _VARIANTS['class-weights'] | _VARIANTS['coco'],
    'amodaltrack': _VARIANTS['class-weights'] | _VARIANTS['coco'],
    'vatrack': _VARIANTS['class-weights'] | _VARIANTS['coco'] | _VARIANTS['warmup-6000'],
    'vatrack-2box': _VARIANTS['class-weights'] | _VARIANTS['warmup-6000'] | {
        f'{_ROI_HEAD}.visible_bbox_head.loss_cls.class_weight': _CLASS_WEIGHTS,
        'model.detector.backbone.init_cfg': None, 'load_from': 'checkpoints/coco_visible-box.pth'},
}
for _size in ((640, 400), (320, 200)):
    _VARIANTS['{}x{}'.format(*_size)] = {
        f'{loader}_dataloader.dataset.scale': list(_size) for loader in ('train', 'val', 'test')}
for _weights in ((.5, 1.5), (1.5, .5), (.75, .25)):
    _VARIANTS['lambda-{}-{}'.format(*_weights)] = {
        f'{_ROI_HEAD}.mask_heads.{kind}.loss_mask.loss_weight': weight
        for kind, weight in zip(('visible', 'amodal'), _weights, strict=True)}
_UNCUT = {'test_dataloader.dataset.ann_file': _DATA['sailvos'][2],
          'test_dataloader.dataset.data_prefix.img_path': 'sailvos_complete_png/',
          'test_evaluator.ann_file': f'data/{_DATA["sailvos"][2]}'}


def variant_of(path: Path) -> tuple[str | None, dict[str, Any]]:
    """Name of the config that this one is a variant of, and what it changes in it."""
    if path.parent.name != 'configs':
        base, _, last = path.stem.rpartition('_')
        changes = _RELEASED[path.parent.name] if last == 'released-code' else _VARIANTS.get(last)
        base = base if base.startswith(path.parent.name) else f'{path.parent.name}_{base}'
        return (None, {}) if changes is None else (f'{base}.py', changes)
    system, _, dataset = path.stem.rpartition('_')
    return (f'{system}_sailvos-cut.py', _UNCUT) if dataset == 'sailvos' else (None, {})


def difference(one: Config, other: Config) -> dict[str, Any]:
    """What ``other`` holds where it differs from ``one``, by dotted key.

    Helper variables do not count. A dict of another class counts as a whole.
    """
    return {key: value for name in RUNNER_KEYS
            for key, value in _differences(_plain(one.get(name)), _plain(other.get(name)), name)}


def _differences(one: Any, other: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(one, dict) and isinstance(other, dict) and one.get('type') == other.get('type'):
        pairs = [(name, one.get(name), other.get(name)) for name in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(range(len(one)), one, other, strict=True)
        if one != other and not any(isinstance(item, dict) for item in other):
            pairs = []
            yield key, other
    else:
        pairs = []
        if one != other:
            yield key, other
    for name, first, second in pairs:
        yield from _differences(first, second, f'{key}.{name}')


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
