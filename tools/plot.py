"""Draw the figures of a paper, for print: bar charts of metrics, and strips of frames with masks.

The end of --out picks the format: .png, .svg (text stays text, frames are embedded) or .pdf.

Examples:
    python tools/plot.py bars one=a/results.metrics.json two=b/results.metrics.json --out bars.svg
    python tools/plot.py bars 'SipMask: Add=a.json' 'SipMask: Calibration=b.json' --ann ANN \
        --metrics vAP --kind visible --values --out ablation.png
    python tools/plot.py strip MaskJoint=a/results.json VATrack=b/results.json \
        --ann data/synthetic/val.json --images data/synthetic/val --video val_0001 \
        --frames 0 2 5 7 --truth --out strip.svg
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.apis.chart_sources import SourceOptions, default_metrics, read_systems, split_name
from vatrack.apis.errors import user_message
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.files import load_annotations
from vatrack.files.printing import print_any_name
from vatrack.files.result_file import iter_results
from vatrack.structures import MASK_KINDS
from vatrack.visualization.bar_chart import ChartLayout, bar_chart, choose_metrics
from vatrack.visualization.print_figure import (
    COLUMN_WIDTH,
    check_format,
    print_settings,
    save_figure,
)
from vatrack.visualization.strip import build_strip, choose_frames, find_video
from vatrack.visualization.strip_figure import StripLayout, draw_strip
from vatrack.visualization.style import SHOWN


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    for add in (add_bars, add_strip):
        command = add(commands)
        command.add_argument('--size', nargs='+', type=float, metavar='INCHES',
                             default=[COLUMN_WIDTH], help='width, or width and height '
                             f'(default: {COLUMN_WIDTH}, a column of a paper of two)')
        command.add_argument('--font-size', type=float, default=8, metavar='POINTS',
                             help='default: %(default)s')
        command.add_argument('--out', required=True, metavar='FILE', help='.png, .svg or .pdf')
    args = parser.parse_args(argv)
    if len(args.size) > 2 or min(*args.size, args.font_size) <= 0:
        parser.error('--size takes a width, or a width and a height, in inches; sizes are above 0')
    args.width, args.height = (*args.size, None)[:2]
    return args


def add_bars(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Declare ``bars``."""
    bars = commands.add_parser('bars', help='metrics of systems as a bar chart: kinds of mask by '
                               'colour, systems by shade')
    bars.add_argument('sources', nargs='+', metavar='[NAME=]SOURCE',
                      help='numbers of a system: .metrics.json of tools/test.py or '
                      'tools/evaluate.py; a result file (with --ann); or FILE.jsonl:ROW, as in '
                      "'docs/results.jsonl:VATrack (QD)'. The same NAME again is another run of "
                      "the system: the bar is the mean. Names 'GROUP: NAME' form groups")
    bars.add_argument('--metrics', nargs='+', metavar='METRIC', help='names as in the files, such '
                      'as vAP vAP50_H HOTA (default: the columns of the VATrack paper)')
    bars.add_argument('--kind', nargs='+', choices=MASK_KINDS,
                      help='kinds of mask (default: all that the files hold)')
    bars.add_argument('--ann', metavar='ANN', help='annotation file for result files')
    bars.add_argument('--protocol', choices=list(PROTOCOLS), default='sailvos-full',
                      help='under which result files are scored (default: %(default)s)')
    bars.add_argument('--dataset', metavar='NAME', help='of the rows of a .jsonl file, if it has '
                      'several')
    bars.add_argument('--columns', type=int, choices=range(1, 9), default=1, metavar='N',
                      help='panels beside each other, 1 to 8 (default: %(default)s)')
    bars.add_argument('--values', action='store_true', help='write the numbers over the bars')
    bars.set_defaults(run=run_bars)
    return bars


def add_strip(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Declare ``strip``."""
    strip = commands.add_parser('strip', help='results of one video as rows, some of its frames '
                                'as columns, one colour per identity')
    strip.add_argument('results', nargs='*', metavar='[NAME=]RESULTS', help='result files')
    strip.add_argument('--ann', required=True, metavar='ANN', help='annotation file')
    strip.add_argument('--images', required=True, metavar='DIR',
                       help='folder to which the file names in ANN are relative')
    strip.add_argument('--video', metavar='NAME', help='default: the only one')
    frames = strip.add_mutually_exclusive_group()
    frames.add_argument('--frames', nargs='+', type=int, metavar='ID', help='frame ids')
    frames.add_argument('--num-frames', type=int, default=4, metavar='N',
                        help='instead, N frames spread evenly (default: %(default)s)')
    strip.add_argument('--kind', choices=MASK_KINDS, help='draw these masks alone, filled '
                       '(default: the visible part filled, the occluded part hatched)')
    strip.add_argument('--show', nargs='+', choices=SHOWN,
                       default=['visible', 'amodal', 'occluded'], metavar='ITEM',
                       help=f'out of {", ".join(SHOWN)} (default: masks alone)')
    strip.add_argument('--input', action='store_true', help='a row of the frames as they are')
    strip.add_argument('--truth', action='store_true', help='a row of the truth')
    strip.add_argument('--score-thr', type=float, default=0.3, metavar='S',
                       help='leave out tracks with a lower score (default: %(default)s)')
    strip.add_argument('--crop', nargs=4, type=int, metavar=('X1', 'Y1', 'X2', 'Y2'),
                       help='only this part of the frames, in their pixels')
    strip.add_argument('--dpi', type=int, default=300, help='of frames (default: %(default)s)')
    strip.set_defaults(run=run_strip)
    return strip


def run_bars(args: argparse.Namespace) -> None:
    """Read numbers, draw them."""
    options = SourceOptions(args.ann, args.protocol, args.metrics is not None, args.dataset)
    systems, notes = read_systems(args.sources, options)
    for note in notes:
        print(f'note: {note}', file=sys.stderr)
    metrics = (default_metrics(systems) if args.metrics is None
               else choose_metrics(systems, args.metrics))
    layout = ChartLayout(args.width, args.height, args.columns, args.values)
    save_figure(args.out, bar_chart(systems, metrics, args.kind, layout))


def run_strip(args: argparse.Namespace) -> None:
    """Read a video and its tracks, draw them."""
    annotations = load_annotations(args.ann)
    video = find_video(annotations, args.video)
    positions = choose_frames(video, args.frames, args.num_frames)
    files = dict(map(split_name, args.results))
    if len(files) < len(args.results):
        raise ValueError('two results have one name; name them NAME=RESULTS')
    results = {name: [track for track in iter_results(path, annotations)
                      if track.video_id == video.id and track.score >= args.score_thr]
               for name, path in files.items()}
    strip = build_strip(annotations, video, args.images, results, positions, kind=args.kind,
                        with_input=args.input, with_truth=args.truth)
    layout = StripLayout(args.width, args.height, args.dpi, args.crop, frozenset(args.show))
    save_figure(args.out, draw_strip(strip, layout))


def main(argv: Sequence[str] | None = None) -> int:
    """Draw a figure; returns the exit code."""
    print_any_name()
    args = parse_args(argv)
    try:
        check_format(args.out)
        with print_settings(args.font_size):
            args.run(args)
    except (ValueError, OSError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    print(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
