"""Make Chewing Gum, the data set of rigid polygons of SaVos: frames and annotation files.

The default is the size of the paper. The hard variant is an extension of this project: more
objects, less regular, and a patch that covers them.

Examples:
    python tools/make_chewing_gum.py data/chewing-gum --workers 2
    python tools/make_chewing_gum.py data/chewing-gum --train 1000 --val 100 --test 200 --flow
    python tools/make_chewing_gum.py data/chewing-gum-hard --variant hard --flow
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

from vatrack.stopping import run_tool
from vatrack.synthetic import ChewingGumConfig
from vatrack.synthetic.chewing_gum import VARIANTS
from vatrack.synthetic.command import add_options, make_splits

#: Videos of each split in the paper.
SPLITS = {'train': 10000, 'val': 500, 'test': 1000}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', metavar='OUT', help='folder of the dataset')
    for split, videos in SPLITS.items():
        parser.add_argument(f'--{split}', type=int, default=videos, metavar='N',
                            help='videos (default: %(default)s); 0: no such split')
    parser.add_argument('--frames', type=int, default=40, metavar='N',
                        help='frames of a video (default: %(default)s)')
    parser.add_argument('--variant', choices=VARIANTS, default='paper',
                        help='default: %(default)s')
    add_options(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Make every split; returns the exit code."""
    args = parse_args(argv)
    try:
        config = ChewingGumConfig(args.frames, args.variant, args.seed)
        splits = [(split, getattr(args, split), config) for split in SPLITS
                  if getattr(args, split) != 0]
        return make_splits(splits, args)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(run_tool(main))
