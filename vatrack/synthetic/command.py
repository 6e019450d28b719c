"""What the command lines of the generators share."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from .writer import SplitReport, VideoConfig, generate


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of every generator."""
    parser.add_argument('--flow', action='store_true',
                        help='write the exact optical flow, too, into <out>/<split>/flow')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1, help='processes that draw')
    parser.add_argument('--overwrite', action='store_true',
                        help='replace splits that were made with other options')


def make_splits(splits: Sequence[tuple[str, int, VideoConfig]], args: argparse.Namespace) -> int:
    """Make splits and say what they hold; returns the exit code.

    Args:
        splits: Name, number of videos and configuration of each.
        args: With ``out``, and what :func:`add_options` declares.
    """
    for name, videos, config in splits:
        try:
            with tqdm(total=videos * config.num_frames, desc=name, unit='frame',
                      disable=None) as bar:
                report = generate(args.out, name, videos, config, flow=args.flow,
                                  workers=args.workers, overwrite=args.overwrite,
                                  on_frame=bar.update)
        except OSError as error:  # there already, or a full disk
            print(f'error: {error}', file=sys.stderr)
            return 1
        state = 'made' if report.made else 'kept, it was made with the same options:'
        print(f'{Path(args.out) / name}: {state} {describe(report)}')
    return 0


def describe(report: SplitReport) -> str:
    """One line of statistics."""
    total = max(report.annotations, 1)
    shares = ', '.join(f'{edges}: {count / total:.1%}' for edges, count in report.histogram.items())
    return (f'{report.videos} videos, {report.frames} frames, {report.objects} objects, '
            f'{report.annotations} object-frames '
            f'({report.annotations / max(report.frames, 1):.1f} per frame); occlusion {shares}')
