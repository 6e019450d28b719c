r"""Complete the tracks of any tracker: its visible masks in, amodal masks out.

RESULTS is a result file with visible masks (tools/convert_results.py makes one of other formats),
or 'truth' for the annotated objects. Rules need no checkpoint.

Examples:
    python tools/complete.py results.json configs/convex_given_synthetic.py \
        --ann data/synthetic/val.json --images data/synthetic/val --out completed.json
    python tools/complete.py results.json configs/savos_given_synthetic.py CHECKPOINT \
        --ann data/synthetic/val.json --images data/synthetic/val \
        --flow data/synthetic/flow/val --out completed.json
    python tools/evaluate.py completed.json --ann data/synthetic/val.json --eval vAP mIoU
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

from vatrack.apis import load_config, parse_options
from vatrack.apis.command_line import parse_run_args
from vatrack.apis.complete import CompletionFiles, complete
from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.stopping import run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', metavar='RESULTS', help="result file, or 'truth'")
    parser.add_argument('config', metavar='CONFIG', help='config of a completion model')
    parser.add_argument('checkpoint', nargs='?', metavar='CHECKPOINT', help='of a network')
    parser.add_argument('--ann', required=True, metavar='ANN',
                        help='annotation file that says which videos there are')
    parser.add_argument('--images', required=True, metavar='DIR',
                        help='folder that the file names of frames are relative to')
    parser.add_argument('--flow', metavar='DIR',
                        help='folder of optical flow, see tools/make_flow.py')
    parser.add_argument('--out', required=True, type=Path, metavar='RESULTS.json',
                        help='where the completed tracks go')
    parser.add_argument('--work-dir', metavar='DIR',
                        help='where logs go (default: the folder complete beside OUT)')
    return parse_run_args(parser, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Complete; returns the exit code."""
    args = parse_args(argv)
    try:
        config = load_config(args.config, parse_options(args.cfg_options))
        config.launcher = args.launcher
        config.work_dir = args.work_dir or str(args.out.parent / 'complete')
        complete(config, args.checkpoint,
                 CompletionFiles(args.results, args.ann, args.images, args.flow), args.out)
    except USER_ERRORS as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
