"""Scenes: which things there are, how deep they lie and how they move."""
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .backdrop import Backdrop, build_backdrop
from .motion import GAITS, Gait, Path, Pose, orientation
from .randomness import video_name, video_rng
from .shapes import CREATURES, SILHOUETTES, Polygons
from .textures import SKIN_REACH, Colour, blend, colour, paint

#: Named occlusion levels.
OCCLUSION_LEVELS = {'low': 0.15, 'medium': 0.35, 'high': 0.8}

#: Hue around which each class gathers; instances stray far from it.
_HUES = {'fish': 0.07, 'turtle': 0.22, 'jellyfish': 0.86, 'starfish': 0.99, 'leaf': 0.3}


@dataclass(frozen=True)
class SceneConfig:
    """What a synthetic video looks like.

    Attributes:
        num_frames: Frames per video.
        width: Frame width in pixels.
        height: Frame height in pixels.
        objects: Smallest and largest number of objects of a video; None leaves
            it to ``occlusion``.
        occlusion: 0 (rarely covered) to 1 (mostly covered), or a key of
            ``OCCLUSION_LEVELS``.
        seed: Seed of everything random.
        classes: Classes to draw from, keys of ``shapes.CREATURES``.
    """

    num_frames: int = 12
    width: int = 256
    height: int = 160
    objects: tuple[int, int] | None = None
    occlusion: float | str = 'medium'
    seed: int = 0
    classes: tuple[str, ...] = tuple(CREATURES)

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {self.num_frames}')
        if min(self.width, self.height) < 32:
            raise ValueError(f'frames must be at least 32 x 32, got {self.width} x {self.height}')
        if self.objects is not None and not 1 <= self.objects[0] <= self.objects[1]:
            raise ValueError(f'objects must be (min, max) with 1 <= min <= max, got {self.objects}')
        if isinstance(self.occlusion, str) and self.occlusion not in OCCLUSION_LEVELS:
            raise ValueError(f'occlusion must be a number in [0, 1] or one of '
                             f'{list(OCCLUSION_LEVELS)}, got {self.occlusion!r}')
        if not 0 <= self.level <= 1:
            raise ValueError(f'occlusion must lie in [0, 1], got {self.occlusion}')
        unknown = [name for name in self.classes if name not in CREATURES]
        if unknown or not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f'classes must be distinct names out of {list(CREATURES)}, '
                             f'got {list(self.classes)}')

    @property
    def level(self) -> float:
        """Occlusion level as a number in [0, 1]."""
        name = self.occlusion
        return OCCLUSION_LEVELS[name] if isinstance(name, str) else float(name)

    @property
    def unit(self) -> float:
        """Pixels per pixel of the reference frame of 256 x 160."""
        return float(np.sqrt(self.width * self.height / (256 * 160)))

    @property
    def object_range(self) -> tuple[int, int]:
        """Smallest and largest number of objects of a video."""
        return self.objects or (round(3 + 3.2 * self.level), round(5 + 5.6 * self.level))

    def options(self) -> dict[str, Any]:
        """All that the videos depend on, as JSON gives it back."""
        return {**asdict(self), 'objects': list(self.object_range), 'occlusion': self.level,
                'classes': list(self.classes)}


class Identity(NamedTuple):
    """Identity of an object: its number in the video, from 0, and its category id, from 1."""

    instance_id: int
    category_id: int


