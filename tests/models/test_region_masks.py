from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.structures.mask import BitmapMasks, mask_target
from mmengine.config import ConfigDict
from pycocotools import mask as coco_mask
from torch import Tensor

from vatrack.models.detectors import region_masks
from vatrack.models.detectors.region_masks import crop_mask_targets, paste_masks
from vatrack.structures import rle
from vatrack.structures.by_kind import MasksByKind

SHAPE = HEIGHT, WIDTH = 45, 70
KINDS = ('visible', 'amodal')
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')


def random_boxes(count: int, rng: torch.Generator, margin: float = 0.) -> Tensor:
    """Boxes of any size from 0.3 pixels on, up to ``margin`` beyond the frame."""
    corner = torch.rand(count, 2, generator=rng) * torch.tensor([WIDTH, HEIGHT])
    size = 0.3 + torch.rand(count, 2, generator=rng) ** 3 * 60
    end = torch.minimum(corner + size, torch.tensor([WIDTH, HEIGHT]) + margin)
    return torch.cat([corner - torch.rand(count, 2, generator=rng) * margin, end], dim=1)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def masks() -> MasksByKind:
    """Blobs; the visible kind lacks a part."""
    random = np.random.default_rng(0)
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    amodal = np.stack([((ys - y) / a) ** 2 + ((xs - x) / b) ** 2 <= 1 for y, x, a, b in zip(
        random.uniform(5, 40, 6), random.uniform(5, 65, 6), random.uniform(3, 20, 6),
        random.uniform(3, 30, 6), strict=True)]).astype(np.uint8)
    return MasksByKind({'amodal': BitmapMasks(amodal, *SHAPE),
                        'visible': BitmapMasks(amodal * (xs % 17 > 5).astype(np.uint8), *SHAPE)})


@pytest.mark.parametrize('size', [(28, 28), (14, 14), (7, 9)])
def test_targets_equal_mmdets(size, masks, rng):
    boxes = random_boxes(50, rng)
    boxes[0] = torch.tensor([0, 0, WIDTH, HEIGHT])
    boxes[1, 2:] = torch.tensor([WIDTH, HEIGHT])
    instances = torch.randint(6, (50,), generator=rng)
    targets = crop_mask_targets(masks, KINDS, boxes, instances, size)
    assert targets.shape == (50, 2, *size) and targets.dtype == torch.float32
    for i, kind in enumerate(KINDS):
        expected = mask_target([boxes], [instances], [masks.kind(kind)],
                               ConfigDict(mask_size=size))
        assert torch.equal(targets[:, i], expected)
        assert 0 < expected.mean() < 1
    assert (targets[:, 0] <= targets[:, 1]).all()


def test_targets_follow_the_order_of_the_kinds(masks, rng):
    boxes, instances = random_boxes(9, rng), torch.arange(9) % 6
    both = crop_mask_targets(masks, KINDS, boxes, instances, (14, 14))
    swapped = crop_mask_targets(masks, KINDS[::-1], boxes, instances, (14, 14))
    assert torch.equal(both, swapped.flip(1)) and not torch.equal(both, swapped)
    only = crop_mask_targets(masks, ['amodal'], boxes, instances, (14, 14))
    assert torch.equal(only[:, 0], both[:, 1])


def test_targets_of_no_regions(masks):
    none = torch.zeros(0, dtype=torch.int64)
    for given in (masks, masks[np.zeros(0, np.int64)]):
        targets = crop_mask_targets(given, KINDS, torch.zeros(0, 4), none, (28, 28))
        assert targets.shape == (0, 2, 28, 28)


def test_targets_of_half_precision_regions(masks, rng):
    """Under autocast; the boxes of regions stay as they are."""
    boxes = random_boxes(9, rng).round()
    instances = torch.arange(9) % 6
    with torch.autocast('cpu', torch.bfloat16):
        targets = crop_mask_targets(masks, KINDS, boxes, instances, (28, 28))
    assert torch.equal(targets, crop_mask_targets(masks, KINDS, boxes, instances, (28, 28)))


def by_mmdet(logits: Tensor, boxes: Tensor, threshold: float) -> list[dict]:
    head = FCNMaskHead(num_convs=0, in_channels=1, num_classes=1)
    pasted = head._predict_by_feat_single(
        logits[:, None], boxes.clone(), torch.zeros(len(boxes), dtype=torch.int64),
        dict(scale_factor=(1, 1), ori_shape=SHAPE), ConfigDict(mask_thr_binary=threshold),
        rescale=True)
    fortran = np.asfortranarray(pasted.numpy().transpose(1, 2, 0).astype(np.uint8))
    return [{'size': list(r['size']), 'counts': r['counts'].decode()}
            for r in coco_mask.encode(fortran)]


# Logits: constant ones fill the box, random ones give holes and several parts.
CONTENTS = {
    'full': lambda n, rng: torch.full((n, 28, 28), 9.),
    'noise': lambda n, rng: torch.randn(n, 28, 28, generator=rng),
    'smooth': lambda n, rng: torch.randn(n, 3, 3, generator=rng) * 4,
    'empty': lambda n, rng: torch.full((n, 28, 28), -9.),
}
BOXES = {
    'inside': lambda rng: random_boxes(40, rng),
    'partly outside': lambda rng: random_boxes(40, rng, margin=25.),
    'tiny': lambda rng: (torch.rand(30, 2, generator=rng) * 40).repeat(1, 2)
    + torch.rand(30, 4, generator=rng) * torch.tensor([0, 0, 1, 1]),
    'whole frame': lambda rng: torch.tensor([[0., 0., WIDTH, HEIGHT], [-9., -9., 99., 99.]]),
    'full height': lambda rng: torch.tensor([
        [3., 0., 9., HEIGHT], [0., -5., 9., 60.], [60., 0., WIDTH, HEIGHT], [2.5, -.5, 4.5, 46.]]),
    'head of a column': lambda rng: torch.tensor([[5., 0., 20., 9.], [0., 0., 1., 1.]]),
    'foot of a column': lambda rng: torch.tensor([[5., 30., 20., 45.], [69., 44., 70., 45.]]),
}


