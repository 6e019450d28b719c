"""FISHBOWL: amodal masks of fish in rendered aquarium videos (Tangemann et al., 2021).

Published layout, ``<raw>/<split>/<sample>/``::

    video.mp4                 128 frames
    objects.json              the fish of the video: visible masks
    object000/objects.json    one fish, rendered alone: full masks of objects.json[0]
    object001/objects.json    ... of objects.json[1], and so on

A fish is ``{'id', 'type_id', 'type_name', 'masks'}`` with one compressed RLE
per frame. Its mask is empty, not null, where it is out of the picture; a fish
whose full mask is empty gets no annotation in that frame.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vatrack.files import AnnotationError, AnnotationWriter, write_image
from vatrack.files.annotation_entry import read_rle
from vatrack.files.json_stream import load_json
from vatrack.files.whole_file import replace_when_done
from vatrack.structures import Instance
from vatrack.structures import rle as rle_ops
from vatrack.structures.rle import RLE
from vatrack.video import VideoError, read_video, video_info
from vatrack.video.image_file import IMAGE_FORMATS

from .command import Command, Converted, Note, add_raw_folder, positive
from .common import ConversionError, run_parallel

#: Class names; the category id is ``type_id + 1``.
CLASSES = ('SmallFishA', 'MediumFishA', 'MediumFishB', 'BigFishA', 'BigFishB')

_RECORD = 'annotations.json'

_DESCRIPTION = """\
RAW_DIR is FISHBOWL as published: <split>/<sample>/{video.mp4,objects.json,objectNNN/objects.json}.

Examples:
    python tools/convert.py fishbowl data/fishbowl_raw --out data/fishbowl --workers 8
    python tools/convert.py fishbowl data/fishbowl_raw --out data/small --limit 20 --every 4
