"""Estimating the optical flow of whole datasets, file by file."""
from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch

from vatrack.files import AnnotationIndex
from vatrack.files.whole_file import replace_when_done
from vatrack.flow import DIRECTIONS, ESTIMATORS, FlowError, FlowEstimator, FlowFiles, write_flow
from vatrack.video.source import IMAGE_SUFFIXES, natural_key, read_image

#: File in the folder of the fields that tells how they were made.
STAMP = 'flow.json'

# Frames that one process takes at once.
_STRETCH = 64


class FlowVideo(NamedTuple):
    """A video whose flow is wanted: its name, and its frames in time order.

    Frames are named relative to the folder of the images.
    """

    name: str
    file_names: list[str]


@dataclass(frozen=True)
class FlowRecipe:
    """How fields are made.

    Attributes:
        method: Key of :data:`~vatrack.flow.ESTIMATORS`.
        options: Arguments of the estimator.
        directions: Some of :data:`~vatrack.flow.DIRECTIONS`.
        suffix: Key of :data:`~vatrack.flow.FORMATS`.
    """

    method: str = 'dis'
    options: dict[str, Any] = field(default_factory=dict)
    directions: tuple[str, ...] = DIRECTIONS
    suffix: str = '.npz'

    def estimator(self) -> FlowEstimator:
        """Build the estimator.

        Raises:
            FlowError: Its weights cannot be used.
            ValueError: An option is out of range.
        """
        return ESTIMATORS[self.method](**self.options)


class FlowReport(NamedTuple):
    """How many fields were made, and how many were there already."""

    made: int
    kept: int


class _Pair(NamedTuple):
    """A field that is wanted: from one frame of a video to another, and its file."""

    source: str
    target: str
    path: Path


def annotated_videos(ann: str | Path) -> list[FlowVideo]:
    """The videos of an annotation file.

    Raises:
        AnnotationError: It is missing, broken or inconsistent.
    """
    return [FlowVideo(video.name, [frame.file_name for frame in video.frames])
            for video in AnnotationIndex.open(ann).outline().videos]


def videos_in(folder: str | Path) -> list[FlowVideo]:
    """The videos in a folder: each folder below that holds images, and itself if it does.

    Raises:
        FlowError: There is no such folder, or no image in it.
    """
    root, videos = Path(folder), []
    for path, folders, names in os.walk(root):
        folders.sort(key=natural_key)
        names = [name for name in names if not name.startswith('.')
                 and Path(name).suffix.lower() in IMAGE_SUFFIXES]
        if names:
            inside = Path(path).relative_to(root)
            videos.append(FlowVideo(str(inside), [str(inside / name) for name in
                                                  sorted(names, key=natural_key)]))
    if not videos:
        raise FlowError(f'{folder}: {"no image in this folder" if root.is_dir() else "no folder"}; '
                        'give the folder of the images, or of folders of images')
    return videos


def make_flow(videos: Iterable[FlowVideo], images: str | Path, out: str | Path,
              recipe: FlowRecipe | None = None, *, workers: int = 1,
              on_fields: Callable[[int], object] | None = None) -> FlowReport:
    """Estimate the fields of videos and write them as :class:`~vatrack.flow.FlowFiles` reads them.

    Fields that are there already, made in the same way, are kept: a run that was
    broken off goes on. A process holds no more frames than it estimates together.

    Args:
        videos: What :func:`annotated_videos` or :func:`videos_in` found.
        images: Folder of the images.
        out: Folder of the fields.
        recipe: How they are made; None takes the defaults.
        workers: Processes that estimate.
        on_fields: Called with the number of fields done, made or kept, since the
            last call.

    Raises:
        FlowError: ``out`` holds fields that were made in another way, two frames
            would have the same file, or frames of a video differ in size.
        VideoError: A frame is missing or damaged.
        ValueError: An option is out of range.
    """
    if workers < 1:
        raise ValueError(f'workers must be at least 1, got {workers}')
    recipe = recipe or FlowRecipe()
    estimator = recipe.estimator()  # so that wrong options end it before anything is written
    videos = [*videos]
    _check_names(videos, out)
    _stamp(Path(out), recipe)
    stretches = list(_stretches(videos))
    if workers == 1:
        counts = (_make_stretch(estimator, recipe, images, out, each) for each in stretches)
        return _total(counts, on_fields)
    pool = ProcessPoolExecutor(min(workers, max(len(stretches), 1)), get_context('spawn'),
                               _begin_worker, (recipe,))
    try:
        return _total(pool.map(partial(_make_in_worker, recipe, images, out), stretches), on_fields)
    finally:
        pool.shutdown(cancel_futures=True)


