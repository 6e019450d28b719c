"""Converted checkpoints of the full size give, bit for bit, what their modules give."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.structures import InstanceData
from released import LEGACY, MODULES, build, entries, model_config
from torch import Tensor, nn

from vatrack.apis.weights import load_weights
from vatrack.checkpoints import convert_state_dict, read_checkpoint, write_checkpoint

HEIGHT, WIDTH = 64, 96
FEW = {'detector.test_cfg.rpn.max_per_img': 100, 'detector.test_cfg.rcnn.max_per_img': 8}


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def two_box_release() -> dict[str, Tensor]:
    """Two-box checkpoint of random weights; those of the other kinds are parts of it."""
    torch.manual_seed(0)
    model = build(model_config('vatrack-2box'))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    nn.init.normal_(model.detector.roi_head.bbox_head.fc_cls.weight, std=0.5)
    state = entries(model, MODULES['vatrack-2box'])
    assert not torch.equal(*(state[f'roi_head.{head}.fc_reg.bias']
                             for head in ('bbox_head', 'amodal_bbox_head')))
    return state | {f'mu{i}': torch.randn(1, 256, 30) for i in range(5)}


def release(kind: str, two_box: Mapping[str, Tensor]) -> dict[str, Tensor]:
    left_out = ('roi_head.amodal_bbox_head.', 'roi_head.amodal_mask_head.')
    names = {'vatrack-2box': (), 'vatrack': left_out[:1]}.get(kind, left_out)
    return {key: value for key, value in two_box.items() if not key.startswith(names)}


def assigned_by_hand(kind: str, state: Mapping[str, Tensor]) -> nn.Module:
    model = build(model_config(kind, **FEW))
    for name, path in MODULES[kind].items():
        model.get_submodule(path).load_state_dict({
            key[len(name) + 1:]: value for key, value in state.items()
            if key.startswith(f'{name}.')})
    return model


def predict(model: nn.Module) -> InstanceData:
    """Tracked instances of one frame, with everything that the heads say of them."""
    frame = DetDataSample(metainfo=dict(
        img_shape=(HEIGHT, WIDTH), ori_shape=(HEIGHT, WIDTH), scale_factor=(1., 1.),
        video_length=1, img_path='v/0.png', video_name='v', video_id=1, frame_id=0))
    clip = TrackDataSample(video_data_samples=[frame],
                           metainfo=dict(key_frames_inds=[0], ref_frames_inds=[]))
    image = torch.randint(256, (1, 3, HEIGHT, WIDTH),
                          generator=torch.Generator().manual_seed(0)).byte()
    with torch.no_grad():
        (clip,) = model.test_step(dict(inputs=[image], data_samples=[clip]))
    return clip.video_data_samples[0].pred_track_instances


def head_outputs(model: nn.Module) -> list[Tensor]:
    """What the detector, every head on regions and the embedding head say of fixed regions."""
    image = torch.randn(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[4., 4., 40., 50.], [20., 0., 90., 60.], [60., 30., 70., 44.]])
    rois = torch.cat([torch.zeros(3, 1), boxes], dim=1)
    roi_head = model.detector.roi_head
    with torch.no_grad():
        feats = model.detector.extract_feat(image)
        regions = [extractor(feats[:4], rois) for extractor in (
            roi_head.bbox_roi_extractor, roi_head.mask_roi_extractor)]
        return [
            *feats, *(each for level in model.detector.rpn_head(feats) for each in level),
            *(each for head in roi_head.bbox_heads for each in head(regions[0])),
            *(head(regions[1]) for head in roi_head.mask_heads.values()),
            *model.association.head.embed(feats, [boxes])]


@pytest.mark.parametrize('kind', LEGACY)
def test_outputs_are_those_of_weights_assigned_by_hand(kind: str, two_box_release, tmp_path: Path):
    state = release(kind, two_box_release)
    expected = assigned_by_hand(kind, state)
    converted = build(model_config(kind, **FEW))
    if kind == 'vatrack-2box':  # through files, as a user does
        torch.save(dict(state_dict=state), tmp_path / 'released.pth')
        source = read_checkpoint(tmp_path / 'released.pth')
        conversion = convert_state_dict(source.state_dict)
        write_checkpoint(tmp_path / 'out.pth', conversion, source, 'vatrack')
        load_weights(converted, tmp_path / 'out.pth')
        for path in tmp_path.iterdir():  # half a gigabyte each
            path.unlink()
    else:
        converted.load_state_dict(convert_state_dict(state, kind).state_dict, strict=True)

    outputs = head_outputs(expected), head_outputs(converted)
    assert len(outputs[0]) == {'vatrack': 20, 'vatrack-2box': 22}.get(kind, 19)
    for ours, theirs in zip(*outputs, strict=True):
        assert torch.equal(ours, theirs) and ours.isfinite().all() and ours.std() > 0

    found = predict(expected), predict(converted)
    assert len(found[0]) == 8 and found[0].keys() == found[1].keys()
    for field, value in found[0].items():
        same = found[1][field]
        assert torch.equal(value, same) if isinstance(value, Tensor) else value == same, field
