"""Tasks of CVAT (https://cvat.ai), exported as "CVAT for video 1.1" or "CVAT for images 1.1".

An export is an XML file and, if asked for, the frames. Layout: one file
``annotations.xml`` with ``images/`` beside it, a folder of such exports, or
a folder of XML files named as their videos; see :mod:`~vatrack.converters.labelling.cvat.export`
and :mod:`~vatrack.converters.labelling.cvat.frames`.
"""
from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vatrack.files.bystanders import is_bystander
from vatrack.video.image_file import IMAGE_FORMATS

from ...command import Command, Converted, Note
from ...common import ConversionError
from ...parts.image_files import check_unique
from ...parts.labelled_videos import (
    LabelledDataset,
    LabelledVideo,
    Output,
    add_output,
    output_of,
    write_dataset,
)
from ...parts.shape_rules import ShapeRules, add_amodal_rules, add_overlap_rule, rules_of
from ..drawn_labels import add_label_options, label_options
from .export import CvatHead, pieces, read_head
from .frames import CvatTask, find_frames
from .shapes import CvatReader, ShapeOptions

_DESCRIPTION = """\
ROOT is the XML file of a task, its folder, or a folder with a folder (annotations.xml, images/) or
an XML file per task. Every task is a video. The frames lie in images/ beside the XML file, or
where --images says: there, a folder or a video file for each task, of its name.

An object is a group if its shapes are grouped in CVAT (one group for all parts, kinds and frames),
else a track; or an attribute says which object it is (--instance-attribute id). Amodal shapes are
told by their label (--amodal-suffix _amodal: car_amodal is the full shape of a car), or by an
attribute (--amodal-attribute amodal, a checkbox).

Examples:
    python tools/convert.py cvat exports --amodal-suffix _amodal --outside extend --out data/own
    python tools/convert.py cvat annotations.xml --images street.mp4 --out data/own
"""


@dataclass(frozen=True, slots=True)
class CvatOptions:
    """How to read tasks.

    Attributes:
        shapes: What the shapes mean.
        classes: Class names in label order; None: the labels of the tasks.
        images: Where the frames are, see :func:`~.frames.find_frames`.
        image_format: Format of frames that come from a video file, a key of
            :data:`~vatrack.video.image_file.IMAGE_FORMATS`.
    """

    shapes: ShapeOptions = field(default_factory=ShapeOptions)
    classes: Sequence[str] | None = None
    images: Path | None = None
    image_format: str = 'jpg'


def convert_cvat(root: str | Path, output: Output, options: CvatOptions, rules: ShapeRules,
                 note: Note) -> Converted:
    """Convert exported tasks.

    Raises:
        ConversionError: A file is missing or broken, frames are missing or of
            another size, a shape has no area, or shapes contradict each other;
            names file, track and frame.
    """
    root = Path(root)
    files = find_tasks(root)
    check_unique((name for name, _ in files), root)
    tasks = [find_frames(name, path, _read_task(path), options.images, single=len(files) == 1)
             for name, path in files]
    output, image_root = _place(tasks, root, options, output)
    readers = [CvatReader(task, options.shapes) for task in tasks]
    videos = [LabelledVideo(task.name, task.paths, reader.shapes(), task.head.size)
              for task, reader in zip(tasks, readers, strict=True)]
    classes = options.classes or _classes(tasks, options.shapes)
    converted = write_dataset(LabelledDataset(image_root, videos, classes, options.shapes.kinds),
                              output, rules, note)
    lone = sum(reader.num_lone for reader in readers)
    if lone:
        note(f'{lone} of {sum(reader.num_objects for reader in readers)} objects are in one frame '
             'only; CVAT knows no identity of masks and shapes that are not drawn as tracks: group '
             'them, or use --instance-attribute')
    return converted


def find_tasks(root: Path) -> list[tuple[str, Path]]:
    """Name and XML file of every task, in order.

    Raises:
        ConversionError: There is none.
    """
    if root.is_file():
        return [(_name(root), root)]
    found = sorted(path for path in [*root.glob('*/annotations.xml'), *root.glob('*.xml')]
                   if not is_bystander(path.relative_to(root)))
    if not found:
        raise ConversionError(f'{root}: no such file, nor a folder with annotations.xml, '
                              '<task>/annotations.xml or <task>.xml; unzip the exports of CVAT '
                              'there')
    return [(_name(path), path) for path in found]


def _name(path: Path) -> str:
    return Path(os.path.realpath(path)).parent.name if path.name == 'annotations.xml' else path.stem


def _read_task(path: Path) -> CvatHead:
    head = next((piece for piece in pieces(path) if piece.tag == 'meta'), None)
    if head is None:
        raise ConversionError(f'{path}: has no <meta>; export the task as "CVAT for video 1.1"')
    try:
        return read_head(head)
    except ConversionError as error:
        raise ConversionError(f'{path}: {error}') from None


def _classes(tasks: Sequence[CvatTask], options: ShapeOptions) -> list[str]:
    """Classes of the labels of all tasks, in their order."""
    labels = [label for task in tasks for label in task.head.labels
              if label not in options.labels.leave_out]
    return list(dict.fromkeys(options.labels.split(label)[0] for label in labels))


def _place(tasks: Sequence[CvatTask], root: Path, options: CvatOptions,
           output: Output) -> tuple[Output, Path]:
    """Extract frames of video files; returns where the frames are then."""
    films = [each for each in tasks if each.film is not None]
    if not films:
        folder = root if root.is_dir() else root.parent
        return output, options.images if options.images is not None else folder
    if len(films) < len(tasks):
        still = next(each for each in tasks if each.film is None)
        raise ConversionError(f'{films[0].film} is a video file, but the frames of {still.name} '
                              'are images; convert tasks with video files and tasks with images '
                              'separately')
    if output.images.is_symlink():
        raise ConversionError(f'{output.images}: is a link, so that frames would be written to '
                              f'{os.path.realpath(output.images)}; remove the link or choose '
                              'another output folder')
    for each in films:
        each.extract(output.images / each.name / 'images', options.image_format)
    return Output(output.folder, output.split, 'reference'), output.images


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('root', metavar='ROOT', help='XML file, or folder of exported tasks')
    parser.add_argument('--images', metavar='PATH',
                        help='folder with a folder or video file per task; of a single task, its '
                             'folder of frames or its video file (default: images/ beside the XML '
                             'file)')
    parser.add_argument('--format', choices=sorted(IMAGE_FORMATS), default='jpg',
                        help='format of frames that come from a video file (default: %(default)s)')
    parser.add_argument('--instance-attribute', metavar='NAME',
                        help='attribute that says which object it is (default: the group, else '
                             'the track)')
    amodal = add_label_options(parser)
    amodal.add_argument('--amodal-attribute', metavar='NAME',
                        help='attribute that is true, or "amodal", for amodal shapes')
    add_overlap_rule(parser)
    add_amodal_rules(parser)
    add_output(parser, workers=False)


def _run(args: argparse.Namespace, note: Note) -> list[Converted]:
    shapes = ShapeOptions(label_options(args), args.instance_attribute, args.amodal_attribute)
    options = CvatOptions(shapes, args.classes, None if args.images is None else Path(args.images),
                          args.format)
    return [convert_cvat(args.root, output_of(args), options, rules_of(args), note)]


CVAT = Command('cvat', 'CVAT: tasks exported as "CVAT for video 1.1" or "CVAT for images 1.1"',
               _DESCRIPTION, _add_arguments, _run)
