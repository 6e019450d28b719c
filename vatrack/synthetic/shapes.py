"""Silhouettes: closed outlines of things, in their own coordinates.

A silhouette is a function ``(form, beat) -> list of polygons``. ``form`` is
(4,) in [0, 1] and tells one instance from another; ``beat`` is the phase of
its movement in radians. Polygons are (P, 2) float64 points (u, v), where u
points ahead (or upwards, for what grows) and the thing spans about [-1, 1].
The thing is the union of its polygons.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

Polygons = list[np.ndarray]
Silhouette = Callable[[np.ndarray, float], Polygons]


def rounded(points: list[tuple[float, float]], rounds: int = 3) -> np.ndarray:
    """Round the corners of a closed polygon by Chaikin's corner cutting: (P, 2)."""
    polygon = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        ahead = np.roll(polygon, -1, axis=0)
        cut = np.stack([0.75 * polygon + 0.25 * ahead, 0.25 * polygon + 0.75 * ahead], axis=1)
        polygon = cut.reshape(-1, 2)
    return polygon


def ellipse(u: float, v: float, radius_u: float, radius_v: float, points: int = 32) -> np.ndarray:
    """An axis-aligned ellipse around (u, v): (points, 2)."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([u + radius_u * np.cos(turn), v + radius_v * np.sin(turn)], axis=1)


def ribbon(spine: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """A band around a spine: (P, 2) spine and (P,) half widths make a (2P, 2) polygon."""
    along = np.gradient(spine, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    offset = normal * half_width[:, None]
    return np.concatenate([spine + offset, (spine - offset)[::-1]])


def turned(polygon: np.ndarray, angle: float, u: float, v: float) -> np.ndarray:
    """Rotate a polygon by ``angle`` radians and move its origin to (u, v)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return polygon @ np.array([[cos, sin], [-sin, cos]]) + (u, v)


def fish(form: np.ndarray, beat: float) -> Polygons:
    """A fish from the side: body, forked tail, back and belly fin."""
    height = 0.34 + 0.22 * form[0]
    tail = 0.36 + 0.22 * form[1]
    back = height + 0.14 + 0.2 * form[2]
    sway = 0.06 * np.sin(beat)
    along = np.linspace(0, 1, 24)
    half = 1.55 * height * np.sqrt(along) * (1 - along)**(0.75 + 0.3 * form[3]) + 0.07 * along
    spine = np.stack([1 - 1.7 * along, np.zeros_like(along)], axis=1)
    return [
        ribbon(spine, half),
        rounded([(-0.55, 0.07), (-0.85, 0.2), (-1.15, tail + sway), (-1.08, 0.1), (-0.98, sway),
                 (-1.08, -0.1), (-1.15, -tail + sway), (-0.85, -0.2), (-0.55, -0.07)]),
        rounded([(0.5, -0.2), (0.15, -back), (-0.3, -back + 0.05), (-0.55, -0.28), (-0.4, 0.0)]),
        rounded([(0.2, 0.15), (-0.1, back - 0.02), (-0.35, back - 0.12), (-0.2, 0.1)]),
    ]


def turtle(form: np.ndarray, beat: float) -> Polygons:
    """A sea turtle from above, rowing with its flippers."""
    width = 0.5 + 0.12 * form[0]
    reach = 0.62 + 0.2 * form[1]
    front = 0.45 * np.sin(beat)
    rear = 0.3 * np.sin(beat + 2.0)
    flipper = rounded([(-0.14, 0), (0.16, 0), (0.12, 0.5 * reach), (-0.1, reach), (-0.3, reach),
                       (-0.16, 0.5 * reach)])
    paddle = 0.62 * flipper
    mirror = np.array([1.0, -1.0])
    parts = [ellipse(-0.05, 0, 0.72, width, 40), ellipse(0.83, 0, 0.22, 0.17 + 0.04 * form[2])]
    for polygon, angle, u, v in ((flipper, 0.3 + front, 0.36, 0.7 * width),
                                 (paddle, 0.75 + rear, -0.5, 0.6 * width)):
        part = turned(polygon, angle, u, v)
        parts += [part, part * mirror]
    return parts


def jellyfish(form: np.ndarray, beat: float) -> Polygons:
    """A jellyfish rising along u: a pulsing bell and trailing tentacles."""
    pulse = np.sin(beat)
    width = (0.62 + 0.14 * form[0]) * (1 + 0.14 * pulse)
    top = 0.92 - 0.1 * pulse
    turn = np.linspace(0, np.pi, 24)
    dome = np.stack([(top - 0.1) * np.sin(turn)**0.85 + 0.08, width * np.cos(turn)], axis=1)
    across = np.linspace(-1, 1, 26)
    skirt = np.stack([0.1 * np.cos(2.5 * np.pi * across)**2 - 0.08, width * across], axis=1)
    count = 3 + round(2 * form[1])
    length = 0.85 + 0.3 * form[2]
    down = np.linspace(0, 1, 14)
    parts = [np.concatenate([dome, skirt])]
    for k, v in enumerate(np.linspace(-0.68, 0.68, count) * width):
        wave = 0.12 * down * np.sin(5 * down + beat + 1.9 * k)
        spine = np.stack([0.1 - length * (1 - 0.2 * (k % 2)) * down, v * (1 + 0.1 * down) + wave],
                         axis=1)
        parts.append(ribbon(spine, 0.1 * (1.1 - 0.65 * down)))
    return parts


