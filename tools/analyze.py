"""Describe a dataset, find what a result file loses vAP to, or plot how training went.

Examples:
    python tools/analyze.py dataset data/synthetic/train.json > card.md
    python tools/analyze.py errors results.json --ann data/synthetic/val.json \
        --images data/synthetic/val --html errors.html
    python tools/analyze.py logs work_dirs/run_a work_dirs/run_b --html curves.html
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.analysis import (
    Painter,
    Settings,
    analyze_errors,
    compare,
    format_errors,
    format_summary,
    read_runs,
    save_errors,
    save_log_image,
    save_log_page,
    save_page,
)
from vatrack.analysis.lost_ap import LENGTHS
from vatrack.apis.errors import user_message
from vatrack.evaluation.dataset_card import dataset_card, format_card
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.files import load_annotations, read_results
from vatrack.files.printing import print_any_name
from vatrack.structures import MASK_KINDS


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    add_dataset(commands)
    add_errors(commands)
    add_logs(commands)
    return parser.parse_args(argv)


def add_dataset(commands: argparse._SubParsersAction) -> None:
    """Declare ``dataset``."""
    dataset = commands.add_parser('dataset', help='print the card of an annotation file, as '
                                  'Markdown: counts by class, length, size and occlusion, and how '
                                  'much boxes overlap')
    dataset.add_argument('file', metavar='ANN', help='annotation file')
    dataset.add_argument('--top', type=int, default=10, metavar='N',
                         help='name the N videos whose boxes overlap most (default: %(default)s)')
    dataset.set_defaults(run=run_dataset)


def add_errors(commands: argparse._SubParsersAction) -> None:
    """Declare ``errors``."""
    errors = commands.add_parser('errors', help='vAP that is lost to missed objects, classes, '
                                 'masks, identities ...; as tables, JSON and a page with plots '
                                 'and pictures')
    errors.add_argument('results', metavar='RESULTS', help='result file')
    errors.add_argument('--ann', required=True, metavar='ANN', help='annotation file')
    errors.add_argument('--protocol', choices=list(PROTOCOLS), default='sailvos-full',
                        help='default: %(default)s')
    errors.add_argument('--kind', nargs='+', choices=MASK_KINDS,
                        help='kinds of mask (default: all that both files hold)')
    errors.add_argument('--html', metavar='FILE', help='write a page that needs no other file')
    errors.add_argument('--images', metavar='DIR', help='folder to which the file names in ANN '
                        'are relative; without it the page draws masks on plain ground')
    errors.add_argument('--worst', type=int, choices=range(11), default=3, metavar='N',
                        help='show so many of the worst cases per cause, 0 to 10 '
                             '(default: %(default)s)')
    errors.add_argument('--json', metavar='FILE', help='write all numbers')
    errors.add_argument('--lengths', nargs='+', type=int, default=LENGTHS, metavar='FRAMES',
                        help='last lengths of the strata of track length (default: '
                             f'{" ".join(map(str, LENGTHS))})')
    errors.add_argument('--workers', type=int, default=1, metavar='N',
                        help='processes; the numbers are the same (default: %(default)s)')
    errors.set_defaults(run=run_errors)


def add_logs(commands: argparse._SubParsersAction) -> None:
    """Declare ``logs``."""
    logs = commands.add_parser('logs', help='losses and metrics of runs over time: last and best '
                               'values as a table, curves as a page or an image')
    logs.add_argument('runs', nargs='+', metavar='RUN', help='folder of a run (work_dirs/CONFIG; '
                      'a resumed one is joined), or a JSON log')
    logs.add_argument('--keys', nargs='+', metavar='KEY', help="what to show, for example loss "
                      "'amodal/*' (default: losses, rates and metrics over all strata)")
    logs.add_argument('--smooth', type=float, default=0.0, metavar='WEIGHT',
                      help='weight of the past in the curves of training, 0 to 1 '
                           '(default: %(default)s, as logged)')
    logs.add_argument('--html', metavar='FILE', help='write a page that needs no other file')
    logs.add_argument('--out', metavar='FILE', help='write the curves as a PNG image')
    logs.set_defaults(run=run_logs)


def run_dataset(args: argparse.Namespace) -> None:
    """Print the card of a dataset."""
    print(format_card(dataset_card(load_annotations(args.file)), args.top), end='')


def run_errors(args: argparse.Namespace) -> None:
    """Print the losses, and write what is asked for."""
    annotations = load_annotations(args.ann)
    tracks = read_results(args.results, annotations)
    settings = Settings(lengths=tuple(args.lengths), worst=args.worst)
    report = analyze_errors(annotations, tracks, args.protocol, args.kind, settings, args.workers,
                            args.results)
    print(format_errors(report))
    if args.json:
        save_errors(args.json, report)
        print(f'\nnumbers: {args.json}')
    if args.html:
        save_page(args.html, report, Painter(annotations, tracks, args.protocol, args.images))
        print(f'\npage: {args.html}')


def run_logs(args: argparse.Namespace) -> None:
    """Print last and best values, and write what is asked for."""
    runs = read_runs(args.runs)
    for warning in (text for run in runs for text in run.warnings):
        print(f'warning: {warning}', file=sys.stderr)
    comparison = compare(runs, args.keys, args.smooth)
    print(format_summary(comparison))
    for path, save, name in ((args.html, save_log_page, 'page'),
                             (args.out, save_log_image, 'image')):
        if path:
            save(path, comparison)
            print(f'\n{name}: {path}')


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
