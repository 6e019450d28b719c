"""Score results of any model against an annotation file, without the model.

Results are our own result file, or files of another format with one kind of mask each. If the
annotation file holds no truth, they become archives ready for a server.

Examples:
    python tools/evaluate.py results.json --ann data/synthetic/val.json --eval AP vAP
    python tools/evaluate.py results.json --ann ANN --protocol sailvos --kind amodal --workers 4
    python tools/evaluate.py theirs.zip --format ytvis --kind amodal --ann ANN --protocol ytvis
    python tools/evaluate.py amodal/ visible/ --format mots-png --kind amodal visible --ann ANN
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.apis.score import OWN_FORMAT, Scoring, score_file
from vatrack.evaluation.metric_names import ALL_METRICS, METRICS
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.files.foreign.formats import FORMATS
from vatrack.files.printing import print_any_name
from vatrack.structures import MASK_KINDS


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', nargs='+', metavar='RESULTS',
                        help='result file; of another format one file or folder per kind')
    parser.add_argument('--ann', required=True, metavar='ANN', help='annotation file')
    parser.add_argument('--eval', nargs='+', choices=[*METRICS, ALL_METRICS], metavar='METRIC',
                        default=[],
                        help=f'one or more of {", ".join([*METRICS, ALL_METRICS])} (default: AP '
                             'vAP; of boxes HOTA CLEAR IDF1)')
    parser.add_argument('--protocol', choices=list(PROTOCOLS), default='sailvos-full',
                        help='default: %(default)s')
    parser.add_argument('--kind', nargs='+', choices=MASK_KINDS, default=[],
                        help='kinds to score (default: all that ANN holds); of another format, '
                             'what the files hold, in their order')
    parser.add_argument('--format', choices=[OWN_FORMAT, *FORMATS], default=OWN_FORMAT,
                        help='default: %(default)s, our own')
    parser.add_argument('--first-frame', type=int, choices=[0, 1],
                        help='mots: number of the first frame (default: 0)')
    parser.add_argument('--category', type=int, metavar='ID',
                        help='mot: category id of all tracks')
    parser.add_argument('--score-thr', type=float, metavar='S',
                        help='least score of a track that exists, for the metrics that count '
                             'every track (default: that of the protocol)')
    parser.add_argument('--occlusion-bins', nargs='+', type=float, metavar='RATE',
                        help='ends of the occlusion strata (default: those of the protocol)')
    parser.add_argument('--per-category', action='store_true', help='numbers of each category too')
    parser.add_argument('--workers', type=int, default=1, metavar='N',
                        help='processes; the numbers are the same (default: %(default)s)')
    parser.add_argument('--out', metavar='PATH',
                        help='where the numbers go (default: RESULTS.metrics.json)')
    parser.add_argument('--submission', metavar='DIR',
                        help='where the archives go if ANN holds no truth (default: beside '
                             'RESULTS)')
    args = parser.parse_args(argv)
    args.import_options = import_options(parser, args)
    return args


def import_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> dict[str, object]:
    """Options of the format of the results; boxes are filled, or no metric could see them."""
    given = {name: value for name in ('first_frame', 'category')
             if (value := getattr(args, name)) is not None}
    allowed = () if args.format == OWN_FORMAT else FORMATS[args.format].read_options
    wrong = [f'--{name.replace("_", "-")}' for name in given if name not in allowed]
    if wrong:
        parser.error(f'format {args.format} takes no {", ".join(wrong)}')
    return given | {'fill': True} if 'fill' in allowed else given


def main(argv: Sequence[str] | None = None) -> int:
    """Score; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    scoring = Scoring(args.results, args.format, args.kind, args.eval, args.protocol,
                      args.score_thr, args.occlusion_bins, args.per_category, args.workers,
                      args.import_options)
    try:
        score_file(scoring, args.ann, args.out, args.submission,
                   lambda message: print(f'note: {message}', file=sys.stderr))
    except (*USER_ERRORS, ValueError, OSError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
