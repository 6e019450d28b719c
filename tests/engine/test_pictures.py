from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import TrackDataSample
from mmengine.structures import InstanceData
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_run import tiny_config

from vatrack.apis.config import build_runner
from vatrack.engine import PicturesHook
from vatrack.engine.pictures import frame_truth, spread_frames
from vatrack.files import AnnotationIndex, load_annotations
from vatrack.structures.rle import encode


def saved_images(run: Path) -> dict[str, np.ndarray]:
    return {path.name: cv2.imread(str(path)) for path in run.glob('*/vis_data/vis_image/*')}


def logged_images(run: Path) -> dict[str, list[int]]:
    """Steps of the images in the TensorBoard file of a run, by tag."""
    (events,) = run.glob('*/vis_data/events.out.tfevents*')
    accumulator = EventAccumulator(str(events), size_guidance={'images': 0}).Reload()
    return {tag: [image.step for image in accumulator.Images(tag)]
            for tag in accumulator.Tags()['images']}


def test_a_training_run_draws_the_same_frames_in_every_epoch(trained_run):
    logged = logged_images(trained_run)
    assert len(logged) == 4
    assert {name.split('_frame')[0] for name in logged} == {'val_0000', 'val_0001', 'val_0002'}
    assert set(map(tuple, logged.values())) == {(1, 2)}
    images = saved_images(trained_run)
    assert images.keys() == {f'{name}_{step}.png' for name in logged for step in (1, 2)}
    # Truth and prediction side by side, each 480 wide; the truth is the same in each.
    assert {image.shape[1] for image in images.values()} == {2 * 480 + 6 + 2 * 12}
    for name in logged:
        first, second = (images[f'{name}_{step}.png'] for step in (1, 2))
        assert (first[:, :480] == second[:, :480]).all()
        assert len(np.unique(first[:, :480].reshape(-1, 3), axis=0)) > 1000


class Recorder:
    """A visualizer that keeps what it is given."""

    def __init__(self) -> None:
        self.drawn = []

    def add_datasample(self, name, image, sample, **kwargs) -> None:
        self.drawn.append((name, image, sample, kwargs))


@pytest.fixture(scope='module')
def loader(tiny_data, tmp_path_factory):
    config = tiny_config(tiny_data, tmp_path_factory.mktemp('pictures'))
    return build_runner(config).build_dataloader(config.val_dataloader)


def validate(hook: PicturesHook, loader, epochs: int = 1) -> list[tuple]:
    """What a hook has drawn in validations whose model finds one object at the left border."""
    runner = SimpleNamespace(val_dataloader=loader, visualizer=Recorder(), epoch=0)
    for runner.epoch in range(1, epochs + 1):
        hook.before_val_epoch(runner)
        for number, batch in enumerate(loader):
            hook.after_val_iter(runner, number, batch, [found(c) for c in batch['data_samples']])
    return runner.visualizer.drawn


def found(clip: TrackDataSample) -> TrackDataSample:
    for frame in clip.video_data_samples:
        mask = np.zeros((1, *frame.ori_shape), np.uint8)
        mask[..., :20] = 1
        frame.pred_track_instances = InstanceData(
            labels=torch.tensor([1]), scores=torch.tensor([0.9]), instances_id=torch.tensor([4]),
            amodal_masks=encode(mask))
    return clip


def test_truth_is_that_of_the_annotation_file(loader, tiny_data):
    annotations = load_annotations(tiny_data / 'val.json')
    videos = {video.name: video for video in annotations.videos}
    drawn = validate(PicturesHook(score_thr=0.2), loader)
    assert len(drawn) == 4
    for name, image, sample, options in drawn:
        assert options == {'pred_score_thr': 0.2, 'step': 1}
        frame = videos[sample.video_name].frames[sample.frame_id]
        assert name == f'{sample.video_name}_frame{sample.frame_id:04d}'
        expected = cv2.imread(str(tiny_data / 'val' / frame.file_name))[..., ::-1]
        assert (image == expected).all()
        truth = sample.gt_instances
        assert truth.instances_id.tolist() == [each.instance_id for each in frame.instances]
        assert ([loader.dataset.metainfo['classes'][label] for label in truth.labels]
                == [annotations.categories[each.category_id] for each in frame.instances])
        for kind in ('amodal', 'visible'):
            assert (encode(truth.masks.kind(kind).masks)
                    == [each.masks[kind] for each in frame.instances])
        assert sample.pred_track_instances.instances_id.tolist() == [4]


def test_samples_are_left_as_they_are(loader):
    runner = SimpleNamespace(val_dataloader=loader, visualizer=Recorder(), epoch=1)
    hook = PicturesHook(num_pictures=12)
    hook.before_val_epoch(runner)
    clips = [found(clip) for clip in next(iter(loader))['data_samples']]
    hook.after_val_iter(runner, 0, None, clips)
    assert len(runner.visualizer.drawn) == len(clips) > 0
    assert not any('gt_instances' in frame for clip in clips for frame in clip.video_data_samples)


@pytest.mark.parametrize(('options', 'epochs', 'steps'), [
    ({'num_pictures': 0}, 2, []), ({'num_pictures': 1}, 2, [1, 2]),
    ({'num_pictures': 1, 'interval': 2}, 5, [1, 3, 5]), ({'num_pictures': 99}, 1, [1] * 12)])
def test_how_many_and_how_often(loader, options, epochs, steps):
    assert [step['step'] for *_, step in validate(PicturesHook(**options), loader, epochs)] == steps


@pytest.mark.parametrize('options', [{'num_pictures': -1}, {'interval': 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match='num_pictures >= 0 and interval >= 1'):
        PicturesHook(**options)


def test_only_the_main_process_draws(loader, monkeypatch):
    monkeypatch.setattr('vatrack.engine.pictures.is_main_process', lambda: False)
    assert validate(PicturesHook(), loader) == []


def fake_index(occlusions: list[list[float]]) -> SimpleNamespace:
    counts = [len(frame) for frame in occlusions]
    return SimpleNamespace(occlusions=np.concatenate(occlusions),
                           frame_starts=np.cumsum([0, *counts]))


def test_the_most_occluded_frame_of_each_part_is_chosen():
    nan = float('nan')
    index = fake_index([[.1], [.2, .5], [.6], [], [0, 0], [nan], [], []])

    def chosen(count: int, frames: list[int]) -> list[int]:
        return spread_frames(SimpleNamespace(dataset=SimpleNamespace(index=index),
                                             batch_sampler=SimpleNamespace(sampler=frames)), count)

    assert chosen(1, range(8)) == [1]
    assert chosen(2, range(8)) == [1, 4]
    assert chosen(4, range(8)) == [1, 2, 4, 6]
    assert chosen(20, range(8)) == list(range(8))
    assert chosen(1, [5, 6, 7]) == [5]
    assert chosen(2, []) == []


def test_classes_that_the_config_leaves_out_are_no_truth(tiny_data):
    index = AnnotationIndex.open(tiny_data / 'val.json')
    names = list(index.categories.values())
    first, last = index.frame_starts[:2].tolist()
    positions = index.category_positions[first:last].tolist()
    kept = names[positions[0]]
    truth = frame_truth(index, 0, [kept])
    assert truth.labels.tolist() == [0] * positions.count(positions[0])
    nothing = frame_truth(index, 0, ['whale'])
    assert len(nothing) == 0 and nothing.labels.dtype == torch.int64
