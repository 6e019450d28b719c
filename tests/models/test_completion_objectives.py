"""Losses of completion: values by hand, and what a loss of zero implies (Theorem 1 of SaVos)."""
from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from made_clips import moving_block, random_clips
from torch import Tensor

from vatrack.models.completion import Completed, DirectedPass, SelfSupervised, Supervised
from vatrack.models.completion.geometry import carry
from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

ZERO = 0.01  # of losses whose probabilities end at 5e-7, summed over the pixels of a frame


def one_pass(clips: ObjectClips, mask: Tensor) -> DirectedPass:
    """A pass that predicts the masks (B, T, h, w) and carries them by true motion."""
    step = clips.forward[..., 0, :, :].flatten(2).sum(dim=2) / clips.amodal.flatten(2).sum(dim=2)
    motion = torch.stack([step, step * 0], dim=2)[..., None, None].expand_as(clips.forward)
    shift = torch.diff(clips.origins, dim=1, append=clips.origins[:, -1:])
    carried = carry(mask.flatten(0, 1)[:, None], motion.flatten(0, 1), shift.flatten(0, 1))
    carried = carried[:, 0].unflatten(0, mask.shape[:2]).clamp(0, 1)
    return DirectedPass(mask, carried, torch.zeros_like(carried), motion)


def completed(clips: ObjectClips, mask: Tensor) -> Completed:
    """What predicts these masks in both directions and carries them by the true motion."""
    ahead = one_pass(clips, mask.float())
    back = one_pass(clips.reversed(), mask.float().flip(1))
    from_past, from_future = ahead.carried[:, :-1], back.carried.flip(1)[:, 1:]
    probability = torch.cat([from_future[:, :1], (from_past[:, :-1] + from_future[:, 1:]) / 2,
                             from_past[:, -1:]], dim=1)
    return Completed(probability, clips.valid, ahead, back)


def losses(clips: ObjectClips, mask: Tensor, **changes) -> dict[str, float]:
    objective = MODELS.build({'type': 'SelfSupervised', **changes})
    return {name: value.item() for name, value in objective(clips, completed(clips, mask)).items()}


@pytest.mark.parametrize('consistency', ['paper', 'code'])
def test_the_truth_has_no_loss(consistency):
    clips = moving_block()
    found = losses(clips, clips.amodal, consistency=consistency, photometric_weight=1.0)
    if consistency == 'code':
        # It warps frame t + 1 by the motion of frame t, which does not change here. But the last
        # two entries are of other frames.
        found.pop('loss_consistency')
    assert all(value < ZERO for value in found.values()), found


def test_a_loss_of_zero_implies_coverage():
    """Theorem 1: rigid, true masks and motion, every pixel seen once.

    Masks that lack a pixel of the object in all frames have a loss of masks; those that lack
    what is hidden in one frame have none there ("under-complete"), but one of consistency.
    """
    clips = moving_block()
    for row in range(5, 11):
        for column in range(6):
            lacking = clips.amodal.clone()
            for t in range(5):
                lacking[0, t, row, 14 + 2 * t + column] = False
            assert losses(clips, lacking)['loss_mask'] > 10
    # Frame 2 lacks its hidden part; frame 3 is carried from it in one direction, from frame 4 in
    # the other: give all the weight to that.
    given = completed(clips, clips.visible)
    probability = given.probability.clone()
    probability[:, 3] = given.backward_pass.carried[:, 0]
    probability[:, 1] = given.forward_pass.carried[:, 0]
    found = SelfSupervised()(clips, replace(given, probability=probability))
    assert found['loss_mask'] < ZERO
    assert found['loss_consistency'] > 0.05


def test_what_a_neighbour_sees_must_be_carried_there():
    # Another goes with the object: what is hidden in every frame may be left out at no cost.
    clips = moving_block(hidden=None)
    always = replace(clips, others=clips.amodal & clips.amodal.roll(3, -1))
    always = replace(always, visible=clips.amodal & ~always.others)
    assert losses(always, always.visible)['loss_mask'] < ZERO
    # In frames 2 and 3 different parts are hidden.
    clips = moving_block(hidden=slice(2, 4))
    assert losses(clips, clips.visible)['loss_mask'] > 10


def test_what_is_beside_the_object_costs_where_it_is_seen_as_background():
    clips = moving_block(hidden=None)
    wider = clips.amodal.roll(1, -1) | clips.amodal
    assert losses(clips, wider)['loss_mask'] > 10
    # Theorem 1, assumption 4: always behind another, it is as good as the object.
    always = replace(clips, others=clips.amodal.roll(1, -1) & ~clips.amodal)
    assert losses(always, wider)['loss_mask'] < ZERO


