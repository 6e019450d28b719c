"""Clips of objects, made to test completion with."""
from __future__ import annotations

import torch

from vatrack.structures.object_clips import ClipSource, ObjectClips


def random_clips(count: int = 2, frames: int = 6, size: tuple[int, int] = (80, 140),
                 seed: int = 0) -> ObjectClips:
    """Rectangles that move and are cut by others, in windows of whole frames; all else random."""
    random = torch.Generator().manual_seed(seed)
    height, width = size
    visible = torch.zeros(count, frames, height, width, dtype=torch.bool)
    others = torch.zeros_like(visible)
    boxes = torch.zeros(count, frames, 4)
    for clip in range(count):
        for t in range(frames):
            x0, y0 = width // 5 + 3 * t, height // 4 + 2 * t * clip
            x1, y1 = x0 + width // 3 + 2 * t, y0 + height // 3 - t
            visible[clip, t, y0:y1, x0:x1] = True
            others[clip, t, :, x1 - 4 - t:x1 + 5] = True
            boxes[clip, t] = torch.tensor([x0 - 8., y0 - 8, x1 + 8, y1 + 8])
    flows = torch.randn(2, count, frames, 2, height, width, generator=random) * 2
    return ObjectClips(
        visible=visible & ~others, others=others, amodal=visible,
        origins=torch.zeros(count, frames, 2, dtype=torch.int64), boxes=boxes,
        valid=torch.ones(count, frames, dtype=torch.bool),
        image=torch.randint(256, (count, frames, 3, height, width), generator=random,
                            dtype=torch.uint8),
        forward=flows[0], backward=flows[1],
        sources=tuple(ClipSource(1, 'made', clip, range(frames), size) for clip in range(count)))


def moving_block(frames: int = 5, step: int = 2, hidden: slice | None = slice(2, 3)) -> ObjectClips:
    """A rigid 6 x 6 block that moves right, with its true flow; an other stands before it.

    Windows are 16 x 40 and stand still, the clip has one object. The other hides columns
    20 to 23 in ``hidden`` frames; every pixel of the block is seen at some time.
    """
    amodal = torch.zeros(1, frames, 16, 40, dtype=torch.bool)
    others = torch.zeros_like(amodal)
    for t in range(frames):
        amodal[0, t, 5:11, 14 + step * t:20 + step * t] = True
    if hidden is not None:
        others[0, hidden, :, 20:24] = True
    flow = torch.zeros(1, frames, 2, 16, 40)
    flow[:, :, 0] = step * amodal
    x0 = 14 + step * torch.arange(frames)
    boxes = torch.stack([x0 - 5, torch.full_like(x0, 0), x0 + 11, torch.full_like(x0, 16)], dim=1)
    return ObjectClips(visible=amodal & ~others, others=others, amodal=amodal,
                       origins=torch.zeros(1, frames, 2, dtype=torch.int64),
                       boxes=boxes[None].float(), valid=torch.ones(1, frames, dtype=torch.bool),
                       image=(amodal[:, :, None] * torch.tensor([200, 100, 50])[:, None, None]).to(
                           torch.uint8), forward=flow, backward=-flow,
                       sources=(ClipSource(1, 'made', 1, range(frames), (16, 40)),))
