"""Pictures of a few validation frames, to see a model learn."""
from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from vatrack.files import AnnotationIndex, resolve_image
from vatrack.registry import HOOKS
from vatrack.structures import MASK_KINDS
from vatrack.structures.by_kind import MasksByKind
from vatrack.video.image_file import read_image


@HOOKS.register_module()
class PicturesHook(Hook):
    """Draw truth and predictions of the same few frames in every validation.

    The frames are spread over the videos; of each part the one with most
    occlusion is taken. Truth comes from the index of the annotation file, as
    the test pipeline loads none. The runner's visualizer draws, and hands the
    pictures to its backends (TensorBoard, files in ``vis_data/vis_image`` ...)
    with the epoch as their step. With several processes the first one draws
    frames of its own videos.

    Args:
        num_pictures: Frames to draw; 0 turns the hook off.
        interval: Draw in every n-th validation, beginning with the first.
        score_thr: Predictions with a lower score are left out.

    Raises:
        ValueError: ``num_pictures`` is negative, or ``interval`` below 1.
    """

    priority = 'LOW'

    def __init__(self, num_pictures: int = 4, interval: int = 1, score_thr: float = 0.3) -> None:
        if num_pictures < 0 or interval < 1:
            raise ValueError(f'PicturesHook needs num_pictures >= 0 and interval >= 1, got '
                             f'{num_pictures} and {interval}')
        self.num_pictures = num_pictures
        self.interval = interval
        self.score_thr = score_thr
        self._validations = 0
        self._frames: dict[tuple[int, int], int] = {}

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose the frames, by the id of the video and the position in it."""
        due = self._validations % self.interval == 0
        self._validations += 1
        self._frames = {}
        if due and self.num_pictures and is_main_process():
            index = runner.val_dataloader.dataset.index
            for frame in spread_frames(runner.val_dataloader, self.num_pictures):
                video = index.video_of(frame)
                position = frame - int(index.video_starts[video])
                self._frames[int(index.video_ids[video]), position] = frame

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None,
                       outputs: Sequence[TrackDataSample] | None = None) -> None:
        """Draw the chosen frames of a batch."""
        if not self._frames:
            return
        for sample in (frame for clip in outputs for frame in clip.get('video_data_samples', ())):
            frame = self._frames.get((sample.video_id, sample.frame_id))
            if frame is not None:
                self._draw(runner, sample, frame)

    def _draw(self, runner: Runner, sample: DetDataSample, frame: int) -> None:
        dataset = runner.val_dataloader.dataset
        with_truth = sample.new()
        with_truth.gt_instances = frame_truth(dataset.index, frame, dataset.metainfo['classes'])
        name = re.sub(r'[^0-9A-Za-z._-]+', '-', f'{sample.video_name}_frame{sample.frame_id:04d}')
        path = resolve_image('', sample.img_path, sample.video_name)
        runner.visualizer.add_datasample(
            name, read_image(path), with_truth, pred_score_thr=self.score_thr, step=runner.epoch)


def spread_frames(loader: DataLoader, count: int) -> list[int]:
    """The most occluded frame of each of ``count`` equal parts of what a loader yields."""
    index = loader.dataset.index
    frames = np.fromiter(loader.batch_sampler.sampler, np.int64)
    # An object counts a little, so that among frames without occlusion full ones are taken.
    weights = np.nan_to_num(index.occlusions) + 1e-3
    sums = np.concatenate(([0], np.cumsum(weights)))[index.frame_starts]
    occluded = np.diff(sums)
    return [int(part[occluded[part].argmax()])
            for part in np.array_split(frames, count) if len(part)]


def frame_truth(index: AnnotationIndex, frame: int, classes: Sequence[str]) -> InstanceData:
    """All objects of a frame that are of ``classes``, as ``gt_instances`` without boxes.

    Masks are of those kinds that all of these objects have.
    """
    by_category = np.array([classes.index(name) if name in classes else -1
                            for name in index.categories.values()], np.int64)
    first, last = index.frame_starts[frame:frame + 2].tolist()
    labels = by_category[index.category_positions[first:last]]
    objects = first + np.flatnonzero(labels >= 0)
    size = tuple(index.video_sizes[index.video_of(frame)].tolist())
    masks = {kind: index.masks(kind, objects, size) for kind in MASK_KINDS
             if index.has_mask(kind, objects).all()}
    truth = InstanceData(labels=torch.from_numpy(labels[labels >= 0]),
                         instances_id=torch.from_numpy(index.instance_ids[objects]))
    if masks:
        truth.masks = MasksByKind.from_rles(masks, size)
    return truth
