"""Score one video after the other, in one process or in several, with the same numbers."""
from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Protocol as Interface

from tqdm import tqdm

from vatrack.stopping import process_pool
from vatrack.structures import TrackRecord, Video

from .similarity import ComparedVideo, compare_video
from .truth import check_kind, truth_tracks


class Metric(Interface):
    """What a metric must be able to do; picklable."""

    #: Whether objects may lack the mask that is scored in some frames, and do not count there.
    partial_truth: bool

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video."""

    def merge(self, other: Metric) -> None:
        """Take in what another metric of the same kind has seen."""

    def compute(self) -> dict[str, float]:
        """Numbers of all videos by name."""

    def by_category(self) -> dict[int, dict[str, float]]:
        """The same for each category by id."""


Scorers = dict[str, list[Metric]]


@dataclass(frozen=True)
class Plan:
    """How every video is scored; picklable.

    Attributes:
        metrics: Each makes a metric that has seen nothing yet.
        kinds: Predicted mask kind by the kind of truth it is held against.
        max_occlusion: Truth of one frame above it is removed, see ``Protocol``.
        path: Name of the annotation file, for messages.
    """

    metrics: Sequence[Callable[[], Metric]]
    kinds: Mapping[str, str]
    max_occlusion: float | None
    path: str

    def scorers(self) -> Scorers:
        """Metrics by mask kind that have seen nothing yet."""
        return {kind: [metric() for metric in self.metrics] for kind in self.kinds}


def score_videos(plan: Plan, videos: Sequence[Video],
                 tracks: Mapping[int, Sequence[TrackRecord]], workers: int = 1,
                 progress: bool = False) -> Scorers:
    """Score videos in order of their ids.

    Each video is scored on its own and then merged in order, so neither the
    number of processes nor the order of ``videos`` changes a bit of the numbers.

    Args:
        plan: How.
        videos: Videos with their truth; a process is sent one at a time.
        tracks: Predictions by video id.
        workers: Number of processes; 1 scores in this one.
        progress: Show a progress bar on stderr, if that is a terminal.

    Returns:
        Metrics by mask kind that have seen all videos.

    Raises:
        ValueError: No number of processes.
        ChildProcessError: A process died.
    """
    if workers < 1:
        raise ValueError(f'workers must be at least 1, got {workers}; 1 scores in this process')
    ordered = sorted(videos, key=lambda video: video.id)
    jobs = [tracks.get(video.id, ()) for video in ordered]
    total = plan.scorers()
    parts = _scored(partial(score_video, plan), ordered, jobs, min(workers, len(ordered)))
    for part in tqdm(parts, 'scoring', len(ordered), unit='video', file=sys.stderr,
                     disable=None if progress else True):
        for kind, metrics in part.items():
            for metric, other in zip(total[kind], metrics, strict=True):
                metric.merge(other)
    return total


def score_video(plan: Plan, video: Video, tracks: Sequence[TrackRecord]) -> Scorers:
    """Metrics by mask kind that have seen this video alone."""
    truths = truth_tracks(video, plan.max_occlusion, plan.path)
    scorers = plan.scorers()
    for kind, predicted in plan.kinds.items():
        if not all(metric.partial_truth for metric in scorers[kind]):
            check_kind(truths, kind, video, plan.path)
        compared = compare_video(video, tracks, truths, kind, predicted)
        for metric in scorers[kind]:
            metric.add(compared)
    return scorers


def _scored(score: Callable[[Video, Sequence[TrackRecord]], Scorers], videos: Sequence[Video],
            tracks: Sequence[Sequence[TrackRecord]], workers: int) -> Iterator[Scorers]:
    if workers <= 1:
        yield from map(score, videos, tracks)
        return
    # A forked process must not walk through, and thereby copy, what it has inherited.
    with process_pool(workers, initializer=gc.freeze) as pool:
        try:
            yield from pool.map(score, videos, tracks)
        except BrokenProcessPool:
            raise ChildProcessError(
                f'one of the {workers} processes that score videos died, for example because '
                'memory ran out or somebody ended it; start again with fewer processes '
                '(--workers 1 needs no others)') from None