@dataclass(slots=True)
class Thing:
    """Something that is drawn: an object, or an occluder if ``identity`` is None.

    Attributes:
        kind: Class of the object or kind of the occluder.
        form: (4,) in [0, 1], individual shape.
        skin: (S, S, 3) float32 RGB.
        size: Half length in pixels.
        path: Movement of its centre.
        gait: Manner of movement, None for what is rooted.
        beat: Phase at time 0 and radians per frame.
        rest: Individual angle in radians.
        identity: What an object is annotated as; None for an occluder.
    """

    kind: str
    form: np.ndarray
    skin: np.ndarray
    size: float
    path: Path
    gait: Gait | None
    beat: tuple[float, float]
    rest: float = 0.0
    identity: Identity | None = None

    def phase(self, time: float) -> float:
        """Phase of the beat at a time, in radians."""
        return self.beat[0] + self.beat[1] * time

    def outline(self, time: float) -> Polygons:
        """Polygons in own coordinates at a time."""
        return SILHOUETTES[self.kind](self.form, self.phase(time))

    def pose(self, time: float) -> Pose:
        """Place in the frame at a time."""
        beat = self.phase(time)
        if self.gait is None:
            angle, stretch = -np.pi / 2, (1.0, 1.0)
            bend = (0.18 if self.kind == 'kelp' else 0.0, 1.6, beat, 1.0)
        else:
            top_speed = float(np.abs(self.path.reach * self.path.pace)[0])
            angle, *stretch = orientation(self.gait, self.path.velocity(time), top_speed, beat,
                                          self.rest)
            bend = (*self.gait.bend, beat, -1.0)
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = np.array([[cos, -sin], [sin, cos]]) * stretch * self.size
        return Pose(self.path.position(time), matrix, bend)


@dataclass(slots=True)
class Scene:
    """A whole video, ready to be drawn. ``things`` are ordered from back to front."""

    config: SceneConfig
    name: str
    backdrop: Backdrop
    things: list[Thing] = field(default_factory=list)


def build_scene(config: SceneConfig, split: str, index: int) -> Scene:
    """Build video ``index`` of a split.

    Its randomness comes from (seed, split, index) alone, so it does not depend
    on how many videos there are or which process draws it.
    """
    rng = video_rng(config.seed, split, index)
    backdrop = build_backdrop(config.width, config.height, rng)
    occluders = [_occluder(config, backdrop, rng) for _ in range(_occluder_count(config, rng))]
    low, high = config.object_range
    meetings = _meetings(config, occluders, rng)
    objects: list[Thing] = []
    for instance_id in range(int(rng.integers(low, high + 1))):
        objects.append(_object(config, backdrop, meetings, objects, instance_id, rng))
    things = [objects[k] for k in rng.permutation(len(objects))]
    for occluder in occluders:
        front = rng.random() < 0.75
        things.insert(len(things) if front else int(rng.integers(len(things) + 1)), occluder)
    return Scene(config, video_name(split, index), backdrop, things)


def _occluder_count(config: SceneConfig, rng: np.random.Generator) -> int:
    return int(np.floor(0.1 + 3.0 * config.level + rng.random()))


def _still(x: float, y: float, backdrop: Backdrop) -> Path:
    """A rooted thing sways with the camera only, more than the ground behind it."""
    return Path(np.array([x, y]), 0.0, backdrop.pan * 1.3, backdrop.pan_pace, backdrop.pan_phase)


def _occluder(config: SceneConfig, backdrop: Backdrop, rng: np.random.Generator) -> Thing:
    kind = str(rng.choice(['kelp', 'kelp', 'rock', 'coral', 'coral', 'pillar']))
    height, unit = config.height, config.unit
    x = config.width * rng.uniform(0.08, 0.92)
    if kind == 'kelp':
        size = height * rng.uniform(0.42, 0.62)
        y = height * 1.05 - size
        base = colour(rng.uniform(0.17, 0.42), rng.uniform(0.4, 0.75), rng.uniform(0.4, 0.7))
    elif kind == 'pillar':
        size, y = height * rng.uniform(0.55, 0.7), height / 2
        base = colour(rng.uniform(0.0, 1.0), rng.uniform(0.1, 0.3), rng.uniform(0.4, 0.65))
    else:
        size = unit * (rng.uniform(24, 42) if kind == 'rock' else rng.uniform(30, 48))
        y = height - size * rng.uniform(0.2, 0.7)
        hue, strength = (rng.random(), 0.25) if kind == 'rock' else (rng.uniform(-0.1, 0.12), 0.6)
        base = colour(hue, strength * rng.uniform(0.6, 1.2), rng.uniform(0.4, 0.75))
    skin = paint(kind, base, _skin_size(size), rng)
    skin = _haze(skin, backdrop, rng.uniform(0.0, 0.15))
    return Thing(kind, rng.random(4), skin, size, _still(x, y, backdrop), None,
                 (rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.12)))


def _skin_size(size: float) -> int:
    return int(np.clip(round(2 * SKIN_REACH * size), 32, 640))