def _check_names(videos: Sequence[FlowVideo], out: str | Path) -> None:
    files = FlowFiles(out)
    places = Counter(files.path(name, 'forward') for video in videos for name in video.file_names)
    twice = next((place for place, count in places.items() if count > 1), None)
    if twice is not None:
        raise FlowError(f'{twice}: would be the flow of two frames, whose names differ in the '
                        'suffix alone; rename one of them')


def _stamp(out: Path, recipe: FlowRecipe) -> None:
    """Note how the fields of a folder are made, or see that they were made so."""
    options = dict(recipe.options)
    options.pop('device', None)
    if 'weights' in options:
        options['weights'] = hashlib.sha256(Path(options['weights']).read_bytes()).hexdigest()
    wanted = {'method': recipe.method, 'options': options, 'suffix': recipe.suffix}
    path = out / STAMP
    if path.exists():
        found = json.loads(path.read_text())
        if found != wanted:
            raise FlowError(f'{out}: holds flow that was made in another way ({found}); choose '
                            'another folder, or remove this one')
        return
    with replace_when_done(path) as file:
        json.dump(wanted, file)


def _stretches(videos: Iterable[FlowVideo]) -> Iterator[list[str]]:
    """Pieces of videos; each begins with the last frame of the one before."""
    for video in videos:
        for start in range(0, len(video.file_names) - 1, _STRETCH):
            yield video.file_names[start:start + _STRETCH + 1]


def _total(counts: Iterable[FlowReport], on_fields: Callable[[int], object] | None) -> FlowReport:
    made = kept = 0
    for each in counts:
        made, kept = made + each.made, kept + each.kept
        if on_fields is not None:
            on_fields(sum(each))
    return FlowReport(made, kept)


def _make_stretch(estimator: FlowEstimator, recipe: FlowRecipe, images: str | Path,
                  out: str | Path, file_names: Sequence[str]) -> FlowReport:
    pairs = list(_pairs(file_names, recipe, FlowFiles(out)))
    # Two, since a pair follows its reverse.
    read = lru_cache(2)(lambda name: read_image(Path(images, name)))
    missing = iter([pair for pair in pairs if not pair.path.is_file()])
    made = 0
    while batch := list(islice(missing, estimator.batch_size)):
        sources, targets = ([read(name) for name in names]
                            for names in zip(*[pair[:2] for pair in batch], strict=True))
        try:
            fields = estimator(sources, targets)
        except FlowError as error:
            raise FlowError(f'{Path(images, batch[0].source)} to {batch[-1].target}: {error}; '
                            'frames of a video have one size') from error
        for pair, each in zip(batch, fields, strict=True):
            write_flow(pair.path, each)
        made += len(batch)
    return FlowReport(made, len(pairs) - made)


def _pairs(file_names: Sequence[str], recipe: FlowRecipe, files: FlowFiles) -> Iterator[_Pair]:
    for first, second in pairwise(file_names):
        for direction, source, target in (('forward', first, second), ('backward', second, first)):
            if direction in recipe.directions:
                yield _Pair(source, target, files.path(source, direction, recipe.suffix))


#: The estimator of a worker.
_estimators: list[FlowEstimator] = []


def _begin_worker(recipe: FlowRecipe) -> None:
    # Processes share the cores already.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    _estimators.append(recipe.estimator())


def _make_in_worker(recipe: FlowRecipe, images: str | Path, out: str | Path,
                    file_names: Sequence[str]) -> FlowReport:
    return _make_stretch(_estimators[0], recipe, images, out, file_names)