@pytest.mark.parametrize('threshold', [.5, .3])
@pytest.mark.parametrize('content', CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize('boxes', BOXES.values(), ids=BOXES)
def test_pasting_equals_mmdet_and_pycocotools(boxes, content, threshold, rng):
    boxes = boxes(rng)
    logits = content(len(boxes), rng)
    expected = by_mmdet(logits, boxes, threshold)
    assert paste_masks(logits.sigmoid(), boxes, SHAPE, threshold) == expected
    if threshold >= .5:  # below, a mask reaches out of its box, and mmdet cuts it off on a CPU
        # As on a GPU: all at once, in one window.
        assert region_masks._paste(logits.sigmoid(), boxes, SHAPE, threshold) == expected


@pytest.mark.parametrize('share', [0., .02, .5, .98, 1.])
@pytest.mark.parametrize('window', [
    (0, 0, WIDTH, HEIGHT), (3, 0, 40, HEIGHT), (0, 4, 9, 30), (60, 40, WIDTH, HEIGHT),
    (5, 0, 6, 20), (7, 7, 7, 20), (0, HEIGHT, WIDTH, HEIGHT)])
def test_encoding_equals_pycocotools(window, share, rng):
    x0, y0, x1, y1 = window
    masks = torch.rand(7, y1 - y0, x1 - x0, generator=rng) < share
    masks[2] = False
    frames = np.zeros((7, *SHAPE), np.uint8)
    frames[:, y0:y1, x0:x1] = masks
    assert rle.encode_windows(masks, x0, y0, SHAPE) == rle.encode(frames)


def test_the_scenes_are_not_trivial(rng):
    """A wrong seam between columns, a first or a last pixel would show."""
    boxes = torch.cat([BOXES['whole frame'](rng), BOXES['full height'](rng)])
    full = paste_masks(torch.ones(len(boxes), 28, 28), boxes, SHAPE, .5)
    assert [len(rle.decode([r], SHAPE).nonzero()[0]) for r in full][:2] == [HEIGHT * WIDTH] * 2
    assert full[0] == {'size': list(SHAPE), 'counts': coco_mask.encode(
        np.ones(SHAPE, np.uint8, order='F'))['counts'].decode()}
    assert rle.areas(full).tolist()[2] == 6 * HEIGHT


@pytest.mark.parametrize('box', [
    [-30., 5., -10., 20.], [90., 5., 120., 20.], [5., -40., 20., -10.], [5., 60., 20., 90.]])
def test_boxes_outside_the_frame_give_empty_masks(box):
    for paste in (paste_masks, region_masks._paste):
        result = paste(torch.ones(2, 28, 28), torch.tensor([box, [2., 2., 8., 9.]]), SHAPE, .5)
        assert rle.areas(result).tolist() == [0, 42]
    alone = paste_masks(torch.ones(1, 28, 28), torch.tensor([box]), SHAPE, .5)
    assert alone == rle.encode(np.zeros((1, *SHAPE)))


@pytest.mark.parametrize('box', [[8., 8., 8., 8.], [8.5, 8., 8.5, 20.], [8.5, 8.5, 8.5, 8.5]])
def test_boxes_without_area_do_not_spread(box):
    result, = paste_masks(torch.ones(1, 28, 28), torch.tensor([box]), SHAPE, .5)
    assert rle.areas([result])[0] <= 12


def test_no_masks():
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), SHAPE, .5) == []


def test_half_precision_probabilities(rng):
    boxes, probabilities = random_boxes(8, rng), torch.rand(8, 28, 28, generator=rng).bfloat16()
    assert (paste_masks(probabilities, boxes, SHAPE, .5)
            == paste_masks(probabilities.float(), boxes, SHAPE, .5))


@pytest.mark.gpu
@CUDA
@pytest.mark.parametrize('pixels', [1, 3 * HEIGHT * WIDTH, 1 << 26])
def test_pasting_on_a_gpu(pixels, rng, monkeypatch):
    monkeypatch.setattr(region_masks, '_PASTE_PIXELS', pixels)
    boxes = random_boxes(40, rng, margin=25.)
    probabilities = CONTENTS['smooth'](40, rng).sigmoid()
    expected = rle.decode(paste_masks(probabilities, boxes, SHAPE, .5), SHAPE)
    found = rle.decode(paste_masks(probabilities.cuda(), boxes.cuda(), SHAPE, .5), SHAPE)
    assert (found != expected).mean() < 1e-4


@pytest.mark.gpu
@CUDA
def test_targets_on_a_gpu(masks, rng):
    boxes, instances = random_boxes(50, rng), torch.randint(6, (50,), generator=rng)
    targets = crop_mask_targets(masks, KINDS, boxes.cuda(), instances.cuda(), (28, 28))
    expected = crop_mask_targets(masks, KINDS, boxes, instances, (28, 28))
    assert targets.is_cuda and (targets.cpu() != expected).float().mean() < 1e-3
