"""Skins: what the surface of a thing looks like, painted once per instance.

A skin is (S, S, 3) float32 RGB in [0, 255] over the square
``[-SKIN_REACH, SKIN_REACH]`` of a thing's own coordinates: column u, row v.
It bends with the thing, so it is a cue to identity that survives movement.
"""
from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

#: Half the side of the square of own coordinates that a skin covers.
SKIN_REACH = 1.4

Colour = np.ndarray
Painter = Callable[[np.ndarray, np.ndarray, Colour, np.random.Generator], np.ndarray]


def colour(hue: float, saturation: float, value: float) -> Colour:
    """RGB in [0, 255] of a HSV colour: (3,) float32."""
    rgb = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return np.array(rgb, dtype=np.float32) * 255


def noise(rng: np.random.Generator, height: int, width: int, cell: float,
          octaves: int = 3) -> np.ndarray:
    """Smooth noise of zero mean and about unit range: (height, width) float32.

    Args:
        rng: Source of randomness.
        height: Rows.
        width: Columns.
        cell: Size in pixels of the coarsest structure.
        octaves: Number of layers, each of half the size and weight.
    """
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        shape = (int(height / step) + 3, int(width / step) + 3)
        coarse = rng.uniform(-1, 1, shape).astype(np.float32)
        size = (int(shape[1] * step) + 1, int(shape[0] * step) + 1)
        fine = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        total += fine[:height, :width] / 2**octave
    return total


def blend(under: np.ndarray, over: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lay the colour ``over`` on ``under`` where ``share`` (H, W), in [0, 1], says so."""
    return under + (over - under) * share[..., None]


def step(values: np.ndarray, edge: float, soft: float) -> np.ndarray:
    """A smooth step from 0 to 1 around ``edge``, ``2 * soft`` wide."""
    return np.clip((values - edge) / (2 * soft) + 0.5, 0, 1).astype(np.float32)


def cells(u: np.ndarray, v: np.ndarray, rng: np.random.Generator, count: int) -> np.ndarray:
    """Distance to the border between Voronoi cells in own coordinates: (S, S)."""
    seeds = rng.uniform(-1.1, 1.1, (count, 2))
    nearest = np.full(u.shape, 9.0, dtype=np.float32)
    second = nearest.copy()
    for seed_u, seed_v in seeds:
        distance = np.hypot(u - seed_u, v - seed_v)
        second = np.minimum(second, np.maximum(nearest, distance))
        nearest = np.minimum(nearest, distance)
    return second - nearest


def spots(u: np.ndarray, v: np.ndarray, rng: np.random.Generator, count: int,
          radius: float) -> np.ndarray:
    """Soft round spots: (S, S) share in [0, 1]."""
    share = np.zeros_like(u)
    for seed_u, seed_v in rng.uniform(-1.1, 1.1, (count, 2)):
        size = radius * rng.uniform(0.6, 1.3)
        share = np.maximum(share, step(-np.hypot(u - seed_u, v - seed_v), -size, 0.04))
    return share


def relatives(base: Colour, rng: np.random.Generator) -> tuple[Colour, Colour]:
    """A dark and a light companion of a colour, both a little off in hue."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(base / 255))
    shift = rng.uniform(-0.1, 0.1)
    dark = colour(hue + shift, saturation * 1.1 + 0.05, value * rng.uniform(0.35, 0.55))
    light = colour(hue - shift, saturation * rng.uniform(0.25, 0.55), value * 0.4 + 0.6)
    return dark, light


def fish_skin(u: np.ndarray, v: np.ndarray, base: Colour, rng: np.random.Generator) -> np.ndarray:
    """Bands (or, at times, spots), a pale belly and an eye."""
    dark, light = relatives(base, rng)
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), light, step(v, 0.16, 0.22) * 0.8)
    warp = 0.12 * noise(rng, *u.shape, u.shape[0] / 4, 2)
    if rng.random() < 0.7:
        across = u + warp + 0.25 * v * v
        wave = np.sin(2 * np.pi * rng.uniform(1.2, 2.3) * across + rng.uniform(0, 6))
        pattern = step(wave, rng.uniform(0.1, 0.5), 0.15)
    else:
        pattern = spots(u, v, rng, 45, 0.09) * step(-v, -0.15, 0.1)
    skin = blend(skin, dark if rng.random() < 0.7 else light, pattern * 0.85)
    skin = blend(skin, dark, step(-u, 0.75, 0.12) * 0.45)
    eye = np.hypot(u - 0.68, v + 0.1)
    skin = blend(skin, np.float32([250, 248, 240]), step(-eye, -0.115, 0.025))
    return blend(skin, np.float32([15, 15, 25]), step(-eye, -0.07, 0.025))


