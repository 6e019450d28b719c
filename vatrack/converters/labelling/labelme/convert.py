"""Videos labelled frame by frame in labelme (https://labelme.io): a JSON file per frame.

Layout: ``<root>/<video>/000000.json`` and so on, or all in ``<root>``. A file
has ``imagePath`` relative to itself, ``imageHeight``, ``imageWidth`` and
``shapes``: ``label``, ``shape_type``, ``points``, ``group_id``, ``flags`` and,
of masks, a PNG in base64. The group is the identity of an object: its parts,
its kinds, and the same object in the other frames all have the same one.
"""
from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

from vatrack.files.bystanders import is_bystander
from vatrack.files.json_stream import load_json
from vatrack.structures import MASK_KINDS
from vatrack.video.source import natural_key

from ...command import Command, Converted, Note
from ...common import ConversionError
from ...parts.image_files import add_unlabelled, has_frames, image_files, image_size, match_labels
from ...parts.labelled_videos import (
    LabelledDataset,
    LabelledVideo,
    Mapper,
    Output,
    add_output,
    mapper,
    output_of,
    write_dataset,
)
from ...parts.shape_rules import Shape, ShapeRules, add_amodal_rules, add_overlap_rule, rules_of
from ..drawn_labels import DrawnLabels, add_label_options, label_options
from .shapes import shape_mask

_DESCRIPTION = """\
ROOT holds a folder per video, with a JSON file of labelme beside every frame, or the files of one
video. The group id of a shape is the identity of its object in the video: give it to all parts of
the object, in all frames.

Amodal shapes are told from visible ones by their label (--amodal-suffix _amodal: car_amodal is the
full shape of a car) or by a flag (--amodal-flag amodal).

Example:
    python tools/convert.py labelme raw/train --amodal-suffix _amodal --overlap front \\
        --out data/own --split train
"""


@dataclass(frozen=True, slots=True)
class LabelmeOptions:
    """How to read files of labelme.

    Attributes:
        labels: What the labels mean.
        classes: Class names in label order; None: those found, sorted.
        amodal_flag: Flag of amodal shapes, or None.
        unlabelled: What a frame without a file means, see
            :func:`~vatrack.converters.parts.image_files.add_unlabelled`.
        workers: Number of processes.
    """

    labels: DrawnLabels = field(default_factory=DrawnLabels)
    classes: Sequence[str] | None = None
    amodal_flag: str | None = None
    unlabelled: str = 'refuse'
    workers: int = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of masks that are drawn."""
        return MASK_KINDS if self.amodal_flag else self.labels.kinds


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame with its file; ``shapes`` are still JSON."""

    path: Path
    image: str
    size: tuple[int, int]
    shapes: list[dict[str, Any]]


def convert_labelme(root: str | Path, output: Output, options: LabelmeOptions, rules: ShapeRules,
                    note: Note) -> Converted:
    """Convert a folder of labelme's files.

    Raises:
        ConversionError: A file or frame is missing, broken or of another size,
            a shape has no group or no area, or shapes contradict each other;
            names file and shape.
    """
    root = Path(os.path.normpath(root))
    folders = find_videos(root)
    with mapper(options.workers) as each:
        classes = options.classes or _find_classes(folders, options, each)
        videos = [_video(folder, root, options, each, note) for folder in folders]
        dataset = LabelledDataset(root, videos, classes, options.kinds)
        return write_dataset(dataset, output, rules, note)


def find_videos(root: Path) -> list[Path]:
    """Folders with JSON files: ``root`` itself, or those in it.

    Raises:
        ConversionError: There are none.
    """
    if not root.is_dir():
        raise ConversionError(f'{root}: no such folder; give the folder that holds the videos')
    found = sorted((folder for folder in root.iterdir()
                    if not is_bystander(folder.name) and _label_files(folder)),
                   key=lambda folder: natural_key(folder.name))
    lone = next(iter(_label_files(root)), None)
    if lone is not None and found:
        raise ConversionError(f'{root}: holds JSON files ({lone.name}) and folders with such '
                              f'({found[0].name}); put each video into a folder of its own')
    found = [root] if lone is not None else found
    if not found:
        raise ConversionError(f'{root}: holds no JSON file of labelme, nor do the folders in it; '
                              'give the folder that holds the videos')
    return found


def _label_files(folder: Path) -> list[Path]:
    return [path for path in folder.glob('*.json') if not is_bystander(path.name)]


def _find_classes(folders: Sequence[Path], options: LabelmeOptions, each: Mapper) -> list[str]:
    """All labels of all files, sorted."""
    files = [path for folder in folders for path in sorted(_label_files(folder))]
    found: set[str] = set()
    for labels in each(partial(_classes_of, options=options), files):
        found |= labels
    if not found:
        raise ConversionError(f'{folders[0].parent}: no file has a shape; label some frames')
    return sorted(found)


