"""Every entry of every released checkpoint has its place, and nothing else is taken."""
from __future__ import annotations

import pytest
import torch
from released import DETECTORS, LEGACY, MODULES, build, constants, model_config, released_shapes

from vatrack.checkpoints import CheckpointError, convert_state_dict, load_strictly
from vatrack.checkpoints.layout import join, model_shapes, released_parts

COUNTS = {'qdtrack': 687, 'amodaltrack': 687, 'vatrack': 699, 'vatrack-2box': 707, 'coco': 666}
ROI = 'detector.roi_head.'


@pytest.fixture(scope='module')
def shapes():
    return {kind: released_shapes(kind) for kind in DETECTORS}


@pytest.mark.parametrize('kind', DETECTORS)
def test_the_table_is_what_mmdets_modules_have(kind, shapes):
    table = {join(part.source, name): shape for part in released_parts(kind)
             for name, shape in part.shapes.items()}
    assert table == shapes[kind]
    assert len(table) == COUNTS[kind] == sum(len(part.shapes) for part in released_parts(kind))


@pytest.mark.parametrize(('key', 'shape'), [
    ('backbone.conv1.weight', (64, 3, 7, 7)),
    ('backbone.bn1.num_batches_tracked', ()),
    ('backbone.layer1.0.conv2.weight', (256, 4, 3, 3)),
    ('backbone.layer3.22.conv1.weight', (1024, 1024, 1, 1)),
    ('backbone.layer4.0.downsample.0.weight', (2048, 1024, 1, 1)),
    ('neck.lateral_convs.3.conv.weight', (256, 2048, 1, 1)),
    ('rpn_head.rpn_reg.weight', (12, 256, 1, 1)),
    ('roi_head.amodal_bbox_head.fc_reg.weight', (96, 1024)),
    ('roi_head.amodal_mask_head.conv_logits.weight', (24, 256, 1, 1)),
    ('roi_head.track_head.fcs.0.weight', (1024, 12544)),
    ('mu4', (1, 256, 30)),
])
def test_shapes_of_the_published_architecture(key, shape):
    table = {join(part.source, name): each for part in released_parts('vatrack-2box')
             for name, each in part.shapes.items()}
    assert table[key] == shape


@pytest.mark.parametrize('two_boxes', [False, True])
def test_the_model_has_these_entries(two_boxes):
    model = build(model_config('vatrack-2box' if two_boxes else 'vatrack'), 'meta')
    assert model_shapes(two_boxes) == {key: tuple(value.shape)
                                       for key, value in model.state_dict().items()}


@pytest.mark.parametrize('given', [True, False])
@pytest.mark.parametrize('kind', LEGACY)
def test_every_entry_goes_where_its_module_went(kind, given, shapes):
    state = constants(shapes[kind])
    told = given or kind in ('qdtrack', 'amodaltrack')
    conversion = convert_state_dict(state, kind if told else None)
    expected = {}
    for key, value in state.items():
        source = max((name for name in MODULES[kind] if key.startswith(f'{name}.')), default='')
        if source:
            expected[MODULES[kind][source] + key[len(source):]] = value
    assert conversion.kind == kind and conversion.left == ()
    assert conversion.state_dict.keys() == expected.keys()
    assert all(conversion.state_dict[key] is value or
               torch.equal(conversion.state_dict[key], value) for key, value in expected.items())
    assert len(expected) == COUNTS[kind] - 5
    assert sum(len(move.names) for move in conversion.moves) == COUNTS[kind]


def test_the_box_heads_of_the_two_box_model_are_swapped(shapes):
    state = constants(shapes['vatrack-2box'])
    converted = convert_state_dict(state, 'vatrack-2box').state_dict
    for layer in ('shared_fcs.0.weight', 'fc_cls.bias', 'fc_reg.weight'):
        amodal, visible = (state[f'roi_head.{head}.{layer}']
                           for head in ('amodal_bbox_head', 'bbox_head'))
        assert not torch.equal(amodal, visible)
        assert torch.equal(converted[f'{ROI}bbox_head.{layer}'], amodal)
        assert torch.equal(converted[f'{ROI}visible_bbox_head.{layer}'], visible)


@pytest.mark.parametrize('kind', LEGACY)
def test_it_fits_the_model_strictly(kind, shapes):
    conversion = convert_state_dict(constants(shapes[kind]), kind)
    model = build(model_config(kind), 'meta')
    result = model.load_state_dict(conversion.state_dict, strict=True, assign=True)
    assert result.missing_keys == result.unexpected_keys == []
    assert load_strictly(model, conversion, 'config.py') == ()
    for key, value in model.state_dict().items():
        assert torch.equal(value, conversion.state_dict[key])


