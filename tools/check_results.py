"""Check a result file thoroughly against its annotation file and say what it contains.

Exit code 0 if it can be scored, else 1, with one line for each broken record.

Example:
    python tools/check_results.py results.json --ann data/synthetic/val.json
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.files import AnnotationError, load_annotations
from vatrack.files.printing import print_any_name
from vatrack.files.result_check import MAX_FAULTS, ResultFaults, check_results


def main(argv: Sequence[str] | None = None) -> int:
    """Check one file; returns the exit code."""
    print_any_name()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', metavar='RESULTS', help='result file, or a zip archive of it')
    parser.add_argument('--ann', required=True, metavar='ANN', help='annotation file it belongs to')
    args = parser.parse_args(argv)
    try:
        print(check_results(args.results, load_annotations(args.ann)))
    except AnnotationError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except ResultFaults as error:
        for fault in error.faults:
            print(f'error: {fault}', file=sys.stderr)
        if len(error.faults) == MAX_FAULTS:
            print(f'{args.results}: {MAX_FAULTS} faults, not checked any further', file=sys.stderr)
        return 1
    print(f'{args.results}: ok')
    return 0


if __name__ == '__main__':
    sys.exit(main())
