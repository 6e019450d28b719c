"""SaVos: completes masks by what is seen of an object at other times."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from mmengine.model import BaseModule
from torch import Tensor

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completed, DirectedPass
from .geometry import PerFrameGeometry, read_motion, visible_motion
from .released import ReleasedGeometry
from .savos_network import SaVosNetwork


@MODELS.register_module()
class SaVos(BaseModule):
    """Self-supervised amodal video object segmentation.

    Yao et al., NeurIPS 2022. From what was seen of an object up to frame t the network
    predicts its amodal mask and amodal motion there; carried along the motion, the mask is the
    estimate for frame t + 1. A second pass, backward in time and with the same weights, gives
    another one; learned weights merge them (Eq. 8). The first frame has the backward pass alone,
    the last the forward pass alone; a frame that no pass reaches (a clip of one frame, or the
    first one online) has its own mask, not carried.

    Args:
        patch_size: Height and width of the patches that it looks at.
        inputs: What it looks at, of ``'image'``, ``'visible'`` and ``'flow'``. Without flow
            the motion is the network's alone, and no flow is needed.
        widths: Channels of the encoders' layers and, backwards, of the decoders'.
        motion_widths: Channels of the encoder of the motion branch.
        hidden: Length of the recurrent state.
        temporal: False: no state is shared across frames (ablation).
        skips: The mask decoder also sees all layers of the mask encoder, so that what is
            visible need not pass through a vector. Not in the paper; learns sooner.
        directions: ``'both'``, or ``'forward'``: online, frame by frame.
        mask_branch_input: ``'visible'``, the mask, as the paper says; ``'u_flow'``, flow to the
            right, which the released code feeds, and released weights expect.
        geometry: ``'per_frame'`` looks at ``boxes`` of the clips, grown to the aspect
            of a patch; ``'released'`` does as the released code, see
            :class:`~vatrack.models.completion.released.ReleasedGeometry`.
        lookups: How often motion is looked up, see
            :func:`~vatrack.models.completion.geometry.read_motion`.
        init_cfg: Of mmengine.

    Raises:
        ValueError: An argument is none of those named, or the sizes do not fit.
    """

    def __init__(self, patch_size: tuple[int, int] = (64, 128),
                 inputs: Sequence[str] = ('image', 'visible', 'flow'),
                 widths: Sequence[int] = (32, 64, 128, 256, 256, 512),
                 motion_widths: Sequence[int] = (16, 32, 64, 128, 256, 256),
                 hidden: int = 256, temporal: bool = True, skips: bool = False,
                 directions: str = 'both',
                 mask_branch_input: str = 'visible', geometry: str = 'per_frame',
                 lookups: int = 1, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        _check('directions', [directions], ('both', 'forward'))
        _check('geometry', [geometry], ('per_frame', 'released'))
        _check('inputs', inputs, _CHANNELS)
        flow = 'flow' in inputs
        _check('mask_branch_input', [mask_branch_input], ('visible', *(['u_flow'] if flow else [])))
        self.inputs = tuple(name for name in _CHANNELS if name in inputs)
        self.needs = frozenset(self.inputs) - {'visible'}
        self.directions = directions
        self.mask_branch_input = mask_branch_input
        self.lookups = lookups
        patch_size = tuple(patch_size)
        self.geometry = (PerFrameGeometry if geometry == 'per_frame' else ReleasedGeometry)(
            patch_size)
        self.network = SaVosNetwork(patch_size, sum(_CHANNELS[name] for name in self.inputs), flow,
                                    widths, motion_widths, hidden, temporal, skips)

    def forward(self, clips: ObjectClips) -> Completed:
        """Complete the masks of some objects.

        Raises:
            ValueError: The clips lack what ``needs`` names, or the released geometry does
                not get whole frames.
        """
        missing = [name for name, value in (('image', clips.image), ('flow', clips.forward))
                   if name in self.needs and value is None]
        if missing:
            raise ValueError(f'SaVos looks at {" and ".join(missing)}, which the clips do not '
                             'have; let the dataset load it, or leave it out of inputs')
        if self.directions == 'forward':
            ahead, back = self._go_through(clips), None
        else:
            # The weights are the same both ways: one batch.
            both = self._go_through(ObjectClips.stack([clips, clips.reversed()]))
            ahead, back = _halves(both)
        return Completed(merge(clips, ahead, back), clips.valid.clone(), ahead, back)

    def _go_through(self, clips: ObjectClips) -> DirectedPass:
        batch = clips.valid.shape
        windows = {'visible': clips.visible[:, :, None].float()}
        if 'image' in self.inputs:
            windows['image'] = clips.image / 255
        if 'flow' in self.inputs:
            windows['flow'] = clips.forward.float()
        patches, boxes = self.geometry.cut(clips, windows)
        mask = (patches['visible'] if self.mask_branch_input == 'visible'
                else patches['flow'][:, :, :1])
        seen = torch.cat([patches[name] for name in self.inputs], dim=2)
        predicted = self.network(seen, mask, patches.get('flow'))
        pasted = self.geometry.paste(torch.cat(predicted, dim=2), boxes, clips)
        motion = pasted[:, :, 2:]
        mean = motion.new_zeros(*batch, 2)
        if 'flow' in windows:
            base, mean = visible_motion(clips.visible, windows['flow'])
            motion = motion + base
        # Beyond the last frame there is none: there the window stays.
        shift = torch.diff(clips.origins, dim=1, append=clips.origins[:, -1:]).flatten(0, 1)
        motion = read_motion(motion.flatten(0, 1), mean.flatten(0, 1), shift, self.lookups)
        carried = self.geometry.carry(pasted[:, :, :2].flatten(0, 1), motion, shift)
        carried, alpha = carried.unflatten(0, batch).unbind(dim=2)
        return DirectedPass(pasted[:, :, 0], carried, alpha, motion.unflatten(0, batch))


def merge(clips: ObjectClips, ahead: DirectedPass, back: DirectedPass | None) -> Tensor:
    """Amodal masks of all frames out of those carried to them (Eq. 8).

    Args:
        clips: The clips.
        ahead: The pass forward in time.
        back: That backward, in its own order; None: there is none.

    Returns:
        (B, T, h, w) probabilities: before the first and after the last frame nothing is
        carried, so these have one direction, or, if none reaches them, their own mask.
    """
    own = ahead.mask[:, :1]
    if back is None:
        return torch.cat([own, ahead.carried[:, :-1]], dim=1)
    steps = torch.arange(clips.num_frames, device=clips.valid.device)
    lengths = clips.lengths[:, None]
    rows = torch.arange(len(clips), device=steps.device)[:, None]
    # Frame t is frame length - 1 - t of the way back: what was carried to it came from the
    # frame before that.
    source = (lengths - 2 - steps).clamp(min=0)
    from_past = torch.cat([own, ahead.carried[:, :-1]], dim=1)
    from_future = back.carried[rows, source]
    alphas = torch.stack([torch.cat([own, ahead.alpha[:, :-1]], dim=1), back.alpha[rows, source]])
    weight = alphas.softmax(dim=0)[0]
    has_past, has_future = steps > 0, steps < lengths - 1
    weight = torch.where((has_past & has_future)[..., None, None], weight,
                         (~has_future)[..., None, None].to(weight))
    return weight * from_past + (1 - weight) * from_future


#: What a network may look at, in the order of its channels.
_CHANNELS = {'image': 3, 'visible': 1, 'flow': 2}


def _check(name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    wrong = [value for value in values if value not in allowed]
    if wrong or not values:
        raise ValueError(f'{name} {wrong or "must not be empty"}: expected of '
                         f'{", ".join(allowed)}')


def _halves(both: DirectedPass) -> tuple[DirectedPass, DirectedPass]:
    parts = [getattr(both, field.name).chunk(2) for field in fields(both)]
    return DirectedPass(*(part[0] for part in parts)), DirectedPass(*(part[1] for part in parts))
