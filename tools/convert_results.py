r"""Results to and from the formats of other tools and of servers, one kind of mask at a time.

Formats: ytvis, coco (JSON), mot (boxes as text), mots-txt, mots-png. A target that ends in .zip
becomes an archive. What each format cannot hold: docs/result-files.md.

Examples:
    python tools/convert_results.py ytvis export results.json submission.zip --ann ANN --kind amodal
    python tools/convert_results.py mots-png export results.json masks --ann ANN --kind visible
    python tools/convert_results.py ytvis import theirs.json results.json --ann ANN --kind amodal
    python tools/convert_results.py mot import amodal_boxes results.json --ann ANN --kind amodal \
        --other visible_boxes
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.files import (
    AnnotationError,
    ResultError,
    load_annotations,
    read_results,
    write_results,
)
from vatrack.files.foreign.formats import FORMATS
from vatrack.files.printing import print_any_name
from vatrack.structures import MASK_KINDS

_OPTIONS = ('rle', 'first_frame', 'category', 'fill')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('format', choices=list(FORMATS), metavar='FORMAT',
                        help='; '.join(f'{name}: {each.about}' for name, each in FORMATS.items()))
    parser.add_argument('direction', choices=['export', 'import'])
    parser.add_argument('source', metavar='SRC', help='export: our result file; import: theirs')
    parser.add_argument('target', metavar='DST', help='file, folder or .zip to write')
    parser.add_argument('--ann', required=True, metavar='ANN',
                        help='annotation file of the videos; needs no truth')
    parser.add_argument('--kind', required=True, choices=MASK_KINDS,
                        help='kind of the masks (mot: boxes) to export or to import')
    parser.add_argument('--other', metavar='SRC2',
                        help='import: the other kind of the same tracks, joined by video and track')
    parser.add_argument('--rle', choices=['string', 'list'],
                        help='ytvis, coco: write masks compressed (default) or as runs')
    parser.add_argument('--first-frame', type=int, choices=[0, 1],
                        help='mots: number of the first frame: 0 as KITTI MOTS (default), 1 as '
                             'MOTSChallenge')
    parser.add_argument('--category', type=int, metavar='ID',
                        help='mot import: category id of all tracks')
    parser.add_argument('--fill', action='store_true', default=None,
                        help='mot import: also take the boxes, filled, for masks, so that metrics '
                             'of boxes can be computed')
    args = parser.parse_args(argv)
    args.options = options(parser, args)
    return args


def options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> dict[str, object]:
    """The options that were given, all of which the format must take."""
    given = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name) is not None}
    chosen = FORMATS[args.format]
    allowed = chosen.export_options if args.direction == 'export' else chosen.read_options
    wrong = [f'--{name.replace("_", "-")}' for name in given if name not in allowed]
    if args.other is not None and args.direction == 'export':
        wrong.append('--other')
    if wrong:
        parser.error(f'{args.format} {args.direction} takes no {", ".join(wrong)}')
    if 'note' in allowed:
        given['note'] = note
    return given


def note(message: str) -> None:
    """Tell what a conversion changes."""
    print(f'note: {message}', file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    chosen = FORMATS[args.format]
    try:
        annotations = load_annotations(args.ann)
        if args.direction == 'export':
            tracks = read_results(args.source, annotations)
            chosen.export(tracks, annotations, args.target, args.kind, **args.options)
        else:
            sources = {args.kind: args.source}
            if args.other is not None:
                other, = set(MASK_KINDS) - {args.kind}
                sources[other] = args.other
            tracks = chosen.read(sources, annotations, note, **args.options)
            write_results(args.target, tracks, annotations)
    except (AnnotationError, ResultError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{args.target}: {len(tracks)} tracks')
    return 0


if __name__ == '__main__':
    sys.exit(main())
