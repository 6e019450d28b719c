"""Check an annotation file thoroughly and say what it contains.

Exit code 0 if there is no error (warnings are allowed), else 1.

Example:
    python tools/check_annotations.py data/fishbowl/train.json --images data/fishbowl/train
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.structures import CheckReport, check_annotations


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', metavar='FILE', help='annotation file')
    parser.add_argument('--images', metavar='ROOT',
                        help='folder that the file names are relative to; opens every frame')
    parser.add_argument('--max-errors', type=int, default=20, metavar='N',
                        help='show so many errors and so many warnings (default: %(default)s)')
    return parser.parse_args(argv)


def print_report(report: CheckReport) -> None:
    """Print messages, then the summary, then the verdict."""
    for label, messages, total in (('error', report.errors, report.num_errors),
                                   ('warning', report.warnings, report.num_warnings)):
        for message in messages:
            print(f'{label}: {message}')
        if total > len(messages):
            print(f'... and {total - len(messages)} more {label}s')
    if report.summary is not None:
        print(report.summary)
    print(f'{report.path}: {"ok" if report.ok else "NOT ok"}, {report.num_errors} errors, '
          f'{report.num_warnings} warnings')


def main(argv: list[str] | None = None) -> int:
    """Check one file; returns the exit code."""
    args = parse_args(argv)
    report = check_annotations(args.file, args.images, args.max_errors, show_progress=True)
    print_report(report)
    return 0 if report.ok else 1


if __name__ == '__main__':
    sys.exit(main())
