"""Formulas that several reference implementations share, written for reading."""
from __future__ import annotations

from math import floor

from torch import Tensor


def tent_sample(plane: Tensor, y: float, x: float) -> float:
    """Bilinear value of a plane (H, W) that is zero outside: sum of pixel * tent * tent."""
    height, width = plane.shape
    return sum(
        float(plane[row, column]) * (1 - abs(y - row)) * (1 - abs(x - column))
        for row in (floor(y), floor(y) + 1) if 0 <= row < height
        for column in (floor(x), floor(x) + 1) if 0 <= column < width)


def box_iou(a: list[float], b: list[float], offset: int = 0) -> float:
    """IoU of two xyxy boxes that are x2 - x1 + offset wide; 0 where both have no area."""
    def area(x1: float, y1: float, x2: float, y2: float) -> float:
        return max(0., x2 - x1 + offset) * max(0., y2 - y1 + offset)

    inter = area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    union = area(*a) + area(*b) - inter
    return inter / union if union else 0.
