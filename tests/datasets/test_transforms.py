from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from tiny_videos import HEIGHT, WIDTH, dataset, picture, pipeline, thing, write

from vatrack.files import AnnotationError
from vatrack.structures import bboxes_field
from vatrack.structures.by_kind import MasksByKind

ROOT = Path(__file__).resolve().parents[2]
FLIP = dict(type='RandomFlip', prob=0.5)
RESIZE = dict(type='Resize', scale=(2 * WIDTH, 2 * HEIGHT), keep_ratio=True)
FRAMES = [[thing(0, hidden=.5), thing(7, 5, at=(40, 20))], [thing(0, at=(10, 9), hidden=.25)]]


@pytest.fixture
def videos(tmp_path) -> Path:
    return write(tmp_path, {'v': FRAMES})


def frames_of(sample) -> list:
    return sample['data_samples'].video_data_samples


def test_fields_and_metainfo_of_a_training_clip(videos):
    sample = dataset(videos, pipeline=pipeline())[0]
    assert sample['inputs'].shape == (2, 3, HEIGHT, WIDTH)
    assert sample['inputs'].dtype == torch.uint8 and sample['inputs'].is_contiguous()
    clip = sample['data_samples']
    assert (clip.key_frames_inds, clip.ref_frames_inds) == ([0], [1])
    key, ref = frames_of(sample)
    assert key.gt_instances.bboxes.dtype == torch.float32
    assert key.gt_instances.bboxes.tolist() == [[4, 6, 20, 14], [40, 20, 56, 28]]
    assert key.gt_instances.labels.tolist() == [0, 1]
    assert key.gt_instances.instances_id.tolist() == [0, 7]
    assert key.gt_instances.labels.dtype == key.gt_instances.instances_id.dtype == torch.int64
    assert ref.gt_instances.bboxes.tolist() == [[10, 9, 26, 17]]
    assert (key.frame_id, ref.frame_id, key.video_length) == (0, 1, 2)
    assert (key.video_name, key.video_id, key.img_id) == ('v', 1, 1)
    assert key.ori_shape == key.img_shape == (HEIGHT, WIDTH)


def test_image_is_bgr_and_masks_are_decoded_by_kind(videos):
    key, _ = frames_of(sample := dataset(videos, pipeline=pipeline())[0])
    np.testing.assert_array_equal(sample['inputs'][0].permute(1, 2, 0), picture(FRAMES[0]))
    masks = key.gt_instances.masks
    assert isinstance(masks, MasksByKind) and masks.kinds == ('amodal', 'visible')
    assert masks.areas['amodal'].tolist() == [128, 128]
    assert masks.areas['visible'].tolist() == [64, 128]


def test_kinds_that_the_config_asks_for(videos):
    key, _ = frames_of(dataset(videos, mask_kinds=['visible'], pipeline=pipeline())[0])
    assert key.gt_instances.masks.kinds == ('visible',)
    key, _ = frames_of(dataset(videos, mask_kinds=[], pipeline=pipeline())[0])
    assert 'masks' not in key.gt_instances


@pytest.mark.parametrize('wanted', [None, False, True])
def test_masks_of_reference_frames_on_request(wanted, videos):
    options = {} if wanted is None else dict(reference_masks=wanted)
    for geometry in ((), (RESIZE, FLIP, dict(type='Pad', size_divisor=32))):
        sample = dataset(videos, pipeline=pipeline(*geometry, **options))[0]
        key, ref = frames_of(sample)
        assert 'masks' in key.gt_instances
        assert ('masks' in ref.gt_instances) is bool(wanted)
    if wanted:
        assert len(ref.gt_instances.masks) == 1


def assert_masks_lie_on_the_image(sample, exact=True):
    """The image is white exactly where the visible masks are."""
    for image, frame in zip(sample['inputs'], frames_of(sample), strict=True):
        visible = frame.gt_instances.masks.kind('visible').masks.any(0)
        white = image[0].numpy() > 127
        assert (visible == white).all() if exact else (visible != white).mean() < 0.05
        for box, mask in zip(frame.gt_instances.bboxes,
                             frame.gt_instances.masks.kind('amodal').masks, strict=True):
            ys, xs = mask.nonzero()
            tight = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            assert (box - tight).abs().max() <= (0 if exact else 1)


