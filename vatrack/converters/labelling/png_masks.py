"""Videos with one label image per frame, and amodal masks as one binary image per object.

Layout, ``<root>/<video>/`` (the names of the folders are options)::

    frames/000000.jpg        the frames, in the order of their names
    visible/000000.png       the value of a pixel is the id of its object, 0 is none
    amodal/<id>/000000.png   full mask of one object, not 0 inside; amodal masks overlap

Frames and labels are matched by their names without the suffix. An object has
no amodal image in frames that it is not in; one without a visible pixel is
fully hidden. ``visible`` or ``amodal`` may be missing, in all videos alike.
"""
from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from vatrack.files.bystanders import is_bystander
from vatrack.files.foreign.mots_format import masks_by_value
from vatrack.structures import MASK_KINDS
from vatrack.structures.rle import encode
from vatrack.video.source import natural_key

from ..command import Command, Converted, Note
from ..common import ConversionError
from ..parts.image_files import add_unlabelled, image_files, image_size, match_labels, subfolders
from ..parts.labelled_videos import (
    LabelledDataset,
    LabelledVideo,
    Mapper,
    Output,
    add_output,
    mapper,
    output_of,
    write_dataset,
)
from ..parts.shape_rules import Shape, ShapeRules, add_amodal_rules, rules_of
from .label_images import COLOURS, read_binary, read_labels
from .object_classes import ObjectClasses, VideoClasses, read_classes

_DESCRIPTION = """\
ROOT holds a folder per video:
    <video>/frames/000000.jpg        frames, in the order of their names
    <video>/visible/000000.png       the value of a pixel is the id of its object; 8 or 16 bit,
                                     palette, or colours
    <video>/amodal/<id>/000000.png   full mask of one object, not 0 inside; may be missing
Either --class NAME says that all objects are of one class, or ROOT/classes.json says
    {"classes": ["car", "person"], "videos": {"<video>": {"1": "car", "2": "person"}}}

Examples:
    python tools/convert.py png-masks raw/train --out data/own --split train --frames link
    python tools/convert.py png-masks DAVIS --class thing --void 255 --out data/davis
"""


@dataclass(frozen=True, slots=True)
class PngOptions:
    """How to read label images.

    Attributes:
        frames: Folder of the frames in that of a video.
        visible: Folder of the label images.
        amodal: Folder of the folders of amodal masks.
        colours: How colour images name objects, see
            :func:`~vatrack.converters.labelling.label_images.read_labels`.
        void: Values of pixels that belong to no object.
        unlabelled: What a frame without a label image means, see
            :func:`~vatrack.converters.parts.image_files.add_unlabelled`.
        workers: Number of processes.
    """

    frames: str = 'frames'
    visible: str = 'visible'
    amodal: str = 'amodal'
    colours: str = COLOURS[0]
    void: tuple[int, ...] = ()
    unlabelled: str = 'refuse'
    workers: int = 1


@dataclass(frozen=True, slots=True)
class _Labels:
    """Label images of a frame; ``amodal`` by object."""

    visible: Path | None
    amodal: dict[int, Path] = field(default_factory=dict)


def convert_png_masks(root: str | Path, output: Output, classes: ObjectClasses,
                      options: PngOptions, rules: ShapeRules, note: Note) -> Converted:
    """Convert a folder of videos.

    Raises:
        ConversionError: A folder, frame or label image is missing, broken or of
            another size, an object has no class, or masks contradict each
            other; names it.
    """
    root = Path(root)
    folders = subfolders(root, f'<video>/{options.frames}/ and <video>/{options.visible}/')
    kinds = _kinds(folders, options)
    with mapper(options.workers) as each:
        videos = [_video(folder, kinds, classes.of_video(folder.name), options, each, note)
                  for folder in folders]
        return write_dataset(LabelledDataset(root, videos, classes.names, kinds), output, rules,
                             note)


def _kinds(folders: Sequence[Path], options: PngOptions) -> tuple[str, ...]:
    """The kinds of masks that all videos have."""
    names = {'amodal': options.amodal, 'visible': options.visible}
    kinds = tuple(kind for kind in MASK_KINDS if (folders[0] / names[kind]).is_dir())
    if not kinds:
        raise ConversionError(f'{folders[0]}: has neither a folder {options.visible} nor '
                              f'{options.amodal}; say what they are called (--visible-folder, '
                              '--amodal-folder)')
    for folder in folders:
        for kind in MASK_KINDS:
            if (folder / names[kind]).is_dir() != (kind in kinds):
                raise ConversionError(
                    f'{folder / names[kind]} is {"missing" if kind in kinds else "there"}, unlike '
                    f'in {folders[0]}; all videos of a dataset must have the same kinds of masks: '
                    'convert the others separately')
    return kinds