@pytest.mark.parametrize(('kind', 'other', 'message'), [
    ('vatrack', 'qdtrack', r'12 unknown \(detector.roi_head.mask_heads.amodal.convs.0.conv.weight'),
    ('qdtrack', 'vatrack', r'12 missing \(detector.roi_head.mask_heads.amodal.convs.0.conv.weight'),
    ('qdtrack', 'amodaltrack', r'12 missing \(.*mask_heads.amodal.*; 12 unknown \(.*visible'),
    ('vatrack-2box', 'vatrack', r'8 unknown \(detector.roi_head.visible_bbox_head.shared_fcs'),
    ('vatrack', 'vatrack-2box', r'8 missing \(detector.roi_head.visible_bbox_head.*, \.\.\.\)'),
])
def test_the_model_of_another_config_is_refused(kind, other, message, shapes):
    conversion = convert_state_dict(constants(shapes[kind]), kind)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_strictly(build(model_config(other), 'meta'), conversion, 'config.py')
    assert 'config.py' in str(caught.value) and 'Give a config of' in str(caught.value)


def test_a_model_of_another_size_is_refused(shapes):
    config = model_config('vatrack', **{'detector.roi_head.bbox_head.num_classes': 5})
    conversion = convert_state_dict(constants(shapes['vatrack']))
    with pytest.raises(CheckpointError, match=r'4 of another shape \(.*fc_cls.weight \(25, 1024\) '
                       r'instead of \(6, 1024\)'):
        load_strictly(build(config, 'meta'), conversion, 'config.py')


@pytest.mark.parametrize(('box_head', 'copy_amodal'), [
    ('main', False), ('main', True), ('visible', False), ('both', True)])
def test_coco_weights_start_what_is_asked_for(box_head, copy_amodal, shapes):
    state = constants(shapes['coco'])
    conversion = convert_state_dict(state, None, box_head, copy_amodal)
    converted = conversion.state_dict
    boxes = {'main': ['bbox_head'], 'visible': ['visible_bbox_head'],
             'both': ['bbox_head', 'visible_bbox_head']}[box_head]
    masks = ['visible', 'amodal'] if copy_amodal else ['visible']
    heads = {f'{ROI}{name}': 'roi_head.bbox_head' for name in boxes}
    heads |= {f'{ROI}mask_heads.{name}': 'roi_head.mask_head' for name in masks}
    expected = {f'detector.{key}': value for key, value in state.items() if 'roi_head' not in key}
    for target, source in heads.items():
        expected |= {target + key[len(source):]: value for key, value in state.items()
                     if key.startswith(f'{source}.')
                     and not any(layer in key for layer in ('fc_cls', 'fc_reg', 'conv_logits'))}
    assert converted.keys() == expected.keys()
    assert all(torch.equal(converted[key], value) for key, value in expected.items())

    two_boxes = box_head != 'main'
    own = model_shapes(two_boxes)
    assert set(conversion.left) == own.keys() - converted.keys()
    model = build(model_config('vatrack-2box' if two_boxes else 'vatrack'), 'meta')
    assert set(load_strictly(model, conversion, 'config.py')) == set(conversion.left)
    dropped = [f'{move.source}.{name}' for move in conversion.moves if move.action == 'dropped'
               for name in move.names]
    assert sorted(dropped) == [f'roi_head.{layer}.{kind}' for layer in (
        'bbox_head.fc_cls', 'bbox_head.fc_reg', 'mask_head.conv_logits')
        for kind in ('bias', 'weight')]


def test_copies_of_coco_weights_share_no_memory(shapes):
    converted = convert_state_dict(constants(shapes['coco']), copy_amodal=True).state_dict
    heads = [converted[f'{ROI}mask_heads.{kind}.upsample.weight'] for kind in ('visible', 'amodal')]
    heads[1].add_(1)
    assert torch.equal(heads[0] + 1, heads[1])


def test_coco_weights_do_not_fit_where_a_head_is_lacking(shapes):
    conversion = convert_state_dict(constants(shapes['coco']), copy_amodal=True)
    with pytest.raises(CheckpointError, match=r'10 unknown \(.*mask_heads.amodal.*--copy-amodal'):
        load_strictly(build(model_config('qdtrack'), 'meta'), conversion, 'config.py')


@pytest.mark.parametrize(('kind', 'options'), [
    ('vatrack', {'copy_amodal': True}), ('vatrack-2box', {'box_head': 'both'})])
def test_options_of_coco_are_for_coco(kind, options, shapes):
    with pytest.raises(CheckpointError, match=f'--copy-amodal and --box-head .* a {kind}'):
        convert_state_dict(constants(shapes[kind]), **options)


@pytest.mark.parametrize('kind', ['qdtrack', 'amodaltrack'])
def test_kinds_with_the_same_names_must_be_told_apart(kind, shapes):
    with pytest.raises(CheckpointError, match=r'x\.pth: qdtrack and amodaltrack checkpoints have '
                       'the same names; say which it is with --from qdtrack or --from amodaltrack'):
        convert_state_dict(constants(shapes[kind]), where='x.pth')


