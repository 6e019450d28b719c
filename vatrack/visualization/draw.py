"""Draw tracked instances on a frame: what is seen, the full shape, and what is hidden of it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vatrack.structures import MASK_KINDS
from vatrack.structures.rle import bboxes

from .areas import fill, hatch, occluded_part
from .contour import box_lines, contour_lines, stroke
from .labels import Point, draw_labels, mask_anchor
from .patches import EMPTY, MaskPatch, mask_patch
from .style import SHOWN, DrawnInstance, DrawStyle

__all__ = ['SHOWN', 'DrawStyle', 'DrawnInstance', 'draw_instances', 'resize_image']


@dataclass(frozen=True, slots=True)
class _Placed:
    """An instance with its masks, hidden part and xyxy boxes in pixels of the drawing."""

    instance: DrawnInstance
    masks: dict[str, MaskPatch]
    hidden: MaskPatch
    boxes: dict[str, np.ndarray]


def draw_instances(image: np.ndarray, instances: Sequence[DrawnInstance], *, scale: float = 1.0,
                   style: DrawStyle | None = None) -> np.ndarray:
    """Draw instances on a copy of a frame.

    What ``style.show`` names is drawn, each by itself:

    ``'visible'``   a translucent fill of the visible mask; also its outline if
                    there is no amodal mask. ``style.filled_kind`` may fill the
                    amodal mask instead.
    ``'amodal'``    the outline of the amodal mask: solid where the object is
                    visible, dashed where it is hidden.
    ``'occluded'``  diagonal lines where the object is hidden: amodal, but not
                    visible. An object without visible mask has no such part:
                    whether it is hidden is not known.
    ``'boxes'``     thin boxes; the visible one dashed beside an amodal one.
    ``'ids'``, ``'classes'``, ``'scores'``   the parts of a label. On crowded or
                    small frames scores are left out first, then classes.

    Args:
        image: (H, W, 3) uint8 RGB; not modified.
        instances: Objects with masks of size (H, W); later ones are drawn on top.
        scale: Factor by which the frame is resized before outlines and text are
            drawn, so that those are crisp on small frames.
        style: What is shown, widths and opacities; defaults fit the frame.

    Returns:
        (round(scale * H), round(scale * W), 3) uint8 RGB.

    Raises:
        ValueError: The image is not (H, W, 3) uint8, or a mask has another size.
    """
    _check(image, instances)
    style = style or DrawStyle()
    canvas = resize_image(image, scale)
    width = style.line_width or _fitted(canvas, 1 / 420, 1)
    objects = [_placed(instance, image.shape, canvas.shape) for instance in instances]
    for each in objects:
        _fill(canvas, each, style)
    for each in objects:
        _hatch_occluded(canvas, each, style, width)
    for each in objects:
        _draw_outline(canvas, each, style, width)
    if 'boxes' in style.show:
        for each in objects:
            _draw_boxes(canvas, each, max(round(width / 2), 1))
    anchors = {number: anchor for number, each in enumerate(objects) if (anchor := _anchor(each))}
    draw_labels(canvas, [instances[number] for number in anchors], list(anchors.values()),
               style.show, style.font_size or _fitted(canvas, 1 / 50, 10))
    return canvas


def resize_image(image: np.ndarray, scale: float) -> np.ndarray:
    """A copy of ``image`` (H, W, 3), resized by ``scale`` with a filter that suits it."""
    if scale == 1:
        return image.copy()
    size = tuple(max(round(side * scale), 1) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)


def _check(image: np.ndarray, instances: Sequence[DrawnInstance]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}')
    for instance in instances:
        for kind, rle in instance.masks.items():
            if tuple(rle['size']) != image.shape[:2]:
                raise ValueError(
                    f'track {instance.track_id}: its {kind} mask is (H, W) {tuple(rle["size"])}, '
                    f'but the image is {image.shape[:2]}; pass the frame that the mask belongs to')


def _fitted(canvas: np.ndarray, share: float, least: int) -> int:
    height, width = canvas.shape[:2]
    return max(round((height * width)**0.5 * share), least)


def _placed(instance: DrawnInstance, shape: tuple[int, ...], target: tuple[int, ...]) -> _Placed:
    masks = {kind: mask_patch(mask, target[:2]) for kind, mask in instance.masks.items()}
    both = 'amodal' in masks and 'visible' in masks
    boxes = instance.boxes
    if boxes is None:
        boxes = {kind: bboxes([instance.masks[kind]])[0] for kind, patch in masks.items()
                 if not patch.is_empty}
    factor = np.tile(np.array(target[1::-1]) / shape[1::-1], 2)
    return _Placed(instance, masks,
                   occluded_part(masks['amodal'], masks['visible']) if both else EMPTY,
                   {kind: np.asarray(box, float) * factor for kind, box in boxes.items()})


def _fill(canvas: np.ndarray, each: _Placed, style: DrawStyle) -> None:
    kind = style.filled_kind
    if kind in style.show and kind in each.masks and each.instance.filled:
        fill(canvas, each.masks[kind], each.instance.rgb, style.fill_opacity)


def _hatch_occluded(canvas: np.ndarray, each: _Placed, style: DrawStyle, width: int) -> None:
    if 'occluded' in style.show and each.instance.filled:
        hatch(canvas, each.hidden, each.instance.rgb, width, each.instance.track_id)


def _draw_outline(canvas: np.ndarray, each: _Placed, style: DrawStyle, width: int) -> None:
    kind = 'amodal' if 'amodal' in each.masks else 'visible'
    outer = each.masks.get(kind, EMPTY)
    if outer.is_empty or kind not in style.show:
        return
    hidden = None if each.hidden.is_empty else each.hidden.mask
    lines = contour_lines(outer.mask, hidden, (outer.x, outer.y), dash=max(4 * width, 5))
    stroke(canvas, lines, each.instance.rgb, width)


def _draw_boxes(canvas: np.ndarray, each: _Placed, width: int) -> None:
    amodal, visible = each.boxes.get('amodal'), each.boxes.get('visible')
    if amodal is not None:
        stroke(canvas, box_lines(amodal), each.instance.rgb, width)
    if visible is not None and (amodal is None or np.abs(amodal - visible).max() >= 1):
        dash = None if amodal is None else 6 * width
        stroke(canvas, box_lines(visible, dash), each.instance.rgb, width)


def _anchor(each: _Placed) -> Point | None:
    """Where the label goes; None if nothing of the instance is in the frame."""
    for kind in MASK_KINDS:
        if kind in each.masks and not each.masks[kind].is_empty:
            return mask_anchor(each.masks[kind])
    for kind in MASK_KINDS:
        if kind in each.boxes:
            x0, y0, x1, _ = each.boxes[kind]
            return round((x0 + x1) / 2), round(y0)
    return None