def _classes_of(path: Path, options: LabelmeOptions) -> set[str]:
    return {options.labels.split(shape['label'])[0] for shape in _read(path).shapes
            if shape['label'] not in options.labels.leave_out}


def _video(folder: Path, root: Path, options: LabelmeOptions, each: Mapper,
           note: Note) -> LabelledVideo:
    where = f"{root}: video '{folder.name}'"
    labels = {path.stem: path for path in _label_files(folder)}
    images = _images(folder, labels, root)
    pairs = match_labels(images, labels, where, options.unlabelled, note)
    read = partial(_shapes, options=options, single=len(pairs) == 1)
    return LabelledVideo(folder.name, [image for image, _ in pairs], each(read, pairs))


def _images(folder: Path, labels: dict[str, Path], root: Path) -> dict[str, Path]:
    """Frames by stem: those that lie beside the files, else those that the files name."""
    if has_frames(folder):
        return image_files(folder)
    found = {}
    for stem, path in sorted(labels.items(), key=lambda item: natural_key(item[0])):
        image = Path(os.path.normpath(folder / _read(path).image))
        if not image.is_file() or not image.is_relative_to(root):
            raise ConversionError(f"{path}: 'imagePath' leads to {image}, which is no file in "
                                  f'{root}; put the frame beside its JSON file')
        found[stem] = image
    return found


def _shapes(pair: tuple[Path, Path | None], options: LabelmeOptions, single: bool) -> list[Shape]:
    """The shapes of one frame."""
    image, path = pair
    if path is None:
        return []
    frame = _read(path)
    if PureWindowsPath(frame.image).name != image.name:
        raise ConversionError(f"{path}: 'imagePath' is '{frame.image}', but the frame beside it is "
                              f'{image.name}; name the file as its frame')
    size = image_size(image)
    if size != frame.size:
        raise ConversionError(f'{path}: was drawn on {frame.size[1]} x {frame.size[0]} pixels, but '
                              f'{image} has {size[1]} x {size[0]}; use the frames that were '
                              'labelled')
    return list(_read_shapes(frame, options, single))


def _read_shapes(frame: _Frame, options: LabelmeOptions, single: bool) -> Iterator[Shape]:
    groups = [shape.get('group_id') for shape in frame.shapes]
    free = 1 + max((group for group in groups if type(group) is int), default=0)
    for position, (shape, group) in enumerate(zip(frame.shapes, groups, strict=True)):
        if shape['label'] in options.labels.leave_out:
            continue
        where = f"{frame.path}: shapes[{position}] ('{shape['label']}')"
        if group is None and single:
            group, free = free, free + 1
        if type(group) is not int or group < 0:
            raise ConversionError(f"{where}: 'group_id' is {group!r}, but it says which object of "
                                  'the video this is; in labelme, give the shapes of an object '
                                  'the same group id in all frames')
        label, kind = options.labels.split(shape['label'])
        if options.amodal_flag and (shape.get('flags') or {}).get(options.amodal_flag):
            kind = 'amodal'
        try:
            mask = shape_mask(shape, frame.size)
        except ConversionError as error:
            raise ConversionError(f'{where}: {error}') from None
        yield Shape(group, label, kind, mask)


def _read(path: Path) -> _Frame:
    """Read a file; every shape has a label, points are not looked at."""
    try:
        content = load_json(path)
        size = content['imageHeight'], content['imageWidth']
        image = PureWindowsPath(content['imagePath']).as_posix()
        frame = _Frame(path, image, size, content['shapes'])
        valid = all(type(side) is int and side > 0 for side in size) and all(
            type(shape['label']) is str and shape['label']
            and isinstance(shape.get('flags') or {}, dict) for shape in frame.shapes)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConversionError(f'{path}: no file of labelme ({type(error).__name__}: {error}); save '
                              'it again, or remove it') from None
    if not valid:
        raise ConversionError(f"{path}: 'imageHeight' and 'imageWidth' must be pixels, and every "
                              'shape must have a label; save it again')
    return frame


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('root', metavar='ROOT', help='folder with a folder per video')
    amodal = add_label_options(parser)
    amodal.add_argument('--amodal-flag', metavar='FLAG', help='amodal shapes have this flag')
    add_unlabelled(parser)
    add_overlap_rule(parser)
    add_amodal_rules(parser)
    add_output(parser)


def _run(args: argparse.Namespace, note: Note) -> list[Converted]:
    options = LabelmeOptions(label_options(args), args.classes, args.amodal_flag, args.unlabelled,
                             args.workers)
    return [convert_labelme(args.root, output_of(args), options, rules_of(args), note)]


LABELME = Command('labelme', 'labelme: a JSON file beside every frame, a folder per video',
                  _DESCRIPTION, _add_arguments, _run)
