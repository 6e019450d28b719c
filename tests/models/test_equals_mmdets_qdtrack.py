"""With one class, configs/qdtrack_qd_*.py finds and tracks what mmdet's QDTrack does."""
from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from vatrack.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
WIDTH, HEIGHT, FRAMES = 128, 64, 12


def our_config() -> ConfigDict:
    """QDTrack: the CPU-sized network with one class, and the tracker of the full-size config."""
    model = Config.fromfile(CONFIGS / 'qdtrack_qd_synthetic.py').model
    full = Config.fromfile(CONFIGS / 'qdtrack_qd_sailvos-cut.py').model
    model.association.tracker = full.association.tracker
    model.detector.roi_head.bbox_head.num_classes = 1
    model.detector.roi_head.mask_heads.visible.num_classes = 1
    model.detector.test_cfg.rpn.max_per_img = 50
    return model


def mmdets_config(ours: ConfigDict) -> ConfigDict:
    """The same numbers for mmdet's classes; its QDTrack has no masks."""
    model = copy.deepcopy(ours)
    model.type, model.detector.type = 'mmdet.QDTrack', 'FasterRCNN'
    association = model.pop('association')
    model.track_head, model.tracker = association.head, association.tracker
    roi_head = model.detector.roi_head
    for part in ('mask_heads', 'mask_roi_extractor'):
        del roi_head[part]
    roi_head.type, model.tracker.type = 'mmdet.StandardRoIHead', 'mmdet.QuasiDenseTracker'
    model.track_head.type = 'mmdet.QuasiDenseTrackHead'
    embed_head = model.track_head.embed_head
    embed_head.type = 'mmdet.QuasiDenseEmbedHead'
    embed_head.loss_track = dict(type='mmdet.MultiPosCrossEntropyLoss', loss_weight=.25)
    embed_head.loss_track_aux = None
    return model


def build(config: ConfigDict) -> torch.nn.Module:
    with DefaultScope.overwrite_default_scope('vatrack'):
        return MODELS.build(config).eval()


@pytest.fixture(scope='module')
def models() -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    ours = build(our_config())
    # Random weights say much the same about every region; spread them.
    for layer in (ours.detector.roi_head.bbox_head.fc_cls, ours.detector.rpn_head.rpn_cls,
                  ours.association.head.embed_head.fc_embed):
        torch.nn.init.normal_(layer.weight, std=.5)
    theirs = build(mmdets_config(ours=our_config()))
    theirs.load_state_dict({name.replace('association.head.', 'track_head.'): value
                            for name, value in ours.state_dict().items()
                            if '.mask_heads.' not in name}, strict=True)
    return ours, theirs


def video(seed: int, **meta) -> list[dict]:
    """Frames of textured things that move over a textured ground, one batch each."""
    rng = torch.Generator().manual_seed(seed)

    def texture(height: int, width: int) -> torch.Tensor:
        coarse = torch.rand(1, 3, height // 8, width // 8, generator=rng) * 255
        return torch.nn.functional.interpolate(coarse, size=(height, width), mode='bilinear')[0]
    ground = texture(HEIGHT, WIDTH)
    things = [(texture(32, 40), torch.rand(2, generator=rng) * 30,
               (torch.rand(2, generator=rng) - .5) * 6) for _ in range(4)]
    batches = []
    for frame_id in range(FRAMES):
        image = ground.clone()
        for thing, start, speed in things:
            x, y = (start + speed * frame_id).clamp(0, 30).int().tolist()
            image[:, y:y + 32, x:x + 40] = thing
        frame = DetDataSample(metainfo=dict(
            img_shape=(HEIGHT, WIDTH), frame_id=frame_id, video_id=1, video_length=FRAMES,
            video_name='v', img_path=f'{frame_id}.png') | meta)
        clip = TrackDataSample(video_data_samples=[frame], metainfo=dict(
            key_frames_inds=[0], ref_frames_inds=[]))
        batches.append(dict(inputs=[image[None].byte()], data_samples=[clip]))
    return batches


@pytest.mark.parametrize(('seed', 'scale'), [(0, 1.), (1, 2.)])
def test_equals_mmdets_qdtrack(seed, scale, models):
    meta = dict(scale_factor=(scale, scale), ori_shape=(HEIGHT / scale, WIDTH / scale))
    meta['ori_shape'] = tuple(map(int, meta['ori_shape']))
    continued, known = 0, set()
    for batch in video(seed, **meta):
        found = []
        for model in models:
            with torch.no_grad():
                clip, = model.test_step(copy.deepcopy(batch))
            found.append(clip[0].pred_track_instances)
        ours, theirs = found
        assert ours.instances_id.tolist() == theirs.instances_id.tolist()
        for field in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(ours[field], theirs[field], rtol=1e-5, atol=1e-4)
        assert len(ours) > 5 and len(ours.visible_masks) == len(ours)
        continued += len(known & set(ours.instances_id.tolist()))
        known |= set(ours.instances_id.tolist())
    assert continued > 3 * FRAMES and len(known) > 2 * len(ours)