@pytest.mark.parametrize(('kind', 'claimed', 'message'), [
    ('vatrack-2box', 'vatrack', 'looks like a vatrack-2box checkpoint: use --from vatrack-2box, '),
    ('vatrack', 'qdtrack', 'looks like a vatrack checkpoint: use --from vatrack, not qdtrack'),
    ('qdtrack', 'vatrack', 'looks like a qdtrack or amodaltrack checkpoint: use --from qdt'),
    ('coco', 'vatrack', 'looks like a coco checkpoint: use --from coco, not vatrack'),
    ('vatrack', 'coco', 'looks like a vatrack checkpoint: use --from vatrack, not coco'),
])
def test_a_wrong_kind_is_corrected(kind, claimed, message, shapes):
    with pytest.raises(CheckpointError, match=message):
        convert_state_dict(constants(shapes[kind]), claimed)


def changed(state: dict, drop: tuple = (), **more) -> dict:
    return {key: value for key, value in state.items() if key not in drop} | more


@pytest.mark.parametrize(('change', 'message'), [
    (lambda state: changed(state, drop=('neck.fpn_convs.0.conv.bias',)),
     r'of 699 entries 1 missing \(neck.fpn_convs.0.conv.bias\)\. Only ResNeXt-101'),
    (lambda state: changed(state, drop=tuple(key for key in state if key.startswith('mu'))),
     r'5 missing \(mu0, mu1, mu2, \.\.\.\)'),
    (lambda state: changed(state, ema_neck=torch.zeros(1)), r'1 unknown \(ema_neck\)'),
    (lambda state: changed(state, **{'roi_head.bbox_head.fc_cls.weight': torch.zeros(9, 1024)}),
     r'1 of another shape \(roi_head.bbox_head.fc_cls.weight \(9, 1024\) instead of \(25, 1024\)'),
    (lambda state: changed(state, drop=('mu4',), mu5=state['mu4']),
     r'1 missing \(mu4\); 1 unknown \(mu5\)'),
])
@pytest.mark.parametrize('kind', ['vatrack', None])
def test_entries_that_are_not_as_released_are_named(change, message, kind, shapes):
    with pytest.raises(CheckpointError, match=message) as caught:
        convert_state_dict(change(constants(shapes['vatrack'])), kind, where='x.pth')
    assert str(caught.value).startswith('x.pth: is not as released for vatrack')


def test_coco_weights_of_another_class_count_are_refused(shapes):
    state = changed(constants(shapes['coco']),
                    **{'roi_head.mask_head.conv_logits.bias': torch.zeros(24)})
    with pytest.raises(CheckpointError, match=r'conv_logits.bias \(24,\) instead of \(80,\).*80'):
        convert_state_dict(state)


def test_what_is_no_checkpoint_known_here_is_refused(shapes):
    with pytest.raises(CheckpointError, match=r'the first: fc.weight.*--from \{qdtrack,'):
        convert_state_dict({'fc.weight': torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r'699 missing.*1 unknown \(fc.weight\)'):
        convert_state_dict({'fc.weight': torch.zeros(1)}, 'vatrack')


@pytest.mark.parametrize('kind', ['vatrack', None])
def test_what_was_converted_is_not_converted_again(kind, shapes):
    converted = convert_state_dict(constants(shapes['vatrack'])).state_dict
    with pytest.raises(CheckpointError, match="has vatrack's names already"):
        convert_state_dict(converted, kind)


def test_the_report_accounts_for_all(shapes):
    lines = convert_state_dict(constants(shapes['vatrack-2box'])).report().splitlines()
    words = [line.split() for line in lines]
    assert ['backbone', '624', 'mapped', 'detector.backbone'] in words
    assert any(row[:4] == ['roi_head.bbox_head', '8', 'swapped',
                           'detector.roi_head.visible_bbox_head'] for row in words)
    assert any(row[:5] == ['mu0', '...', 'mu4', '5', 'dropped'] for row in words)
    assert ('vatrack-2box: 646 mapped, 16 swapped, 40 renamed, 5 dropped; 702 entries written'
            in lines)
    assert ('  swapped: roi_head.bbox_head.shared_fcs.0.weight -> '
            'detector.roi_head.visible_bbox_head.shared_fcs.0.weight') in lines
    assert not any('left to be' in line for line in lines)


def test_the_report_says_what_coco_weights_leave(shapes):
    text = convert_state_dict(constants(shapes['coco']), box_head='both', copy_amodal=True).report()
    for part in ('fc_cls, fc_reg: for the 80 classes of COCO',
                 'coco: 650 mapped, 14 copied, 6 dropped, 10 renamed; 674 entries written',
                 'copied: roi_head.bbox_head.shared_fcs.0.weight -> '
                 'detector.roi_head.visible_bbox_head.shared_fcs.0.weight',
                 'left to be initialised: 28 entries of the model',
                 'association.head  16'):
        assert part in text
