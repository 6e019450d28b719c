"""Draw tracked instances on a frame: visible mask filled, amodal mask outlined."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..structures import rle as rle_ops
from ..structures.rle import RLE
from .contour import contour_lines, stroke
from .palette import Color, text_color, track_color
from .text import blend, draw_text, text_size

_HALO: Color = (12, 12, 16)


@dataclass(slots=True)
class DrawnInstance:
    """One object of one frame as it is drawn.

    Attributes:
        track_id: Identity; picks the colour unless ``color`` is given.
        masks: RLE by mask kind; either kind may be absent.
        label: Class name or any short text; may be empty.
        score: Confidence in [0, 1], or None for truth.
        color: RGB that replaces the colour of the track id.
        filled: Whether the visible mask is filled; else it only decides where the outline is
            dashed.
    """

    track_id: int
    masks: dict[str, RLE]
    label: str = ''
    score: float | None = None
    color: Color | None = None
    filled: bool = True

    @property
    def rgb(self) -> Color:
        """Colour in which the instance is drawn."""
        return self.color or track_color(self.track_id)

    @property
    def caption(self) -> str:
        """Text of the chip: track id, label and score."""
        score = None if self.score is None else f'{self.score:.2f}'
        return ' '.join(part for part in (str(self.track_id), self.label, score) if part)


@dataclass(frozen=True, slots=True)
class DrawStyle:
    """How instances look.

    Attributes:
        fill_opacity: Opacity of the visible mask, in [0, 1].
        line_width: Width of outlines in pixels of the drawing; None fits it to the frame.
        font_size: Height of letters in pixels of the drawing; None fits it to the frame.
        labels: Whether chips with id, class and score are drawn.
    """

    fill_opacity: float = 0.45
    line_width: int | None = None
    font_size: int | None = None
    labels: bool = True


@dataclass(slots=True)
class MaskPatch:
    """The part of a mask that matters: ``mask`` (h, w) uint8 0/1 whose corner is at (x, y)."""

    mask: np.ndarray
    x: int
    y: int

    def crop(self, image: np.ndarray) -> np.ndarray:
        """View of ``image`` under the patch."""
        return image[self.y:self.y + self.mask.shape[0], self.x:self.x + self.mask.shape[1]]


def draw_instances(image: np.ndarray, instances: Sequence[DrawnInstance], *, scale: float = 1.0,
                   style: DrawStyle | None = None) -> np.ndarray:
    """Draw instances on a copy of a frame.

    The visible mask is a translucent fill. The outline is the amodal mask's:
    solid where the object is visible, dashed where it is hidden. An instance
    without amodal mask gets the outline of its visible mask.

    Args:
        image: (H, W, 3) uint8 RGB; not modified.
        instances: Objects with masks of size (H, W); later ones are drawn on top.
        scale: Factor by which the frame is resized before outlines and text are
            drawn, so that those are crisp on small frames.
        style: Widths and opacities; defaults fit the frame.

    Returns:
        (round(scale * H), round(scale * W), 3) uint8 RGB.

    Raises:
        ValueError: The image is not (H, W, 3) uint8, or a mask has another size.
    """
    _check(image, instances)
    style = style or DrawStyle()
    canvas = resize_image(image, scale)
    patches = [_patches(instance, image.shape[:2], canvas.shape[:2]) for instance in instances]
    for instance, by_kind in zip(instances, patches, strict=True):
        if instance.filled and 'visible' in by_kind:
            _fill(canvas, by_kind['visible'], instance.rgb, style.fill_opacity)
    width = style.line_width or _fitted(canvas, 1 / 420, 2)
    for instance, by_kind in zip(instances, patches, strict=True):
        _outline(canvas, by_kind, instance.rgb, width)
    if style.labels:
        _draw_labels(canvas, instances, patches, style.font_size or _fitted(canvas, 1 / 44, 11))
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


def _patches(instance: DrawnInstance, shape: tuple[int, int],
             target: tuple[int, int]) -> dict[str, MaskPatch]:
    """Patches of the annotated kinds in pixels of the drawing; empty masks keep an empty patch."""
    return {kind: _patch(rle, shape, target) for kind, rle in instance.masks.items()}


def _patch(rle: RLE, shape: tuple[int, int], target: tuple[int, int]) -> MaskPatch:
    x0, y0, x1, y1 = (int(side) for side in rle_ops.bboxes([rle])[0])
    if x1 <= x0:
        return MaskPatch(np.zeros((0, 0), np.uint8), 0, 0)
    x0, y0, x1, y1 = max(x0 - 2, 0), max(y0 - 2, 0), min(x1 + 2, shape[1]), min(y1 + 2, shape[0])
    mask = np.ascontiguousarray(rle_ops.decode([rle], shape)[0, y0:y1, x0:x1])
    if shape == target:
        return MaskPatch(mask, x0, y0)
    sx, sy = target[1] / shape[1], target[0] / shape[0]
    left, top = int(x0 * sx), int(y0 * sy)
    size = (int(np.ceil(x1 * sx)) - left, int(np.ceil(y1 * sy)) - top)
    # Pixel centres, as in cv2.resize: source = (target + 0.5) / scale - 0.5.
    to_source = np.array([[1 / sx, 0, (left + 0.5) / sx - 0.5 - x0],
                          [0, 1 / sy, (top + 0.5) / sy - 0.5 - y0]])
    smooth = cv2.GaussianBlur(mask * 255, (0, 0), 0.7) if sx > 1 else mask * 255
    resized = cv2.warpAffine(smooth, to_source, size, borderMode=cv2.BORDER_REPLICATE,
                             flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return MaskPatch((resized > 127).astype(np.uint8), left, top)


def _fill(canvas: np.ndarray, patch: MaskPatch, color: Color, opacity: float) -> None:
    if not patch.mask.any():
        return
    crop = patch.crop(canvas)
    tinted = cv2.addWeighted(crop, 1 - opacity, np.full_like(crop, color), opacity, 0)
    np.copyto(crop, tinted, where=patch.mask[..., None] > 0)


def _outline(canvas: np.ndarray, patches: dict[str, MaskPatch], color: Color, width: int) -> None:
    outer = patches.get('amodal', patches.get('visible'))
    if outer is None or not outer.mask.any():
        return
    shown = outer.mask
    if 'amodal' in patches and 'visible' in patches:
        shown = _moved(patches['visible'], outer)
    lines = contour_lines(outer.mask, shown, (outer.x, outer.y), dash=max(4 * width, 5))
    stroke(canvas, lines, _HALO, width + 2, opacity=0.55)
    stroke(canvas, lines, color, width)


def _moved(patch: MaskPatch, frame: MaskPatch) -> np.ndarray:
    """The mask of ``patch`` in the window of ``frame``."""
    window = np.zeros_like(frame.mask)
    x, y = patch.x - frame.x, patch.y - frame.y
    rows = slice(max(y, 0), max(y + patch.mask.shape[0], 0))
    columns = slice(max(x, 0), max(x + patch.mask.shape[1], 0))
    target = window[rows, columns]
    target[:] = patch.mask[max(-y, 0):, max(-x, 0):][:target.shape[0], :target.shape[1]]
    return window


def _draw_labels(canvas: np.ndarray, instances: Sequence[DrawnInstance],
                 patches: list[dict[str, MaskPatch]], font_size: int) -> None:
    taken: list[tuple[int, int, int, int]] = []
    for instance, by_kind in zip(instances, patches, strict=True):
        patch = by_kind.get('amodal', by_kind.get('visible'))
        if patch is None or not patch.mask.any():
            continue
        width, height = text_size(instance.caption, font_size)
        pad = max(font_size // 4, 2)
        size = (width + 2 * pad, height)
        peak_x, peak_y = _peak(patch)
        wish = (peak_x - size[0] // 2, peak_y - height - 3)
        x, y = _place(size, wish, canvas.shape[:2], taken)
        taken.append((x, y, x + size[0], y + size[1]))
        _chip(canvas, (x, y), size, instance.rgb)
        draw_text(canvas, instance.caption, (x + pad, y), font_size, text_color(instance.rgb))


def _peak(patch: MaskPatch) -> tuple[int, int]:
    """Topmost point (x, y) of the largest connected part, so that specks do not move labels."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(patch.mask)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    top = int(stats[largest, cv2.CC_STAT_TOP])
    return patch.x + int(np.flatnonzero(parts[top] == largest).mean()), patch.y + top


def _place(size: tuple[int, int], wish: tuple[int, int], shape: tuple[int, int],
           taken: list[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Nearest free place below or above the wished one, inside the frame; else the wished one."""
    width, height = size
    x = int(np.clip(wish[0], 0, max(shape[1] - width, 0)))
    lowest = max(shape[0] - height, 0)
    start = int(np.clip(wish[1], 0, lowest))
    offsets = [sign * step * height for step in range(9) for sign in (1, -1)]
    for y in (start + offset for offset in offsets if 0 <= start + offset <= lowest):
        if not any(x < right and left < x + width and y < bottom and top < y + height
                   for left, top, right, bottom in taken):
            return x, y
    return x, start


def _chip(canvas: np.ndarray, corner: tuple[int, int], size: tuple[int, int],
          color: Color) -> None:
    x, y = corner
    crop = canvas[y:y + size[1], x:x + size[0]]
    cover = np.full(crop.shape[:2], 255, np.uint8)
    blend(crop, cover, color, 0.88)
