"""Completion without weights: the convex hull, and parts that other frames show."""
from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completed
from .geometry import carry, read_motion, visible_motion


@MODELS.register_module()
class ConvexHull(nn.Module):
    """The convex hull of each visible mask: "Convex" of the SaVos paper's Table 1.

    One hull around the contours of all parts of the mask, filled with its
    border, as ``Kins_Car/eval.py`` of the released code does it. Of a digital
    polygon it is larger than the polygon.
    """

    needs = frozenset()

    def forward(self, clips: ObjectClips) -> Completed:
        """Complete every frame from itself; a frame without visible pixels stays empty."""
        visible = clips.visible.flatten(0, 1).to('cpu', torch.uint8).numpy()
        hulls = np.zeros_like(visible)
        for mask, hull in zip(visible, hulls, strict=True):
            contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
            if contours:
                cv2.fillPoly(hull, [cv2.convexHull(np.concatenate(contours))], 1)
        probability = torch.from_numpy(hulls).to(clips.visible.device, torch.float32)
        return Completed(probability=probability.reshape(clips.visible.shape), known=clips.valid)


@MODELS.register_module()
class TemporalAggregation(nn.Module):
    """Visible masks of up to k frames before and after, carried along by optical flow.

    Algorithm 1 of the SaVos paper's supplement. Left open there, and decided
    here: a mask is black and white again after each step (more than 0.5); near the
    ends of a track the frames that there are have to do; a frame in which the
    object is hidden moves by the last mean motion known.

    The aggregate of every frame after s steps depends on that of the frame
    before after s - 1 steps only. So all frames go together: k steps in all.

    Args:
        k: Frames that each frame looks back, and ahead.

    Raises:
        ValueError: k is negative.
    """

    needs = frozenset({'flow'})

    def __init__(self, k: int = 5):
        super().__init__()
        if k < 0:
            raise ValueError(f'k={k}: frames to look back and ahead cannot be negative')
        self.k = k

    def forward(self, clips: ObjectClips) -> Completed:
        """Unite what each frame and its neighbours in time show of an object.

        Raises:
            ValueError: The clips come without flow.
        """
        if clips.forward is None or clips.backward is None:
            raise ValueError('temporal aggregation follows optical flow, the clips have none: load '
                             'it with the data (tools/make_flow.py estimates it)')
        seen_before = self._look_back(clips)
        turned = clips.reversed()
        seen_after = turned.turned(self._look_back(turned))
        united = (seen_before | seen_after) & clips.valid[..., None, None]
        return Completed(probability=united.float(), known=clips.valid)

    def _look_back(self, clips: ObjectClips) -> Tensor:
        """AV of Algorithm 1 for all frames as n: (B, T, h, w) bool."""
        if clips.num_frames == 1:
            return clips.visible
        # Motion from each frame to the next, in the windows of the next one. It is delta-AV at
        # every step: the flow on V_t, the mean of the flow over V_t on IV and elsewhere.
        motion, mean = visible_motion(clips.visible, clips.forward.float())
        shift = (clips.origins[:, 1:] - clips.origins[:, :-1]).flatten(0, 1)
        motion = read_motion(motion[:, :-1].flatten(0, 1), mean[:, :-1].flatten(0, 1), shift)
        aggregated = clips.visible  # AV = V_{n-k}
        for _ in range(min(self.k, clips.num_frames - 1)):
            source = aggregated[:, :-1].flatten(0, 1)[:, None].float()
            carried = carry(source, motion, shift)[:, 0] > 0.5
            # AV = Warp(AV, delta-AV) united with V_t; frame 0 has none to look back to.
            carried = carried.reshape(aggregated[:, 1:].shape) | clips.visible[:, 1:]
            aggregated = torch.cat([clips.visible[:, :1], carried], dim=1)
        return aggregated