def _video(folder: Path, kinds: Sequence[str], classes: VideoClasses, options: PngOptions,
           each: Mapper, note: Note) -> LabelledVideo:
    where = f"{folder.parent}: video '{folder.name}'"
    frames = image_files(folder / options.frames)
    amodal = _amodal_files(folder / options.amodal, frames) if 'amodal' in kinds else {}
    if 'visible' in kinds:
        visible = image_files(folder / options.visible, ['.png'])
        pairs = match_labels(frames, visible, where, options.unlabelled, note)
    else:
        pairs = [(frame, None) for frame in frames.values()]
    kept = {frame.stem for frame, _ in pairs}
    lost = sorted(amodal.keys() - kept)
    if lost:
        raise ConversionError(f'{where}, frame {lost[0]}: has amodal masks and no label image in '
                              f'{options.visible}; add it, or use --unlabelled empty')
    jobs = [_Labels(label, amodal.get(frame.stem, {})) for frame, label in pairs]
    size = image_size(pairs[0][0])
    read = partial(_shapes, size=size, classes=classes, options=options)
    return LabelledVideo(folder.name, [frame for frame, _ in pairs], each(read, jobs), size)


def _amodal_files(folder: Path, frames: dict[str, Path]) -> dict[str, dict[int, Path]]:
    """Amodal masks: {stem of the frame: {object id: file}}."""
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for own in sorted(folder.iterdir(), key=natural_key):
        if is_bystander(own.name):
            continue
        if not own.is_dir() or not own.name.isdecimal():
            raise ConversionError(f'{own}: expected a folder per object, named by its id, such as '
                                  f'{folder / "1"}; rename it')
        for stem, path in image_files(own, ['.png']).items():
            if stem not in frames:
                raise ConversionError(f'{path}: belongs to no frame; give masks and frames the '
                                      'same names')
            found[stem][int(own.name)] = path
    return found


def _shapes(labels: _Labels, size: tuple[int, int], classes: VideoClasses,
            options: PngOptions) -> list[Shape]:
    """The shapes of one frame."""
    shapes = []
    if labels.visible is not None:
        image = read_labels(labels.visible, size, options.colours)
        found = masks_by_value(image, (0, *options.void))
        shapes += [Shape(number, _label(classes, number, labels.visible), 'visible', mask)
                   for number, mask in found]
    for number, path in labels.amodal.items():
        mask, = encode(read_binary(path, size)[None])
        shapes.append(Shape(number, _label(classes, number, path), 'amodal', mask))
    return shapes


def _label(classes: VideoClasses, number: int, path: Path) -> str:
    try:
        return classes[number]
    except ConversionError as error:
        raise ConversionError(f'{path}: {error}') from None


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    default = PngOptions()
    parser.add_argument('root', metavar='ROOT', help='folder with a folder per video')
    for name, what in (('frames', 'frames'), ('visible', 'label images'),
                       ('amodal', 'folders of amodal masks')):
        parser.add_argument(f'--{name}-folder', default=getattr(default, name), metavar='NAME',
                            help=f'name of the folder of the {what} (default: %(default)s)')
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument('--classes', metavar='FILE',
                         help='classes of the objects (default: ROOT/classes.json)')
    classes.add_argument('--class', dest='only_class', metavar='NAME',
                         help='all objects are of this class')
    parser.add_argument('--void', type=int, nargs='+', default=[], metavar='VALUE',
                        help='values of pixels that belong to no object, beside 0')
    parser.add_argument('--colours', choices=COLOURS, default=COLOURS[0],
                        help='colour images: the place in the palette of DAVIS is the id, or red '
                             '+ 256 green + 65536 blue is (default: %(default)s)')
    add_unlabelled(parser)
    add_amodal_rules(parser)
    add_output(parser)


def _run(args: argparse.Namespace, note: Note) -> list[Converted]:
    options = PngOptions(args.frames_folder, args.visible_folder, args.amodal_folder, args.colours,
                         tuple(args.void), args.unlabelled, args.workers)
    if args.only_class is not None:
        classes = ObjectClasses((args.only_class,))
    else:
        classes = read_classes(Path(args.classes or Path(args.root, 'classes.json')))
    return [convert_png_masks(args.root, output_of(args), classes, options, rules_of(args), note)]


PNG_MASKS = Command('png-masks', 'frames, label images and amodal masks in a folder per video',
                    _DESCRIPTION, _add_arguments, _run)
