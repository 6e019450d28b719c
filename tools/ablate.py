"""Train and test several configs with several seeds, and print the paper's tables.

Every run has a folder, OUT/CONFIG/seedS. What is done there is not done again, and a run that was
stopped is resumed: after a failure or Ctrl-C, start the same command once more.

Examples:
    python tools/ablate.py configs/vatrack_qd_synthetic.py configs/qdtrack_qd_synthetic.py
    python tools/ablate.py configs/vatrack --seeds 0 1 2 --table docs/lambda.md
    python tools/ablate.py configs/vatrack_qd_synthetic.py --seeds 0 1 2 --record
    python tools/ablate.py configs/vatrack --seeds 0 1 --dry-run
"""
from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.apis.ablation import (
    AblationError,
    RunCommand,
    Study,
    find_configs,
    measured_rows,
    next_step,
    perform_all,
    plan,
    run_logged,
)
from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.apis.launch import check_writable
from vatrack.evaluation.evaluate import METRICS
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.files.whole_file import replace_when_done
from vatrack.leaderboard import (
    ResultRow,
    ResultRowError,
    merge_rows,
    read_rows,
    save_results,
    study_page,
)
from vatrack.stopping import exit_code, run_tool

RESULTS = Path(__file__).resolve().parents[1] / 'docs' / 'results.jsonl'


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG|FOLDER',
                        help='configs, and folders of which all configs are meant')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0], metavar='N',
                        help='all configs run with the first seed, then with the next (default: 0)')
    parser.add_argument('--eval', nargs='+', choices=list(METRICS), metavar='METRIC',
                        default=['AP', 'vAP'], help=f'some of {", ".join(METRICS)} (default: AP '
                        'vAP); the tables show them beside the columns of the paper; systems '
                        'without association have those of single images only')
    parser.add_argument('--protocol', choices=list(PROTOCOLS),
                        help='default: test_evaluator.protocol of each config')
    parser.add_argument('--out', default='work_dirs/ablation', metavar='DIR',
                        help='folder of the runs (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='change values of all configs, e.g. train_cfg.max_epochs=1')
    parser.add_argument('--table', metavar='FILE.md', help='write the tables to a file as well')
    parser.add_argument('--record', action='store_true',
                        help='if no run failed, put the numbers into the file of --results, in '
                        'place of older ones of the same systems, and make its page anew')
    parser.add_argument('--results', default=str(RESULTS), metavar='FILE',
                        help='published and recorded numbers (default: docs/results.jsonl)')
    parser.add_argument('--redo', action='store_true',
                        help='where a folder holds a run of a config that was changed since, '
                        'delete it and train anew')
    parser.add_argument('--dry-run', action='store_true',
                        help='list what is to be done of every run, and do nothing')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, run_command: RunCommand = run_logged) -> int:
    """Run a study; returns the exit code: 1 if a run failed, 130 or 143 if it was stopped."""
    argv = sys.argv[1:] if argv is None else list(argv)
    args = parse_args(argv)
    study = Study(Path(args.out), tuple(args.eval), args.protocol, tuple(args.cfg_options))
    try:
        published = [row for row in read_rows(args.results) if row.source == 'paper']
        runs = plan(study, find_configs(args.configs), args.seeds, args.redo)
        if args.dry_run:
            for number, run in enumerate(runs, 1):
                print(f'[{number}/{len(runs)}] {run.name}: {next_step(run)}, {run.folder}')
            return 0
        check_writable(args.out, '--out')
        if args.table:
            check_writable(Path(args.table).parent, '--table')
        failures = perform_all(runs, run_command)
        rows = measured_rows(runs, shlex.join(['python', 'tools/ablate.py', *argv]))
        show(rows, published, args.table)
        if args.record and not failures:
            # Read again: hours later, somebody else may have recorded as well.
            page = save_results(args.results, merge_rows(read_rows(args.results), rows))
            print(f'recorded: {args.results}, {page}')
    except (*USER_ERRORS, AblationError, ResultRowError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print('\nstopped; the same command goes on from here', file=sys.stderr)
        return exit_code(stop)
    for run, log in failures.items():
        print(f'failed: {run.name}, see {log}', file=sys.stderr)
    return 1 if failures else 0


def show(rows: Sequence[ResultRow], published: Sequence[ResultRow], table: str | None) -> None:
    """Print the tables, and write them to a file if one is named."""
    if rows:
        page = study_page(rows, published)
        print(f'\n{page}')
        if table is not None:
            with replace_when_done(table) as file:
                file.write(page)
            print(f'tables: {table}')


if __name__ == '__main__':
    sys.exit(run_tool(main))
