from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet.datasets import transforms as mmdet_transforms
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from vatrack.structures import rle
from vatrack.structures.by_kind import MasksByKind, PackedMasks

HEIGHT, WIDTH, COUNT = 40, 60, 3

# The image shows the visible mask of one object, so that it must move as that mask does.
EXACT = {
    'flip': lambda: mmdet_transforms.RandomFlip(prob=1.0),
    'flip vertical': lambda: mmdet_transforms.RandomFlip(prob=1.0, direction='vertical'),
    'flip diagonal': lambda: mmdet_transforms.RandomFlip(prob=1.0, direction='diagonal'),
    'pad': lambda: mmdet_transforms.Pad(size_divisor=32),
    'crop': lambda: mmdet_transforms.RandomCrop((45, 30), allow_negative_crop=True),
    'expand': lambda: mmdet_transforms.Expand(mean=(0, 0, 0), prob=1.0),
    'crop by iou': lambda: mmdet_transforms.MinIoURandomCrop(min_ious=(0.3,), min_crop_size=0.9),
}
INTERPOLATED = {
    'enlarge': lambda: mmdet_transforms.Resize((150, 100), keep_ratio=True),
    'shrink': lambda: mmdet_transforms.Resize((45, 30), keep_ratio=True),
    'stretch': lambda: mmdet_transforms.Resize((90, 50), keep_ratio=False),
    'rotate': lambda: mmdet_transforms.Rotate(prob=1.0, level=4, img_border_value=0),
    'shear': lambda: mmdet_transforms.ShearX(prob=1.0, level=5, img_border_value=0),
    'shear vertical': lambda: mmdet_transforms.ShearY(prob=1.0, level=5, img_border_value=0),
    'translate': lambda: mmdet_transforms.TranslateX(prob=1.0, level=3, img_border_value=0),
}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Ellipses, the right part of each hidden: {kind: (N, H, W)}."""
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    centres = [(12, 15), (25, 30), (30, 45)]
    amodal = np.stack([((ys - y) / 8) ** 2 + ((xs - x) / 12) ** 2 <= 1 for y, x in centres])
    return {'amodal': amodal.astype(np.uint8),
            'visible': (amodal & np.stack([xs < x + 4 for _, x in centres])).astype(np.uint8)}


def bitmaps(array: np.ndarray) -> BitmapMasks:
    return BitmapMasks(array, *array.shape[1:])


def by_kind(arrays: dict[str, np.ndarray]) -> MasksByKind:
    return MasksByKind({kind: bitmaps(array) for kind, array in arrays.items()})


def tight_boxes(array: np.ndarray) -> np.ndarray:
    return rle.bboxes(rle.encode(array)).astype(np.float32)


def moved(make: Callable, arrays: dict[str, np.ndarray], masks: object) -> dict:
    sample = dict(
        img=np.repeat(arrays['visible'][1][..., None] * 255, 3, axis=2),
        img_shape=(HEIGHT, WIDTH), gt_bboxes=tight_boxes(arrays['amodal']),
        gt_bboxes_labels=np.arange(COUNT), gt_ignore_flags=np.zeros(COUNT, bool), gt_masks=masks)
    np.random.seed(3)
    return make()(sample)


@pytest.mark.parametrize('make', [*EXACT.values(), *INTERPOLATED.values()],
                         ids=[*EXACT, *INTERPOLATED])
def test_both_kinds_move_as_each_alone(make, arrays):
    together = moved(make, arrays, by_kind(arrays))
    before = {kind: array.copy() for kind, array in arrays.items()}
    for kind in arrays:
        alone = moved(make, arrays, bitmaps(arrays[kind]))
        np.testing.assert_array_equal(together['gt_masks'].kind(kind).masks,
                                      alone['gt_masks'].masks)
        np.testing.assert_array_equal(together['gt_bboxes'], alone['gt_bboxes'])
        np.testing.assert_array_equal(together['img'], alone['img'])
        np.testing.assert_array_equal(arrays[kind], before[kind])
    amodal, visible = (together['gt_masks'].kind(kind).masks for kind in ('amodal', 'visible'))
    assert amodal.shape == (len(together['gt_bboxes']), *together['img'].shape[:2])
    assert not (visible > amodal).any()
    assert visible.any() and (amodal > visible).any()


@pytest.mark.parametrize('make', EXACT.values(), ids=EXACT)
def test_masks_move_with_the_image(make, arrays):
    after = moved(make, arrays, by_kind(arrays))
    index = after['gt_bboxes_labels'].tolist().index(1)
    np.testing.assert_array_equal(after['gt_masks'].kind('visible').masks[index] > 0,
                                  after['img'][..., 0] > 127)
    amodal = after['gt_masks'].kind('amodal').masks
    np.testing.assert_array_equal(after['gt_bboxes'], tight_boxes(amodal))


@pytest.mark.parametrize('make', INTERPOLATED.values(), ids=INTERPOLATED)
def test_masks_move_with_the_image_but_for_its_edges(make, arrays):
    after = moved(make, arrays, by_kind(arrays))
    mask, image = after['gt_masks'].kind('visible').masks[1] > 0, after['img'][..., 0] > 127
    assert (mask & image).sum() / (mask | image).sum() > 0.8
    boxes = tight_boxes(after['gt_masks'].kind('amodal').masks)
    # The box of a turned or sheared box is looser than that of its content.
    assert (boxes[:, :2] >= after['gt_bboxes'][:, :2] - 2).all()
    assert (boxes[:, 2:] <= after['gt_bboxes'][:, 2:] + 2).all()


@pytest.mark.parametrize('make', [EXACT[key] for key in ('flip', 'pad', 'crop')] + [
    INTERPOLATED[key] for key in ('enlarge', 'stretch')])
def test_frames_without_objects(make):
    empty = {kind: np.zeros((0, HEIGHT, WIDTH), np.uint8) for kind in ('amodal', 'visible')}
    sample = dict(img=np.zeros((HEIGHT, WIDTH, 3), np.uint8), img_shape=(HEIGHT, WIDTH),
                  gt_bboxes=np.zeros((0, 4), np.float32), gt_masks=by_kind(empty))
    np.random.seed(3)
    after = make()(sample)
    for kind in empty:
        assert after['gt_masks'].kind(kind).masks.shape == (0, *after['img'].shape[:2])


def test_a_transform_that_cannot_move_masks_refuses(arrays):
    with pytest.raises(NotImplementedError):
        moved(mmdet_transforms.RandomAffine, arrays, by_kind(arrays))


def test_what_needs_one_kind_says_so(arrays):
    masks = by_kind(arrays)
    for call in (masks.to_ndarray, masks.get_bboxes, lambda: masks.to_tensor(torch.uint8, 'cpu')):
        with pytest.raises(TypeError, match='take one kind first'):
            call()
    with pytest.raises(TypeError, match='recompute_bbox=False'):
        moved(lambda: mmdet_transforms.RandomCrop((45, 30), recompute_bbox=True), arrays, masks)


def test_kinds_and_measures(arrays):
    masks = by_kind(arrays)
    assert masks.kinds == ('amodal', 'visible')
    assert (len(masks), masks.height, masks.width) == (COUNT, HEIGHT, WIDTH)
    for kind, array in arrays.items():
        np.testing.assert_array_equal(masks.areas[kind], array.sum((1, 2)))
        np.testing.assert_array_equal(masks.kind(kind).to_ndarray(), array)
    assert repr(masks) == ("MasksByKind(kinds=['amodal', 'visible'], num_masks=3, height=40, "
                           'width=60)')
    only = MasksByKind({'amodal': bitmaps(arrays['amodal'])})
    with pytest.raises(KeyError, match=r"'visible' masks were not loaded.*mask_kinds"):
        only.kind('visible')


def test_from_rles_is_the_inverse_of_encoding(arrays):
    masks = MasksByKind.from_rles({kind: rle.encode(a) for kind, a in arrays.items()},
                                  (HEIGHT, WIDTH))
    for kind, array in arrays.items():
        np.testing.assert_array_equal(masks.kind(kind).masks, array)
    empty = MasksByKind.from_rles({'visible': []}, (HEIGHT, WIDTH))
    assert (len(empty), empty.height, empty.width) == (0, HEIGHT, WIDTH)


@pytest.mark.parametrize('index', [1, slice(1, 3), np.array([2, 0]), np.array([True, False, True]),
                                   np.array([], dtype=np.int64), torch.tensor([2, 1])],
                         ids=['int', 'slice', 'order', 'bool', 'none', 'tensor'])
def test_indexing(index, arrays):
    chosen = by_kind(arrays)[index]
    for kind, array in arrays.items():
        np.testing.assert_array_equal(chosen.kind(kind).masks,
                                      array[index].reshape(-1, HEIGHT, WIDTH))


def test_in_instance_data_and_through_pickle(arrays):
    """What a data worker sends to the training process."""
    instances = InstanceData(labels=torch.arange(COUNT), masks=by_kind(arrays))
    chosen = pickle.loads(pickle.dumps(instances))[torch.tensor([2, 0])]
    assert chosen.labels.tolist() == [2, 0]
    for kind, array in arrays.items():
        np.testing.assert_array_equal(chosen.masks.kind(kind).masks, array[[2, 0]])


def test_cat_and_crop_and_resize(arrays):
    masks = by_kind(arrays)
    both = MasksByKind.cat([masks, masks[np.array([1])]])
    boxes, indices = np.array([[5, 5, 25, 20], [0, 0, 60, 40]], np.float32), np.array([0, 2])
    crops = masks.crop_and_resize(boxes, (7, 7), indices)
    for kind, array in arrays.items():
        np.testing.assert_array_equal(both.kind(kind).masks, array[[0, 1, 2, 1]])
        np.testing.assert_array_equal(
            crops.kind(kind).masks, bitmaps(array).crop_and_resize(boxes, (7, 7), indices).masks)


def test_refused_combinations(arrays):
    masks = bitmaps(arrays['amodal'])
    with pytest.raises(ValueError, match=r"must be some of .*got \['modal'\]"):
        MasksByKind({'modal': masks})
    with pytest.raises(ValueError, match='must be some of'):
        MasksByKind({})
    for other in (masks[np.array([0])], masks.pad((HEIGHT, WIDTH + 1))):
        with pytest.raises(ValueError, match='must share one'):
            MasksByKind({'amodal': masks, 'visible': other})


@pytest.fixture
def packed(arrays) -> PackedMasks:
    return PackedMasks.pack(by_kind(arrays))


def test_packed_masks_are_an_eighth_and_come_back_whole(arrays, packed):
    assert packed.bits.numel() == sum(a.size for a in arrays.values()) * 64 / WIDTH / 8
    assert packed.kinds == ('amodal', 'visible')
    assert (len(packed), packed.height, packed.width) == (COUNT, HEIGHT, WIDTH)
    for kind, array in arrays.items():
        masks = packed.unpack(kind)
        assert masks.dtype == torch.bool
        np.testing.assert_array_equal(masks, array)
        np.testing.assert_array_equal(packed[1:].unpack(kind), array[1:])
        np.testing.assert_array_equal(packed[torch.tensor([2, 0])].unpack(kind), array[[2, 0]])
        np.testing.assert_array_equal(packed.select([kind]).unpack(kind), array)
        np.testing.assert_array_equal(packed.pad((50, 70)).unpack(kind),
                                      np.pad(array, ((0, 0), (0, 10), (0, 10))))


def test_packed_masks_without_instances_or_pixels(arrays):
    arrays['visible'][1] = 0
    packed = PackedMasks.pack(by_kind(arrays))
    assert packed.have_pixels().tolist() == [[True, True], [True, False], [True, True]]
    none = packed[:0]
    assert none.unpack('amodal').shape == (0, HEIGHT, WIDTH) and none.have_pixels().shape == (0, 2)
    assert none.pad((50, 70)).unpack('visible').shape == (0, 50, 70)


def test_packed_masks_travel_in_instance_data(arrays, packed):
    """Out of a data worker, onto a device; instances can be chosen and joined."""
    sample = pickle.loads(pickle.dumps(InstanceData(labels=torch.arange(COUNT), masks=packed)))
    moved = sample.to('meta')
    assert moved.masks.bits.device.type == moved.labels.device.type == 'meta'
    both = InstanceData.cat([sample[torch.tensor([True, False, True])], sample[1:2]])
    assert both.labels.tolist() == [0, 2, 1]
    for kind, array in arrays.items():
        np.testing.assert_array_equal(both.masks.unpack(kind), array[[0, 2, 1]])
    with pytest.raises(ValueError, match='must share kinds, height and width'):
        PackedMasks.cat([packed, packed.select(['visible'])])


def test_what_packed_masks_cannot_give(packed):
    with pytest.raises(TypeError, match='leave bits=True out of PackClip'):
        packed.kind('amodal')
    with pytest.raises(KeyError, match=r"'visible' masks were not loaded.*mask_kinds"):
        packed.select(['amodal']).unpack('visible')
