"""What a model asks of a GPU, counted on a CPU."""
from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, set_random_seed
from torch.utils.data import DataLoader

from vatrack.engine import SimulatedGPU, Wait
from vatrack.registry import MODELS
from vatrack.synthetic import CREATURES, SceneConfig, generate

from .config import config_errors
from .config_tree import dicts_of
from .weights import train_from_scratch

#: Of frames in pixels. Only times depend on it: a wait is one for any number of pixels.
_WIDTH, _HEIGHT = 192, 128


class GPUUse(NamedTuple):
    """Sums over some training steps, or over the frames of a video in testing.

    Attributes:
        times: Number of steps or frames.
        waits: How often the host waited for the GPU, by kind and place.
        operations: Number of operations that the GPU was given.
    """

    times: int
    waits: Counter[Wait]
    operations: int

    @property
    def waits_each(self) -> float:
        """Mean number of waits of a step or frame."""
        return self.waits.total() / self.times

    @property
    def operations_each(self) -> float:
        """Mean number of operations of a step or frame."""
        return self.operations / self.times


def count_gpu_use(config: Config, batch_size: int = 2, steps: int = 2,
                  frames: int = 4) -> dict[str, GPUUse]:
    """Train and test the model of a config on a :class:`~vatrack.engine.SimulatedGPU`.

    The model has random weights, and thresholds of scores are 0, so that there is something to
    track; data are made, and small. All is seeded: the same code gives the same numbers. A first
    training step, in which the optimizer makes its state, is not counted; nor is what hooks,
    evaluation and data loading do.

    Args:
        config: Complete config; left as it is.
        batch_size: Clips of a training batch.
        steps: Training steps, at least 1.
        frames: Frames of the video that is tested, one in each batch, at least 1.

    Returns:
        Use by what for: 'training step' and 'frame in testing'.

    Raises:
        ConfigError: The config names a class or key that does not exist.
        MixedDevicesError: An operation was given tensors that a GPU would refuse.
    """
    with (TemporaryDirectory() as root, config_errors(config),
          DefaultScope.overwrite_default_scope(config.get('default_scope', 'vatrack'))):
        config = _with_made_data(config, Path(root), batch_size, frames)
        set_random_seed(0)
        clips = list(islice(cycle(_loader(config.train_dataloader)), 1 + steps))
        video = list(_loader(config.test_dataloader))
        model = MODELS.build(_without_thresholds(config).model)
        model.init_weights()
        with SimulatedGPU() as gpu:
            model = model.to('cuda')
            testing = _test(model, video, gpu)
            training = _train(model, config, clips, gpu)
    return {'training step': training, 'frame in testing': testing}


def _train(model: BaseModel, config: Config, clips: list[dict], gpu: SimulatedGPU) -> GPUUse:
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    model.train()
    model.train_step(clips[0], optimizer)
    gpu.clear()
    for batch in clips[1:]:
        model.train_step(batch, optimizer)
    return GPUUse(len(clips) - 1, Counter(gpu.waits), gpu.operations)


@torch.no_grad()
def _test(model: BaseModel, video: list[dict], gpu: SimulatedGPU) -> GPUUse:
    model.eval()
    gpu.clear()
    for batch in video:
        model.test_step(batch)
    return GPUUse(len(video), Counter(gpu.waits), gpu.operations)


def _loader(config: dict) -> DataLoader:
    return Runner.build_dataloader(config, seed=0)


def _with_made_data(config: Config, root: Path, batch_size: int, frames: int) -> Config:
    """A copy without pretrained weights, whose data are made in ``root``."""
    config = copy.deepcopy(config)
    train_from_scratch(config)
    for split, videos, length, size in [('train', 2, 4, batch_size), ('test', 1, frames, 1)]:
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=size)
        dataset = loader.dataset
        classes = tuple(CREATURES)[:len(dataset.metainfo.classes)]
        generate(root, split, videos,
                 SceneConfig(num_frames=length, width=_WIDTH, height=_HEIGHT, classes=classes))
        dataset.update(data_root=f'{root}/', ann_file=f'{split}.json',
                       data_prefix=dict(img_path=f'{split}/'), metainfo=dict(classes=classes))
        for _, node in dicts_of(dataset, 'dataset'):
            if 'scale' in node:
                node.scale = (_WIDTH, _HEIGHT)
    return config


def _without_thresholds(config: Config) -> Config:
    """With every threshold of a score at 0, but for those of a match; in place."""
    for _, node in dicts_of(config.model, 'model'):
        for key in node:
            if key.endswith('score_thr') and not key.startswith('match'):
                node[key] = 0.
    return config


def by_place(use: GPUUse, lines: bool = False) -> Iterator[tuple[float, str, str]]:
    """Waits of a step or frame by kind and file, most first.

    Args:
        use: What was counted.
        lines: By line of the file.

    Yields:
        Mean number, kind, place: ``vatrack/track/memory.py`` or ``vatrack/track/memory.py:41``.
    """
    places: Counter[tuple[str, str]] = Counter()
    for wait, count in use.waits.items():
        places[wait.kind, f'{wait.file}:{wait.line}' if lines else wait.file] += count
    for (kind, place), count in sorted(places.items(), key=lambda item: (-item[1], item[0])):
        yield count / use.times, kind, place
