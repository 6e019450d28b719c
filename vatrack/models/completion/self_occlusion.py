"""Learning to complete from objects that are covered on purpose: how PCNet-M is trained."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completed
from .savos_network import squeeze
from .seeded import seeded
from .windows import inside_boxes, moved, tight_boxes


@MODELS.register_module()
class SelfOcclusion(nn.Module):
    """Cover visible masks by other objects, and ask for them back.

    Of Zhan et al., *Self-Supervised Scene De-occlusion*, CVPR 2020 (PCNet-M), with the values of
    its KINS config. Another object B is laid over object A. In case 1 the
    network is shown A without B, and B as what covers it; the answer is A. In
    case 2 it is shown the whole of A, and B without A; the answer is A again, so
    that it learns not to grow into everything.

    ``level='frame'`` is PCNet-M: every frame gets a B of its own, out of any frame
    of another clip of the batch. ``level='clip'`` trains networks that look
    at time, SaVos's for one (supplement, Table 2; the paper does not say how): B is
    another clip, which keeps its own shape and motion in every frame and is moved
    by the same number of pixels in all of them. Its place is chosen for one random frame
    in which A is seen; in the others it covers A as it happens. In both, B brings along
    its pixels and its flow.

    Different from PCNet-M: B keeps its size in pixels, is not scaled to that of A; the
    mean is taken over the pixels of the box rather than over those of the patch.

    Args:
        level: 'frame' or 'clip'.
        cover_probability: Probability of case 1.
        overlap: Least and largest overlap of the boxes of A and B, along each axis, as
            share of the smaller side; all places within are equally likely.
        cut: Least and largest share of A that B has to cover.
        tries: Draws of B and its place until both hold; after that A stays as it is.
        inside_weight: Weight of pixels that B covers.
        outside_weight: Weight of all others.
        flip: Probability that a sample is mirrored.
        shift: Largest shift of the box that a network looks at, as share of its sides.
        scale: Smallest and largest factor on its sides.

    Raises:
        ValueError: The level is none of the two.
    """

    needs = frozenset()

    def __init__(self, level: str = 'frame', cover_probability: float = 0.8,
                 overlap: Sequence[float] = (0.4, 1.0), cut: Sequence[float] = (0.001, 0.9),
                 tries: int = 100, inside_weight: float = 5.0, outside_weight: float = 1.0,
                 flip: float = 0.5, shift: float = 0.2, scale: Sequence[float] = (0.8, 1.2)):
        super().__init__()
        if level not in ('frame', 'clip'):
            raise ValueError(f"level={level!r} is neither 'frame' nor 'clip'")
        self.level = level
        self.cover_probability = cover_probability
        self.overlap = tuple(overlap)
        self.cut = tuple(cut)
        self.tries = tries
        self.inside_weight = inside_weight
        self.outside_weight = outside_weight
        self.flip = flip
        self.shift = shift
        self.scale = tuple(scale)

    @torch.no_grad()
    def prepare(self, clips: ObjectClips) -> ObjectClips:
        """Cover the objects of a batch by one another.

        Args:
            clips: B objects over T frames; what is known of their amodal masks, and
                of what truly covers them, is not looked at.

        Returns:
            What the network is shown: ``visible`` is what is left of A, ``others`` what
            covers it, ``amodal`` the answer, A. Images and flow are those of the front.
            In validation the same clips are always covered alike, so that losses compare.
        """
        if self.training:
            return self._covered(clips)
        with seeded(0, clips.visible.device):
            return self._covered(clips)

    def forward(self, clips: ObjectClips, completed: Completed) -> dict[str, Tensor]:
        """Weighted cross-entropy between prediction and answer.

        Args:
            clips: What :meth:`prepare` returned.
            completed: The network's answer to it.

        Returns:
            ``loss_mask``: the mean over the box of a frame, and of those over frames.
        """
        probability = squeeze(completed.probability.float())
        entropy = -torch.where(clips.amodal, probability.log(), (1 - probability).log())
        weight = torch.where(clips.others, self.inside_weight, self.outside_weight)
        region = inside_boxes(clips)
        per_frame = (entropy * weight * region).sum((-2, -1)) / region.sum((-2, -1)).clamp(min=1)
        counts = completed.known & clips.valid
        return {'loss_mask': (per_frame * counts).sum() / counts.sum().clamp(min=1)}

    def _covered(self, clips: ObjectClips) -> ObjectClips:
        rows, frames, displacement, found = self._draw(clips)
        batch = (len(clips), clips.num_frames)
        partner = (rows.reshape(batch), frames.reshape(batch))
        shift = (clips.origins - clips.origins[partner] - displacement.reshape(*batch, 2))
        visible = clips.visible
        front = moved(clips.visible[partner], shift) & found.reshape(batch)[..., None, None]
        # A as a whole before B.
        behind = self._chance(1 - self.cover_probability, clips)
        front = front & ~(behind & visible)
        content = {}
        for name in ('image', 'forward', 'backward'):
            value = getattr(clips, name)
            if value is not None:
                content[name] = torch.where(front[:, :, None], moved(value[partner], shift), value)
        covered = replace(clips, visible=visible & ~front, others=front, amodal=visible, **content)
        return self._augmented(covered)

    def _draw(self, clips: ObjectClips) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Who covers each frame, and from where.

        Returns:
            Clip and frame of B for each of the B * T frames, (N,); how far it moves in the
            frame, (N, 2) pixels; and whether a place was found, (N,).
        """
        length, device = clips.num_frames, clips.visible.device
        seen = clips.visible.flatten(2).any(2) & clips.valid
        frames = torch.arange(length, device=device)
        own_rows = torch.arange(len(clips), device=device)
        if self.level == 'frame':
            own_rows = own_rows.repeat_interleave(length)
            own_frames = frames.repeat(len(clips))
        else:
            # A frame in which it can be seen, if there is one.
            own_frames = torch.multinomial(seen + 1e-6, 1)[:, 0]
        boxes = tight_boxes(clips)
        partners = torch.zeros_like(own_rows)
        displacement = own_rows.new_zeros(len(own_rows), 2)
        found = torch.zeros_like(own_rows, dtype=torch.bool)
        possible = self._candidates(seen, own_rows, own_frames)
        # A hidden A cannot be covered.
        left = (seen[own_rows, own_frames] & possible.any(1)).nonzero()[:, 0]
        for _ in range(self.tries):
            if not len(left):
                break
            chosen = torch.multinomial(possible[left].float(), 1)[:, 0]
            own = (own_rows[left], own_frames[left])
            partner = (chosen // length, chosen % length)
            way = self._place(boxes[own], boxes[partner])
            covered = self._cut_share(clips, own, partner, way)
            fits = (self.cut[0] <= covered) & (covered <= self.cut[1])
            done = left[fits]
            partners[done], displacement[done], found[done] = chosen[fits], way[fits], True
            left = left[~fits]
        if self.level == 'frame':
            return partners // length, partners % length, displacement, found
        every = [each.repeat_interleave(length, dim=0) for each in
                 (partners // length, displacement, found)]
        return every[0], frames.repeat(len(clips)), every[1], every[2]

    def _candidates(self, seen: Tensor, rows: Tensor, frames: Tensor) -> Tensor:
        """(N, B * T) bool: frames of other clips; of the same one if there is no other."""
        all_rows, all_frames = (index.flatten() for index in torch.meshgrid(
            *(torch.arange(size, device=seen.device) for size in seen.shape), indexing='ij'))
        possible = seen.flatten().expand(len(rows), -1)
        if self.level == 'clip':
            possible = possible & (all_frames == frames[:, None])
        others = possible & (all_rows != rows[:, None])
        return torch.where(others.any(1, keepdim=True), others, possible)

    def _place(self, own: Tensor, partner: Tensor) -> Tensor:
        """How far B moves to lie over A: (N, 4) boxes each -> (N, 2) whole pixels."""
        (own_centre, own_size), (centre, size) = map(_centre_and_size, (own, partner))
        smaller = torch.minimum(own_size, size)
        farthest = (own_size + size) / 2 - self.overlap[0] * smaller
        nearest = (own_size + size) / 2 - self.overlap[1] * smaller
        if self.overlap[1] >= 1:  # further inside, boxes overlap as much
            nearest = torch.zeros_like(nearest)
        distance = nearest + (farthest - nearest) * torch.rand_like(farthest)
        sign = torch.randint(2, distance.shape, device=distance.device) * 2 - 1
        return (own_centre + sign * distance - centre).round().long()

    def _cut_share(self, clips: ObjectClips, own: tuple[Tensor, Tensor],
                   partner: tuple[Tensor, Tensor], displacement: Tensor) -> Tensor:
        """(N,) share of each A that its B would cover."""
        shift = clips.origins[own] - clips.origins[partner] - displacement
        visible = clips.visible[own]
        covered = visible & moved(clips.visible[partner][:, None], shift[:, None])[:, 0]
        return covered.sum((-2, -1)) / visible.sum((-2, -1))

    def _chance(self, probability: float, clips: ObjectClips) -> Tensor:
        """(B, T, 1, 1) bool, drawn per sample: per frame, or per clip and alike in all frames."""
        frames = clips.num_frames if self.level == 'frame' else 1
        drawn = torch.rand(len(clips), frames, 1, 1, device=clips.visible.device) < probability
        return drawn.expand(-1, clips.num_frames, -1, -1)

    def _augmented(self, clips: ObjectClips) -> ObjectClips:
        """Boxes moved and scaled, some samples mirrored."""
        frames = clips.num_frames if self.level == 'frame' else 1
        drawn = torch.rand(len(clips), frames, 3, device=clips.boxes.device)
        centre, size = _centre_and_size(clips.boxes)
        centre = centre + (2 * drawn[..., :2] - 1) * self.shift * size
        size = size * (self.scale[0] + (self.scale[1] - self.scale[0]) * drawn[..., 2:])
        clips = replace(clips, boxes=torch.cat([centre - size / 2, centre + size / 2], dim=-1))
        return _mirrored(clips, self._chance(self.flip, clips)[..., 0, 0], frames == 1)


def _mirrored(clips: ObjectClips, chosen: Tensor, together: bool) -> ObjectClips:
    """Mirror the chosen of (B, T) frames about their windows, or all about that of the first."""
    centre = 2 * clips.origins[..., 0] + clips.window_size[1]
    centre = centre[:, :1] if together else centre
    origins = clips.origins.clone()
    origins[..., 0] = centre - clips.origins[..., 0] - clips.window_size[1]
    boxes = clips.boxes.clone()
    boxes[..., 0::2] = centre[..., None] - clips.boxes[..., [2, 0]]
    mirrored = {'origins': origins, 'boxes': boxes}
    for name in ('visible', 'others', 'amodal', 'image', 'forward', 'backward'):
        value = getattr(clips, name)
        if value is None:
            continue
        mirrored[name] = value.flip(-1)
        if name in ('forward', 'backward'):
            mirrored[name] = mirrored[name] * value.new_tensor([-1, 1])[:, None, None]
    return replace(clips, **{
        name: torch.where(chosen.reshape(*chosen.shape, *[1] * (value.ndim - 2)),
                          value, getattr(clips, name)) for name, value in mirrored.items()})


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
