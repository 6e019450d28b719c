"""What the command lines of training and testing share."""
from __future__ import annotations

import argparse
import os
from collections.abc import Sequence


def parse_run_args(parser: argparse.ArgumentParser,
                   argv: Sequence[str] | None) -> argparse.Namespace:
    """Declare the options that every run of a config has, then parse.

    A rank that an old launcher gives as an option is put into ``LOCAL_RANK``, where mmengine looks.
    """
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='change values of the config, e.g. optim_wrapper.optimizer.lr=0.005')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
