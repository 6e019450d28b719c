"""What a completer learns from: the losses of SaVos without amodal truth, and the truth."""
from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from vatrack.flow import backward_warp
from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completed, DirectedPass
from .savos_network import squeeze

_NO_AREA = 1e-8  # added to both areas of an IoU: two empty masks are the same
_SEEN = 1e-3  # of a mask that was carried: any, but for rounding


class _Objective(BaseModule):
    """What both objectives share: a loss of masks against a label, and that of consistency.

    Attributes:
        needs: Which of ``'image'`` and ``'flow'`` must be loaded in the clips for the loss.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, consistency: str | None, mask_weight: float, consistency_weight: float,
                 reduction: str, half_pixel: bool) -> None:
        super().__init__()
        if consistency not in ('paper', 'code', None):
            raise ValueError(f"consistency {consistency!r}: expected 'paper', 'code' or None")
        if reduction not in ('sum', 'mean'):
            raise ValueError(f"reduction {reduction!r}: expected 'sum' or 'mean'")
        self.consistency = consistency
        self.mask_weight = mask_weight
        self.consistency_weight = consistency_weight
        self.reduction = reduction
        self.half_pixel = half_pixel

    def prepare(self, clips: ObjectClips) -> ObjectClips:
        """What the network is shown of clips: all there is."""
        return clips

    def _consistency_loss(self, clips: ObjectClips, completed: Completed) -> dict[str, Tensor]:
        if self.consistency is None:
            return {}
        passes = _passes(clips, completed)
        if self.consistency == 'paper':
            losses = [_aligned_inconsistency(*each) for each in passes]
        else:
            _check_still(clips)
            merged = merge_as_released(clips, completed)
            turned = [merged, clips.turned(merged)]
            losses = [_cumulative_inconsistency(*each, masks, self.half_pixel)
                      for each, masks in zip(passes, turned, strict=False)]
        return {'loss_consistency': self.consistency_weight * sum(losses)}


@MODELS.register_module()
class SelfSupervised(_Objective):
    """Losses of SaVos: of visible masks, identity and flow alone (Eqs. 3-7).

    ``loss_mask``, L_M: cross entropy of what is carried to a frame and merged there, against the
    visible mask, except where other objects are visible (Eqs. 3-5). ``loss_consistency``, L_C:
    1 - IoU of masks, as areas of probabilities, between what is carried to a frame and

    - with ``'paper'``, what is predicted there with the frame seen (Eq. 6): mean over frames,
      summed over both directions;
    - with ``'code'``, the merged masks of the next frame, after one more warp, the way the
      released code does it: a transition weighs as much as there are from it to the end of the
      padded clip, motion is that of the frame before and gets no gradient, and the last two
      masks are those that have no meaning. For windows that stay where they are.

    ``loss_photometric`` is in the released code alone: colour of visible pixels carried, against
    that of visible pixels where they arrive, summed over channels and pixels, mean over frames,
    both directions (the code compares other frames on the way back).

    Args:
        consistency: ``'paper'``, ``'code'`` or None.
        mask_weight: Weight of L_M.
        consistency_weight: Weight of L_C. Neither weight is in the paper; both are 1 in the
            code, where the weights of one direction of 40 frames sum to 780.
        photometric_weight: 0.1 in the code for FISHBOWL; 0 leaves it out.
        reduction: Of L_M within a frame: ``'sum'`` over pixels of the window, as the
            code does, or ``'mean'`` over those that count; mean over frames always.
        ends: Whether L_M counts the first and last frame, which one direction alone
            reaches; the code leaves them out.
        half_pixel: Whether the losses' own warps move half a pixel, as those of the code do.
    """

    def __init__(self, consistency: str | None = 'paper', mask_weight: float = 1.0,
                 consistency_weight: float = 1.0, photometric_weight: float = 0.0,
                 reduction: str = 'sum', ends: bool = True, half_pixel: bool = False) -> None:
        super().__init__(consistency, mask_weight, consistency_weight, reduction, half_pixel)
        self.photometric_weight = photometric_weight
        self.ends = ends
        if photometric_weight:
            self.needs = frozenset({'image'})

    def forward(self, clips: ObjectClips, completed: Completed) -> dict[str, Tensor]:
        """Losses of completed clips, 0 of clips without a transition.

        Raises:
            ValueError: ``completed`` has no passes, or the clips no image for the photometric
                loss, or moving windows for ``consistency='code'``.
        """
        passes = _passes(clips, completed)
        losses = {'loss_mask': self.mask_weight * mask_loss(
            completed.probability, clips.visible, ~clips.others,
            _carried_to(clips, completed, self.ends), self.reduction)}
        losses.update(self._consistency_loss(clips, completed))
        if self.photometric_weight:
            losses['loss_photometric'] = self.photometric_weight * sum(
                _photometric(*each, self.half_pixel) for each in passes)
        return losses


@MODELS.register_module()
class Supervised(_Objective):
    """Cross entropy against the amodal truth, everywhere in the window.

    Args:
        consistency: L_C beside it, for SaVos; see :class:`SelfSupervised`.
        mask_weight: Weight of the cross entropy.
        consistency_weight: Weight of L_C.
        reduction: ``'sum'`` over pixels of a frame, or ``'mean'``.
        half_pixel: See :class:`SelfSupervised`.
    """

    def __init__(self, consistency: str | None = None, mask_weight: float = 1.0,
                 consistency_weight: float = 1.0, reduction: str = 'sum',
                 half_pixel: bool = False) -> None:
        super().__init__(consistency, mask_weight, consistency_weight, reduction, half_pixel)

    def forward(self, clips: ObjectClips, completed: Completed) -> dict[str, Tensor]:
        """Losses of completed clips.

        Raises:
            ValueError: The clips have no amodal masks; or there are no passes for L_C.
        """
        if clips.amodal is None:
            raise ValueError('Supervised learns from amodal masks, which the clips do not have: '
                             'let the dataset load them from an annotation file that has them')
        loss = mask_loss(completed.probability, clips.amodal, torch.ones_like(clips.amodal),
                         clips.valid & completed.known, self.reduction)
        return {'loss_mask': self.mask_weight * loss, **self._consistency_loss(clips, completed)}


def mask_loss(probability: Tensor, label: Tensor, weight: Tensor, counted: Tensor,
              reduction: str = 'sum') -> Tensor:
    """Binary cross entropy of masks, mean over frames (Eq. 4).

    Args:
        probability: (B, T, h, w) float in [0, 1]; taken into its open interval.
        label: (B, T, h, w) bool.
        weight: (B, T, h, w) bool, pixels that count (W of Eq. 5).
        counted: (B, T) bool, frames that count.
        reduction: ``'sum'`` over the pixels of a frame or ``'mean'`` over those that count.

    Returns:
        A scalar; 0 if nothing counts.
    """
    probability = squeeze(probability.float())
    error = -torch.where(label, probability, 1 - probability).log()
    weight = weight & counted[..., None, None]
    number = weight.sum() if reduction == 'mean' else counted.sum()
    return torch.where(weight, error, 0).sum() / number.clamp(min=1)


def soft_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of (..., h, w) masks of probabilities, by areas of products; 1 where both are empty."""
    both = first * second
    return ((both.sum(dim=(-2, -1)) + _NO_AREA)
            / ((first + second - both).sum(dim=(-2, -1)) + _NO_AREA))


