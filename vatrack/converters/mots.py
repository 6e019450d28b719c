"""Datasets with MOTS truth (Voigtlaender et al., 2019): KITTI MOTS, MOTSChallenge, and exports.

PNG: ``<labels>/<sequence>/000000.png``. Text: ``<labels>/<sequence>.txt``, or
``<labels>/<sequence>/gt/gt.txt``. Frames: ``<images>/<sequence>/000000.png``,
or in a folder ``img1`` of it; labels and frames have the same numbers. The
format of the labels: :mod:`~vatrack.files.foreign.mots_format`.
"""
from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vatrack.files.annotation_entry import read_rle
from vatrack.files.bystanders import is_bystander
from vatrack.files.foreign.mots_format import CLASS, IGNORED, parse_line, read_png
from vatrack.structures import MASK_KINDS
from vatrack.structures.rle import RLE

from .command import Command, Converted, Note
from .common import ConversionError
from .parts.image_files import (
    add_unlabelled,
    image_files,
    image_size,
    labels_of,
    match_labels,
    subfolders,
)
from .parts.labelled_videos import (
    LabelledDataset,
    LabelledVideo,
    Mapper,
    Output,
    add_output,
    mapper,
    output_of,
    write_dataset,
)
from .parts.shape_rules import Shape, ShapeRules

#: Classes of KITTI MOTS and MOTSChallenge.
CLASSES = ('car', 'pedestrian')
_DESCRIPTION = """\
LABELS holds {layout}. Frames are DIR/<sequence>/000000.png
(or .jpg), or in a folder img1 of it, with the numbers that the labels have. Classes are numbered
from 1 (--classes), ignored regions become crowd.

Example:
    python tools/convert.py {example} --out data/kitti_mots
"""


@dataclass(frozen=True, slots=True)
class MotsOptions:
    """How to read MOTS truth.

    Attributes:
        images: Folder of the frames.
        classes: Class names; the first has the number 1 in the labels.
        kind: Kind of the masks.
        unlabelled: What a frame without a PNG means, see
            :func:`~vatrack.converters.parts.image_files.add_unlabelled`.
        workers: Number of processes.
    """

    images: Path
    classes: Sequence[str] = CLASSES
    kind: str = 'visible'
    unlabelled: str = 'refuse'
    workers: int = 1


def convert_mots_png(labels: str | Path, output: Output, options: MotsOptions,
                     note: Note) -> Converted:
    """Convert truth in 16 bit PNG.

    Raises:
        ConversionError: A folder, frame or label image is missing, broken or of
            another size, or has an unknown class; names it.
    """
    labels = Path(labels)
    with mapper(options.workers) as each:
        videos = [_png_video(folder, options, each, note)
                  for folder in subfolders(labels, 'a folder of PNG per sequence')]
        return _write(videos, output, options, note)


def convert_mots_txt(labels: str | Path, output: Output, options: MotsOptions,
                     note: Note) -> Converted:
    """Convert truth in text files; a frame without a line has no objects.

    Raises:
        ConversionError: As :func:`convert_mots_png`, or a line is broken.
    """
    videos = [_txt_video(name, path, options) for name, path in find_text_files(Path(labels))]
    return _write(videos, output, options, note)


def find_text_files(folder: Path) -> list[tuple[str, Path]]:
    """Name and file of the sequences, in order.

    Raises:
        ConversionError: There are none.
    """
    flat = sorted((path.stem, path) for path in folder.glob('*.txt')
                  if not is_bystander(path.name))
    deep = sorted((path.parts[-3], path) for path in folder.glob('*/gt/gt.txt'))
    if flat and deep:
        raise ConversionError(f'{folder}: holds {flat[0][1].name} and, of the other layout, '
                              f'{deep[0][1].relative_to(folder)}; keep one of the two')
    found = flat or deep
    if not found:
        raise ConversionError(f'{folder}: holds neither <sequence>.txt nor <sequence>/gt/gt.txt; '
                              'give the folder of the text files')
    return found


def _write(videos: list[LabelledVideo], output: Output, options: MotsOptions,
           note: Note) -> Converted:
    dataset = LabelledDataset(options.images, videos, options.classes, (options.kind,))
    return write_dataset(dataset, output, ShapeRules(), note)


def _frames(name: str, options: MotsOptions) -> dict[str, Path]:
    folder = options.images / name
    return image_files(folder / 'img1' if (folder / 'img1').is_dir() else folder)


def _png_video(folder: Path, options: MotsOptions, each: Mapper, note: Note) -> LabelledVideo:
    frames = _frames(folder.name, options)
    pairs = match_labels(frames, image_files(folder, ['.png']), f"{folder.parent}: video "
                         f"'{folder.name}'", options.unlabelled, note)
    size = image_size(pairs[0][0])
    read = partial(_png_shapes, size=size, options=options)
    return LabelledVideo(folder.name, [frame for frame, _ in pairs],
                         each(read, [label for _, label in pairs]), size)


