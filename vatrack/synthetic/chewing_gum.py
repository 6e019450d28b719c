"""Chewing Gum: tiny videos of rigid polygons that pass in front of one another.

The data set of Yao et al., *Self-supervised Amodal Video Object Segmentation* (SaVos, NeurIPS
2022), drawn anew after the description of its generator: two polygons of one colour each on a
plain ground of 56x50 pixels. One rests in the middle, the other runs around it along a square, so
that they always overlap; which is in front is random. Between them lies a square patch, glued to a
quadrant of the lower polygon, which the masks ignore: it disturbs the picture alone.

``variant='hard'`` is an extension of this project, not data of the paper: three or four polygons
with a random radius at each vertex, and a patch that counts. It is an object of its own class,
covers what lies below it, and slides from quadrant to quadrant.

All moves are whole pixels, so masks and flow are exact.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from vatrack.flow import DIRECTIONS

from .randomness import video_name, video_rng
from .render import DrawnFrame
from .scene import Identity

VARIANTS = ('paper', 'hard')

_WIDTH, _HEIGHT = 56, 50
_CENTRE = np.array([28, 25])
#: Centres of a moving polygon keep between these; it starts at a corner.
_LOW, _HIGH = np.array([20, 17]), np.array([36, 33])
_PACE = 2
_RADIUS = 8
_PATCH = 9  # side of the square
#: The outline of a circle of radius 8 in whole pixels, a quarter of it.
_QUARTER = np.array([(8, 0), (7, 1), (7, 2), (7, 3), (6, 4), (6, 5), (5, 6), (4, 6), (3, 7), (2, 7),
                     (1, 7)])
_RING = np.concatenate([_QUARTER @ np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turn)
                        for turn in range(4)])
#: Places of the patch in the paper, relative to the corner of the polygon's window, going round.
_QUADRANTS = np.array([(0, 0), (8, 0), (8, 8), (0, 8)])


@dataclass(frozen=True)
class ChewingGumConfig:
    """What a Chewing Gum video looks like.

    Attributes:
        num_frames: Frames per video; after 32 the moves begin anew.
        variant: ``'paper'``, or ``'hard'``, our own.
        seed: Seed of everything random.
    """

    num_frames: int = 40
    variant: str = 'paper'
    seed: int = 0

    width: ClassVar[int] = _WIDTH
    height: ClassVar[int] = _HEIGHT

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {self.num_frames}')
        if self.variant not in VARIANTS:
            raise ValueError(f'variant must be one of {VARIANTS}, got {self.variant!r}')

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of their category ids, from 1."""
        return ('polygon',) if self.variant == 'paper' else ('polygon', 'patch')

    def options(self) -> dict[str, Any]:
        """All that the videos depend on, as JSON gives it back."""
        return {'kind': 'chewing gum', **asdict(self)}


@dataclass(frozen=True)
class ChewingGumVideo:
    """A video and its truth: K objects over T frames of H x W = 50 x 56 pixels.

    Object 0 rests, the others move; in the hard variant the patch is the last.

    Attributes:
        name: Name of the video.
        frames: (T, H, W, 3) uint8 RGB.
        order: (K,) the objects from back to front.
        category_ids: (K,) 1 for polygons, 2 for the patch.
        full: (K, T, H, W) bool, the objects with what is covered.
        visible: (K, T, H, W) bool, the objects without it.
        owner: (T, H, W) uint8, the layer that each pixel shows, 0 for the ground.
        motion: (L, T - 1, 2) int64, pixels (x, y) that each layer moves after each frame.
    """

    name: str
    frames: np.ndarray
    order: np.ndarray
    category_ids: np.ndarray
    full: np.ndarray
    visible: np.ndarray
    owner: np.ndarray
    motion: np.ndarray

    def flow(self, direction: str) -> np.ndarray:
        """The exact flow of what the pixels show.

        Args:
            direction: ``'forward'``: of the frames 0 to T - 2, to the next one;
                ``'backward'``: of the frames 1 to T - 1, to the one before.

        Returns:
            (T - 1, H, W, 2) float32 pixels, u to the right and v downwards.
        """
        is_forward = direction == 'forward'
        owner = self.owner[:-1] if is_forward else self.owner[1:]
        moves = self.motion if is_forward else -self.motion
        times = np.arange(len(owner))[:, None, None]
        return moves.astype(np.float32)[owner, times]


@dataclass(frozen=True)
class _Layer:
    """Something that is painted: (h, w) bool shape, (T, 2) its top left corner (x, y), colour."""

    shape: np.ndarray
    corners: np.ndarray
    colour: np.ndarray

    def masks(self) -> np.ndarray:
        """Where it is: (T, H, W) bool."""
        masks = np.zeros((len(self.corners), _HEIGHT, _WIDTH), dtype=bool)
        height, width = self.shape.shape
        for mask, (x, y) in zip(masks, self.corners.tolist(), strict=True):
            mask[y:y + height, x:x + width] = self.shape
        return masks


