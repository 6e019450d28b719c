"""BOR: how much the boxes of a frame overlap (OVIS, Qi et al., IJCV 2022, Eq. 1)."""
from __future__ import annotations

import numpy as np

from vatrack.structures import Frame, Video


def box_overlap_rate(boxes: np.ndarray, size: tuple[int, int]) -> float | None:
    """Area covered by two boxes or more, over area covered by any.

    Exact: the frame is cut at the sides of all boxes, and each piece is
    counted once.

    Args:
        boxes: (N, 4) xyxy in pixels, continuous; clipped to the frame.
        size: Width and height of the frame.

    Returns:
        Fraction in [0, 1]; None if no box has an area.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 4).clip(0, [*size, *size])
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    if not len(boxes):
        return None
    widths, in_columns = _pieces(boxes[:, 0], boxes[:, 2])
    heights, in_rows = _pieces(boxes[:, 1], boxes[:, 3])
    cover = in_rows.T @ in_columns
    areas = heights[:, None] * widths
    return float(areas[cover >= 2].sum() / areas[cover >= 1].sum())


def frame_bor(video: Video, frame: Frame, kind: str = 'visible') -> float | None:
    """BOR of the boxes of a kind in a frame, without crowd; None if there is none."""
    boxes = [instance.bboxes[kind] for instance in frame.instances
             if kind in instance.bboxes and not instance.iscrowd]
    return box_overlap_rate(np.array(boxes), (video.width, video.height))


def _pieces(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (P,) of the pieces between all ends of N intervals, and who covers them (N, P)."""
    ends = np.unique(np.concatenate([low, high]))
    starts = ends[:-1]
    return np.diff(ends), ((starts >= low[:, None]) & (starts < high[:, None])).astype(np.int64)