def _png_shapes(label: Path | None, size: tuple[int, int], options: MotsOptions) -> list[Shape]:
    if label is None:
        return []
    try:
        objects = read_png(label, size)
    except ValueError as error:
        raise ConversionError(str(error)) from None
    return [shape for number, mask in objects
            for shape in _shapes(number, mask, options, str(label))]


def _txt_video(name: str, path: Path, options: MotsOptions) -> LabelledVideo:
    frames = _frames(name, options)
    first = next(iter(frames.values()))
    size = image_size(first)
    numbers = {_number(frame): frame for frame in frames.values()}
    with labels_of(first):
        shapes = _txt_shapes(path, size, numbers, options)
    return LabelledVideo(name, list(frames.values()), [shapes[number] for number in numbers], size)


def _number(frame: Path) -> int:
    if not frame.stem.isdecimal():
        raise ConversionError(f'{frame}: frames must be named by their number, as 000000.png; '
                              'rename them as in the published dataset')
    return int(frame.stem)


def _txt_shapes(path: Path, size: tuple[int, int], numbers: dict[int, Path],
                options: MotsOptions) -> dict[int, list[Shape]]:
    """Shapes by the number of the frame."""
    shapes: dict[int, list[Shape]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    with path.open(encoding='utf-8-sig', errors='replace') as file:
        for position, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f'{path}: line {position}'
            try:
                entry = parse_line(line)
                mask = read_rle(entry.mask, 'rle', list(size))
            except ValueError as error:
                raise ConversionError(f'{where}: {error}') from None
            if entry.frame not in numbers:
                raise ConversionError(f'{where}: there is no frame {entry.frame}, only '
                                      f'{min(numbers)} to {max(numbers)}; check --images')
            key = entry.frame, entry.number
            if key in seen and not entry.ignored:
                raise ConversionError(f'{where}: object {entry.number} stands twice in frame '
                                      f'{entry.frame}; remove one of the lines')
            seen.add(key)
            if entry.number // CLASS != entry.category:
                raise ConversionError(f'{where}: object {entry.number} must be of class '
                                      f'{entry.number // CLASS}, not {entry.category}; an id is '
                                      'class * 1000 + instance: correct the line')
            shapes[entry.frame] += _shapes(entry.number, mask, options, where)
    return shapes


def _shapes(number: int, mask: RLE, options: MotsOptions, where: str) -> list[Shape]:
    """An object; an ignored region is a crowd of every class."""
    if number == IGNORED:
        return [Shape(IGNORED + index, name, options.kind, mask, iscrowd=True)
                for index, name in enumerate(options.classes, start=1)]
    if not 1 <= number // CLASS <= len(options.classes):
        raise ConversionError(f'{where}: object {number} is of class {number // CLASS}, but there '
                              f'are only {len(options.classes)} ({", ".join(options.classes)}); '
                              'name all classes in order with --classes')
    return [Shape(number, options.classes[number // CLASS - 1], options.kind, mask)]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('labels', metavar='LABELS', help='folder of the labels')
    parser.add_argument('--images', required=True, metavar='DIR', help='folder of the frames')
    parser.add_argument('--classes', nargs='+', default=CLASSES, metavar='NAME',
                        help=f'names of classes 1, 2, ... (default: {" ".join(CLASSES)})')
    parser.add_argument('--kind', choices=MASK_KINDS, default='visible',
                        help='kind of the masks (default: %(default)s)')
    add_output(parser)


def _add_png_arguments(parser: argparse.ArgumentParser) -> None:
    _add_arguments(parser)
    add_unlabelled(parser)


def _options(args: argparse.Namespace) -> MotsOptions:
    return MotsOptions(Path(args.images), tuple(args.classes), args.kind,
                       getattr(args, 'unlabelled', 'refuse'), args.workers)


def _run_png(args: argparse.Namespace, note: Note) -> list[Converted]:
    return [convert_mots_png(args.labels, output_of(args), _options(args), note)]


def _run_txt(args: argparse.Namespace, note: Note) -> list[Converted]:
    return [convert_mots_txt(args.labels, output_of(args), _options(args), note)]


MOTS_PNG = Command(
    'mots-png', 'MOTS truth in 16 bit PNG: <labels>/<sequence>/000000.png',
    _DESCRIPTION.format(layout='<sequence>/000000.png, 16 bit, class * 1000 + instance',
                        example='mots-png KITTI/instances --images KITTI/training/image_02'),
    _add_png_arguments, _run_png)
MOTS_TXT = Command(
    'mots-txt', 'MOTS truth in text files: <labels>/<sequence>.txt or <sequence>/gt/gt.txt',
    _DESCRIPTION.format(layout='<sequence>.txt or <sequence>/gt/gt.txt: frame id class h w rle',
                        example='mots-txt KITTI/instances_txt --images KITTI/training/image_02'),
    _add_arguments, _run_txt)
