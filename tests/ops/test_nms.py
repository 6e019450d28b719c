from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms, soft_nms
from ops_reference import box_iou
from torch import Tensor


def greedy_nms(boxes: Tensor, scores: Tensor, threshold: float, offset: int) -> list[int]:
    kept: list[int] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        box = boxes[index].tolist()
        if all(box_iou(box, boxes[other].tolist(), offset) <= threshold for other in kept):
            kept.append(index)
    return kept


def decay(iou: float, threshold: float, sigma: float, method: str) -> float:
    if method == 'gaussian':
        return exp(-iou * iou / sigma)
    if iou < threshold:
        return 1.
    return 0. if method == 'naive' else 1 - iou


def paper_soft_nms(boxes: Tensor, scores: Tensor, threshold: float, sigma: float,
                   min_score: float, method: str, offset: int) -> tuple[list[int], list[float]]:
    """Soft-NMS, figure 2 of the paper; boxes that fall below min_score leave."""
    left = dict(enumerate(scores.tolist()))
    kept, kept_scores = [], []
    while left:
        best = max(left, key=lambda index: left[index])
        kept.append(best)
        kept_scores.append(left.pop(best))
        for index in list(left):
            iou = box_iou(boxes[best].tolist(), boxes[index].tolist(), offset)
            left[index] *= decay(iou, threshold, sigma, method)
            if left[index] < min_score:
                del left[index]
    return kept, kept_scores


def crowd(rng: torch.Generator, count: int = 40) -> tuple[Tensor, Tensor]:
    corners = torch.rand(count, 2, generator=rng) * 4
    boxes = torch.cat([corners, corners + 4 + 4 * torch.rand(count, 2, generator=rng)], dim=1)
    return boxes, torch.rand(count, generator=rng)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.7])
def test_nms_is_greedy(threshold: float, offset: int, rng: torch.Generator,
                       device: torch.device) -> None:
    boxes, scores = crowd(rng)
    dets, kept = nms(boxes.to(device), scores.to(device), threshold, offset=offset)
    expected = greedy_nms(boxes, scores, threshold, offset)
    assert 1 < len(expected) < len(boxes)
    assert kept.dtype == torch.int64 and kept.tolist() == expected
    torch.testing.assert_close(dets.cpu(), torch.cat([boxes, scores[:, None]], 1)[expected])


def test_nms_offset_counts_pixels() -> None:
    boxes = torch.tensor([[0., 0., 9., 9.], [0., 0., 9., 4.]])   # IoU 4/9, or 50/100 with offset
    scores = torch.tensor([.9, .8])
    assert nms(boxes, scores, 0.47, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes, scores, 0.47, offset=1)[1].tolist() == [0]


def test_nms_keeps_an_iou_equal_to_the_threshold(device: torch.device) -> None:
    boxes = torch.tensor([[0., 0., 10., 10.], [0., 0., 10., 6.]], device=device)
    assert len(nms(boxes, torch.tensor([.9, .8], device=device), 0.6)[1]) == 2


def test_nms_filters_and_limits(rng: torch.Generator) -> None:
    boxes, scores = crowd(rng)
    _, kept = nms(boxes, scores, 0.5, score_threshold=0.3, max_num=4)
    valid = (scores > 0.3).nonzero()[:, 0]
    assert kept.tolist() == valid[greedy_nms(boxes[valid], scores[valid], 0.5, 0)][:4].tolist()


def test_nms_of_numpy_arrays(rng: torch.Generator) -> None:
    boxes, scores = crowd(rng)
    dets, kept = nms(boxes.numpy(), scores.numpy(), 0.5)
    assert isinstance(dets, np.ndarray) and kept.tolist() == greedy_nms(boxes, scores, 0.5, 0)


def test_batched_nms_keeps_classes_apart(rng: torch.Generator) -> None:
    boxes, scores = crowd(rng)
    labels = torch.arange(len(boxes)) % 3
    dets, kept = batched_nms(boxes, scores, labels, dict(type='nms', iou_threshold=0.5))
    members = [(labels == label).nonzero()[:, 0] for label in range(3)]
    expected = torch.cat([
        index[greedy_nms(boxes[index], scores[index], 0.5, 0)] for index in members])
    assert sorted(kept.tolist()) == sorted(expected.tolist())
    assert dets[:, 4].tolist() == sorted(scores[expected].tolist(), reverse=True)


@pytest.mark.parametrize('nms_type', ['nms', 'soft_nms'])
def test_no_boxes(nms_type: str, device: torch.device) -> None:
    boxes, scores = torch.zeros(0, 4, device=device), torch.zeros(0, device=device)
    dets, kept = {'nms': nms, 'soft_nms': soft_nms}[nms_type](boxes, scores, 0.5)
    assert dets.shape == (0, 5) and kept.shape == (0,) and kept.dtype == torch.int64


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_nms_of_other_dtypes(dtype: torch.dtype, rng: torch.Generator,
                             device: torch.device) -> None:
    boxes, scores = (tensor.to(dtype) for tensor in crowd(rng))
    dets, kept = nms(boxes.to(device), scores.to(device), 0.5)
    assert dets.dtype == dtype
    assert kept.tolist() == greedy_nms(boxes, scores, 0.5, 0)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('min_score', [1e-3, 0.3])
def test_soft_nms_follows_the_paper(method: str, offset: int, min_score: float,
                                    rng: torch.Generator, device: torch.device) -> None:
    boxes, scores = crowd(rng)
    dets, kept = soft_nms(boxes.to(device), scores.to(device), 0.3, 0.5, min_score, method, offset)
    expected, decayed = paper_soft_nms(boxes, scores, 0.3, 0.5, min_score, method, offset)
    assert kept.tolist() == expected
    torch.testing.assert_close(dets[:, :4].cpu(), boxes[expected])
    torch.testing.assert_close(dets[:, 4].cpu(), torch.tensor(decayed))


def test_naive_soft_nms_is_nms(rng: torch.Generator) -> None:
    boxes, scores = crowd(rng)
    assert (soft_nms(boxes, scores, 0.5, method='naive')[1].tolist()
            == nms(boxes, scores, 0.5)[1].tolist())


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_of_boxes_without_area(method: str) -> None:
    dets, kept = soft_nms(torch.tensor([[1., 1., 1., 1.]] * 3), torch.tensor([.5, .9, 0.]),
                          method=method)
    assert kept.tolist() == [1, 0]
    assert dets[:, 4].tolist() == pytest.approx([.9, .5])


def test_soft_nms_returns_the_dtype_given(rng: torch.Generator) -> None:
    boxes, scores = crowd(rng)
    dets, kept = soft_nms(boxes.bfloat16(), scores.bfloat16())
    assert dets.dtype == torch.bfloat16 and len(dets) == len(kept)
