"""Overlap of the tight boxes of masks, for tracking metrics of boxes."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vatrack.structures import rle

from .similarity import ComparedVideo


def frame_boxes(compared: ComparedVideo,
                tracks: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tight boxes of the masks that were compared.

    Args:
        compared: The video.
        tracks: Per frame, positions of the D tracks in it that are wanted.

    Returns:
        Per frame, xyxy boxes (D, 4) of these tracks and (G, 4) of all truths,
        float64 and continuous: a mask of one pixel has a box of area 1.
    """
    track_masks, truth_masks = [], []
    for index, (frame, wanted) in enumerate(zip(compared.similarity.frames, tracks, strict=True)):
        chosen = [compared.tracks[i] for i in wanted]
        track_masks.append([track.masks[compared.predicted_kind][track.position(index)]
                            for track in chosen])
        truth_masks.append([compared.truths[i].instances[index].masks[compared.kind]
                            for i in frame.truths])
    return list(zip(_boxes(track_masks), _boxes(truth_masks), strict=True))


def box_overlap(boxes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU of D with G xyxy boxes, and the share of each of the D that each of the G covers.

    Returns:
        Two arrays (D, G) float64.
    """
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    areas, other_areas = ((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, others))
    return common / (areas[:, None] + other_areas - common), common / areas[:, None]


def _boxes(masks: Sequence[Sequence[rle.RLE]]) -> list[np.ndarray]:
    flat = rle.bboxes([mask for frame in masks for mask in frame])
    return np.split(flat, np.cumsum([len(frame) for frame in masks]))[:-1]
