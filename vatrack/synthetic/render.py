"""Drawing a scene: frames and exact masks."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from .scene import Identity, Scene, SceneConfig, Thing, build_scene
from .scene_flow import scene_flow
from .textures import SKIN_REACH

#: An object with fewer amodal pixels in the frame is left out of picture and annotation.
MIN_AREA = 16

_SUPERSAMPLING = 4
_SUBPIXEL_BITS = 4


@dataclass(slots=True)
class Patch:
    """A thing drawn into its window.

    Attributes:
        rows: Rows of the canvas that the window covers.
        columns: Columns of the canvas that the window covers.
        coverage: (h, w) float32, share of each pixel that the thing covers.
        soft: (h, w) float32, blurred coverage.
        shades: (h, w, 3) float32 RGB.
    """

    rows: slice
    columns: slice
    coverage: np.ndarray
    soft: np.ndarray
    shades: np.ndarray


@dataclass(slots=True)
class DrawnFrame:
    """A frame and its truth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        identities: The N objects that are in the frame, from back to front.
        amodal: (N, H, W) bool, full silhouettes clipped to the frame.
        visible: (N, H, W) bool, what nothing in front covers.
        flow: If asked for, the exact flow by direction, (H, W, 2) float32 in pixels, as
            :mod:`vatrack.flow` describes it; none to where the video has no frame.
    """

    image: np.ndarray
    identities: list[Identity]
    amodal: np.ndarray
    visible: np.ndarray
    flow: dict[str, np.ndarray] = field(default_factory=dict)


def draw_scene(config: SceneConfig, split: str, index: int,
               flow: bool = False) -> Iterator[DrawnFrame]:
    """Draw video ``index`` of a split, frame by frame, with its exact flow if wanted."""
    scene = build_scene(config, split, index)
    for time in range(config.num_frames):
        yield draw_frame(scene, time, flow)


def draw_frame(scene: Scene, time: int, flow: bool = False) -> DrawnFrame:
    """Draw frame ``time`` of a scene, with its exact flow if wanted.

    A pixel belongs to a thing if the thing covers at least half of it.
    """
    width, height = scene.config.width, scene.config.height
    margin = max(2, round(6 * scene.config.unit))
    canvas_size = (width + 2 * margin, height + 2 * margin)
    inner = (slice(margin, margin + height), slice(margin, margin + width))
    canvas = scene.backdrop.picture(time, *canvas_size)
    owner = np.zeros(canvas.shape[:2], dtype=np.uint16)
    identities: list[Identity] = []
    numbers: list[int] = []
    amodal: list[np.ndarray] = []
    for number, thing in enumerate(scene.things, start=1):
        patch = draw_thing(thing, time, canvas_size, margin)
        if patch is None:
            continue
        mask = np.zeros(owner.shape, dtype=bool)
        mask[patch.rows, patch.columns] = patch.coverage >= 0.5
        if thing.identity is not None:
            if mask[inner].sum() < MIN_AREA:
                continue
            identities.append(thing.identity)
            numbers.append(number)
            amodal.append(mask[inner])
        owner[mask] = number
        _lay(canvas, patch)
    canvas = canvas[inner] * scene.backdrop.light(time, width, height)
    visible = owner[inner] == np.array(numbers, dtype=np.uint16).reshape(-1, 1, 1)
    full = np.stack(amodal) if amodal else np.zeros((0, height, width), dtype=bool)
    fields = {direction: scene_flow(scene, owner[inner], time, to_time)
              for direction, to_time in (('forward', time + 1), ('backward', time - 1))
              if flow and 0 <= to_time < scene.config.num_frames}
    return DrawnFrame(np.clip(canvas, 0, 255).astype(np.uint8), identities, full, visible, fields)


def _lay(canvas: np.ndarray, patch: Patch) -> None:
    """Lay a patch on the canvas, in place, with a soft shadow around it."""
    under = canvas[patch.rows, patch.columns]
    under *= (1 - 0.3 * patch.soft)[..., None]
    under += (patch.shades - under) * patch.coverage[..., None]


def draw_thing(thing: Thing, time: float, canvas_size: tuple[int, int],
               margin: int) -> Patch | None:
    """Draw one thing, or None if it is out of the canvas.

    Args:
        thing: What to draw.
        time: Time in frames.
        canvas_size: Width and height of the canvas in pixels.
        margin: Pixels of the canvas outside each side of the frame.
    """
    pose = thing.pose(time)
    polygons = [pose.to_pixels(polygon) + margin for polygon in thing.outline(time)]
    points = np.concatenate(polygons)
    radius = max(1, round(0.16 * min(thing.size, 40)))
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 2 * radius, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2 * radius, canvas_size)
    width, height = (int(side) for side in high - low)
    if width <= 0 or height <= 0:
        return None
    coverage = _coverage([polygon - low for polygon in polygons], width, height)
    x = np.arange(width, dtype=np.float32) + (low[0] - margin + 0.5)
    y = np.arange(height, dtype=np.float32)[:, None] + (low[1] - margin + 0.5)
    scale = thing.skin.shape[0] / (2 * SKIN_REACH)
    u, v = (((own + SKIN_REACH) * scale - 0.5).astype(np.float32) for own in pose.to_own(x, y))
    shades = cv2.remap(thing.skin, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    box = (2 * radius + 1, 2 * radius + 1)
    soft = cv2.blur(cv2.blur(coverage, box), box)
    shades *= _shading(soft, radius)[..., None]
    rows, columns = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
    return Patch(rows, columns, coverage, soft, shades)


def _coverage(polygons: list[np.ndarray], width: int, height: int) -> np.ndarray:
    """Share of each pixel that the union of polygons covers: (height, width) float32."""
    fine = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), dtype=np.uint8)
    for polygon in polygons:
        corners = np.rint((polygon * _SUPERSAMPLING - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(fine, [corners], 255, shift=_SUBPIXEL_BITS)
    coarse = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return coarse.astype(np.float32) / 255


def _shading(soft: np.ndarray, radius: int) -> np.ndarray:
    """Brightness of a rounded body lit from the upper left: (h, w) float32 around 1."""
    slope_x = cv2.Sobel(soft, cv2.CV_32F, 1, 0)
    slope_y = cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    relief = (0.45 * slope_x + 0.9 * slope_y) * (radius / 4)
    return np.clip(0.72 + 0.34 * soft + 0.75 * relief, 0.4, 1.7)
