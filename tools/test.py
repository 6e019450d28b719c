"""Test a checkpoint, or score a result file again, and print the paper's table.

Examples:
    python tools/test.py --eval vAP                               # the newest run in work_dirs
    python tools/test.py CONFIG --eval AP vAP                     # the last checkpoint of its run
    python tools/test.py CONFIG CHECKPOINT --eval AP vAP --out results.json --show-dir pictures
    python tools/test.py CONFIG results.json --eval vAP           # no model needed
    python tools/test.py CONFIG results.json --eval all --per-category --occlusion-bins 0 .25 .5 1
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.apis import (
    find_run,
    is_main_process,
    load_config,
    parse_options,
    score_results,
    score_visible_as_amodal,
    show_results,
    test,
)
from vatrack.apis.command_line import parse_run_args
from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.evaluation.metric_names import ALL_METRICS, METRICS
from vatrack.evaluation.protocols import PROTOCOLS, get_protocol
from vatrack.files.printing import print_any_name


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='default: that of the newest run in work_dirs')
    parser.add_argument('weights', nargs='?', metavar='CHECKPOINT|RESULTS.json',
                        help='default: the last checkpoint of the run of CONFIG')
    names = [*METRICS, ALL_METRICS]
    parser.add_argument('--eval', nargs='+', choices=names, metavar='METRIC',
                        help=f'one or more of {", ".join(names)} (default: those of the config)')
    parser.add_argument('--protocol', choices=list(PROTOCOLS),
                        help='default: test_evaluator.protocol of the config')
    parser.add_argument('--out', metavar='RESULTS.json',
                        help='where the tracks go (default: results.json beside the checkpoint)')
    parser.add_argument('--show-dir', metavar='DIR', help='draw films and a contact sheet')
    parser.add_argument('--score-thr', type=float, metavar='S',
                        help='least score of a track that is drawn, and that exists for HOTA, '
                        'CLEAR, IDF1 and mIoU (default: 0.3, or that of the protocol)')
    parser.add_argument('--occlusion-bins', nargs='+', type=float, metavar='RATE',
                        help='ends of occlusion strata in place of those of the protocol, for '
                        'example 0 .25 .5 1')
    parser.add_argument('--per-category', action='store_true', default=None,
                        help='add the numbers of each category')
    parser.add_argument('--visible-as-amodal', action='store_true',
                        help='also score the visible masks against the amodal truth: the amodal '
                        'masks should do better')
    parser.add_argument('--work-dir',
                        help='where logs go (default: the folder test beside the checkpoint)')
    args = parse_run_args(parser, argv)
    try:
        get_protocol('sailvos', occlusion_bins=args.occlusion_bins)
    except ValueError as error:
        parser.error(str(error))
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Test or score; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    try:
        config_path, weights = find_run(args.config, args.weights)
        config = load_config(config_path, parse_options(args.cfg_options))
        config.launcher = args.launcher
        if args.eval:
            config.test_evaluator.metric = args.eval
        for name in ('protocol', 'score_thr', 'occlusion_bins', 'per_category'):
            if getattr(args, name) is not None:
                config.test_evaluator[name] = getattr(args, name)
        config.work_dir = args.work_dir or str(weights.parent / 'test')
        if weights.suffix == '.json':
            results = weights
            score_results(config, results)
        else:
            results = Path(args.out or weights.parent / 'results.json')
            test(config, weights, results)
        if args.visible_as_amodal and is_main_process():
            score_visible_as_amodal(config, results)
        if args.show_dir and is_main_process():
            show_results(config, results, args.show_dir,
                         0.3 if args.score_thr is None else args.score_thr)
    except USER_ERRORS as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
