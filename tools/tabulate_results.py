"""Make docs/results.md and the overviews in README.md from the rows of docs/results.jsonl.

Examples:
    python tools/tabulate_results.py
    python tools/tabulate_results.py --results my.jsonl     # makes my.md, and leaves README.md
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

from vatrack.files.whole_file import replace_when_done
from vatrack.leaderboard import ResultRowError, fill_overviews, read_rows, save_results
from vatrack.stopping import run_tool

REPO = Path(__file__).resolve().parents[1]
RESULTS, README = REPO / 'docs' / 'results.jsonl', REPO / 'README.md'


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', default=str(RESULTS), metavar='FILE',
                        help='default: docs/results.jsonl; the page is written beside it')
    args = parser.parse_args(argv)
    try:
        rows = read_rows(args.results)
        print(save_results(args.results, rows))
        if Path(args.results).resolve() == RESULTS:
            text = README.read_text(encoding='utf-8')
            with replace_when_done(README) as file:
                file.write(fill_overviews(text, rows))
            print(README)
    except (ResultRowError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