def test_flip_is_shared_and_moves_everything(videos):
    frames = dataset(videos, pipeline=pipeline(FLIP, reference_masks=True))
    seen = set()
    for _ in range(20):
        sample = frames[0]
        key, ref = frames_of(sample)
        assert key.flip == ref.flip
        assert_masks_lie_on_the_image(sample)
        seen.add(key.flip)
        left = 44 if key.flip else 4
        assert key.gt_instances.bboxes[0].tolist() == [left, 6, left + 16, 14]
    assert seen == {False, True}


@pytest.mark.parametrize(('geometry', 'exact'), [
    ((RESIZE, FLIP), False), ((dict(type='Pad', size_divisor=48),), True),
    ((dict(type='Resize', scale=(48, 40), keep_ratio=True),), False),
    ((dict(type='RandomCrop', crop_size=(50, 35), allow_negative_crop=True),), True)])
def test_geometry_of_mmdet(geometry, exact, videos):
    frames = dataset(videos, pipeline=pipeline(*geometry, reference_masks=True))
    for _ in range(5):
        sample = frames[0]
        assert_masks_lie_on_the_image(sample, exact)
        for frame in frames_of(sample):
            gt = frame.gt_instances
            assert len(gt.bboxes) == len(gt.labels) == len(gt.instances_id) == len(gt.masks)


