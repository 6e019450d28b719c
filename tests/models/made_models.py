"""Models that answer late, made of one that does not: what the contract allows beyond today's."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.models import Ending, TrackedDetector
from vatrack.registry import MODELS


@dataclass
class _Held:
    """The state of the model underneath, and the frames that are held back."""

    inner: Any
    frames: list[InstanceData] = field(default_factory=list)


@MODELS.register_module()
class DelayedDetector(TrackedDetector):
    """Gives every frame three frames later; takes pairs of frames."""

    delay = 4  # three, and one that waits for the other of its pair
    clip_length = 2

    def begin(self) -> _Held:
        return _Held(super().begin())

    def step(self, images: Tensor, metas: list[dict], state: _Held) -> list[InstanceData]:
        assert len(images) <= self.clip_length
        state.frames += super().step(images, metas, state.inner)
        done, state.frames = state.frames[:-3], state.frames[-3:]
        return done

    def finish(self, state: _Held) -> Ending:
        return Ending(state.frames)


@MODELS.register_module()
class OfflineDetector(TrackedDetector):
    """Gives all frames when the video has ended, with classes and scores of whole tracks.

    The first identity stands under two classes.
    """

    delay = None
    live_switch = 'model.type=TrackedDetector'

    def begin(self) -> _Held:
        return _Held(super().begin())

    def step(self, images: Tensor, metas: list[dict], state: _Held) -> list[InstanceData]:
        state.frames += super().step(images, metas, state.inner)
        return []

    def finish(self, state: _Held) -> Ending:
        ids = torch.cat([frame.instances_id for frame in state.frames]).unique()
        rows = torch.cat([ids, ids[:1]])
        labels = rows % 2
        labels[len(ids):] = 2
        return Ending(state.frames, InstanceData(instances_id=rows, labels=labels,
                                                 scores=torch.linspace(.9, .1, len(rows))))


@MODELS.register_module()
class AddNeighbours(BaseModule):
    """A calibration that looks two frames to either side: a view is a frame plus a neighbour."""

    reach = 2

    def forward(self, feats: tuple[Tensor, ...],
                neighbours: list[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
        if not neighbours:
            return [feats]
        return [tuple(map(torch.add, feats, near)) for near in neighbours]
