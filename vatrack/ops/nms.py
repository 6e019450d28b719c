"""Non-maximum suppression: hard by torchvision, soft in plain PyTorch.

RPN and box heads of mmdet call both through ``batched_nms``, which moves the boxes of different
classes apart before.
"""
from __future__ import annotations

import torch
import torchvision
from torch import Tensor

from .precision import to_compute_dtype

_LINEAR, _GAUSSIAN = 1, 2


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy suppression of boxes that overlap a higher-scoring one.

    Args:
        boxes: (N, 4) floating, xyxy.
        scores: (N,) floating.
        iou_threshold: boxes whose IoU with a kept one is above it are dropped.
        offset: 0 or 1; a box is ``x2 - x1 + offset`` wide.

    Returns:
        (K,) int64 indices of the kept boxes, by falling score.
    """
    boxes, scores = to_compute_dtype(boxes, scores)
    # torchvision compares float32 IoUs with a double, mmcv with a float32. An IoU of 0.6 is
    # 0.60000002 in float32 and would exceed a double of 0.6; rounded alike they are equal.
    threshold = torch.tensor(iou_threshold, dtype=torch.float32).item()
    return torchvision.ops.nms(_widened(boxes, offset), scores, threshold)


def softnms(boxes: Tensor, scores: Tensor, dets: Tensor, iou_threshold: float, sigma: float,
            min_score: float, method: int, offset: int) -> Tensor:
    """Decay the scores of boxes that overlap a higher-scoring one (Bodla et al., Soft-NMS, 2017).

    Args:
        boxes: (N, 4) floating, xyxy.
        scores: (N,) floating.
        dets: (N, 5), receives the K kept boxes with their decayed scores in its first rows.
        iou_threshold: IoU from which the naive and the linear method decay.
        sigma: variance of the Gaussian method.
        min_score: a box whose score falls below it is dropped; the best box always stays.
        method: 0 naive (score to 0), 1 linear (times 1 - IoU), 2 Gaussian (times
            ``exp(-IoU^2 / sigma)``).
        offset: 0 or 1; a box is ``x2 - x1 + offset`` wide.

    Returns:
        (K,) int64 indices of the kept boxes, by falling decayed score.
    """
    # One box after the other, because each decay may change which is the next. mmcv brings the
    # tensors to the CPU before, so no step waits for a device.
    boxes, scores = to_compute_dtype(boxes, scores)
    extents = _widened(boxes, offset)
    alive = torch.arange(len(boxes), device=boxes.device)
    kept, kept_scores = [], []
    while len(alive):
        best = scores.argmax()
        kept.append(alive[best])
        kept_scores.append(scores[best])
        # Boxes without area have a NaN IoU: they overlap nothing.
        ious = torchvision.ops.box_iou(extents[kept[-1], None], extents[alive])[0].nan_to_num(0.)
        scores = scores * _decay(ious, iou_threshold, sigma, method)
        stays = scores >= min_score
        # It is kept already; its overlap with itself is no reason to look at it again.
        stays[best] = False
        alive, scores = alive[stays], scores[stays]
    if not kept:
        return alive
    indices = torch.stack(kept)
    dets[:len(kept)] = torch.cat([boxes[indices], torch.stack(kept_scores)[:, None]], dim=1)
    return indices


def _widened(boxes: Tensor, offset: int) -> Tensor:
    """Boxes (N, 4) whose plain width and height are those that mmcv's offset means.

    Intersections are right as well: min(x2 + o, x2' + o) - max(x1, x1') is
    min(x2, x2') - max(x1, x1') + o, which is mmcv's.
    """
    return torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)


def _decay(ious: Tensor, iou_threshold: float, sigma: float, method: int) -> Tensor:
    if method == _GAUSSIAN:
        return torch.exp(-ious ** 2 / sigma)
    overlapped = 1 - ious if method == _LINEAR else torch.zeros_like(ious)
    return torch.where(ious >= iou_threshold, overlapped, 1.)
