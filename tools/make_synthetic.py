"""Make a dataset of synthetic amodal videos: frames and annotation files.

Example:
    python tools/make_synthetic.py --out data/synthetic --workers 2
"""
from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.stopping import run_tool
from vatrack.synthetic import CREATURES, OCCLUSION_LEVELS, SceneConfig
from vatrack.synthetic.command import add_options, make_splits


def occlusion_level(text: str) -> float | str:
    """Parse ``--occlusion``: a level's name or a number."""
    return text if text in OCCLUSION_LEVELS else float(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', default='data/synthetic', help='folder of the dataset')
    parser.add_argument('--splits', nargs='+', metavar='NAME:VIDEOSxFRAMES',
                        default=['train:300x5', 'val:12x24'],
                        help='splits to make (default: %(default)s)')
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--height', type=int, default=160)
    parser.add_argument('--objects', type=int, nargs=2, metavar=('MIN', 'MAX'),
                        help='objects per video (default: follows --occlusion)')
    parser.add_argument('--occlusion', type=occlusion_level, default='medium',
                        help=f'0 to 1, or one of {", ".join(OCCLUSION_LEVELS)}')
    parser.add_argument('--classes', nargs='+', choices=list(CREATURES), default=list(CREATURES))
    add_options(parser)
    return parser.parse_args(argv)


def parse_split(text: str) -> tuple[str, int, int]:
    """``'train:100x12'`` -> ``('train', 100, 12)``.

    Raises:
        ValueError: The text does not have that form.
    """
    try:
        name, size = text.split(':')
        videos, frames = (int(number) for number in size.split('x'))
    except ValueError as error:
        raise ValueError(f'--splits takes NAME:VIDEOSxFRAMES such as train:100x12, '
                         f'got {text!r}') from error
    return name, videos, frames


def requests(args: argparse.Namespace) -> list[tuple[str, int, SceneConfig]]:
    """Name, number of videos and configuration of every split.

    Raises:
        ValueError: An option is out of range.
    """
    wanted = []
    for text in args.splits:
        name, videos, frames = parse_split(text)
        wanted.append((name, videos, SceneConfig(
            num_frames=frames, width=args.width, height=args.height,
            objects=tuple(args.objects) if args.objects else None, occlusion=args.occlusion,
            seed=args.seed, classes=tuple(args.classes))))
    return wanted


def main(argv: list[str] | None = None) -> int:
    """Make every split; returns the exit code."""
    args = parse_args(argv)
    try:
        wanted = requests(args)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return make_splits(wanted, args)


if __name__ == '__main__':
    sys.exit(run_tool(main))
