"""Estimate the optical flow between the frames of videos.

Writes <out>/{forward,backward}/<frame>.npz, a field for each frame: where its pixels are in the
next frame of the video, and where they were in the one before. Fields that are there are kept.

Examples:
    python tools/make_flow.py data/synthetic/val --ann data/synthetic/val.json --out data/flow/val
    python tools/make_flow.py frames/ --out flow/ --workers 2       # a folder for each video
    python tools/make_flow.py frames/ --method raft --weights raft_large.pth --out flow/
"""
from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from tqdm import tqdm

from vatrack.apis.device import choose_device
from vatrack.apis.errors import USER_ERRORS
from vatrack.apis.make_flow import FlowRecipe, annotated_videos, make_flow, videos_in
from vatrack.flow import DIRECTIONS, ESTIMATORS, FORMATS
from vatrack.flow.estimate import PRESETS, TINY
from vatrack.stopping import run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', metavar='IMAGES', help='folder of the images')
    parser.add_argument('--ann', metavar='ANN',
                        help='annotation file that says which videos there are (default: each '
                             'folder of images is one)')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder of the flow')
    parser.add_argument('--method', choices=list(ESTIMATORS), default='dis',
                        help='dis: OpenCV, needs no weights; raft: torchvision (default: '
                             '%(default)s)')
    parser.add_argument('--directions', nargs='+', choices=DIRECTIONS, default=list(DIRECTIONS),
                        help='default: both')
    parser.add_argument('--format', choices=[suffix[1:] for suffix in FORMATS], default='npz',
                        help='npz: float16; flo: Middlebury; png: KITTI (default: %(default)s)')
    parser.add_argument('--upsampling', type=int, metavar='N',
                        help='enlarge frames N times before (default: 4 if a side is below '
                             f'{TINY} pixels, else 1)')
    parser.add_argument('--workers', type=int, default=1, metavar='N',
                        help='processes (default: %(default)s)')
    parser.add_argument('--preset', choices=PRESETS, help='dis: default: medium')
    parser.add_argument('--weights', metavar='FILE',
                        help="raft: state dict of torchvision's raft_large or raft_small")
    parser.add_argument('--num-updates', type=int, metavar='N', help='raft: default: 12')
    parser.add_argument('--batch-size', type=int, metavar='N',
                        help='raft: pairs at once (default: 4)')
    parser.add_argument('--device', help='raft: default: a GPU if there is one')
    args = parser.parse_args(argv)
    args.options = options(parser, args)
    return args


def options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> dict[str, object]:
    """Arguments of the estimator; those of the other method are refused."""
    of_method = {'dis': ['preset'], 'raft': ['weights', 'num_updates', 'batch_size', 'device']}
    given = {name: value for names in of_method.values() for name in names
             if (value := getattr(args, name)) is not None}
    wrong = [f'--{name.replace("_", "-")}' for name in given if name not in of_method[args.method]]
    if wrong:
        parser.error(f'method {args.method} takes no {", ".join(wrong)}')
    if args.method == 'raft' and args.weights is None:
        parser.error('method raft needs --weights')
    return given | {'upsampling': args.upsampling}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the flow; returns the exit code."""
    args = parse_args(argv)
    try:
        if args.method == 'raft':
            args.options['device'] = str(choose_device(args.device))
        recipe = FlowRecipe(args.method, args.options, tuple(args.directions), f'.{args.format}')
        videos = annotated_videos(args.ann) if args.ann else videos_in(args.images)
        fields = len(args.directions) * sum(max(len(each.file_names) - 1, 0) for each in videos)
        with tqdm(total=fields, unit='field', disable=None) as bar:
            report = make_flow(videos, args.images, args.out, recipe, workers=args.workers,
                               on_fields=bar.update)
    except (*USER_ERRORS, OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{args.out}: {report.made} fields of {len(videos)} videos made, {report.kept} kept')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