"""


@dataclass(frozen=True, slots=True)
class FishbowlOptions:
    """How to convert.

    Attributes:
        every: Keep every n-th frame, beginning with the first.
        image_format: 'jpg' (quality 95) or 'png' (lossless).
        num_frames: Frames that every raw video must have.
    """

    every: int = 1
    image_format: str = 'jpg'
    num_frames: int = 128


@dataclass(frozen=True, slots=True)
class _Fish:
    """One object of a video; ``masks`` holds T RLEs per kind."""

    instance_id: int
    category_id: int
    masks: dict[str, list[RLE]]


def convert_fishbowl(raw_dir: str | Path, out_dir: str | Path,
                     options: FishbowlOptions | None = None, limit: int | None = None,
                     workers: int = 1) -> list[Converted]:
    """Convert all splits of a FISHBOWL folder.

    Writes ``<out>/<split>.json`` and the frames
    ``<out>/<split>/<sample>/images/000000.jpg``, named after their position in
    the raw video; ``file_name`` is relative to ``<out>/<split>``. Instance ids
    are the fish ids of the raw data.

    Beside its frames each video keeps its own record, ``annotations.json``; a
    later run takes finished videos from there.

    Args:
        raw_dir: Folder of the splits.
        out_dir: Where to write.
        options: How to convert.
        limit: Convert only the first so many videos of each split.
        workers: Number of processes.

    Returns:
        The annotation files.

    Raises:
        ConversionError: There are no samples, or a sample is incomplete or
            contradicts itself; the message names it.
    """
    options = options or FishbowlOptions()
    written = []
    for split, samples in find_samples(raw_dir).items():
        samples = samples[:limit]
        folder = Path(out_dir, split)
        run_parallel(partial(convert_sample, out_dir=folder, options=options), samples, workers,
                     f'fishbowl {split}')
        path = Path(out_dir, f'{split}.json')
        with AnnotationWriter(path, dict(enumerate(CLASSES, start=1))) as writer:
            for sample in samples:
                _merge(writer, json.loads((folder / sample.name / _RECORD).read_text()))
        written.append(Converted.by(writer, folder))
    return written


def find_samples(raw_dir: str | Path) -> dict[str, list[Path]]:
    """Sample folders by split, in order of their names."""
    raw_dir = Path(raw_dir)
    if not raw_dir.is_dir():
        raise ConversionError(f'{raw_dir}: no such folder; give the folder that holds the splits')
    splits = {}
    for split in sorted(path for path in raw_dir.iterdir() if path.is_dir()):
        samples = sorted(path for path in split.iterdir()
                         if (path / 'objects.json').exists() or (path / 'video.mp4').exists())
        if samples:
            splits[split.name] = samples
    if not splits:
        raise ConversionError(
            f'{raw_dir}: no samples <split>/<sample>/objects.json; give the folder that holds the '
            'splits (train, test) as published')
    return splits


def convert_sample(sample: Path, out_dir: Path, options: FishbowlOptions) -> None:
    """Convert one video into ``<out_dir>/<sample>/``, unless that is done."""
    target = out_dir / sample.name
    if _is_finished(target, options):
        return
    video = sample / 'video.mp4'
    with _video_errors():
        info = video_info(video)
    size = [info.height, info.width]
    fishes = read_fishes(sample, size, options.num_frames)
    images = target / 'images'
    kept = range(0, options.num_frames, options.every)
    num_frames = 0
    with _video_errors():
        for index, frame in enumerate(read_video(video)):
            num_frames += 1
            if index in kept:
                write_image(images / f'{index:06d}.{options.image_format}', frame)
    if num_frames != options.num_frames:
        raise ConversionError(f'{sample}: video.mp4 has {num_frames} frames, expected '
                              f'{options.num_frames}; download the sample again, or state the '
                              'length of the videos (--frames)')
    record = {'options': asdict(options), 'name': sample.name, 'size': size,
              'frames': [_frame_record(sample, fishes, index, options) for index in kept]}
    with replace_when_done(target / _RECORD) as file:
        json.dump(record, file, separators=(',', ':'))


def read_fishes(sample: Path, size: list[int], num_frames: int) -> list[_Fish]:
    """Read the objects of a sample, full and visible masks joined by their position.

    Args:
        sample: Folder of the sample.
        size: [H, W] that the masks must have.
        num_frames: Number of masks that each object must have.

    Raises:
        ConversionError: A file is missing or broken, ids differ, the class is
            unknown, or masks are damaged, of another size or too few.
    """
    fishes: dict[int, _Fish] = {}
    for index, visible in enumerate(_read_objects(sample / 'objects.json')):
        alone = sample / f'object{index:03d}' / 'objects.json'
        full = _read_objects(alone)
        fish_id = visible.get('id')
        where = f'{sample}: object {index} (fish id {fish_id})'
        if len(full) != 1 or full[0].get('id') != fish_id:
            raise ConversionError(
                f'{where}: {alone} should hold this fish only, but has ids '
                f"{[fish.get('id') for fish in full]}; download the sample again")
        if type(fish_id) is not int or fish_id in fishes:
            raise ConversionError(f'{where}: the id must be an integer and unique in '
                                  'objects.json; download the sample again')
        masks = {'amodal': _read_masks(full[0], f'{where}, full', size, num_frames),
                 'visible': _read_masks(visible, f'{where}, visible', size, num_frames)}
        _check_subset(masks, where)
        fishes[fish_id] = _Fish(fish_id, _category(visible, where), masks)
    return list(fishes.values())


@contextmanager
def _video_errors() -> Iterator[None]:
    try:
        yield
    except VideoError as error:
        raise ConversionError(f'{error}. Best download the sample again') from error


def _read_objects(path: Path) -> list[dict[str, Any]]:
    try:
        objects = load_json(path)
    except FileNotFoundError:
        raise ConversionError(f'{path}: missing; every fish of a sample has a folder '
                              'objectNNN/objects.json: download the sample again') from None
    except ValueError as error:
        raise ConversionError(f'{path}: not valid JSON ({error}); download the sample '
                              'again') from None
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise ConversionError(f'{path}: expected a list of objects; this is not a FISHBOWL sample')
    return objects


def _read_masks(fish: dict[str, Any], where: str, size: list[int],
                num_frames: int) -> list[RLE]:
    masks = fish.get('masks')
    if not isinstance(masks, list) or len(masks) != num_frames:
        found = len(masks) if isinstance(masks, list) else 'no'
        raise ConversionError(f'{where}: has {found} masks, expected {num_frames}, one per frame; '
                              'download the sample again, or state the length of the videos '
                              '(--frames)')
    try:
        checked = rle_ops.are_whole(masks)
        masks = [read_rle(mask, f'masks[{index}]', size, checked)
                 for index, mask in enumerate(masks)]
    except AnnotationError as error:
        raise ConversionError(f'{where}: {error}') from None
    return masks


def _check_subset(masks: dict[str, list[RLE]], where: str) -> None:
    larger = rle_ops.areas(masks['visible']) > rle_ops.areas(masks['amodal'])
    if larger.any():
        raise ConversionError(f'{where}, frame {larger.argmax()}: more pixels are visible than '
                              'the full mask has; download the sample again')


def _category(fish: dict[str, Any], where: str) -> int:
    type_id, name = fish.get('type_id'), fish.get('type_name')
    if type_id not in range(len(CLASSES)) or name != CLASSES[type_id]:
        raise ConversionError(f'{where}: type {type_id!r} ({name!r}) is none of the classes '
                              f'{dict(enumerate(CLASSES))}; this is not a FISHBOWL sample')
    return type_id + 1


def _frame_record(sample: Path, fishes: list[_Fish], index: int,
                  options: FishbowlOptions) -> dict[str, Any]:
    areas = rle_ops.areas([fish.masks['amodal'][index] for fish in fishes])
    objects = [{'instance_id': fish.instance_id, 'category_id': fish.category_id,
                'masks': {kind: masks[index] for kind, masks in fish.masks.items()}}
               for fish, area in zip(fishes, areas, strict=True) if area]
    return {'file_name': f'{sample.name}/images/{index:06d}.{options.image_format}',
            'objects': objects}


def _merge(writer: AnnotationWriter, record: dict[str, Any]) -> None:
    height, width = record['size']
    writer.add_video(record['name'], width, height)
    for frame in record['frames']:
        writer.add_frame(frame['file_name'],
                         [Instance(id=0, bboxes={}, **item) for item in frame['objects']])


def _is_finished(target: Path, options: FishbowlOptions) -> bool:
    path = target / _RECORD
    if not path.exists():
        return False
    record = json.loads(path.read_text())
    if record['options'] != asdict(options):
        raise ConversionError(
            f'{target}: was converted with {record["options"]}, not with {asdict(options)}; choose '
            'another output folder or delete this one')
    return all((target.parent / frame['file_name']).is_file() for frame in record['frames'])


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_raw_folder(parser)
    parser.add_argument('--every', type=positive, default=1, metavar='N',
                        help='keep every N-th frame (default: %(default)s)')
    parser.add_argument('--format', choices=sorted(IMAGE_FORMATS), default='jpg',
                        help='format of the frames (default: %(default)s, quality 95)')
    parser.add_argument('--frames', type=positive, default=128, metavar='N',
                        help='frames per raw video (default: %(default)s, as published)')


def _run(args: argparse.Namespace, note: Note) -> list[Converted]:
    options = FishbowlOptions(every=args.every, image_format=args.format, num_frames=args.frames)
    return convert_fishbowl(args.raw_dir, args.out, options, args.limit, args.workers)


FISHBOWL = Command('fishbowl', 'FISHBOWL: <raw>/<split>/<sample>/{video.mp4,objects.json,...}',
                   _DESCRIPTION, _add_arguments, _run)
