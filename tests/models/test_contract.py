"""What holds for every model of videos; a new system gets these tests by adding its leaf."""
from __future__ import annotations

import copy
from collections.abc import Sequence

import made_models  # noqa: F401  (registers)
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from scripts import REPO
from torch import Tensor

from vatrack.apis import load_config
from vatrack.apis.weights import drop_pretrained
from vatrack.models import VideoModel, VideoSession
from vatrack.registry import DATASETS, MODELS
from vatrack.structures import MASK_KINDS, masks_field
from vatrack.structures.rle import decode

LEAVES = {path.stem: path for path in sorted((REPO / 'configs').rglob('*_synthetic.py'))
          if '_given_' not in path.stem}  # those complete tracks: test_completion_configs.py
#: Changes of one leaf that make models which answer late.
LATE = {'late: held back': dict(type='DelayedDetector'),
        'late: at the end': dict(type='OfflineDetector'),
        'late: calibrated': dict(calibration=dict(type='AddNeighbours'))}
SIZE = (96, 64)
LENGTH = 7


@pytest.fixture(scope='module', params=[*LEAVES, *LATE])
def system(request) -> tuple[VideoModel, ConfigDict]:
    """A model with spread random weights in evaluation mode, and its config."""
    name = request.param
    config = load_config(LEAVES.get(name, LEAVES['vatrack_qd_synthetic']))
    drop_pretrained(config)
    config.model.update(LATE.get(name, {}))
    # Fewer detections: this is about their order, not about their number.
    config.model.detector.test_cfg.rpn.max_per_img = 20
    config.model.detector.test_cfg.rcnn.max_per_img = 6
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('vatrack'):
        model = MODELS.build(copy.deepcopy(config.model))
    model.init_weights()
    for parameter_name, parameter in model.named_parameters():
        # Random classifiers say the same of all regions.
        if any(layer in parameter_name for layer in ('fc_cls.weight', 'conv_logits.weight')):
            torch.nn.init.normal_(parameter, std=.5)
    return model.eval(), config


@pytest.fixture(scope='module')
def images() -> Tensor:
    """Two videos of LENGTH frames in which something moves: (2, T, 3, H, W) uint8."""
    width, height = SIZE
    rng = torch.Generator().manual_seed(0)
    videos = torch.randint(60, 120, (2, 1, 3, height, width), generator=rng).repeat(
        1, LENGTH, 1, 1, 1)
    for t in range(LENGTH):
        videos[0, t, 0, 10:40, 5 * t:5 * t + 30] = 250
        videos[1, t, 1, 20:60, 60 - 6 * t:85 - 6 * t] = 10
        videos[1, t, 2, 5:30, 20:50] = 240
    return videos.to(torch.uint8)


def frame_of(video: int, frame: int, length: int = LENGTH) -> DetDataSample:
    width, height = SIZE
    return DetDataSample(metainfo=dict(
        video_id=video, video_name=f'v{video}', frame_id=frame, video_length=length,
        img_id=frame, img_path=f'{frame}.png', ori_shape=(height, width),
        img_shape=(height, width), scale_factor=(1., 1.)))


def prepared(model: VideoModel, images: Tensor,
             frames: Sequence[DetDataSample]) -> tuple[Tensor, list[DetDataSample]]:
    clips = [TrackDataSample(video_data_samples=[frame],
                             metainfo=dict(key_frames_inds=[0], ref_frames_inds=[]))
             for frame in frames]
    data = model.data_preprocessor(dict(inputs=list(images[:, None]), data_samples=clips), False)
    return data['inputs'].flatten(0, 1), list(frames)


class Viewer:
    """Pushes a video in batches, and looks at what comes out when."""

    def __init__(self, model: VideoModel, images: Tensor, video: int = 0) -> None:
        self.model, self.images, self.video = model, images, video
        self.session = VideoSession(model)
        self.pushed, self.frames, self.pred_tracks = 0, [], None

    @torch.no_grad()
    def push(self, count: int) -> None:
        stop = min(self.pushed + count, len(self.images))
        frames = [frame_of(self.video, t, len(self.images)) for t in range(self.pushed, stop)]
        self.frames += self.session.push(*prepared(
            self.model, self.images[self.pushed:stop], frames))
        self.pushed = stop

    @torch.no_grad()
    def close(self) -> None:
        rest, self.pred_tracks = self.session.close()
        self.frames += rest


def watched(model: VideoModel, images: Tensor, batch_size: int) -> Viewer:
    viewer = Viewer(model, images)
    while viewer.pushed < len(images):
        viewer.push(batch_size)
        if model.delay is not None:
            assert viewer.pushed - len(viewer.frames) <= model.delay
        assert [frame.frame_id for frame in viewer.frames] == list(range(len(viewer.frames)))
    viewer.close()
    assert [frame.frame_id for frame in viewer.frames] == list(range(len(images)))
    return viewer


def assert_same(first: Viewer, second: Viewer) -> None:
    """Equal but for the rounding of another batch size."""
    assert len(first.frames) == len(second.frames)
    for one, other in zip(first.frames, second.frames, strict=True):
        assert_same_instances(one.pred_track_instances, other.pred_track_instances)
    assert (first.pred_tracks is None) == (second.pred_tracks is None)
    if first.pred_tracks is not None:
        for key, values in first.pred_tracks.items():
            torch.testing.assert_close(values, second.pred_tracks[key], atol=1e-4, rtol=1e-4)


