r"""Turn a raw dataset into annotation files and frames: one sub-command per dataset.

Examples:
    python tools/convert.py fishbowl data/fishbowl_raw --out data/fishbowl --workers 8
    python tools/convert.py fishbowl data/fishbowl_raw --out data/small --limit 20 --every 4
    python tools/convert.py sailvos data/sailvos_raw --out data
    python tools/convert.py sailvos-cut data/sailvos_raw --out data \
        --structure data/sailvos_cut_structure.json
    python tools/convert.py sailvos-cut data/sailvos_raw --out data --detect --workers 8

What a dataset needs and what it takes: python tools/convert.py DATASET --help
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vatrack.converters import ConversionError
from vatrack.converters.common import IMAGE_FORMATS
from vatrack.converters.fishbowl import FishbowlOptions, convert_fishbowl
from vatrack.converters.sailvos import (
    SPLITS,
    SailvosOptions,
    convert_sailvos,
    convert_sailvos_cut,
    find_splits,
)
from vatrack.converters.sailvos_detection import DetectionOptions
from vatrack.converters.sailvos_frames import FRAME_MODES
from vatrack.converters.sailvos_write import BOX_VARIANTS, Converted
from vatrack.structures import AnnotationError

SAILVOS = """\
RAW_DIR is SAIL-VOS as published: train.json and valid.json (or wherever --train and --valid say)
and the frames, <video>/images/000003.bmp, in RAW_DIR or in folders of it. It is only read.

Examples:
    python tools/convert.py sailvos data/sailvos_raw --out data
    python tools/convert.py sailvos data/sailvos_raw --out data --boxes amodal both \\
        --max-occlusion 0.75
    python tools/convert.py sailvos data/sailvos_raw --out data --frames reference
"""
SAILVOS_CUT = """\
RAW_DIR is SAIL-VOS as published: train.json and valid.json (or wherever --train and --valid say)
and the frames, <video>/images/000003.bmp, in RAW_DIR or in folders of it. It is only read.

Examples:
    python tools/convert.py sailvos-cut data/sailvos_raw --out data \\
        --structure data/sailvos_cut_structure.json
    python tools/convert.py sailvos-cut data/sailvos_raw --out data --detect --workers 8
    python tools/convert.py sailvos-cut data/sailvos_raw --out data --detect --legacy-channels \\
        --threshold 27.0 --min-length 5

Content scores are kept in <out>/sailvos_cut_json/detection; a later run takes them from there.
"""


def positive(text: str) -> int:
    """Parse a count."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {value}')
    return value


def rate(text: str) -> float:
    """Parse an occlusion rate."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'must be in [0, 1], got {value}')
    return value


def add_fishbowl(commands: argparse._SubParsersAction) -> None:
    """Declare the sub-command ``fishbowl``."""
    parser = commands.add_parser(
        'fishbowl', help='FISHBOWL: <raw>/<split>/<sample>/{video.mp4,objects.json,objectNNN/}')
    add_common(parser)
    parser.add_argument('--every', type=positive, default=1, metavar='N',
                        help='keep every N-th frame (default: %(default)s)')
    parser.add_argument('--format', choices=sorted(IMAGE_FORMATS), default='jpg',
                        help='format of the frames (default: %(default)s, quality 95)')
    parser.add_argument('--frames', type=positive, default=128, metavar='N',
                        help='frames per raw video (default: %(default)s, as published)')
    parser.set_defaults(run=run_fishbowl)


def add_sailvos(commands: argparse._SubParsersAction) -> None:
    """Declare the sub-commands ``sailvos`` and ``sailvos-cut``."""
    parser = commands.add_parser(
        'sailvos', help='SAIL-VOS, whole videos: <raw>/{train,valid}.json, <raw>/<video>/images/',
        description=SAILVOS, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    add_sailvos_common(parser)
    parser.set_defaults(run=run_sailvos)
    parser = commands.add_parser(
        'sailvos-cut', help='SAIL-VOS-cut: the same, split into shots', description=SAILVOS_CUT,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    add_sailvos_common(parser)
    cuts = parser.add_mutually_exclusive_group(required=True)
    cuts.add_argument('--structure', metavar='FILE',
                      help='cut as sailvos_cut_structure.json of the VATrack authors says')
    cuts.add_argument('--detect', action='store_true', help='find the cuts from the frames')
    default = DetectionOptions()
    parser.add_argument('--threshold', type=float, default=default.threshold, metavar='S',
                        help='with --detect: lowest content score of a cut, in [0, 255] '
                             '(default: %(default)s)')
    parser.add_argument('--min-length', type=positive, default=default.min_length, metavar='N',
                        help='with --detect: frames between two cuts (default: %(default)s)')
    parser.add_argument('--legacy-channels', action='store_true',
                        help='with --detect: red and blue swapped, as in the released code')
    parser.set_defaults(run=run_sailvos_cut)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare what every sub-command takes."""
    parser.add_argument('raw_dir', metavar='RAW_DIR', help='dataset as downloaded')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    parser.add_argument('--workers', type=positive, default=1, metavar='N',
                        help='processes (default: %(default)s)')
    parser.add_argument('--limit', type=positive, metavar='N',
                        help='convert only the first N videos of each split')