@pytest.mark.parametrize('kinds', [('amodal', 'visible'), ('visible', 'amodal'), ('visible',)])
@pytest.mark.parametrize(('scale', 'keep_ratio', 'tolerance'), [
    ((2 * WIDTH, 2 * HEIGHT), True, 0), ((3 * WIDTH, 2 * HEIGHT), False, 0),
    ((100, 90), True, 1), ((100, 90), False, 1), ((WIDTH // 2, HEIGHT), False, 1)])
@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_boxes_of_every_kind_follow_their_masks(kinds, scale, keep_ratio, tolerance, direction,
                                                videos):
    geometry = (dict(type='Resize', scale=scale, keep_ratio=keep_ratio),
                dict(type='RandomFlip', prob=.7, direction=direction))
    frames = dataset(videos, box_kinds=kinds, pipeline=pipeline(*geometry, reference_masks=True))
    flips = set()
    for _ in range(8):
        for frame in frames_of(frames[0]):
            gt = frame.gt_instances
            flips.add(frame.flip)
            main, *further = kinds
            assert ('visible_bboxes' in gt, 'amodal_bboxes' in gt) == (
                'visible' in further, 'amodal' in further)
            for kind, boxes in [(main, gt.bboxes), *((k, gt[bboxes_field(k)]) for k in further)]:
                assert boxes.shape == (len(gt), 4) and boxes.dtype == torch.float32
                tight = HorizontalBoxes.from_instance_masks(gt.masks.kind(kind)).tensor
                assert (boxes - tight).abs().max() <= tolerance
    assert flips == {False, True}


def test_boxes_of_several_kinds_without_geometry_or_objects(tmp_path):
    write(tmp_path, {'v': [[thing(hidden=.5)], []]})
    frames = dataset(tmp_path, box_kinds=('amodal', 'visible'), require_common_instance=False,
                     pipeline=pipeline())
    key, ref = frames_of(frames[0])
    assert key.gt_instances.bboxes.tolist() == [[4, 6, 20, 14]]
    assert key.gt_instances.visible_bboxes.tolist() == [[4, 6, 12, 14]]
    assert ref.gt_instances.bboxes.shape == ref.gt_instances.visible_bboxes.shape == (0, 4)


def test_cropping_leaves_out_objects_with_all_their_boxes(videos):
    crop = dict(type='RandomCrop', crop_size=(20, 16), allow_negative_crop=True)
    frames = dataset(videos, box_kinds=('amodal', 'visible'), pipeline=pipeline(crop))
    counts = set()
    for _ in range(20):
        gt = frames_of(frames[0])[0].gt_instances
        assert len(gt.bboxes) == len(gt.visible_bboxes) == len(gt.instances_id) == len(gt.masks)
        counts.add(len(gt))
    assert counts >= {0, 1}


def test_scale_factor(videos):
    key, _ = frames_of(sample := dataset(videos, pipeline=pipeline(RESIZE))[0])
    assert key.scale_factor == (2, 2) and key.ori_shape == (HEIGHT, WIDTH)
    assert key.img_shape == sample['inputs'].shape[-2:] == (2 * HEIGHT, 2 * WIDTH)
    assert key.gt_instances.bboxes[0].tolist() == [8, 12, 40, 28]


def test_config_names_mmdets_transforms_in_a_fresh_process():
    """Mmcv has transforms of the same names that leave the masks as they are."""
    code = ("from vatrack.registry import TRANSFORMS; "
            "print(*[TRANSFORMS.get(n).__module__ for n in ('Resize', 'RandomFlip', 'Pad')])")
    run = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True,
                         check=True)
    assert run.stdout.splitlines()[-1].split() == ['mmdet.datasets.transforms.transforms'] * 3


def test_boxes_are_clipped_to_the_frame(tmp_path):
    write(tmp_path, {'v': [[thing(bboxes={'amodal': (-5., 6., 99.5, 14.)})]]})
    key, _ = frames_of(dataset(tmp_path, pipeline=pipeline())[0])
    assert key.gt_instances.bboxes.tolist() == [[0, 6, WIDTH, 14]]


def test_reference_without_objects(tmp_path):
    write(tmp_path, {'v': [[thing()], []]})
    frames = dataset(tmp_path, pipeline=pipeline(RESIZE, FLIP, reference_masks=True),
                     require_common_instance=False)
    _, ref = frames_of(frames[0])
    assert ref.gt_instances.bboxes.shape == (0, 4) and ref.gt_instances.labels.shape == (0,)
    assert ref.gt_instances.bboxes.dtype == torch.float32
    assert len(ref.gt_instances.masks) == 0


def test_testing_frames(videos):
    steps = [dict(type='TransformBroadcaster', transforms=[dict(type='LoadFrame'), RESIZE]),
             dict(type='PackClip')]
    sample = dataset(videos, test_mode=True, pipeline=steps)[1]
    frame, = frames_of(sample)
    assert sample['inputs'].shape == (1, 3, 2 * HEIGHT, 2 * WIDTH)
    assert 'gt_instances' not in frame
    assert (frame.frame_id, frame.video_length, frame.scale_factor) == (1, 2, (2, 2))
    assert sample['data_samples'].key_frames_inds == [0]


@pytest.mark.parametrize('stored', ['png', 'bmp'])
def test_frames_under_another_suffix(stored, tmp_path):
    write(tmp_path, {'v': FRAMES}, stored)
    sample = dataset(tmp_path, pipeline=pipeline())[0]
    np.testing.assert_array_equal(sample['inputs'][0].permute(1, 2, 0), picture(FRAMES[0]))


def spoil(path: Path, fault: str) -> None:
    content = path.read_bytes()
    if fault == 'missing':
        path.unlink()
    elif fault == 'wrong size':
        shutil.copy(path.parents[2] / 'other' / 'frames' / 'w' / '000.png', path)
    else:
        path.write_bytes({'empty': b'', 'garbage': b'no image at all' * 9,
                          'cut off': content[:len(content) // 2]}[fault])


@pytest.mark.parametrize(('fault', 'message'), [
    ('missing', 'no frame'), ('empty', 'not an image or damaged'),
    ('garbage', 'not an image or damaged'), ('cut off', 'not an image or damaged'),
    ('wrong size', r'the image is 64 x 41 pixels, but its annotation file says 64 x 40')])
def test_broken_frames_are_named(fault, message, tmp_path, videos, monkeypatch):
    monkeypatch.setattr('tiny_videos.HEIGHT', HEIGHT + 1)
    write(tmp_path / 'other', {'w': [[]]})
    spoil(videos / 'frames' / 'v' / '001.png', fault)
    with pytest.raises(AnnotationError, match=message) as error:
        dataset(videos, pipeline=pipeline())[0]
    assert "video 'v'" in str(error.value) and 'v/001.png' in str(error.value)
