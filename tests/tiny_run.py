"""Runs of the command line tools that take seconds: configs/vatrack_qd_synthetic.py, shrunk."""
from __future__ import annotations

from itertools import count
from pathlib import Path

from mmengine.config import Config
from scripts import REPO, load_tool

from vatrack.apis import load_config, parse_options

CONFIG = REPO / 'configs' / 'vatrack_qd_synthetic.py'
TWO_EPOCHS = ('train_cfg.max_epochs=2', 'train_cfg.val_interval=1',
              'default_hooks.logger.interval=2')
_runs = count()


def data_options(root: Path, train: str = 'train', val: str = 'val') -> list[str]:
    """``--cfg-options`` that put the data of ``root`` in place of a config's own."""
    options = []
    for loader, split in [('train', train), ('val', val), ('test', val)]:
        dataset = f'{loader}_dataloader.dataset'
        options += [f'{dataset}.data_root={root}/', f'{dataset}.ann_file={split}.json',
                    f"{dataset}.data_prefix={{'img_path': '{split}/'}}",
                    f'{loader}_dataloader.num_workers=0']
    return options + [f'{name}_evaluator.ann_file={root}/{val}.json' for name in ('val', 'test')]


def tiny_options(root: Path, *more: str) -> list[str]:
    """``--cfg-options`` that shrink the synthetic config to the data of ``root``: 96x64 pixels."""
    return [
        *data_options(root),
        *(f'{name}_dataloader.dataset.scale=(96, 64)' for name in ('train', 'val', 'test')),
        'train_dataloader.batch_size=2',
        'model.detector.backbone.base_channels=8',
        'model.detector.backbone.stem_channels=8',
        'model.detector.neck.in_channels=[8, 16, 32, 64]',
        'model.detector.train_cfg.rpn_proposal.max_per_img=32',
        'model.detector.train_cfg.rcnn.sampler.num=16',
        'model.association.head.train_cfg.sampler.num=16',
        'model.detector.test_cfg.rpn.max_per_img=16',
        'model.detector.test_cfg.rcnn.max_per_img=6',
        # A model that has hardly learned is sure of nothing.
        'model.association.tracker.init_score_thr=0.01',
        'model.association.tracker.obj_score_thr=0.01',
        'train_cfg.max_epochs=1',
        # mmengine keeps loggers by name; names have seconds, runs here take less.
        f'experiment_name=tiny_{next(_runs)}',
        *more
    ]


def tiny_config(root: Path, work_dir: Path, *more: str) -> Config:
    """The synthetic config, shrunk, ready for ``vatrack.apis.train`` and ``test``."""
    config = load_config(CONFIG, parse_options(tiny_options(root, *more)))
    config.work_dir = str(work_dir)
    return config


def train_tool(root: Path, work_dir: Path, *args: str, options: tuple[str, ...] = (),
               config: Path = CONFIG) -> int:
    """Call ``tools/train.py`` on a shrunk config; returns its exit code."""
    return load_tool('train').main([str(config), '--work-dir', str(work_dir), *args,
                                    '--cfg-options', *tiny_options(root, *options)])


def test_tool(*args: str | Path) -> int:
    """Call ``tools/test.py``; returns its exit code."""
    return load_tool('test').main([str(arg) for arg in args])


test_tool.__test__ = False
