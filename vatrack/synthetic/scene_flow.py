"""Exact optical flow of a scene, out of the poses of its things."""
from __future__ import annotations

import numpy as np

from .scene import Scene, Thing


def scene_flow(scene: Scene, owner: np.ndarray, time: float, to_time: float) -> np.ndarray:
    """Where the pixels of a frame are at another time.

    A pixel moves with what it shows, the frontmost thing that covers at least half of
    it: back from the frame to the thing's own coordinates, and from there to the
    frame with the pose of the other time. That is how its skin is drawn, so the field
    is exact for what is painted on a thing, turns, stretches, pulses and the
    sideways bend of swimming included. Two things move beside the skin, which no
    field of one vector per pixel describes: outlines that change their shape
    (flippers, tentacles, arms that curl), and light. A fish that turns round is its own
    mirror image in the next frame, and its pixels move accordingly. What is
    covered, or out of the frame, at the other time has a vector all the same.

    Args:
        scene: The scene.
        owner: (H, W) the thing that each pixel shows, from 1 as in ``scene.things``;
            0 is the backdrop, which moves with the camera.
        time: Time of the frame.
        to_time: The other time.

    Returns:
        (H, W, 2) float32 pixels, u to the right and v downwards.
    """
    height, width = owner.shape
    field = scene.backdrop.flow(time, to_time, width, height)
    for number in np.unique(owner[owner > 0]).tolist():
        rows, columns = np.nonzero(owner == number)
        field[rows, columns] = moved(scene.things[number - 1], columns + 0.5, rows + 0.5, time,
                                     to_time)
    return field


def moved(thing: Thing, x: np.ndarray, y: np.ndarray, time: float, to_time: float) -> np.ndarray:
    """How far points (P,) of a thing move between two times: (P, 2) pixels."""
    pose = thing.pose(time)
    own = np.stack(pose.to_own(x, y), axis=1)
    return thing.pose(to_time).to_pixels(own) - np.stack([x, y], axis=1)
