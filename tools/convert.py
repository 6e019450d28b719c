r"""Turn a dataset of another format into annotation files, and check annotation files.

A file that was written is checked at once, and described by a card: counts by class, length, size
and occlusion. --no-check leaves that out, and

    python tools/convert.py check data/train.json --images data/train

does it for any annotation file. What a format needs and what it takes:

    python tools/convert.py FORMAT --help

The formats are described in docs/converters.md, the annotation files in docs/annotations.md.
Exit code 0 if there is no error (warnings are allowed), else 1.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.converters import ConversionError
from vatrack.converters.commands import COMMANDS
from vatrack.evaluation.dataset_card import dataset_card, format_card
from vatrack.files import AnnotationError, check_annotations, load_annotations
from vatrack.files.printing import print_any_name


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    formats = parser.add_subparsers(title='formats', metavar='FORMAT', required=True)
    for command in COMMANDS:
        converter = formats.add_parser(command.name, help=command.help,
                                       description=command.description,
                                       formatter_class=argparse.RawDescriptionHelpFormatter)
        command.add_arguments(converter)
        converter.add_argument('--no-check', action='store_true',
                               help='do not check and describe what was written; checking holds '
                                    'the whole file in memory')
        converter.set_defaults(run=run_command, command=command)
    checker = formats.add_parser('check', help='no format: check an annotation file thoroughly '
                                 'and describe it')
    checker.add_argument('file', metavar='FILE', help='annotation file')
    checker.add_argument('--images', metavar='DIR',
                         help='folder that the file names are relative to; opens every frame')
    checker.set_defaults(run=run_check)
    for each in formats.choices.values():
        each.add_argument('--max-errors', type=int, default=20, metavar='N',
                          help='show so many errors and so many warnings (default: %(default)s)')
    return parser.parse_args(argv)


def run_command(args: argparse.Namespace) -> int:
    """Convert, then check what was written; returns the exit code."""
    written = args.command.run(args, note)
    for each in written:
        print(each, flush=True)
    if args.no_check:
        return 0
    return max(check(each.path, each.images, args.max_errors) for each in written)


def run_check(args: argparse.Namespace) -> int:
    """Check a file; returns the exit code."""
    return check(args.file, args.images, args.max_errors)


def check(path: str | Path, images: str | Path | None, max_messages: int) -> int:
    """Print what is wrong with an annotation file, and its card; returns the exit code."""
    report = check_annotations(path, images, max_messages, show_progress=True)
    for label, messages, total in (('error', report.errors, report.num_errors),
                                   ('warning', report.warnings, report.num_warnings)):
        for message in messages:
            print(f'{label}: {message}')
        if total > len(messages):
            print(f'... and {total - len(messages)} more {label}s')
    if report.ok:
        print(format_card(dataset_card(load_annotations(path))))
    elif report.summary is not None:
        print(report.summary)
    print(f'{path}: {"ok" if report.ok else "NOT ok"}, {report.num_errors} errors, '
          f'{report.num_warnings} warnings', flush=True)
    return 0 if report.ok else 1


def note(message: str) -> None:
    """Tell what a conversion changes, or what the user has to do."""
    print(f'note: {message}', file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    try:
        return args.run(args)
    except (ConversionError, AnnotationError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