def merge_as_released(clips: ObjectClips, completed: Completed) -> Tensor:
    """P of the released code, (B, T, h, w): entry t is the merged mask of frame t + 1.

    So it is up to the third last entry. There is no estimate from the future for the last frame
    and the one after; in the last two entries, those of the second and third last frame
    take its place.
    """
    ahead, back = completed.forward_pass, completed.backward_pass
    if back is None:
        return ahead.carried
    steps = torch.arange(clips.num_frames, device=clips.valid.device)
    source = torch.where(steps + 2 < clips.lengths[:, None], steps + 2, steps)
    rows = torch.arange(len(clips), device=steps.device)[:, None]
    from_future = clips.turned(back.carried)[rows, source]
    alphas = torch.stack([ahead.alpha, clips.turned(back.alpha)[rows, source]])
    weight = alphas.softmax(dim=0)[0]
    return weight * ahead.carried + (1 - weight) * from_future


def _passes(clips: ObjectClips, completed: Completed) -> list[tuple[ObjectClips, DirectedPass]]:
    """Each pass with the clips in its order."""
    if completed.forward_pass is None:
        raise ValueError('the losses of SaVos compare masks carried from frame to frame, which '
                         'this completer does not give: use SaVos, or another objective')
    passes = [(clips, completed.forward_pass)]
    if completed.backward_pass is not None:
        passes.append((clips.reversed(), completed.backward_pass))
    return passes