def add_sailvos_common(parser: argparse.ArgumentParser) -> None:
    """Declare what both SAIL-VOS sub-commands take."""
    for split in SPLITS:
        parser.add_argument(f'--{split}', metavar='JSON',
                            help=f'official JSON of the split (default: RAW_DIR/{split}.json)')
    parser.add_argument('--images', metavar='DIR',
                        help='folder of the frames, if it is not RAW_DIR')
    parser.add_argument('--boxes', nargs='+', choices=BOX_VARIANTS, default=['amodal'],
                        help='kinds of boxes, one file each: bbox=amdl_bbox (VATrack, the '
                             'default), visb_bbox, both_bbox')
    parser.add_argument('--max-occlusion', type=rate, metavar='RATE',
                        help='leave out objects that are occluded by more (the paper: 0.75; '
                             'default: keep all)')
    parser.add_argument('--frames', choices=FRAME_MODES, default='link',
                        help='make relative links to the frames, copy them, or write the names '
                             'of the originals and make no files (default: %(default)s)')
    parser.add_argument('--all-classes', action='store_true',
                        help='keep all categories, not just the 24 SAIL-VOS classes')


def run_fishbowl(args: argparse.Namespace) -> Sequence[Path]:
    """Convert FISHBOWL; returns the annotation files."""
    options = FishbowlOptions(every=args.every, image_format=args.format, num_frames=args.frames)
    return convert_fishbowl(args.raw_dir, args.out, options, args.limit, args.workers)


def run_sailvos(args: argparse.Namespace) -> Sequence[Converted | str]:
    """Convert SAIL-VOS; returns the annotation files and what else to know."""
    splits, images = sailvos_inputs(args)
    written = convert_sailvos(splits, images, args.out, sailvos_options(args))
    return [*written, *sailvos_notes(args, splits, images)]


def run_sailvos_cut(args: argparse.Namespace) -> Sequence[Converted | str]:
    """Convert SAIL-VOS to SAIL-VOS-cut; returns the annotation files and what else to know."""
    splits, images = sailvos_inputs(args)
    cuts = args.structure or DetectionOptions(args.threshold, args.min_length,
                                              args.legacy_channels)
    written = convert_sailvos_cut(splits, images, args.out, cuts, sailvos_options(args))
    return [*written, *sailvos_notes(args, splits, images)]


def sailvos_inputs(args: argparse.Namespace) -> tuple[dict[str, Path], Path]:
    """The official JSONs and the folder of the frames."""
    return find_splits(args.raw_dir, args.train, args.valid), Path(args.images or args.raw_dir)


def sailvos_options(args: argparse.Namespace) -> SailvosOptions:
    """The options of both SAIL-VOS sub-commands."""
    return SailvosOptions(boxes=tuple(dict.fromkeys(args.boxes)), max_occlusion=args.max_occlusion,
                          frames=args.frames, all_classes=args.all_classes, limit=args.limit,
                          workers=args.workers)


def sailvos_notes(args: argparse.Namespace, splits: dict[str, Path], images: Path) -> list[str]:
    """What the user has to know or to do."""
    notes = [f'note: there is no {Path(args.raw_dir, split)}.json, so there is no {split} split'
             for split in SPLITS if split not in splits]
    if args.frames == 'reference':
        notes.append('note: the frames stay where they are; add to train.py and test.py: '
                     '--cfg-options ' + ' '.join(
                         f'{part}_dataloader.dataset.data_prefix.img_path={images.resolve()}/'
                         for part in ('train', 'val', 'test')))
    return notes


def main(argv: list[str] | None = None) -> int:
    """Convert and print the files written; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title='datasets', metavar='DATASET', required=True)
    add_fishbowl(commands)
    add_sailvos(commands)
    args = parser.parse_args(argv)
    try:
        written = args.run(args)
    except (ConversionError, AnnotationError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print('\n'.join(str(each) for each in written))
    return 0


if __name__ == '__main__':
    sys.exit(main())
