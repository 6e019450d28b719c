"""Which frames make a training clip, and which videos a test process gets."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from vatrack.registry import DATA_SAMPLERS

from .amodal_video import AmodalVideoDataset


@DATA_SAMPLERS.register_module()
class VideoSampler(Sampler):
    """All frames in time order; with several processes, whole videos to each.

    Videos go to processes so that the numbers of frames are as even as a
    greedy assignment makes them (longest video first). No frame is repeated.

    Args:
        dataset: The dataset to sample.
        seed: Unused; mmengine passes it to every sampler.
    """

    def __init__(self, dataset: AmodalVideoDataset, seed: int | None = None) -> None:
        rank, world_size = get_dist_info()
        starts = dataset.video_starts
        lengths = np.diff(starts)
        load = np.zeros(world_size, dtype=np.int64)
        mine = []
        for video in np.argsort(-lengths, kind='stable'):
            lightest = int(load.argmin())
            load[lightest] += lengths[video]
            if lightest == rank:
                mine.append(video)
        self.videos = [range(starts[v], starts[v + 1]) for v in sorted(mine)]

    def __iter__(self) -> Iterator[int]:
        return (frame for video in self.videos for frame in video)

    def __len__(self) -> int:
        return sum(map(len, self.videos))

    def set_epoch(self, epoch: int) -> None:
        """Nothing to do: the order is always the same."""


@DATA_SAMPLERS.register_module()
class VideoBatchSampler(Sampler):
    """Consecutive frames of one video per batch.

    A batch then holds the same frames, padded to the same size, however many
    processes share the videos, and so gives the same scores.

    Args:
        sampler: The videos of this process, in order.
        batch_size: Most frames of a batch.
    """

    def __init__(self, sampler: VideoSampler, batch_size: int) -> None:
        self.sampler = sampler
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for video in self.sampler.videos:
            for start in range(0, len(video), self.batch_size):
                yield list(video[start:start + self.batch_size])

    def __len__(self) -> int:
        return sum(-(-len(video) // self.batch_size) for video in self.sampler.videos)