def _carried_to(clips: ObjectClips, completed: Completed, ends: bool) -> Tensor:
    """(B, T) bool, frames whose mask was carried there: at the ends, by one direction."""
    steps = torch.arange(clips.num_frames, device=clips.valid.device)
    first, last = steps == 0, steps == clips.lengths[:, None] - 1
    left_out = first | last if not ends else first & last
    if completed.backward_pass is None:
        left_out = left_out | first
    return clips.valid & ~left_out


def _aligned_inconsistency(clips: ObjectClips, way: DirectedPass) -> Tensor:
    """Eq. 6 of one pass: what was carried to a frame against what is seen there."""
    error = 1 - soft_iou(way.mask[:, 1:].float(), way.carried[:, :-1].float())
    counted = clips.valid[:, 1:]
    return torch.where(counted, error, 0).sum() / counted.sum().clamp(min=1)


def _cumulative_inconsistency(clips: ObjectClips, way: DirectedPass, merged: Tensor,
                              half_pixel: bool) -> Tensor:
    """L_C of one direction as the released code has it; merged masks are in its order."""
    batch = merged.shape[:2]
    moved = _warp(merged[:, :, None], way.motion.detach(), half_pixel)[:, :-1, 0]
    error = torch.where(clips.valid[:, 1:], 1 - soft_iou(moved, merged[:, 1:]), 0)
    to_end = torch.arange(batch[1] - 1, 0, -1, device=error.device)
    return (error * to_end).sum() / batch[0]


def _photometric(clips: ObjectClips, way: DirectedPass, half_pixel: bool) -> Tensor:
    if clips.image is None:
        raise ValueError('the photometric loss compares images, which the clips do not have: let '
                         'the dataset load them, or set photometric_weight=0')
    image, visible = clips.image / 255, clips.visible[:, :, None]
    shift = torch.diff(clips.origins, dim=1).to(way.motion)
    motion = way.motion[:, :-1] - shift[..., None, None]
    carried = _warp(torch.cat([image, visible], dim=2)[:, :-1], motion, half_pixel)
    overlap = (carried[:, :, 3:] > _SEEN) & visible[:, 1:] & clips.valid[:, 1:, None, None, None]
    error = torch.where(overlap, (carried[:, :, :3] - image[:, 1:]).abs(), 0)
    return error.sum() / clips.valid[:, 1:].sum().clamp(min=1)


def _warp(source: Tensor, motion: Tensor, half_pixel: bool) -> Tensor:
    """Move (B, T, C, h, w) by (B, T, 2, h, w)."""
    padding = 'border' if half_pixel else 'zeros'
    return backward_warp(source.flatten(0, 1), motion.flatten(0, 1), padding,
                         half_pixel).unflatten(0, source.shape[:2])


def _check_still(clips: ObjectClips) -> None:
    moves = torch.diff(clips.origins, dim=1).any(dim=-1) & clips.valid[:, 1:]
    if moves.any():
        raise ValueError("consistency='code' is for windows that stay where they are: let the "
                         "dataset give one window per clip, or use consistency='paper'")
