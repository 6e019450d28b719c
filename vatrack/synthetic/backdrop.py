"""The backdrop: water, ridges and sand behind everything, and the light on it."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .textures import Colour, blend, colour, noise, step

#: Hue, saturation and value of the water near the surface and in the depth, hue of the sand.
_MOODS = (
    ((0.50, 0.45, 0.85), (0.56, 0.75, 0.45), 0.12),
    ((0.54, 0.55, 0.75), (0.62, 0.75, 0.35), 0.10),
    ((0.44, 0.40, 0.75), (0.50, 0.65, 0.35), 0.15),
    ((0.60, 0.40, 0.80), (0.72, 0.55, 0.40), 0.07),
    ((0.11, 0.35, 0.85), (0.95, 0.35, 0.45), 0.08),
    ((0.30, 0.30, 0.75), (0.42, 0.55, 0.35), 0.13),
)


@dataclass(slots=True)
class Backdrop:
    """Layers of the backdrop and the movement of camera and light.

    Attributes:
        layers: (h, w, 3) float32 RGB images from far to near, larger than the frame.
        shares: (h, w) float32 opacity of each.
        parallax: Share of the camera's movement that each layer shows.
        water: (3,) RGB in which the distance drowns.
        pan: (2,) amplitude of the camera in pixels.
        pan_pace: (2,) radians per frame.
        pan_phase: (2,) radians.
        ripples: Two smooth tiles whose meeting makes the caustics.
        beams: (w,) brightness of the sunbeams along the surface.
        drift: (2, 2) movement of the ripples, pixels per frame.
        flicker: Amplitude, radians per frame and phase of the illumination.
    """

    layers: list[np.ndarray]
    shares: list[np.ndarray]
    parallax: list[float]
    water: Colour
    pan: np.ndarray
    pan_pace: np.ndarray
    pan_phase: np.ndarray
    ripples: np.ndarray
    beams: np.ndarray
    drift: np.ndarray
    flicker: tuple[float, float, float]

    def _shift(self, time: float) -> np.ndarray:
        """How far the camera has moved what is nearest: (2,) pixels."""
        return self.pan * (np.sin(self.pan_pace * time + self.pan_phase) - np.sin(self.pan_phase))

    def picture(self, time: float, width: int, height: int) -> np.ndarray:
        """Backdrop at a time around the frame's centre: (height, width, 3) float32 RGB."""
        picture = None
        for layer, share, parallax in zip(self.layers, self.shares, self.parallax, strict=True):
            centre = self._centre(layer, parallax, time)
            over = cv2.getRectSubPix(layer, (width, height), tuple(centre))
            if picture is None:
                picture = over
                continue
            opacity = cv2.getRectSubPix(share, (width, height), tuple(centre))
            picture = cv2.blendLinear(picture, over, 1 - opacity, opacity)
        return picture

    def _centre(self, layer: np.ndarray, parallax: float, time: float) -> np.ndarray:
        """The point of a layer that is in the middle of the frame: (2,) x, y."""
        return np.array(layer.shape[1::-1]) / 2 - 0.5 - parallax * self._shift(time)

    def flow(self, time: float, to_time: float, width: int, height: int) -> np.ndarray:
        """How far each pixel moves between two times: (height, width, 2) float32 pixels.

        A pixel moves with the nearest layer that covers at least half of it.
        """
        field = np.empty((height, width, 2), dtype=np.float32)
        move = self._shift(to_time) - self._shift(time)
        for layer, share, parallax in zip(self.layers, self.shares, self.parallax, strict=True):
            centre = self._centre(layer, parallax, time)
            field[cv2.getRectSubPix(share, (width, height), tuple(centre)) >= 0.5] = parallax * move
        return field

    def light(self, time: float, width: int, height: int) -> np.ndarray:
        """Brightness at a time: (height, width, 1) float32 around 1."""
        half = (-(-width // 2), -(-height // 2))
        tiles = [_moved(tile, move * time / 2, half)
                 for tile, move in zip(self.ripples, self.drift, strict=True)]
        ridge = 1 - np.abs(tiles[0] + tiles[1])
        caustics = np.clip(ridge, 0, 1)**4
        rows = np.linspace(0, 1, half[1], dtype=np.float32)[:, None]
        offset = (np.arange(half[0]) + 0.45 * half[1] * (1 - rows) + 0.2 * time).astype(np.float32)
        period = len(self.beams) - 1
        mirrored = np.abs((offset + period) % (2 * period) - period)
        beams = np.interp(mirrored, np.arange(period + 1), self.beams)
        strength, pace, phase = self.flicker
        light = (0.9 + 0.3 * caustics * rows + 0.3 * beams * (1 - 0.8 * rows)
                 + strength * np.sin(pace * time + phase)).astype(np.float32)
        return cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]


def _moved(tile: np.ndarray, shift: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A window of an endless, mirrored tile, moved by ``shift`` pixels."""
    move = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(tile, move, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REFLECT)


def build_backdrop(width: int, height: int, rng: np.random.Generator) -> Backdrop:
    """Paint a backdrop for frames of ``width`` x ``height`` pixels."""
    top, deep, sand_hue = _MOODS[rng.integers(len(_MOODS))]
    hue = rng.normal(0, 0.015)
    top, deep = (colour(h + hue, s, v * rng.uniform(0.9, 1.1)) for h, s, v in (top, deep))
    water = 0.55 * top + 0.45 * deep
    pan = np.array([width * rng.uniform(0.06, 0.16), height * rng.uniform(0.0, 0.03)])
    margin = np.ceil(2.2 * pan + 0.06 * height + 4).astype(int)
    wide, high = width + 2 * int(margin[0]), height + 2 * int(margin[1])
    down = np.linspace(0, 1, high, dtype=np.float32)[:, None]
    cloud = noise(rng, high, wide, height / 3, 4)
    far = blend(np.broadcast_to(top, (high, wide, 3)), deep, np.clip(down + 0.25 * cloud, 0, 1))
    layers, shares = [far], [np.ones((high, wide), np.float32)]
    for horizon, nearness in ((0.62, 0.35), (0.74, 0.65)):
        tone = water * (0.75 - 0.35 * nearness) + deep * 0.2
        layers.append(_rugged(tone, cloud, rng, 0.3))
        shares.append(_ridge(high, wide, horizon + rng.uniform(-0.08, 0.08), 0.16, rng))
    sand = colour(sand_hue, rng.uniform(0.25, 0.45), rng.uniform(0.55, 0.8))
    layers.append(_rugged(0.7 * sand + 0.3 * water, cloud, rng, 0.22))
    shares.append(_ridge(high, wide, rng.uniform(0.82, 0.93), 0.04, rng))
    tile = (max(height, 64), max(width, 64))
    ripples = np.stack([noise(rng, *tile, height / 7, 2) for _ in range(2)])
    beams = np.clip(noise(rng, 2, 2 * width, width / 7, 2)[0], 0, 1)
    return Backdrop(layers, shares, [0.15, 0.4, 0.7, 1.0], water, pan,
                    2 * np.pi / rng.uniform(80, 200, 2), rng.uniform(0, 2 * np.pi, 2), ripples,
                    beams, rng.uniform(-0.9, 0.9, (2, 2)),
                    (rng.uniform(0.02, 0.08), rng.uniform(0.05, 0.2), rng.uniform(0, 2 * np.pi)))


def _rugged(tone: Colour, cloud: np.ndarray, rng: np.random.Generator,
            contrast: float) -> np.ndarray:
    """A surface of one tone with grain and the shade of the clouds on it."""
    grain = noise(rng, *cloud.shape, cloud.shape[0] / 12, 4)
    shade = 1 + contrast * (0.6 * grain + 0.3 * cloud)
    return (tone * shade[..., None]).astype(np.float32)


def _ridge(height: int, width: int, horizon: float, relief: float,
           rng: np.random.Generator) -> np.ndarray:
    """Opacity of ground whose skyline runs at about ``horizon`` (share of the height)."""
    skyline = horizon + relief * noise(rng, 2, width, width / 4, 5)[0]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    return step(down - skyline[None], 0.0, 1.5 / height)