def test_values_of_the_losses_by_hand():
    clips = random_clips(1, 4, (2, 3))
    clips.visible[:] = clips.others[:] = False
    clips.visible[..., 0, 0] = True
    clips.others[..., 1, :] = True
    half = torch.full((1, 4, 2, 3), 0.5)
    way = DirectedPass(half, half, half, torch.zeros(1, 4, 2, 2, 3))
    given = Completed(half, clips.valid, way, way)
    found = SelfSupervised()(clips, given)
    assert found['loss_mask'].item() == pytest.approx(3 * math.log(2), rel=1e-5)
    # Soft areas: 6 / 4 both, 6 * 3 / 4 any.
    assert found['loss_consistency'].item() == pytest.approx(2 * (1 - 1 / 3), rel=1e-5)
    found = SelfSupervised(reduction='mean', mask_weight=2., consistency=None)(clips, given)
    assert list(found) == ['loss_mask']
    assert found['loss_mask'].item() == pytest.approx(2 * math.log(2), rel=1e-5)
    found = SelfSupervised(consistency='code', consistency_weight=0.5)(clips, given)
    assert found['loss_consistency'].item() == pytest.approx((3 + 2 + 1) * (1 - 1 / 3), rel=1e-5)
    found = Supervised(reduction='mean')(replace(clips, amodal=clips.visible), given)
    assert found['loss_mask'].item() == pytest.approx(math.log(2), rel=1e-5)


def test_photometric_loss_is_of_what_is_seen_in_both_frames():
    clips = moving_block(frames=2, step=2, hidden=None)
    brighter = clips.image.clone()
    brighter[:, 1, 0] += 51  # a fifth, everywhere in red
    found = losses(replace(clips, image=brighter), clips.amodal, photometric_weight=1.0)
    assert found['loss_photometric'] == pytest.approx(2 * 36 * 0.2, rel=1e-4)
    hidden = clips.others.clone()
    hidden[0, 1, :, 16:19] = True  # half of the block, in the second frame
    hidden = replace(clips, image=brighter, others=hidden, visible=clips.amodal & ~hidden)
    found = losses(hidden, clips.amodal, photometric_weight=1.0)
    assert found['loss_photometric'] == pytest.approx(2 * 18 * 0.2, rel=1e-4)


def test_padding_has_no_effect():
    clips = moving_block()
    masks = torch.rand(1, 5, 16, 40, generator=torch.Generator().manual_seed(0))
    more = clips._map(lambda name, value: torch.cat([value, value[:, -2:]], dim=1))
    more.valid[:, 5:] = False
    alone, among = completed(clips, masks), completed(clips, masks)
    fill = torch.full((1, 2, 16, 40), 0.3)
    ways = [DirectedPass(*(torch.cat([part, fill], dim=1) for part in
                           (way.mask, way.carried, way.alpha)),
                         torch.cat([way.motion, way.motion[:, :2]], dim=1))
            for way in (among.forward_pass, among.backward_pass)]
    among = Completed(torch.cat([among.probability, fill], dim=1), more.valid, *ways)
    objective = SelfSupervised(photometric_weight=1.0)
    expected, found = objective(clips, alone), objective(more, among)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize('frames', [1, 2])
def test_clips_that_are_short_or_empty(frames):
    clips = moving_block(frames=frames, hidden=None)
    clips = replace(clips, visible=torch.zeros_like(clips.visible))
    masks = torch.full_like(clips.visible, 0.5, dtype=torch.float32, requires_grad=True)
    way = DirectedPass(masks, masks, masks, torch.zeros(1, frames, 2, 16, 40))
    found = SelfSupervised(photometric_weight=1.0)(clips, Completed(masks, clips.valid, way, way))
    sum(found.values()).backward()
    assert masks.grad.isfinite().all()
    if frames == 1:
        assert all(value == 0 for value in found.values())


def test_two_empty_masks_agree():
    clips = moving_block(hidden=None)
    assert losses(clips, clips.amodal * 0.0)['loss_consistency'] == pytest.approx(0, abs=1e-6)


def test_online_learns_from_what_was_carried_ahead():
    clips = moving_block()
    given = completed(clips, clips.amodal)
    ahead = given.forward_pass
    probability = torch.cat([clips.others[:, :1].float(), ahead.carried[:, :-1]], dim=1)
    found = SelfSupervised()(clips, Completed(probability, clips.valid, ahead))
    assert found['loss_mask'] < ZERO  # that of the first frame, which is wrong, does not count


def test_errors_say_what_to_change():
    clips = moving_block()
    given = completed(clips, clips.amodal)
    plain = Completed(given.probability, given.known)
    with pytest.raises(ValueError, match='another objective'):
        SelfSupervised()(clips, plain)
    with pytest.raises(ValueError, match='amodal masks'):
        Supervised()(replace(clips, amodal=None), plain)
    with pytest.raises(ValueError, match='photometric_weight=0'):
        SelfSupervised(photometric_weight=.1)(replace(clips, image=None), given)
    moved = replace(clips, origins=torch.arange(10).view(1, 5, 2))
    with pytest.raises(ValueError, match='one window per clip'):
        SelfSupervised(consistency='code')(moved, given)
    for wrong in ({'consistency': 'eq6'}, {'reduction': 'max'}):
        with pytest.raises(ValueError, match='expected'):
            SelfSupervised(**wrong)
    assert SelfSupervised(photometric_weight=.1).needs == {'image'}
