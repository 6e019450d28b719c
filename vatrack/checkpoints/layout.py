"""What released checkpoints hold and where vatrack has it: names and shapes, by rule.

The architecture is that of the VATrack paper: Mask R-CNN with a ResNeXt-101
64x4d and an FPN, for 24 classes, with the embedding head of QDTrack. Names are
those of mmdet 2 (released code of VATrack) and mmdet 2 and 3 (COCO weights).
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Shape = tuple[int, ...]
Shapes = dict[str, Shape]  # of entries, by name

#: Kinds of released checkpoints.
KINDS = ('qdtrack', 'amodaltrack', 'vatrack', 'vatrack-2box', 'coco', 'savos')

#: Where the box head of COCO weights may go.
BOX_HEADS = {
    'main': ('bbox_head',),
    'visible': ('visible_bbox_head',),
    'both': ('bbox_head', 'visible_bbox_head'),
}

#: Heads on regions: what they are called in a release -> in vatrack. vatrack's ``bbox_head`` is
#: the main one: its boxes are tracked, and the mask heads take their regions.
ROI_HEADS = {
    'qdtrack': {'bbox_head': 'bbox_head', 'mask_head': 'mask_heads.visible'},
    'amodaltrack': {'bbox_head': 'bbox_head', 'mask_head': 'mask_heads.amodal'},
    'vatrack': {
        'bbox_head': 'bbox_head',
        'mask_head': 'mask_heads.visible',
        'amodal_mask_head': 'mask_heads.amodal',
    },
    'vatrack-2box': {
        'bbox_head': 'visible_bbox_head',
        'amodal_bbox_head': 'bbox_head',
        'mask_head': 'mask_heads.visible',
        'amodal_mask_head': 'mask_heads.amodal',
    },
}

_CLASSES, _COCO_CLASSES = 24, 80
_STAGES = ((3, 256), (4, 512), (23, 1024), (3, 2048))  # blocks and channels
_GROUPS = 64
_CHANNELS = 256  # of the FPN and of all heads
_HIDDEN = 1024  # of the fully connected layers on 7x7 regions
_REGION = _CHANNELS * 7 * 7
_OF_CLASSES = ('fc_cls', 'fc_reg', 'conv_logits')  # layers with channels per class


@dataclass(frozen=True)
class Part:
    """A module of a release, or some layers of one, and where it goes.

    Attributes:
        source: Its name in the release; '' for entries of no module.
        shapes: Shapes of its entries, by their name within it.
        targets: Its names in vatrack; none for what is dropped.
        note: Why it is dropped, or what it is.
        swapped: Whether vatrack calls another module by its name, or it by another's.
    """

    source: str
    shapes: Shapes
    targets: tuple[str, ...] = ()
    note: str = ''
    swapped: bool = False


def released_parts(kind: str, box_head: str = 'main', copy_amodal: bool = False) -> list[Part]:
    """All parts of a released checkpoint of a detector.

    Args:
        kind: One of :data:`KINDS`, but for ``'savos'`` (see :mod:`.savos_layout`).
        box_head: With ``'coco'``, which box head gets its weights: a key of
            :data:`BOX_HEADS`.
        copy_amodal: With ``'coco'``, whether its mask head goes to the amodal
            mask head too.
    """
    if kind == 'coco':
        masks = ('mask_heads.visible', *(['mask_heads.amodal'] if copy_amodal else []))
        return [*_trunk(), *_coco_head('bbox_head', _box_head(_COCO_CLASSES), BOX_HEADS[box_head]),
                *_coco_head('mask_head', _mask_head(_COCO_CLASSES), masks)]
    return [
        *_trunk(),
        *(_roi_head(kind, name) for name in ROI_HEADS[kind]),
        Part('roi_head.track_head', _embed_head(), ('association.head.embed_head',)),
        Part('', {f'mu{i}': (1, _CHANNELS, 30) for i in range(5)},
             note='random buffers that the released code never reads'),
    ]


def model_shapes(two_boxes: bool = False) -> Shapes:
    """Names and shapes of all entries of vatrack's own VATrack (QD)."""
    return {join(target, name): shape
            for part in released_parts('vatrack-2box' if two_boxes else 'vatrack')
            for target in part.targets for name, shape in part.shapes.items()}


def join(*names: str) -> str:
    """Dotted name of an entry within a module; '' is no module."""
    return '.'.join(filter(None, names))


