"""Train a model from a config file.

Examples:
    python tools/train.py configs/vatrack_qd_synthetic.py
    python tools/train.py configs/vatrack_qd_sailvos.py --amp bf16
    torchrun --nproc_per_node 8 tools/train.py configs/vatrack_qd_sailvos.py --launcher pytorch
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

from vatrack.apis import default_work_dir, load_config, parse_options, set_amp, train
from vatrack.apis.command_line import parse_run_args
from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.stopping import run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--work-dir', help='where checkpoints and logs go '
                        '(default: work_dirs/<config name>)')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='go on from the last checkpoint of the work dir, or from this one')
    parser.add_argument('--amp', choices=['bf16', 'fp16'], help='train in mixed precision')
    parser.add_argument('--seed', type=int, help='default: randomness.seed of the config')
    parser.add_argument('--from-scratch', action='store_true',
                        help='use no pretrained weights; trains the stem and batch norm too')
    return parse_run_args(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Train; returns the exit code."""
    args = parse_args(argv)
    try:
        config = load_config(args.config, parse_options(args.cfg_options))
        config.work_dir = args.work_dir or str(default_work_dir(args.config))
        config.launcher = args.launcher
        if args.seed is not None:
            config.randomness = {**config.get('randomness', {}), 'seed': args.seed}
        if args.amp:
            set_amp(config, args.amp)
        train(config, args.resume, args.from_scratch)
    except USER_ERRORS as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
