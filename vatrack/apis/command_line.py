"""What the command lines of training and testing share."""
from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from vatrack.checkpoints import trust_checkpoints


def parse_run_args(parser: argparse.ArgumentParser,
                   argv: Sequence[str] | None) -> argparse.Namespace:
    """Declare the options that every run of a config has, then parse.

    A rank that an old launcher gives as an option is put into ``LOCAL_RANK``, where mmengine looks.
    """
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='change values of the config, e.g. optim_wrapper.optimizer.lr=0.005')
    add_trust_option(parser)
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--trust-checkpoint``; given, it holds for this process and those it starts."""
    parser.add_argument('--trust-checkpoint', action=_Trust, nargs=0,
                        help='unpickle any object of a checkpoint, which runs code that it holds: '
                        'only for a file that you trust')


def resume_command() -> str:
    """The command line that goes on with the training that this process is."""
    arguments = [each for each in sys.argv if not each.startswith('--resume=')]
    if '--resume' in arguments:
        place = arguments.index('--resume')
        named = place + 1 < len(arguments) and not arguments[place + 1].startswith('-')
        del arguments[place:place + 1 + named]
    start = 'python'
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        each, of_all = int(os.environ['LOCAL_WORLD_SIZE']), int(os.environ['WORLD_SIZE'])
        nodes = f' --nnodes {of_all // each}' * (of_all > each)
        start = f'torchrun{nodes} --nproc_per_node {each}'
    return f'{start} {shlex.join([*arguments, "--resume"])}'


class _Trust(argparse.Action):
    """Trusts checkpoints when the option is met."""

    def __call__(self, *_: object) -> None:
        trust_checkpoints()
