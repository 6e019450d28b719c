"""SaVos on its own: what reaches which frame, in which window, and what does not matter."""
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_clips import moving_block, random_clips
from torch.nn.functional import pad

from vatrack.models.completion import DirectedPass, SaVos
from vatrack.models.completion.savos import merge
from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

SMALL = {'patch_size': (16, 32), 'widths': (4, 4, 4, 8), 'motion_widths': (2, 4, 4, 4),
         'hidden': 8}
CLOSE = {'atol': 1e-5, 'rtol': 1e-4}


def small(**changes) -> SaVos:
    torch.manual_seed(0)
    return MODELS.build({'type': 'SaVos', **SMALL, **changes}).eval()


def clips() -> ObjectClips:
    return random_clips(2, 5, (24, 40))


@pytest.mark.parametrize('size', [(64, 128), (32, 32), (128, 16), (4, 8)])
def test_networks_fit_patches_of_any_power_of_two(size):
    layers = max(size).bit_length() - 2
    model = small(patch_size=size, widths=[4] * layers, motion_widths=[2] * layers)
    assert model(clips()).probability.shape == (2, 5, 24, 40)


@pytest.mark.parametrize(('changes', 'message'), [
    ({'patch_size': (48, 64)}, 'powers of 2'),
    ({'widths': (4, 4)}, r'takes 4 layers, widths are 2'),
    ({'inputs': ('mask',)}, 'inputs'),
    ({'directions': 'backward'}, 'directions'),
    ({'geometry': 'code'}, 'geometry'),
    ({'inputs': ('visible',), 'mask_branch_input': 'u_flow'}, 'mask_branch_input'),
])
def test_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


@pytest.mark.parametrize(('inputs', 'needs'), [
    (('image', 'visible', 'flow'), {'image', 'flow'}), (('visible', 'flow'), {'flow'}),
    (('image', 'visible'), {'image'}), (('visible',), set()),
])
def test_reads_only_what_it_needs(inputs, needs):
    model = small(inputs=inputs)
    assert model.needs == needs
    given = clips()
    if 'image' not in needs:
        given = replace(given, image=None)
    if 'flow' not in needs:
        given = replace(given, forward=None, backward=None)
    completed = model(given)
    assert completed.known.all()
    if needs:
        with pytest.raises(ValueError, match='do not have'):
            model(replace(given, image=None, forward=None, backward=None))


def test_every_frame_is_made_of_the_passes_that_reach_it():
    # Numbers that say where they are from: 1x from the past, 2x from the future, x the frame
    # on the way; equal weights.
    shape = (1, 5, 1, 1)
    steps = torch.arange(5.).view(1, 5, 1, 1)
    ahead = DirectedPass(90 + steps, 10 + steps, torch.zeros(shape), torch.zeros(1, 5, 2, 1, 1))
    back = replace(ahead, carried=20 + steps, alpha=torch.zeros(shape))
    given = random_clips(1, 5, (1, 1))
    expected = [23, (10 + 22) / 2, (11 + 21) / 2, (12 + 20) / 2, 13]
    assert merge(given, ahead, back).flatten().tolist() == expected
    assert merge(given, ahead, None).flatten().tolist() == [90, 10, 11, 12, 13]
    # Of a clip of three frames in a batch of longer ones, the last is the third.
    given.valid[0, 3:] = False
    assert merge(given, ahead, back).flatten().tolist()[:3] == [21, (10 + 20) / 2, 11]
    # More weight to the past.
    ahead.alpha.fill_(50)
    assert merge(given, ahead, back).flatten().tolist()[:3] == [21, 10, 11]
    single = random_clips(1, 1, (1, 1))
    one = DirectedPass(*(value[:, :1] for value in (ahead.mask, ahead.carried, ahead.alpha,
                                                    ahead.motion)))
    assert merge(single, one, one).item() == 90


def test_the_way_back_is_the_way_ahead_of_turned_clips():
    model, given = small(), clips()
    completed, turned = model(given), model(given.reversed())
    torch.testing.assert_close(completed.probability, turned.probability.flip(1), **CLOSE)
    torch.testing.assert_close(completed.backward_pass.mask, turned.forward_pass.mask, **CLOSE)


def test_online_looks_at_the_past_alone():
    model, given = small(directions='forward'), clips()
    changed = replace(given, visible=given.visible.clone(), forward=given.forward.clone())
    changed.visible[:, 3:] = False
    changed.forward[:, 3:] = 5
    now, then = model(given), model(changed)
    assert now.backward_pass is None
    assert now.probability[:, :4].equal(then.probability[:, :4])
    assert not now.probability[:, 4].equal(then.probability[:, 4])


def test_without_temporal_embedding_a_frame_knows_its_neighbours_alone():
    given = clips()
    changed = replace(given, image=given.image.clone())
    changed.image[:, 0] = 0
    for temporal in (True, False):
        model = small(temporal=temporal)
        same = [torch.equal(a, b) for a, b in zip(
            model(given).forward_pass.mask.unbind(1), model(changed).forward_pass.mask.unbind(1),
            strict=True)]
        assert same == [False] + [not temporal] * 4


def test_padding_in_time_and_space_has_no_effect():
    model, given = small(), clips()
    more = ObjectClips.stack([given, random_clips(1, 8, (30, 44), seed=1)])
    alone, among = model(given), model(more)
    torch.testing.assert_close(among.probability[:2, :5, :23, :39],
                               alone.probability[:, :, :23, :39], **CLOSE)
    assert among.known.sum(dim=1).tolist() == [5, 5, 8]


def test_where_the_windows_lie_has_no_effect():
    model = small(patch_size=(16, 16), widths=(4, 4, 8), motion_widths=(2, 4, 4))
    given = moving_block()
    # The same frames through windows that go with the object.
    origins = torch.stack([5 + 2 * torch.arange(5), torch.zeros(5)], dim=1)[None].long()
    moved = replace(given, origins=origins, **{
        name: torch.stack([pad(getattr(given, name)[0, t], (0, 8))[..., x:x + 30]
                           for t, (x, _) in enumerate(origins[0].tolist())])[None]
        for name in ('visible', 'others', 'amodal', 'image', 'forward', 'backward')})
    still, going = model(given).probability, model(moved).probability
    for t, (x, _) in enumerate(origins[0].tolist()):
        width = min(30, 40 - x)
        torch.testing.assert_close(going[0, t, :, :width], still[0, t, :, x:x + width], **CLOSE)


def test_hidden_objects_and_objects_of_one_frame_are_completed():
    given = clips()
    given.visible[0] = False
    given.visible[1, 2] = False
    single = small()(given[:1]._map(lambda name, value: value[:, :1]))
    for completed in (small()(given), single):
        assert completed.probability.isfinite().all() and completed.known.all()
    torch.testing.assert_close(single.probability, single.forward_pass.mask)


def test_a_long_clip_is_the_short_one_and_more():
    model = small(directions='forward')
    given = random_clips(1, 60, (24, 40))
    short = given._map(lambda name, value: value[:, :7])
    torch.testing.assert_close(model(given).probability[:, :7], model(short).probability, **CLOSE)


def test_every_parameter_learns():
    model, given = small(), clips()
    model(given).probability.square().sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0
               for each in model.parameters())
