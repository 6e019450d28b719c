"""Videos that are labelled frame by frame -> one annotation file, whatever the labels were."""
from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vatrack.files import AnnotationWriter

from ..command import Converted, Note, note_if_empty, positive
from ..common import ConversionError, worker_pool
from .frames import add_placement, place
from .image_files import has_frames, image_size
from .shape_rules import ObjectMaker, Shape, ShapeRules

#: As the builtin ``map`` of one iterable, in this process or in others.
Mapper = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

# Frames that a process takes at once.
_CHUNK = 4
# Names that a note lists.
_FEW = 5


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """A video with its labels.

    Attributes:
        name: Unique name.
        images: T frames in time order.
        shapes: The shapes of each frame, T lists; iterated once, in step with
            the frames.
        size: (H, W) of the labels; None takes that of the first frame.
    """

    name: str
    images: Sequence[Path]
    shapes: Iterable[Sequence[Shape]]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class LabelledDataset:
    """Videos, and what they have in common.

    Attributes:
        root: Folder that the frames lie in.
        videos: The videos, in the order of the file to write.
        classes: Class names; the first is category 1.
        kinds: Kinds of masks that the shapes are drawn in.
    """

    root: Path
    videos: Sequence[LabelledVideo]
    classes: Sequence[str]
    kinds: tuple[str, ...] = ('visible',)


@dataclass(frozen=True, slots=True)
class Output:
    """Where a dataset goes: ``<folder>/<split>.json``, and maybe its frames.

    Attributes:
        folder: Folder of the dataset.
        split: Name of the split.
        frames: One of :data:`~vatrack.converters.parts.frames.FRAME_MODES`: leave the
            frames where they are, make ``<folder>/<split>`` a link to them, or
            copy them to it.
    """

    folder: Path
    split: str
    frames: str

    @property
    def images(self) -> Path:
        """Where frames are linked or copied to."""
        return self.folder / self.split


def add_output(parser: argparse.ArgumentParser, workers: bool = True) -> None:
    """Declare where the dataset goes, and (``workers``) in how many processes it is read."""
    add_placement(parser)
    parser.add_argument('--split', default='train', metavar='SPLIT',
                        help='name of this part of the dataset (default: %(default)s)')
    if workers:
        parser.add_argument('--workers', type=positive, default=1, metavar='N',
                            help='processes (default: %(default)s)')


def output_of(args: argparse.Namespace) -> Output:
    """Where the command line says that the dataset goes."""
    return Output(Path(args.out), args.split, args.frames)


@contextmanager
def mapper(workers: int) -> Iterator[Mapper]:
    """A map over frames, in processes if ``workers`` > 1; results come in order."""
    if workers <= 1:
        yield map
        return
    with worker_pool(workers) as pool:
        def each(function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
            yield from pool.map(function, jobs, chunksize=_CHUNK)  # starts at the first request
        try:
            yield each
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_dataset(dataset: LabelledDataset, output: Output, rules: ShapeRules,
                  note: Note) -> Converted:
    """Write the annotation file, and place the frames.

    Args:
        dataset: What to write.
        output: Where it goes.
        rules: What becomes of shapes that contradict each other.
        note: Told what the rules changed.

    Returns:
        What was written.

    Raises:
        ConversionError: A frame cannot be read or has another size than its
            video, or shapes contradict each other; names video and frame.
    """
    maker = ObjectMaker(dataset.classes, dataset.kinds, rules)
    path = output.folder / f'{output.split}.json'
    in_place = os.path.realpath(output.images) == os.path.realpath(dataset.root)
    mode = 'none' if in_place else output.frames
    num_frames = sum(len(video.images) for video in dataset.videos)
    with AnnotationWriter(path, dict(enumerate(dataset.classes, start=1))) as writer, \
            tqdm(total=num_frames, unit='frame', desc=path.name, disable=None) as bar:
        for video in dataset.videos:
            where = f"{dataset.root}: video '{video.name}'"
            size = video.size or image_size(video.images[0])
            writer.add_video(video.name, width=size[1], height=size[0])
            maker.begin_video()
            for image, shapes in zip(video.images, video.shapes, strict=True):
                _check_size(where, image, size)
                name = image.relative_to(dataset.root).as_posix()
                writer.add_frame(name, maker.instances(where, image.name, size, shapes))
                if mode == 'copy':
                    place(image, output.images / name, link=False)
                bar.update()
        if mode == 'link':
            place(dataset.root, output.images, link=True)
    note_if_empty(writer, note)
    for line in maker.notes():
        note(line)
    bare = [] if in_place else _bare_folders(dataset)
    if bare:
        note(f'{dataset.root}: {len(bare)} folders of frames have no labels and are left out: '
             f'{", ".join(bare[:_FEW])}{", ..." if len(bare) > _FEW else ""}')
    if mode == 'reference':
        note(f'the frames stay in {dataset.root}: state this folder for img_path in the config')
    return Converted.by(writer, dataset.root if mode == 'reference' else output.images,
                        maker.left_out)


def _bare_folders(dataset: LabelledDataset) -> list[str]:
    """Folders with frames, none of which is in the dataset."""
    used = {image.relative_to(dataset.root).parts[0] for video in dataset.videos
            for image in video.images}
    return [folder.name for folder in sorted(dataset.root.iterdir())
            if folder.is_dir() and folder.name not in used and has_frames(folder)]


def _check_size(where: str, image: Path, size: tuple[int, int]) -> None:
    found = image_size(image)
    if found != size:
        raise ConversionError(f'{where}: {image} is {found[1]} x {found[0]} pixels, but the video '
                              f'is {size[1]} x {size[0]}; use the frames that were labelled, all '
                              'of one size')