def assert_same_instances(one: InstanceData, other: InstanceData) -> None:
    assert one.keys() == other.keys()
    assert one.instances_id.tolist() == other.instances_id.tolist()
    assert one.labels.tolist() == other.labels.tolist()
    torch.testing.assert_close(one.scores, other.scores, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(one.bboxes, other.bboxes, atol=1e-2, rtol=1e-3)
    for kind in MASK_KINDS:
        if masks_field(kind) in one and len(one):
            pixels, same = (decode(each[masks_field(kind)], SIZE[::-1]) for each in (one, other))
            assert (pixels != same).mean() < 1e-3


def test_results_do_not_depend_on_the_size_of_batches(system, images):
    model, _ = system
    one, two, five = (watched(model, images[0], size) for size in (1, 2, 5))
    assert sum(len(frame.pred_track_instances) for frame in one.frames) > LENGTH
    assert_same(one, two)
    assert_same(one, five)


def test_what_comes_out_is_as_the_contract_says(system, images):
    model, _ = system
    for frame in watched(model, images[0], 3).frames:
        found = frame.pred_track_instances
        assert {masks_field(kind) for kind in model.mask_kinds} == {
            masks_field(kind) for kind in MASK_KINDS if masks_field(kind) in found}
        ids = found.instances_id
        assert ids.dtype == found.labels.dtype == torch.int64 and ids.min() >= 0
        assert len(ids.unique()) == len(ids)
        assert found.scores.dtype == found.bboxes.dtype == torch.float32
        assert all(values.device.type == 'cpu' for values in found.values()
                   if isinstance(values, Tensor))
        assert (found.scores >= 0).all() and (found.scores <= 1).all()
        for kind in model.mask_kinds:
            assert all(mask['size'] == [SIZE[1], SIZE[0]] for mask in found[masks_field(kind)])


def test_two_videos_at_once_equal_each_alone(system, images):
    model, _ = system
    alone = [watched(model, video, 2) for video in images]
    together = [Viewer(model, video, number) for number, video in enumerate(images)]
    while together[0].pushed < LENGTH:
        for viewer in together:
            viewer.push(2)
    for viewer in together:
        viewer.close()
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_a_video_of_one_frame_and_ids_that_begin_at_zero(system, images):
    model, _ = system
    for _ in range(2):  # nothing is left of the first
        viewer = watched(model, images[1, :1], 1)
        assert viewer.frames[0].pred_track_instances.instances_id.min() == 0


def test_a_video_without_objects(system, images, monkeypatch):
    model, _ = system
    monkeypatch.setattr(model.detector, 'detect', without_objects(model.detector.detect))
    viewer = watched(model, images[0], 2)
    assert not sum(len(frame.pred_track_instances) for frame in viewer.frames)
    assert all(masks_field(kind) in frame.pred_track_instances
               for frame in viewer.frames for kind in model.mask_kinds)


def without_objects(detect):
    def nothing(*args):
        return [found[:0] for found in detect(*args)]
    return nothing


def test_mmengines_loops_see_every_frame_once(system, images):
    """Batches of ``val_step`` that cut videos anywhere, each video alone in its batches."""
    model, _ = system
    direct = watched(model, images[0], 2)
    frames, ends = [], []
    for start in range(0, LENGTH, 3):
        part = slice(start, min(start + 3, LENGTH))
        clips = [TrackDataSample(video_data_samples=[frame_of(0, t)], metainfo=dict(
            key_frames_inds=[0], ref_frames_inds=[])) for t in range(part.start, part.stop)]
        outputs = model.val_step(dict(inputs=list(images[0, part, None]), data_samples=clips))
        assert len(outputs) == 1
        frames += outputs[0].get('video_data_samples', [])
        ends.append(outputs[0].get('pred_tracks'))
    assert ends[:-1] == [None] * (len(ends) - 1)
    viewer = copy.copy(direct)
    viewer.frames, viewer.pred_tracks = frames, ends[-1]
    assert_same(direct, viewer)


@pytest.fixture(scope='module')
def training_batch(tiny_data):
    """A batch of two clips from the training pipeline of a config, in which id 0 occurs."""
    def batch(config) -> dict:
        dataset = config.train_dataloader.dataset
        dataset.data_root, dataset.ann_file = f'{tiny_data}/', 'train.json'
        dataset.data_prefix = dict(img_path='train/')
        with DefaultScope.overwrite_default_scope('vatrack'):
            built = DATASETS.build(copy.deepcopy(dataset))
        torch.manual_seed(0)
        samples = pseudo_collate([built[0], built[len(built) - 1]])
        for clip in samples['data_samples']:
            ids = [frame.gt_instances.instances_id for frame in clip.video_data_samples]
            first = ids[clip.key_frames_inds[0]][0].item()
            for each in ids:
                each[each == first] = 0
        return samples
    return batch


def test_a_finite_loss_reaches_every_trainable_parameter(system, training_batch):
    model, config = system
    torch.manual_seed(0)
    model.train()
    try:
        data = model.data_preprocessor(training_batch(config), True)
        loss, logged = model.parse_losses(model(**data, mode='loss'))
        assert loss.isfinite() and loss > 0, logged
        model.zero_grad()
        loss.backward()
        untouched = [name for name, parameter in model.named_parameters()
                     if parameter.requires_grad and parameter.grad is None]
        assert not untouched
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    finally:
        model.eval()


def test_a_finite_loss_without_objects(system, training_batch):
    model, config = system
    batch = training_batch(config)
    for clip in batch['data_samples']:
        for frame in clip.video_data_samples:
            frame.gt_instances = frame.gt_instances[:0]
    model.train()
    try:
        data = model.data_preprocessor(batch, True)
        loss, logged = model.parse_losses(model(**data, mode='loss'))
        assert loss.isfinite(), logged
        loss.backward()
    finally:
        model.eval()
