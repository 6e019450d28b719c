"""Turn a raw dataset into annotation files and frames: one sub-command per dataset.

Examples:
    python tools/convert.py fishbowl data/fishbowl_raw --out data/fishbowl --workers 8
    python tools/convert.py fishbowl data/fishbowl_raw --out data/small --limit 20 --every 4
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.converters import ConversionError
from vatrack.converters.common import IMAGE_FORMATS
from vatrack.converters.fishbowl import FishbowlOptions, convert_fishbowl
from vatrack.structures import AnnotationError


def positive(text: str) -> int:
    """Parse a count."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {value}')
    return value


def add_fishbowl(commands: argparse._SubParsersAction) -> None:
    """Declare the sub-command ``fishbowl``."""
    parser = commands.add_parser(
        'fishbowl', help='FISHBOWL: <raw>/<split>/<sample>/{video.mp4,objects.json,objectNNN/}')
    add_common(parser)
    parser.add_argument('--every', type=positive, default=1, metavar='N',
                        help='keep every N-th frame (default: %(default)s)')
    parser.add_argument('--format', choices=sorted(IMAGE_FORMATS), default='jpg',
                        help='format of the frames (default: %(default)s, quality 95)')
    parser.add_argument('--frames', type=positive, default=128, metavar='N',
                        help='frames per raw video (default: %(default)s, as published)')
    parser.set_defaults(run=run_fishbowl)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare what every sub-command takes."""
    parser.add_argument('raw_dir', metavar='RAW_DIR', help='dataset as downloaded')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    parser.add_argument('--workers', type=positive, default=1, metavar='N',
                        help='processes (default: %(default)s)')
    parser.add_argument('--limit', type=positive, metavar='N',
                        help='convert only the first N videos of each split')


def run_fishbowl(args: argparse.Namespace) -> list[Path]:
    """Convert FISHBOWL; returns the annotation files."""
    options = FishbowlOptions(every=args.every, image_format=args.format, num_frames=args.frames)
    return convert_fishbowl(args.raw_dir, args.out, options, args.limit, args.workers)


def main(argv: list[str] | None = None) -> int:
    """Convert and print the files written; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title='datasets', metavar='DATASET', required=True)
    add_fishbowl(commands)
    args = parser.parse_args(argv)
    try:
        written = args.run(args)
    except (ConversionError, AnnotationError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print('\n'.join(str(path) for path in written))
    return 0


if __name__ == '__main__':
    sys.exit(main())