def turtle_skin(u: np.ndarray, v: np.ndarray, base: Colour,
                rng: np.random.Generator) -> np.ndarray:
    """Plates on the shell, plain limbs with freckles."""
    dark, light = relatives(base, rng)
    freckles = step(noise(rng, *u.shape, u.shape[0] / 14, 2), 0.35, 0.2)
    limbs = blend(np.broadcast_to(light * 0.75 + base * 0.25, (*u.shape, 3)), dark, freckles * 0.6)
    plates = blend(np.broadcast_to(base, (*u.shape, 3)), light,
                   step(-cells(u, v, rng, 26), -0.07, 0.035) * 0.75)
    plates = blend(plates, dark, step(noise(rng, *u.shape, u.shape[0] / 6), 0.1, 0.5) * 0.5)
    shell = np.hypot((u + 0.05) / 0.72, v / 0.56)
    skin = blend(limbs, plates, step(-shell, -0.97, 0.03))
    return blend(skin, dark, np.exp(-((shell - 0.97) / 0.06)**2) * 0.8)


def jellyfish_skin(u: np.ndarray, v: np.ndarray, base: Colour,
                   rng: np.random.Generator) -> np.ndarray:
    """A glowing bell with ribs, tentacles that fade to the dark companion."""
    dark, light = relatives(base, rng)
    angle = np.arctan2(v, u + 0.15)
    ribs = 0.5 + 0.5 * np.cos(angle * rng.integers(8, 13))
    radius = np.hypot(u - 0.25, v)
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), light, np.exp(-(radius / 0.42)**2) * 0.9)
    skin = blend(skin, light, ribs * step(radius, 0.32, 0.1) * 0.45)
    skin = blend(skin, light, np.exp(-((u - 0.06) / 0.07)**2) * 0.8)
    return blend(skin, dark, step(-u, 0.45, 0.5) * 0.6)


def starfish_skin(u: np.ndarray, v: np.ndarray, base: Colour,
                  rng: np.random.Generator) -> np.ndarray:
    """A grainy skin with pale knobs and a lighter middle."""
    dark, light = relatives(base, rng)
    radius = np.hypot(u, v)
    grain = step(noise(rng, *u.shape, u.shape[0] / 12), 0.0, 0.7)
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), dark, grain * 0.45)
    skin = blend(skin, dark, step(radius, 0.85, 0.3) * 0.5)
    skin = blend(skin, light, np.exp(-(radius / 0.22)**2) * 0.7)
    return blend(skin, light, spots(u, v, rng, 60, 0.062) * 0.9)


def leaf_skin(u: np.ndarray, v: np.ndarray, base: Colour, rng: np.random.Generator) -> np.ndarray:
    """A midrib with side veins, and wilting patches."""
    dark, light = relatives(base, rng)
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), dark,
                 step(noise(rng, *u.shape, u.shape[0] / 4), 0.25, 0.5) * 0.6)
    wave = np.cos(2 * np.pi * rng.uniform(2.6, 3.6) * (u - 0.9 * np.abs(v)))
    skin = blend(skin, light, step(wave, 0.86, 0.12) * 0.7)
    skin = blend(skin, light, step(-np.abs(v), -0.05, 0.03) * 0.9)
    return blend(skin, dark, step(-u, 0.68, 0.05) * 0.7)


def stone_skin(u: np.ndarray, v: np.ndarray, base: Colour, rng: np.random.Generator) -> np.ndarray:
    """Mottled stone with cracks and a growth of algae."""
    dark, light = relatives(base, rng)
    size = u.shape[0]
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), dark,
                 step(noise(rng, size, size, size / 5, 4), 0.0, 0.9))
    skin = blend(skin, light, step(noise(rng, size, size, size / 16), 0.45, 0.3) * 0.4)
    crack = np.abs(noise(rng, size, size, size / 4, 3))
    return blend(skin, dark * 0.6, step(-crack, -0.05, 0.04) * 0.6)


def plant_skin(u: np.ndarray, v: np.ndarray, base: Colour, rng: np.random.Generator) -> np.ndarray:
    """Streaks across the growth, lighter towards the top."""
    dark, light = relatives(base, rng)
    size = u.shape[0]
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), dark, step(-u, 0.0, 1.0) * 0.7)
    skin = blend(skin, light, step(noise(rng, size, size, size / 20), 0.3, 0.5) * 0.3)
    return blend(skin, light, step(u, 0.8, 0.8) * 0.35)


SKINS: dict[str, Painter] = {
    'fish': fish_skin, 'turtle': turtle_skin, 'jellyfish': jellyfish_skin,
    'starfish': starfish_skin, 'leaf': leaf_skin, 'rock': stone_skin, 'pillar': stone_skin,
    'coral': starfish_skin, 'kelp': plant_skin}


def paint(kind: str, base: Colour, size: int, rng: np.random.Generator) -> np.ndarray:
    """Paint the skin of a thing.

    Args:
        kind: Key of ``SKINS``.
        base: (3,) RGB, the colour that the thing is remembered by.
        size: Side of the skin in pixels.
        rng: Source of randomness.

    Returns:
        (size, size, 3) float32 in [0, 255].
    """
    axis = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1) * SKIN_REACH
    u, v = np.meshgrid(axis, axis)
    skin = SKINS[kind](u, v, base, rng)
    return np.ascontiguousarray(np.clip(skin, 0, 255), dtype=np.float32)
