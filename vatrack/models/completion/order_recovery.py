"""Who covers whom: occluders of an object, found by completing neighbours against one another."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completer
from .windows import moved, tight_boxes


@MODELS.register_module()
class OrderRecovery(nn.Module):
    """Dual-completion order of PCNet-M (Zhan et al., CVPR 2020, section 3.2).

    Two objects that touch are each completed with the other one as what may cover it. The
    one that grows more into the other lies behind; where neither grows, or both
    alike, nothing is known. What covers an object is then all that lies in front of it, and in
    front of that.

    Args:
        threshold: Least probability of a pixel to count as grown; 0.1 in PCNet-M's
            KINS config, where that of final masks is 0.2.
        batch_pairs: Pairs that are looked at together.
    """

    def __init__(self, threshold: float = 0.1, batch_pairs: int = 64):
        super().__init__()
        self.threshold = threshold
        self.batch_pairs = batch_pairs

    @torch.no_grad()
    def forward(self, completer: Completer, clips: Sequence[ObjectClips]) -> list[ObjectClips]:
        """Reduce ``others`` of each clip to what lies in front of its object.

        Args:
            completer: The network; it sees single frames.
            clips: The objects of a stretch of a video, in any order and of any lengths.

        Returns:
            The clips, with new ``others``.

        Raises:
            ValueError: Clips do not say which frames they are of.
        """
        if not clips:
            return []
        if any(len(clip.sources) != len(clip) for clip in clips):
            raise ValueError('to know who touches whom, clips must name their frames: fill '
                             'ObjectClips.sources')
        rows = [0, *np.cumsum([len(clip) for clip in clips]).tolist()]
        # What is not looked at is large.
        unused = {'forward': None, 'backward': None, 'amodal': None}
        if 'image' not in completer.needs:
            unused['image'] = None
        joint = ObjectClips.stack([replace(clip, **unused) for clip in clips])
        places, pairs = _neighbours(joint)
        behind = self._behind(completer, joint, places, pairs)
        above = _in_front(len(places), pairs, behind)
        occluders = self._union(joint, places, above)
        return [replace(clip, others=occluders[start:stop, :clip.num_frames,
                                               :clip.window_size[0], :clip.window_size[1]]
                        .to(clip.others.device))
                for clip, start, stop in zip(clips, rows, rows[1:], strict=False)]

    def _behind(self, completer: Completer, joint: ObjectClips, places: Tensor,
                pairs: Tensor) -> Tensor:
        """Which of two objects lies behind: (P, 2) pairs -> (P, 2) bool, one true at most."""
        grown = []
        device = next((value.device for value in completer.parameters()), joint.visible.device)
        for some in self._batches(pairs):
            both = torch.cat([some, some.flip(1)])
            shown = _as_pair(joint, places, both).to(device)
            growth = (completer(shown).probability > self.threshold) & shown.others
            touching = max_pool2d(shown.visible.float().flatten(0, 1), 3, 1, 1) > 0.5
            touching = (touching[:, None] & shown.others).flatten(1).any(1)
            grown.append((growth.sum((1, 2, 3)) * touching).reshape(2, -1).T.cpu())
        grown = torch.cat(grown) if grown else pairs
        return grown > grown.flip(1)

    def _union(self, joint: ObjectClips, places: Tensor, above: Tensor) -> Tensor:
        """Union of objects in front: (Q, 2) of objects and what is in front -> (B, T, h, w)."""
        union = torch.zeros_like(joint.visible).flatten(0, 1)
        for some in self._batches(above):
            shown = _as_pair(joint, places, some).others[:, 0]
            row, frame = places[some[:, 0]].unbind(1)
            for target, mask in zip((row * joint.num_frames + frame).tolist(), shown, strict=True):
                union[target] |= mask
        return union.reshape(joint.visible.shape)

    def _batches(self, pairs: Tensor) -> tuple[Tensor, ...]:
        return pairs.split(self.batch_pairs) if len(pairs) else ()


def _as_pair(joint: ObjectClips, places: Tensor, pairs: Tensor) -> ObjectClips:
    """Single frames of one object with one other: (P, 2) of ``places`` -> P clips of a frame."""
    own, other = (tuple(places[pairs[:, side]].T) for side in (0, 1))
    shift = joint.origins[own] - joint.origins[other]
    image = None if joint.image is None else joint.image[own][:, None]
    return ObjectClips(visible=joint.visible[own][:, None],
                       others=moved(joint.visible[other][:, None], shift[:, None]),
                       origins=joint.origins[own][:, None], boxes=joint.boxes[own][:, None],
                       valid=joint.valid[own][:, None], image=image)


def _neighbours(joint: ObjectClips) -> tuple[Tensor, Tensor]:
    """Where objects are seen, (N, 2) clip and frame, and pairs whose boxes touch, (P, 2) of N."""
    seen = joint.visible.flatten(2).any(2) & joint.valid
    places = seen.nonzero().cpu()
    boxes = tight_boxes(joint)[seen].cpu()
    moments = {}
    for place, (row, frame) in enumerate(places.tolist()):
        source = joint.sources[row]
        moments.setdefault((source.video_id, source.frames[frame]), []).append(place)
    pairs = [places.new_zeros(0, 2)]
    for together in moments.values():
        together = torch.tensor(together)
        start, stop = boxes[together, None, :2], boxes[together, None, 2:]
        touch = ((start <= stop.transpose(0, 1)) & (stop >= start.transpose(0, 1))).all(-1)
        pairs.append(together[torch.triu(touch, 1).nonzero()])
    return places, torch.cat(pairs)


def _in_front(count: int, pairs: Tensor, behind: Tensor) -> Tensor:
    """All that lies in front of an object, directly or not: (Q, 2) of object and what covers it."""
    direct = [[] for _ in range(count)]
    for (one, other), (one_behind, other_behind) in zip(pairs.tolist(), behind.tolist(),
                                                        strict=True):
        if one_behind:
            direct[one].append(other)
        if other_behind:
            direct[other].append(one)
    found = []
    for place in range(count):
        above, left = set(), list(direct[place])
        while left:
            other = left.pop()
            if other not in above:
                above.add(other)
                left += direct[other]
        found += [(place, other) for other in sorted(above - {place})]
    return torch.tensor(found, dtype=torch.long).reshape(-1, 2)
