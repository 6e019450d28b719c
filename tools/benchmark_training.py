r"""Time training steps, beside mmdet's MaskTrackRCNN of the same detector on the same clips.

Both models take turns, step by step, on clips that are loaded before; loading is timed apart.
Prints seconds per step and, on a GPU, peak memory, in float32 and bfloat16.

Example, the full-size model on made videos of SAIL-VOS's size:
    python tools/make_synthetic.py --out data/large --splits train:40x5 --width 1280 --height 800
    python tools/benchmark_training.py configs/vatrack_qd_sailvos-cut.py --steps 50 --cfg-options \
        train_dataloader.dataset.data_root=data/large/ \
        train_dataloader.dataset.ann_file=train.json \
        train_dataloader.dataset.data_prefix.img_path=train/ \
        "train_dataloader.dataset.metainfo.classes=('fish','turtle','jellyfish','starfish','leaf')"
"""
from __future__ import annotations

import argparse
import copy
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from vatrack.apis import load_config, parse_options
from vatrack.apis.train import set_amp
from vatrack.apis.weights import train_from_scratch
from vatrack.registry import MODELS
from vatrack.stopping import run_tool


def mmdet_model(config: Config) -> ConfigDict:
    """Config of mmdet's MaskTrackRCNN with the detector of ``config`` and one mask head."""
    model = copy.deepcopy(config.model)
    model.detector.type, roi_head = 'MaskRCNN', model.detector.roi_head
    head = next(head for head in roi_head.pop('mask_heads').values() if head is not None)
    roi_head.pop('visible_bbox_head', None)
    roi_head.update(type='StandardRoIHead', mask_head=head)
    channels = roi_head.bbox_head.in_channels
    assigner = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5,
                    match_low_quality=True, ignore_iof_thr=-1)
    sampler = dict(type='RandomSampler', num=128, pos_fraction=0.25, neg_pos_ub=-1,
                   add_gt_as_proposals=True)
    track_head = dict(
        type='RoITrackHead', roi_extractor=roi_head.bbox_roi_extractor,
        embed_head=dict(type='RoIEmbedHead', num_fcs=2, roi_feat_size=7, in_channels=channels,
                        fc_out_channels=1024),
        train_cfg=dict(assigner=assigner, sampler=sampler))
    return ConfigDict(type='mmdet.MaskTrackRCNN', data_preprocessor=model.data_preprocessor,
                      detector=model.detector, track_head=track_head,
                      tracker=dict(type='MaskTrackRCNNTracker'))


def single_kind(batch: dict) -> dict:
    """A batch as mmdet takes it: the masks of one kind, ids by the name that its head reads."""
    batch = copy.deepcopy(batch)
    for clip in batch['data_samples']:
        for frame in clip.video_data_samples:
            frame.gt_instances.instances_ids = frame.gt_instances.instances_id
            masks = frame.gt_instances.get('masks')
            if masks is not None:
                frame.gt_instances.masks = masks.kind(masks.kinds[0])
    return batch


class Trainee:
    """A model with its optimizer, and how long its steps took."""

    def __init__(self, name: str, model: ConfigDict, config: Config, device: str) -> None:
        self.name, self.device, self.seconds, self.peak = name, device, [], 0
        self.model: BaseModel = MODELS.build(model).to(device).train()
        runner = Runner.__new__(Runner)
        runner.model = self.model
        self.optimizer = Runner.build_optim_wrapper(runner, copy.deepcopy(config.optim_wrapper))

    def step(self, batch: dict) -> float:
        """Train on a batch; returns the loss."""
        batch = copy.deepcopy(batch)
        if self.device == 'cuda':
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        losses = self.model.train_step(batch, self.optimizer)
        if self.device == 'cuda':
            torch.cuda.synchronize()
            self.peak = max(self.peak, torch.cuda.max_memory_allocated())
        self.seconds.append(time.perf_counter() - start)
        return losses['loss'].item()


def measure(config: Config, precision: str, batches: Sequence[dict], steps: int, warmup: int,
            device: str) -> list[Trainee]:
    """Train both models in turns."""
    config = copy.deepcopy(config)
    if precision != 'fp32':
        set_amp(config, precision)
    trainees = [Trainee('vatrack', config.model, config, device),
                Trainee('mmdet MaskTrackRCNN', mmdet_model(config), config, device)]
    other = [single_kind(batch) for batch in batches]
    for ours, theirs in islice(cycle(zip(batches, other, strict=True)), warmup + steps):
        for trainee, batch in zip(trainees, (ours, theirs), strict=True):
            loss = trainee.step(batch)
            if not loss < float('inf'):
                raise SystemExit(f'error: {trainee.name}, {precision}: the loss is {loss}')
    for trainee in trainees:
        del trainee.seconds[:warmup]
    return trainees


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--steps', type=int, default=50)
    parser.add_argument('--warmup', type=int, default=5, help='steps that are not timed')
    parser.add_argument('--batches', type=int, default=8, help='different batches')
    parser.add_argument('--precision', nargs='+', choices=['fp32', 'bf16'],
                        default=['fp32', 'bf16'])
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    config = load_config(args.config, parse_options(args.cfg_options))
    train_from_scratch(config)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    with DefaultScope.overwrite_default_scope('vatrack'):
        loader = Runner.build_dataloader(config.train_dataloader, seed=0)
        start = time.perf_counter()
        batches = list(islice(cycle(loader), args.batches))
        print(f'loading: {(time.perf_counter() - start) / len(batches):.3f} s per batch of '
              f'{config.train_dataloader.batch_size} clips, '
              f'{config.train_dataloader.num_workers} workers, with their start')
        for precision in args.precision:
            trainees = measure(config, precision, batches, args.steps, args.warmup, device)
            for trainee in trainees:
                median = statistics.median(trainee.seconds)
                memory = f', peak {trainee.peak / 2**30:.2f} GiB' if trainee.peak else ''
                print(f'{precision} {trainee.name}: {median:.3f} s per step{memory}')
            ours, theirs = (statistics.median(t.seconds) for t in trainees)
            print(f'{precision} vatrack / mmdet: {ours / theirs:.2f}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