def _trunk() -> list[Part]:
    shapes = {'backbone': _backbone(), 'neck': _neck(), 'rpn_head': _rpn_head()}
    return [Part(name, each, (f'detector.{name}',)) for name, each in shapes.items()]


def _roi_head(kind: str, name: str) -> Part:
    heads = ROI_HEADS[kind]
    target = heads[name]
    shapes = _box_head(_CLASSES) if 'bbox' in name else _mask_head(_CLASSES)
    swapped = name != target and (name in heads.values() or target in heads)
    note = f'the {"amodal" if "amodal" in name else "visible"} box head' if swapped else ''
    return Part(f'roi_head.{name}', shapes, (f'detector.roi_head.{target}',), note, swapped)


def _coco_head(name: str, shapes: Shapes, targets: tuple[str, ...]) -> Iterator[Part]:
    of_classes = {key: shape for key, shape in shapes.items()
                  if key.split('.')[0] in _OF_CLASSES}
    kept = {key: shape for key, shape in shapes.items() if key not in of_classes}
    yield Part(f'roi_head.{name}', kept, tuple(f'detector.roi_head.{each}' for each in targets))
    layers = ', '.join(dict.fromkeys(key.split('.')[0] for key in of_classes))
    yield Part(f'roi_head.{name}', of_classes,
               note=f'{layers}: for the {_COCO_CLASSES} classes of COCO')


def _backbone() -> Shapes:
    shapes = {'conv1.weight': (64, 3, 7, 7)} | _norm('bn1', 64)
    inputs = 64
    for stage, (blocks, width) in enumerate(_STAGES, start=1):
        for block in range(blocks):
            convs = [(width, inputs, 1, 1), (width, width // _GROUPS, 3, 3), (width, width, 1, 1)]
            name = f'layer{stage}.{block}'
            for i, shape in enumerate(convs, start=1):
                shapes |= {f'{name}.conv{i}.weight': shape} | _norm(f'{name}.bn{i}', width)
            if block == 0:
                shapes[f'{name}.downsample.0.weight'] = (width, inputs, 1, 1)
                shapes |= _norm(f'{name}.downsample.1', width)
            inputs = width
    return shapes


def _neck() -> Shapes:
    shapes = {}
    for i, (_, width) in enumerate(_STAGES):
        shapes |= _layer(f'lateral_convs.{i}.conv', _CHANNELS, width, 1, 1)
        shapes |= _layer(f'fpn_convs.{i}.conv', _CHANNELS, _CHANNELS, 3, 3)
    return shapes


def _rpn_head() -> Shapes:
    anchors = 3
    return (_layer('rpn_conv', _CHANNELS, _CHANNELS, 3, 3)
            | _layer('rpn_cls', anchors, _CHANNELS, 1, 1)
            | _layer('rpn_reg', 4 * anchors, _CHANNELS, 1, 1))


def _box_head(classes: int) -> Shapes:
    return (_layer('shared_fcs.0', _HIDDEN, _REGION) | _layer('shared_fcs.1', _HIDDEN, _HIDDEN)
            | _layer('fc_cls', classes + 1, _HIDDEN) | _layer('fc_reg', 4 * classes, _HIDDEN))


def _mask_head(classes: int) -> Shapes:
    shapes = {}
    for i in range(4):
        shapes |= _layer(f'convs.{i}.conv', _CHANNELS, _CHANNELS, 3, 3)
    return (shapes | _layer('upsample', _CHANNELS, _CHANNELS, 2, 2)
            | _layer('conv_logits', classes, _CHANNELS, 1, 1))


def _embed_head() -> Shapes:
    shapes = {}
    for i in range(4):
        shapes[f'convs.{i}.conv.weight'] = (_CHANNELS, _CHANNELS, 3, 3)
        shapes |= {f'convs.{i}.gn.weight': (_CHANNELS,), f'convs.{i}.gn.bias': (_CHANNELS,)}
    return shapes | _layer('fcs.0', _HIDDEN, _REGION) | _layer('fc_embed', _CHANNELS, _HIDDEN)


def _layer(name: str, *weight: int) -> Shapes:
    return {f'{name}.weight': weight, f'{name}.bias': weight[:1]}


def _norm(name: str, channels: int) -> Shapes:
    entries = ('weight', 'bias', 'running_mean', 'running_var')
    return {f'{name}.{entry}': (channels,) for entry in entries} | {
        f'{name}.num_batches_tracked': ()}
