"""The sub-commands ``sailvos`` and ``sailvos-cut`` of ``tools/convert.py``."""
from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..command import Command, Converted, Note, add_raw_folder, positive, rate
from ..parts.frames import FRAME_MODES
from .convert import SPLITS, SailvosOptions, convert_sailvos, convert_sailvos_cut, find_splits
from .detection import DetectionOptions
from .write import BOX_VARIANTS

_RAW = """\
RAW_DIR is SAIL-VOS as published: train.json and valid.json (or wherever --train and --valid say)
and the frames, <video>/images/000003.bmp, in RAW_DIR or in folders of it. It is only read.
"""
_WHOLE = f"""{_RAW}
Examples:
    python tools/convert.py sailvos data/sailvos_raw --out data
    python tools/convert.py sailvos data/sailvos_raw --out data --boxes amodal both \\
        --max-occlusion 0.75
    python tools/convert.py sailvos data/sailvos_raw --out data --frames reference
"""
_CUT = f"""{_RAW}
Examples:
    python tools/convert.py sailvos-cut data/sailvos_raw --out data \\
        --structure data/sailvos_cut_structure.json
    python tools/convert.py sailvos-cut data/sailvos_raw --out data --detect --workers 8
    python tools/convert.py sailvos-cut data/sailvos_raw --out data --detect --legacy-channels \\
        --threshold 27.0 --min-length 5

Content scores are kept in <out>/sailvos_cut_json/detection; a later run takes them from there.
"""


def _add_whole(parser: argparse.ArgumentParser) -> None:
    add_raw_folder(parser)
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


def _add_cut(parser: argparse.ArgumentParser) -> None:
    _add_whole(parser)
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


def _run_whole(args: argparse.Namespace, note: Note) -> list[Converted]:
    splits, images = _inputs(args)
    written = convert_sailvos(splits, images, args.out, _options(args))
    _tell(args, splits, images, note)
    return written


def _run_cut(args: argparse.Namespace, note: Note) -> list[Converted]:
    splits, images = _inputs(args)
    cuts = args.structure or DetectionOptions(args.threshold, args.min_length,
                                              args.legacy_channels)
    written = convert_sailvos_cut(splits, images, args.out, cuts, _options(args))
    _tell(args, splits, images, note)
    return written


def _inputs(args: argparse.Namespace) -> tuple[dict[str, Path], Path]:
    """The official JSONs and the folder of the frames."""
    return find_splits(args.raw_dir, args.train, args.valid), Path(args.images or args.raw_dir)


def _options(args: argparse.Namespace) -> SailvosOptions:
    return SailvosOptions(boxes=tuple(dict.fromkeys(args.boxes)), max_occlusion=args.max_occlusion,
                          frames=args.frames, all_classes=args.all_classes, limit=args.limit,
                          workers=args.workers)


def _tell(args: argparse.Namespace, splits: dict[str, Path], images: Path, note: Note) -> None:
    for split in SPLITS:
        if split not in splits:
            note(f'there is no {Path(args.raw_dir, split)}.json, so there is no {split} split')
    if args.frames == 'reference':
        folder = os.path.realpath(images)
        note('the frames stay where they are; add to train.py and test.py: --cfg-options '
             + ' '.join(f'{part}_dataloader.dataset.data_prefix.img_path={folder}/'
                        for part in ('train', 'val', 'test')))


SAILVOS = Command('sailvos',
                  'SAIL-VOS, whole videos: <raw>/{train,valid}.json, <raw>/<video>/images/',
                  _WHOLE, _add_whole, _run_whole)
SAILVOS_CUT = Command('sailvos-cut', 'SAIL-VOS-cut: the same, split into shots', _CUT, _add_cut,
                      _run_cut)
