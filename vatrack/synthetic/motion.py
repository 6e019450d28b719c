"""Movement: where a thing is, how it is turned, and how it bends at a time.

Time is in frames, positions in pixels of the frame with (0, 0) its top left
corner. Everything is a closed form of time, so any frame can be drawn alone.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Path:
    """A path that swings back and forth and meets ``anchor`` at ``time``.

    Attributes:
        anchor: (2,) point in pixels that the path meets.
        time: When it does so, in frames.
        reach: (2,) amplitude in pixels.
        pace: (2,) angular frequency in radians per frame.
        phase: (2,) phase at ``time`` in radians.
    """

    anchor: np.ndarray
    time: float
    reach: np.ndarray
    pace: np.ndarray
    phase: np.ndarray

    def position(self, time: float) -> np.ndarray:
        """Position at a time: (2,) pixels."""
        swing = np.sin(self.pace * (time - self.time) + self.phase) - np.sin(self.phase)
        return self.anchor + self.reach * swing

    def velocity(self, time: float) -> np.ndarray:
        """Velocity at a time: (2,) pixels per frame."""
        return self.reach * self.pace * np.cos(self.pace * (time - self.time) + self.phase)


@dataclass(frozen=True, slots=True)
class Pose:
    """A placed thing: own coordinates (u, v) -> pixels (x, y).

    Attributes:
        centre: (2,) pixels.
        matrix: (2, 2) from bent own coordinates to pixels.
        bend: Amplitude, wave number, phase and free end (+1 front, -1 rear) of
            the sideways wave that runs along u.
    """

    centre: np.ndarray
    matrix: np.ndarray
    bend: tuple[float, float, float, float]

    def sideways(self, u: np.ndarray) -> np.ndarray:
        """How far the bend pushes each point along v."""
        amplitude, number, phase, end = self.bend
        free = np.clip((1 + end * u) / 2, 0, None)
        return amplitude * free * free * np.sin(number * u + phase)

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Map (P, 2) own coordinates to (P, 2) pixels."""
        bent = points.copy()
        bent[:, 1] += self.sideways(points[:, 0])
        return bent @ self.matrix.T + self.centre

    def to_own(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of :meth:`to_pixels` on a grid: x (W,), y (H, 1) -> u, v, each (H, W)."""
        inverse = np.linalg.inv(self.matrix).astype(np.float32)
        x, y = x - np.float32(self.centre[0]), y - np.float32(self.centre[1])
        u = inverse[0, 0] * x + inverse[0, 1] * y
        v = inverse[1, 0] * x + inverse[1, 1] * y - self.sideways(u)
        return u, v


@dataclass(frozen=True, slots=True)
class Gait:
    """How a class moves.

    Attributes:
        speed: Range of the horizontal top speed, pixels per frame at height 160.
        climb: Range of the ratio of vertical to horizontal speed.
        steer: ``'profile'`` faces left or right, ``'heading'`` turns with the
            movement, ``'rise'`` stays upright, ``'spin'`` turns steadily,
            ``'flutter'`` rocks and tilts.
        beat: Range of the beat, radians per frame.
        bend: Amplitude and wave number of the bend.
        pulse: Relative change of width in step with the beat.
    """

    speed: tuple[float, float]
    climb: tuple[float, float]
    steer: str
    beat: tuple[float, float]
    bend: tuple[float, float] = (0.0, 0.0)
    pulse: float = 0.0


GAITS: dict[str, Gait] = {
    'fish': Gait((2.0, 5.5), (0.1, 0.4), 'profile', (0.6, 1.0), (0.3, 2.2)),
    'turtle': Gait((1.2, 3.6), (0.4, 0.9), 'heading', (0.3, 0.5), (0.05, 1.5)),
    'jellyfish': Gait((0.6, 2.0), (0.7, 1.6), 'rise', (0.35, 0.6), (0.14, 2.0)),
    'starfish': Gait((0.8, 2.8), (0.4, 1.2), 'spin', (0.15, 0.35), (0.08, 1.5)),
    'leaf': Gait((1.2, 3.4), (0.4, 1.0), 'flutter', (0.2, 0.4), (0.22, 1.8), 0.25)}


def orientation(gait: Gait, velocity: np.ndarray, top_speed: float, beat: float,
                rest: float) -> tuple[float, float, float]:
    """Angle in radians and the stretch along u and v.

    Args:
        gait: The manner of movement.
        velocity: (2,) pixels per frame.
        top_speed: Horizontal top speed in pixels per frame.
        beat: Phase of the movement in radians.
        rest: Angle that tells instances apart, in radians.
    """
    x, y = float(velocity[0]), float(velocity[1])
    pulse = 1 + gait.pulse * np.sin(beat)
    if gait.steer == 'profile':
        facing = x / np.hypot(x, 0.3 * top_speed + 1e-6)
        side = 1.0 if facing >= 0 else -1.0
        pitch = np.arctan2(y, abs(x) + 0.5 * top_speed)
        return side * pitch, side * max(abs(facing), 0.55), pulse
    if gait.steer == 'heading':
        return float(np.arctan2(y, x)), 1.0, pulse
    if gait.steer == 'rise':
        lean = 0.35 * x / (top_speed + 1e-6) + 0.15 * np.sin(0.3 * beat + rest)
        return -np.pi / 2 + lean, 1.0, pulse
    if gait.steer == 'spin':
        return rest + 0.25 * beat, 1.0, pulse
    tilt = 0.78 + 0.22 * np.cos(0.8 * beat + rest)
    return rest + 0.6 * np.sin(0.5 * beat + rest), 1.0, pulse * tilt
