"""Look at a dataset: films and a contact sheet of its truth, its predictions, or both.

Examples:
    python tools/browse.py data/synthetic/val.json data/synthetic/val --out work_dirs/look
    python tools/browse.py ANN IMAGE_ROOT --pred results.json --score-thr 0.5 --out DIR
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.structures import load_annotations
from vatrack.structures.results import read_results
from vatrack.visualization import render_results


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations', metavar='ANN', help='annotation file')
    parser.add_argument('image_root', metavar='IMAGE_ROOT',
                        help='folder to which the file names in ANN are relative')
    parser.add_argument('--out', required=True, help='folder for films and contact sheet')
    parser.add_argument('--pred', metavar='RESULTS', help='result file with predicted tracks')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='leave out tracks with a lower score (default: %(default)s)')
    parser.add_argument('--videos', nargs='+', metavar='NAME', help='videos to draw (default: all)')
    parser.add_argument('--max-videos', type=int, help='stop after so many videos')
    parser.add_argument('--fps', type=float, default=10.0,
                        help='frames per second of the films (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Draw and print what was written; returns the exit code."""
    args = parse_args(argv)
    try:
        annotations = load_annotations(args.annotations)
        tracks = read_results(args.pred, annotations) if args.pred else None
        written = render_results(
            annotations, tracks, args.image_root, args.out, score_thr=args.score_thr,
            videos=args.videos, max_videos=args.max_videos, fps=args.fps)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print('\n'.join(str(path) for path in written))
    return 0


if __name__ == '__main__':
    sys.exit(main())
