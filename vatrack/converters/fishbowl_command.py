"""The sub-command ``fishbowl`` of ``tools/convert.py``."""
from __future__ import annotations

import argparse

from .command import Command, Converted, Note, add_raw_folder, positive
from .common import IMAGE_FORMATS
from .fishbowl import FishbowlOptions, convert_fishbowl

_DESCRIPTION = """\
RAW_DIR is FISHBOWL as published: <split>/<sample>/{video.mp4,objects.json,objectNNN/objects.json}.

Examples:
    python tools/convert.py fishbowl data/fishbowl_raw --out data/fishbowl --workers 8
    python tools/convert.py fishbowl data/fishbowl_raw --out data/small --limit 20 --every 4
"""


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
