"""SaVos against a second, plain version of what was released: numbers, whole clips, losses."""
from __future__ import annotations

import pytest
import torch
from made_clips import random_clips
from reference_savos import (
    ReleasedSaVos,
    clip_patches,
    consistency_loss,
    mask_loss,
    merged,
    paste,
)

from vatrack.checkpoints import CheckpointError, convert_state_dict, load_strictly
from vatrack.models.completion import SaVos, SelfSupervised
from vatrack.models.completion.objectives import merge_as_released
from vatrack.models.completion.released import ReleasedGeometry

PARAMETERS = {'encoder': 3_709_856, 'lstm': 526_336, 'mask_encoder': 3_707_296,
              'mask_decoder': 3_838_626, 'motion_encoder': 1_682_384, 'motion_decoder': 3_838_626}


@pytest.fixture(scope='module')
def released() -> ReleasedSaVos:
    torch.manual_seed(3)
    return ReleasedSaVos().eval()


def ours(released: ReleasedSaVos, mask_branch_input: str) -> SaVos:
    """SaVos with converted weights."""
    model = SaVos(geometry='released', mask_branch_input=mask_branch_input)
    state = convert_state_dict(released.state_dict()).state_dict
    model.load_state_dict({key.removeprefix('completer.'): value for key, value in state.items()})
    return model


def test_number_of_parameters_part_by_part():
    parts = dict(SaVos().network.named_children())
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    assert counts == PARAMETERS
    assert sum(counts.values()) == 17_303_124


@pytest.mark.parametrize('size', [(80, 140), (75, 141)])
def test_cuts_and_pastes_as_released(size):
    clips = random_clips(size=size)
    windows = {'image': clips.image / 255, 'visible': clips.visible[:, :, None].float(),
               'forward': clips.forward, 'backward': clips.backward}
    geometry = ReleasedGeometry((64, 128))
    patches, boxes = geometry.cut(clips, windows)
    found = torch.cat(list(patches.values()), dim=2)
    pasted = geometry.paste(found, boxes, clips)
    for clip in range(2):
        expected, regions = clip_patches(clips.image[clip], clips.visible[clip],
                                         clips.forward[clip], clips.backward[clip])
        torch.testing.assert_close(found[clip], expected, atol=1e-5, rtol=0)
        assert boxes[clip][:, [1, 3, 0, 2]].tolist() == [list(region) for region in regions]
        for t, region in enumerate(regions):
            torch.testing.assert_close(pasted[clip, t], paste(expected[t], region, size),
                                       atol=1e-4, rtol=0)


@pytest.mark.parametrize('mask_branch_input', ['visible', 'u_flow'])
def test_equals_the_plain_version(released, mask_branch_input):
    clips = random_clips()
    model = ours(released, mask_branch_input)
    objective = SelfSupervised(consistency='code', ends=False, half_pixel=True)
    with torch.no_grad():
        completed = model(clips)
        losses = objective(clips, completed)
        theirs = [merged(released, clips.image[clip], clips.visible[clip], clips.forward[clip],
                         clips.backward[clip], {'visible': 3, 'u_flow': 4}[mask_branch_input])
                  for clip in range(2)]
    close = {'atol': 1e-4, 'rtol': 1e-4}
    masks = [p for p, *_ in theirs]
    torch.testing.assert_close(merge_as_released(clips, completed), torch.stack(masks), **close)
    # Entry t is frame t + 1; the two ends have one direction each.
    torch.testing.assert_close(completed.probability[:, 1:-1],
                               torch.stack(masks)[:, :-2], **close)
    for clip, (_, ahead, back) in enumerate(theirs):
        for way, motions in ((completed.forward_pass, ahead), (completed.backward_pass, back)):
            torch.testing.assert_close(way.motion[clip], torch.stack(motions), **close)
    expected = mask_loss(masks, clips.visible, clips.others)
    assert losses['loss_mask'].item() == pytest.approx(expected, rel=1e-4)
    expected = consistency_loss(masks, [each[1] for each in theirs], [each[2] for each in theirs])
    assert losses['loss_consistency'].item() == pytest.approx(expected, rel=1e-4)


def test_released_geometry_wants_whole_frames():
    clips = random_clips(1, 2)
    clips.origins[0, 1] = 3
    with pytest.raises(ValueError, match='whole frames'):
        SaVos(geometry='released')(clips)


def test_released_entries_are_converted_strictly(released):
    state = released.state_dict()
    conversion = convert_state_dict(state)
    assert conversion.kind == 'savos' and len(conversion.state_dict) == len(state)
    assert 'mask_branch_input=u_flow' in conversion.report()
    completer = torch.nn.ModuleDict({'completer': SaVos()})
    assert load_strictly(completer, conversion, 'made.py') == ()
    with pytest.raises(CheckpointError, match=r'made\.py.*TrackCompleter whose completer is SaVos'):
        load_strictly(torch.nn.ModuleDict({'completer': SaVos(inputs=('visible', 'flow'))}),
                      conversion, 'made.py')
    lacking = {key: value for key, value in state.items() if key != 'st_encoder.lstm.bias_hh_l0'}
    with pytest.raises(CheckpointError, match=r'1 missing .st_encoder\.lstm\.bias_hh_l0'):
        convert_state_dict(lacking)
    with pytest.raises(CheckpointError, match='nothing to convert'):
        convert_state_dict(conversion.state_dict)
