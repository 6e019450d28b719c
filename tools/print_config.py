"""Print what a config comes to: the recipe in a few lines, then all of it, bases merged in.

The output is a config again; the recipe stands in its first lines as comments.

Examples:
    python tools/print_config.py configs/vatrack_qd_sailvos-cut.py --parameters
    python tools/print_config.py configs/vatrack_mt_sailvos-cut.py > mine.py
    python tools/print_config.py CONFIG --cfg-options train_cfg.max_epochs=5
"""
from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.apis import load_config, parse_options
from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.apis.recipe import recipe_comment
from vatrack.stopping import run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--parameters', action='store_true',
                        help='build the model, and count its parameters')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='change values of the config, e.g. optim_wrapper.optimizer.lr=0.005')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print; returns the exit code."""
    args = parse_args(argv)
    try:
        with redirect_stdout(sys.stderr):  # what mmengine logs is no part of the config
            config = load_config(args.config, parse_options(args.cfg_options))
            head = recipe_comment(config, args.parameters)
    except USER_ERRORS as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    print(f'{head}\n\n{config.pretty_text}', end='')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