def starfish(form: np.ndarray, beat: float) -> Polygons:
    """A starfish with five (sometimes six) arms that curl."""
    arms = 6 if form[0] > 0.85 else 5
    inner = 0.34 + 0.14 * form[1]
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    arm = (0.5 + 0.5 * np.cos(arms * turn))**(1.1 + 0.6 * form[2])
    stretch = 1 + 0.12 * np.sin(beat + 2 * turn)
    radius = inner + (1.05 - inner) * arm * stretch
    turn = turn + 0.35 * np.sin(0.6 * beat) * radius**2
    return [np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)]


def leaf(form: np.ndarray, beat: float) -> Polygons:
    """A drifting leaf: pointed blade, slightly toothed edge, stem at the rear."""
    width = 0.4 + 0.2 * form[0]
    along = np.linspace(0, 1, 48)
    bulge = along**(0.6 + 0.3 * form[1]) * (1 - along)**(0.75 + 0.3 * form[2])
    teeth = 1 + 0.06 * np.sin(2 * np.pi * (6 + round(4 * form[3])) * along)
    half = width * bulge / bulge.max() * teeth
    spine = np.stack([1.05 - 1.75 * along[::-1], np.zeros_like(along)], axis=1)
    stem_u = np.linspace(-0.6, -1.15, 8)
    stem = np.stack([stem_u, 0.12 * (stem_u + 0.6)**2 * np.sin(beat)], axis=1)
    return [ribbon(spine, half), ribbon(stem, np.full(8, 0.055))]


def rock(form: np.ndarray, beat: float) -> Polygons:
    """A boulder; it does not move."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = 0.88 + sum(0.1 / k * np.sin(k * turn + 6.3 * form[k % 4] * k) for k in (2, 3, 5, 8))
    return [np.stack([0.85 * radius * np.cos(turn), 1.1 * radius * np.sin(turn)], axis=1)]


def coral(form: np.ndarray, beat: float) -> Polygons:
    """Fingers of coral fanning out from a foot at u = -1."""
    parts = [ellipse(-1.0, 0, 0.35, 0.5)]
    along = np.linspace(0, 1, 12)
    thick = 0.1 + 0.03 * form[3]
    count = 5 + round(2 * form[0])
    for k, angle in enumerate(np.linspace(-0.7, 0.7, count)):
        length = 1.3 + 0.3 * np.sin(7 * form[1] + 2.4 * k)
        bow = 0.18 * np.sin(6 * form[2] + 2 * k) * along**2
        finger = np.stack([-1 + length * along * np.cos(angle),
                           length * along * np.sin(angle) + bow], axis=1)
        twig = finger[6] + np.outer(along, [0.42, 0.3 * (-1)**k])
        for spine in (finger, twig):
            parts.append(ribbon(spine, thick * (1.15 - 0.3 * along)))
            parts.append(ellipse(*spine[-1], thick, thick, 14))
    return parts


def kelp(form: np.ndarray, beat: float) -> Polygons:
    """A stalk of kelp with blades to both sides, rooted at u = -1."""
    along = np.linspace(0, 1, 12)
    stalk = np.stack([np.linspace(-1.05, 1, 20), 0.02 * np.sin(np.linspace(0, 9, 20))], axis=1)
    parts = [ribbon(stalk, np.linspace(0.035, 0.015, 20))]
    count = 9 + round(4 * form[0])
    for k in range(count):
        u = -0.85 + 1.8 * k / count
        side = 1 - 2 * (k % 2)
        length = (0.3 + 0.1 * form[1]) * (1 - 0.3 * k / count)
        lift = 0.55 + 0.25 * form[2] + 0.12 * np.sin(beat + 0.8 * k)
        spine = np.stack([u + length * np.sin(lift) * along,
                          side * (length * np.cos(lift) * along + 0.03 * np.sin(4 * along))],
                         axis=1)
        parts.append(ribbon(spine, 0.062 * np.sin(np.pi * along**0.8) + 0.008))
    return parts


def pillar(form: np.ndarray, beat: float) -> Polygons:
    """An upright column of stone that is taller than the frame."""
    spine_u = np.linspace(-1.25, 1.25, 40)
    bow = 0.04 * np.sin(3 * spine_u + 6 * form[0])
    half = 0.17 + 0.05 * form[1] + 0.02 * np.sin(9 * spine_u + 6 * form[2]) \
        + 0.012 * np.sin(23 * spine_u + 6 * form[3])
    return [ribbon(np.stack([spine_u, bow], axis=1), half)]


#: Annotated classes, in the order of their category ids.
CREATURES: dict[str, Silhouette] = {
    'fish': fish, 'turtle': turtle, 'jellyfish': jellyfish, 'starfish': starfish, 'leaf': leaf}

#: Things that only stand in front; never annotated.
OCCLUDERS: dict[str, Silhouette] = {'rock': rock, 'coral': coral, 'kelp': kelp, 'pillar': pillar}

SILHOUETTES: dict[str, Silhouette] = {**CREATURES, **OCCLUDERS}
