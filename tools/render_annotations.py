"""Paint frames for an annotation file whose images are not public.

Examples:
    python tools/render_annotations.py joint.json --out data/painted
    python tools/render_annotations.py joint.json --out data/painted --size 640x400
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.files.printing import print_any_name
from vatrack.synthetic.paint_annotations import render_annotations


def frame_size(text: str) -> tuple[int, int]:
    """``'640x400'`` -> ``(640, 400)``: width and height in pixels."""
    width, _, height = text.lower().partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f'must look like 640x400 (WIDTHxHEIGHT), got {text!r}')
    return int(width), int(height)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations', metavar='ANN', help='annotation file with visible masks')
    parser.add_argument('--out', required=True,
                        help='folder for the frames and annotations.json')
    parser.add_argument('--size', type=frame_size, metavar='WxH',
                        help='size of the frames; masks are rescaled (default: as annotated)')
    parser.add_argument('--seed', type=int, default=0, help='other seeds, other pictures')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Paint all frames; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    try:
        with tqdm(desc='painting', unit='frame', disable=None) as bar:
            path = render_annotations(args.annotations, args.out, args.size, args.seed, bar.update)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{path}: annotations of the frames painted beside it')
    return 0


if __name__ == '__main__':
    sys.exit(main())
