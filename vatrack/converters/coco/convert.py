"""COCO-style JSON of videos (CocoVID) and of single images with amodal masks (KINS, COCOA, D2SA).

One entry of ``annotations`` per object and image::

    categories   id, name
    videos       id, name; may be absent
    images       id, file_name, width, height; of videos: video_id, frame_id
    annotations  id, image_id, category_id, iscrowd, segmentation; of videos: instance_id

mmtrack, BDD100K and others write CocoVID; TAO calls two keys ``frame_index`` and ``track_id``. The
amodal datasets (Qi et al., *Amodal Instance Segmentation with KINS Dataset*, CVPR 2019; Zhu et al.,
*Semantic Amodal Segmentation*, CVPR 2017; Follmann et al., *Learning to See the Invisible*, WACV
2019) add masks of the other kind under keys of their own. COCOA has one entry per image, with
``regions``, and no categories.
"""
from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

from vatrack.files.whole_file import make_folder

from ..command import Command, Converted, Note
from ..parts.json_source import EntriesOnDisk
from ..parts.json_video import JsonOptions, add_source, options_of, write_videos
from .objects import CocoObjects
from .source import ByPattern, Grouping, one_by_one, read_coco


def convert_coco(source: str | Path, options: JsonOptions, grouping: Grouping | None = None,
                 stuff: bool = False, note: Note = warnings.warn) -> Converted:
    """Convert a COCO-style JSON.

    Ids of images and categories stay, and those of ``videos`` and objects where there are any.

    Args:
        source: The JSON file.
        options: How to convert. ``segmentation`` is of the kind that has no key
            of its own, and of ``options.kind`` where it stands alone.
        grouping: What makes videos of images; None: ``videos``, or folders.
        stuff: Keep regions of stuff, too (COCOA).
        note: Told what was changed.

    Raises:
        AnnotationError: The file is cut off or not JSON, or a frame is missing.
        ConversionError: The file is not in the format; names file, video, frame
            and entry.
    """
    make_folder(options.out.parent)
    with EntriesOnDisk(options.out.parent) as entries:
        content = read_coco(source, entries, grouping, note)
        objects = CocoObjects(source, entries, content.categories, options.kind,
                              grouping is not one_by_one, stuff)
        return write_videos(content.videos, content.categories, options, objects, note)


def _add_pattern(parser: argparse.ArgumentParser, otherwise: str) -> None:
    parser.add_argument('--video-pattern', metavar='REGEX',
                        help='make videos of the images whose file names agree in the (first) '
                             f'group of REGEX, such as (.+)_\\d+ (default: {otherwise})')


def _add_coco_video(parser: argparse.ArgumentParser) -> None:
    add_source(parser, 'visible')
    _add_pattern(parser, 'as "videos" says, or by folder')


def _add_kins(parser: argparse.ArgumentParser) -> None:
    add_source(parser, 'amodal')
    _add_pattern(parser, 'each image is a video of its own')
    parser.add_argument('--stuff', action='store_true', help='COCOA: keep regions of stuff, too')


def _run_coco_video(args: argparse.Namespace, note: Note) -> Sequence[Converted]:
    return [convert_coco(args.source, options_of(args), _pattern(args), note=note)]


def _run_kins(args: argparse.Namespace, note: Note) -> Sequence[Converted]:
    return [convert_coco(args.source, options_of(args), _pattern(args) or one_by_one, args.stuff,
                         note)]


def _pattern(args: argparse.Namespace) -> ByPattern | None:
    return None if args.video_pattern is None else ByPattern(args.video_pattern)


COCO_VIDEO = Command('coco-video', 'COCO-style JSON of videos (CocoVID, TAO): an entry per object '
                     'and frame', """\
SRC is COCO-style JSON: images with video_id and frame_id (or frame_index), objects with instance_id
(or track_id). Without a list of videos, the images of a folder are a video.

Examples:
    python tools/convert.py coco-video train_cocovid.json --images train --out data/mine \\
        --split train --frames link
    python tools/convert.py coco-video flat.json --images flat --video-pattern '(.+)_\\d+' \\
        --out data/mine --split train
""", _add_coco_video, _run_coco_video)
KINS = Command('kins', 'amodal image datasets in COCO-style JSON: KINS, COCOA, D2SA', """\
SRC is COCO-style JSON of single images, with amodal and visible masks. Each image becomes a video
of one frame, unless --video-pattern makes videos of them; then objects need an instance_id.

Examples:
    python tools/convert.py kins KINS/instances_train.json --images KINS/training/image_2 \\
        --out data/kins --split train --frames link
    python tools/convert.py kins COCO_amodal_train2014.json --images train2014 --out data/cocoa \\
        --split train --frames link
""", _add_kins, _run_kins)
