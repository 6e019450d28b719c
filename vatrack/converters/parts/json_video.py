"""What the converters of JSON formats share: their videos, their options, their command line."""
from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from vatrack.files import AnnotationWriter, resolve_image
from vatrack.structures import MASK_KINDS, Instance

from ..command import Converted, Note, note_if_empty, positive
from ..common import ConversionError
from .frames import FRAME_MODES, add_placement, place
from .segmentation import OUTSIDE, KindJoiner, add_outside


@dataclass(frozen=True, slots=True)
class JsonFrame:
    """A frame; ``id`` is None where the format has none."""

    file_name: str
    id: int | None = None


@dataclass(slots=True)
class JsonVideo:
    """A video of a JSON file.

    Attributes:
        id: Its id, or None to count.
        name: Its name.
        size: [H, W] of its frames.
        frames: Its frames in time order.
    """

    id: int | None
    name: str
    size: list[int]
    frames: list[JsonFrame]


@dataclass(frozen=True, slots=True)
class JsonOptions:
    """How to convert a JSON file.

    Attributes:
        out: The annotation file to write.
        images: Folder that the file names are relative to; None: there are no
            frames, or they are not to be looked at.
        frames: One of :data:`~vatrack.converters.parts.frames.FRAME_MODES`: leave the
            frames where they are, or link the folder or copy them to the folder
            beside ``out`` that has its name.
        kind: Kind of the masks of a key that does not say it.
        outside: One of :data:`~vatrack.converters.parts.segmentation.OUTSIDE`.
        limit: Convert only the first so many videos.
    """

    out: Path
    images: Path | None = None
    frames: str = 'reference'
    kind: str = 'visible'
    outside: str = OUTSIDE[0]
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.frames not in FRAME_MODES:
            raise ValueError(f'frames must be one of {FRAME_MODES}, got {self.frames!r}')
        if self.kind not in MASK_KINDS:
            raise ValueError(f'kind must be one of {MASK_KINDS}, got {self.kind!r}')


#: Gives, for each frame of a video, its objects.
Objects = Callable[[JsonVideo, KindJoiner], Iterable[Sequence[Instance]]]


def write_videos(videos: Sequence[JsonVideo], categories: dict[int, str], options: JsonOptions,
                 objects: Objects, note: Note) -> Converted:
    """Write the annotation file, and place the frames.

    Args:
        videos: The videos, in the order of the file.
        categories: Class name by category id.
        options: How to convert.
        objects: Reads the objects of a video.
        note: Told what was changed.

    Raises:
        AnnotationError: A frame is missing; names it.
        ConversionError: Raised by ``objects``, or a file is in the way of a frame.
    """
    videos = videos[:options.limit]
    images = _place_frames(videos, options)
    joiner = KindJoiner(options.outside)
    with AnnotationWriter(options.out, categories) as writer:
        for video in tqdm(videos, options.out.name, unit='video', disable=None):
            height, width = video.size
            writer.add_video(video.name, width, height, video.id)
            for frame, instances in zip(video.frames, objects(video, joiner), strict=True):
                writer.add_frame(frame.file_name, instances, frame.id)
    note_if_empty(writer, note)
    if joiner.changed:
        note(f'{joiner.changed} objects had visible pixels outside of the amodal mask: --outside '
             f'{options.outside}')
    if options.frames == 'reference' and images is not None:
        note(f'the frames stay in {images}: state this folder for img_path in the config')
    return Converted.by(writer, images, joiner.left_out)


def add_source(parser: argparse.ArgumentParser, kind: str) -> None:
    """Declare what all converters of JSON files take; masks are of ``kind`` by default."""
    parser.add_argument('source', metavar='SRC', help='JSON file to convert; it is only read')
    add_placement(parser)
    parser.add_argument('--split', metavar='SPLIT',
                        help='name of this part of the dataset (default: the name of SRC)')
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument('--images', metavar='ROOT',
                        help='folder that the file names in SRC are relative to')
    images.add_argument('--no-images', action='store_true', help='do not look for the frames')
    parser.add_argument('--kind', choices=MASK_KINDS, default=kind,
                        help='kind of masks whose key does not say it (default: %(default)s)')
    add_outside(parser)
    parser.add_argument('--limit', type=positive, metavar='N',
                        help='convert only the first N videos')


def options_of(args: argparse.Namespace) -> JsonOptions:
    """What the command line says.

    Raises:
        ConversionError: The frames are to be placed, but are not there, or SRC
            would be replaced.
    """
    if args.no_images and args.frames != 'reference':
        raise ConversionError(f'--frames {args.frames} needs the frames; say where they are: '
                              '--images ROOT')
    out = Path(args.out, f'{args.split or Path(args.source).stem}.json')
    if os.path.realpath(out) == os.path.realpath(args.source):
        raise ConversionError(f'{out}: is the file to convert, which stays as it is; state another '
                              '--split or --out')
    return JsonOptions(out, None if args.no_images else Path(args.images), args.frames, args.kind,
                       args.outside, args.limit)


def distinct_names(names: list[str], ids: list[int], note: Note) -> list[str]:
    """Names of videos: as they are if they are distinct, else made of the ids."""
    if len(set(names)) == len(names):
        return names
    note('several videos lie in the same folder or have the same name: they are named after their '
         'ids')
    return [f'{id_:06d}' for id_ in ids]


def _place_frames(videos: Sequence[JsonVideo], options: JsonOptions) -> Path | None:
    """Look for all frames, then link or copy them; returns the folder where they are."""
    if options.images is None:
        return None
    if not options.images.is_dir():
        raise ConversionError(f'{options.images}: no such folder; give the folder that the file '
                              'names are relative to, or --no-images')
    found = list(_find_frames(videos, options.images))
    target = options.out.with_suffix('')
    if options.frames == 'reference' or os.path.realpath(target) == os.path.realpath(
            options.images):
        return options.images
    if options.frames == 'link':
        place(options.images, target, link=True)
        return target
    for name, source in tqdm(found, 'copying frames', unit='frame', disable=None):
        if PurePosixPath(name).is_absolute() or '..' in PurePosixPath(name).parts:
            raise ConversionError(f"{source}: the file name '{name}' leads out of "
                                  f'{options.images}; give a folder that holds all frames, or do '
                                  'not copy them')
        place(source, (target / name).with_suffix(source.suffix), link=False)
    return target


def _find_frames(videos: Sequence[JsonVideo], images: Path) -> Iterator[tuple[str, Path]]:
    for video in videos:
        for frame in video.frames:
            yield frame.file_name, resolve_image(images, frame.file_name, video.name)
