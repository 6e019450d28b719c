"""Detections for trackers, made by hand and at random."""
from __future__ import annotations

import torch
from mmengine.structures import InstanceData

from vatrack.track import Tracker


class Tracking:
    """A policy on one video: hands it the memory."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.memory = tracker, tracker.begin()

    def track(self, detections: InstanceData, frame_id: int) -> InstanceData:
        return self.tracker.track(detections, frame_id, self.memory)


def found(embeds, scores=None, labels=None, bboxes=None) -> InstanceData:
    """Detections; by default of one class, far apart, in descending order of score."""
    embeds = torch.as_tensor(embeds, dtype=torch.float32)
    count = len(embeds)
    corners = torch.arange(count)[:, None] * 50.
    return InstanceData(
        embeds=embeds,
        scores=torch.linspace(.9, .8, count) if scores is None else torch.tensor(scores),
        labels=torch.tensor([0] * count if labels is None else labels, dtype=torch.int64),
        bboxes=(torch.cat([corners, corners, corners + 10, corners + 10], dim=1)
                if bboxes is None else torch.tensor(bboxes).reshape(count, 4)))


def axis(*numbers: int, size: float = 6) -> torch.Tensor:
    """Embeddings of different objects: multiples of unit vectors."""
    return torch.eye(8)[list(numbers)] * size


def random_video(seed: int, frames: int = 70, objects: int = 9, classes: int = 3,
                 changing: float = .15, size: float = 2.) -> list[InstanceData]:
    """Objects that move, hide and come back, with duplicates, clutter and empty frames.

    Args:
        seed: Random seed.
        frames: Number of frames.
        objects: Number of objects.
        classes: Number of classes.
        changing: Share of detections of a random class.
        size: Standard deviation of the embeddings.
    """
    rng = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.rand(*shape, generator=rng)
    identities = torch.randn(objects, 8, generator=rng) * size
    of_object = torch.randint(classes, (objects,), generator=rng)
    places, speeds = rand(objects, 2) * 200, (rand(objects, 2) - .5) * 6
    video = []
    for frame in range(frames):
        seen = torch.where(rand(objects) < .6)[0]
        seen = torch.cat([seen, seen[rand(len(seen)) < .3]])  # some of them twice
        if frame % 17 == 5:
            seen = seen[:0]
        embeds = identities[seen] + torch.randn(len(seen), 8, generator=rng) * .4
        labels = torch.where(rand(len(seen)) < changing,
                             torch.randint(classes, (len(seen),), generator=rng), of_object[seen])
        corners = places[seen] + speeds[seen] * frame + rand(len(seen), 2) * 8
        bboxes = torch.cat([corners, corners + 20 + rand(len(seen), 2) * 20], dim=1)
        video.append(InstanceData(bboxes=bboxes, labels=labels, scores=rand(len(seen)),
                                  embeds=embeds))
    return video
