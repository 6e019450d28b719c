"""One colour per track: stable, far apart for neighbouring ids, bright on dark and light frames."""
from __future__ import annotations

from functools import lru_cache

import numpy as np

Color = tuple[int, int, int]

_GOLDEN_ANGLE = np.pi * (3 - 5**0.5)
# Neighbours on the hue circle are many ids apart, so lightness has to tell them apart.
_LIGHTNESS = (0.72, 0.62, 0.80)
_CHROMA = np.linspace(0.20, 0.04, 33)

# OKLab to linear sRGB: Ottosson, "A perceptual color space for image processing", 2020.
_LAB_TO_LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728],
                        [1, -0.0894841775, -1.2914855480]])
_LMS_TO_RGB = np.array([[4.0767416621, -3.3077115913, 0.2309699292],
                        [-1.2684380046, 2.6097574011, -0.3413193965],
                        [-0.0041960863, -0.7034186147, 1.7076147010]])


@lru_cache(maxsize=4096)
def track_color(track_id: int) -> Color:
    """RGB colour (0-255) of a track id; the same id always has the same colour.

    The hue turns by the golden angle from id to id in OKLCH, the lightness
    cycles through three levels, and the chroma is the largest that sRGB shows.
    """
    hue = track_id * _GOLDEN_ANGLE
    lightness = np.full_like(_CHROMA, _LIGHTNESS[track_id % len(_LIGHTNESS)])
    lab = np.stack([lightness, _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)], axis=1)
    linear = (lab @ _LAB_TO_LMS.T)**3 @ _LMS_TO_RGB.T
    shown = ((linear >= 0) & (linear <= 1)).all(axis=1)
    red, green, blue = _gamma(linear[shown.argmax()])
    return int(red), int(green), int(blue)


def text_color(background: Color) -> Color:
    """Near-black or white, whichever reads better on ``background`` (RGB)."""
    luma = float(np.dot(background, (0.2126, 0.7152, 0.0722)))
    return (16, 16, 20) if luma > 110 else (255, 255, 255)


def _gamma(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear**(1 / 2.4) - 0.055)
    return np.rint(srgb * 255)