def make_chewing_gum(config: ChewingGumConfig, split: str, index: int) -> ChewingGumVideo:
    """Make video ``index`` of a split.

    Its randomness comes from (seed, split, index) alone, so it does not depend
    on how many videos there are or which process makes it.
    """
    rng, hard = video_rng(config.seed, split, index), config.variant == 'hard'
    count = int(rng.integers(3, 5)) if hard else 2
    ground = rng.integers(0, 128, 3)
    starts = rng.permutation(4)
    centres = [np.broadcast_to(_CENTRE, (config.num_frames, 2)),
               *(_run_around(int(corner), config.num_frames) for corner in starts[:count - 1])]
    polygons = [_Layer(_polygon(rng, hard), centre - _RADIUS, rng.integers(0, 256, 3))
                for centre in centres]
    order = rng.permutation(count)
    lowest = polygons[order[0]]
    patch = _Layer(np.ones((_PATCH, _PATCH), dtype=bool),
                   lowest.corners + _patch_places(rng, hard, config.num_frames),
                   rng.integers(0, 256, 3))
    layers = [lowest, patch, *(polygons[each] for each in order[1:])]
    masks = [layer.masks() for layer in layers]
    owner = np.zeros((config.num_frames, _HEIGHT, _WIDTH), dtype=np.uint8)
    for number, mask in enumerate(masks, start=1):
        owner[mask] = number
    colours = np.stack([ground, *(layer.colour for layer in layers)]).astype(np.uint8)
    moves = np.stack([np.diff(layer.corners, axis=0) for layer in layers])
    motion = np.concatenate([np.zeros_like(moves[:1]), moves])
    if hard:
        order = np.insert(order, 1, count)
    else:
        del masks[1]
    full = np.empty((len(order), *owner.shape), dtype=bool)
    visible = np.empty_like(full)
    covered = np.zeros(owner.shape, dtype=bool)
    for each, mask in zip(order[::-1], masks[::-1], strict=True):
        full[each], visible[each] = mask, mask & ~covered
        covered |= mask
    categories = np.ones(len(order), dtype=np.int64)
    categories[count:] = 2
    return ChewingGumVideo(video_name(split, index), colours[owner], order, categories, full,
                           visible, owner, motion)


def draw_chewing_gum(config: ChewingGumConfig, split: str, index: int,
                     flow: bool = False) -> Iterator[DrawnFrame]:
    """Video ``index`` of a split frame by frame, with its exact flow if wanted."""
    video = make_chewing_gum(config, split, index)
    identities = [Identity(int(each), int(video.category_ids[each])) for each in video.order]
    forward, backward = (video.flow(each) if flow else () for each in DIRECTIONS)
    for time, image in enumerate(video.frames):
        fields = {}
        if time < len(forward):
            fields['forward'] = forward[time]
        if 0 < time <= len(backward):
            fields['backward'] = backward[time - 1]
        yield DrawnFrame(image, identities, video.full[video.order, time],
                         video.visible[video.order, time], fields)


def _polygon(rng: np.random.Generator, hard: bool) -> np.ndarray:
    """A polygon of 7 to 11 points of the ring in their order: (17, 17) bool."""
    number = int(rng.integers(7, 12))
    points = _RING[np.sort(rng.choice(len(_RING), number, replace=False))]
    if hard:
        points = np.rint(points * rng.uniform(0.4, 1, (number, 1))).astype(int)
    side = 2 * _RADIUS + 1
    shape = np.zeros((side, side), dtype=np.uint8)
    cv2.fillPoly(shape, [(points + _RADIUS).astype(np.int32)], 1)
    return shape.astype(bool)


def _run_around(corner: int, num_frames: int) -> np.ndarray:
    """Centres (T, 2) of a polygon that runs along the square, beginning at a corner of it."""
    place = np.where([corner & 1, corner >> 1], _HIGH, _LOW)
    velocity = np.array([-_PACE, 0])
    places = [place]
    for _ in range(num_frames - 1):
        if not _LOW[0] <= place[0] + velocity[0] <= _HIGH[0]:
            velocity = np.array([0, _PACE if place[1] < _CENTRE[1] else -_PACE])
        if not _LOW[1] <= place[1] + velocity[1] <= _HIGH[1]:
            velocity = np.array([_PACE if place[0] < _CENTRE[0] else -_PACE, 0])
        place = place + velocity
        places.append(place)
    return np.stack(places)


def _patch_places(rng: np.random.Generator, hard: bool, num_frames: int) -> np.ndarray:
    """Top left corners (T, 2) of the patch in the window of its polygon.

    In the hard variant it rests in a quadrant for some frames, then slides to the next. These lie a
    pixel further out, or the middle of the polygon would never be seen.
    """
    first = int(rng.integers(4))
    if not hard:
        return np.broadcast_to(_QUADRANTS[first], (num_frames, 2))
    rest, way = int(rng.integers(2, 9)), int(rng.choice([-1, 1]))
    quadrants = _QUADRANTS // _RADIUS * (_RADIUS + 2) - 1
    slide = (_RADIUS + 2) // _PACE
    round_, past = np.divmod(np.arange(num_frames) + int(rng.integers(rest + slide)), rest + slide)
    here, there = (quadrants[(first + way * each) % 4] for each in (round_, round_ + 1))
    steps = np.clip(past - rest + 1, 0, slide)[:, None]
    return here + (there - here) * steps // slide