def _haze(skin: np.ndarray, backdrop: Backdrop, share: float) -> np.ndarray:
    """Water between the eye and the thing: the farther, the more of its colour."""
    return np.ascontiguousarray(blend(skin, backdrop.water, np.float32([[share]])))


def _meetings(config: SceneConfig, occluders: list[Thing],
              rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Points (2,) and times where paths cross, half of them behind an occluder."""
    size = np.array([config.width, config.height])
    meetings = []
    for _ in range(max(1, round(config.object_range[1] / 3))):
        point = size * rng.uniform([0.15, 0.2], [0.85, 0.8])
        if occluders and rng.random() < 0.5:
            point[0] = occluders[rng.integers(len(occluders))].path.anchor[0]
        meetings.append((point, rng.uniform(0, config.num_frames)))
    return meetings


def _object(config: SceneConfig, backdrop: Backdrop, meetings: list[tuple[np.ndarray, float]],
            others: list[Thing], instance_id: int, rng: np.random.Generator) -> Thing:
    """An object; now and then a sibling of an earlier one, alike in class and colour."""
    sibling = others[rng.integers(len(others))] if others and rng.random() < 0.25 else None
    if sibling is None:
        kind = str(rng.choice(config.classes))
        base, form = _own_colour(kind, rng), rng.random(4)
    else:
        kind = sibling.kind
        base = _own_colour(kind, rng) if rng.random() < 0.5 else _mean_colour(sibling.skin)
        form = np.clip(sibling.form + rng.normal(0, 0.15, 4), 0, 1)
    size = config.unit * (14.5 + 17 * rng.beta(1.5, 1.6)) * (0.92 + 0.16 * config.level)
    skin = _haze(paint(kind, base, _skin_size(size), rng), backdrop, rng.uniform(0.0, 0.3))
    gait = GAITS[kind]
    path = _path(config, gait, size, meetings, rng)
    return Thing(kind, form, skin, size, path, gait,
                 (rng.uniform(0, 2 * np.pi), rng.uniform(*gait.beat)), rng.uniform(0, 2 * np.pi),
                 Identity(instance_id, config.classes.index(kind) + 1))


def _own_colour(kind: str, rng: np.random.Generator) -> Colour:
    hue = rng.normal(_HUES[kind], 0.09) if rng.random() < 0.6 else rng.random()
    return colour(hue, rng.uniform(0.45, 0.9), rng.uniform(0.55, 0.95))


def _mean_colour(skin: np.ndarray) -> Colour:
    quarter = skin.shape[0] // 4
    return skin[quarter:-quarter, quarter:-quarter].mean(axis=(0, 1))


def _path(config: SceneConfig, gait: Gait, size: float, meetings: list[tuple[np.ndarray, float]],
          rng: np.random.Generator) -> Path:
    """A path in and out at a side, through a meeting point, or through any point."""
    if rng.random() < 0.12:
        return _border_path(config, size, rng)
    frame = np.array([config.width, config.height], dtype=float)
    if rng.random() < 0.1 + 0.8 * config.level:
        point, time = meetings[rng.integers(len(meetings))]
        anchor = point + rng.normal(0, config.unit * (26 - 15 * config.level), 2)
        time = time + rng.normal(0, 1.5)
    else:
        anchor, time = frame * rng.uniform(0.08, 0.92, 2), rng.uniform(0, config.num_frames)
    speed = config.unit * rng.uniform(*gait.speed) * np.array([1, rng.uniform(*gait.climb)])
    reach = frame * (rng.uniform(0.25, 0.6), rng.uniform(0.12, 0.35))
    return Path(anchor, time, reach, speed / reach, rng.uniform(0, 2 * np.pi, 2))


def _border_path(config: SceneConfig, size: float, rng: np.random.Generator) -> Path:
    """Swing across the left or right border, far enough to be out of sight in between."""
    anchor = np.array([config.width * rng.integers(2), config.height * rng.uniform(0.2, 0.8)])
    period = float(np.clip(1.2 * config.num_frames, 24, 60))
    return Path(anchor, rng.uniform(0, config.num_frames), size * np.array([1.8, 0.2]),
                np.full(2, 2 * np.pi / period), np.array([np.pi * rng.integers(2), 0.0]))
