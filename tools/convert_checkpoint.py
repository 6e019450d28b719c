"""Turn a released checkpoint into one of vatrack, and account for every entry.

Released: QDTrack, AmodalTrack, VATrack and two-box VATrack of the VATrack authors, SaVos of its
authors, and OpenMMLab's COCO Mask R-CNN X101-64x4d to start training from. docs/checkpoints.md says
which config is whose.

Examples:
    python tools/convert_checkpoint.py mask_amo1.0+vis1.0.pth vatrack.pth
    python tools/convert_checkpoint.py best_ckpts_X101.pth qdtrack.pth --from qdtrack
    python tools/convert_checkpoint.py mask_rcnn_x101_64x4d_fpn_1x_coco.pth coco.pth --copy-amodal
"""
from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

import vatrack
from vatrack.apis import ConfigError, load_config
from vatrack.apis.command_line import add_trust_option
from vatrack.apis.config import build_on_meta
from vatrack.checkpoints import (
    BOX_HEADS,
    KINDS,
    CheckpointError,
    ReleasedCheckpoint,
    check_output,
    convert_state_dict,
    load_strictly,
    read_checkpoint,
    write_checkpoint,
)
from vatrack.stopping import run_tool


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='SRC', help='checkpoint as released')
    parser.add_argument('out', metavar='OUT', help='checkpoint to write')
    parser.add_argument('--from', dest='kind', choices=KINDS,
                        help='what SRC is (default: told by its entries, where they can tell)')
    parser.add_argument('--config', help='config whose model the result must fit')
    parser.add_argument('--copy-amodal', action='store_true',
                        help='coco: start the amodal mask head from the mask head too')
    parser.add_argument('--box-head', choices=list(BOX_HEADS), default='main',
                        help='coco: which box head of a two-box model to start from it; the '
                        'released code starts the visible one (default: %(default)s)')
    add_trust_option(parser)
    return parser.parse_args(argv)


def describe(source: ReleasedCheckpoint) -> str:
    """What was read, and what of it is no weight."""
    lines = [f'{source.path}: {len(source.state_dict)} entries, sha256 {source.sha256}']
    if source.prefixed:
        lines.append("  'module.' taken off all names")
    if source.dropped:
        lines.append(f'  dropped, no weights: {", ".join(source.dropped)}')
    return '\n'.join(lines)


def compare_classes(source: ReleasedCheckpoint, config: Config) -> str:
    """Say whether labels mean the same in the checkpoint and in the config."""
    theirs = source.classes
    ours = tuple(config.test_dataloader.dataset.get('metainfo', {}).get('classes', ()))
    if not theirs or not ours:
        return ('classes: the checkpoint or the config does not say them; they must be the same, '
                'in the same order')
    if theirs == ours:
        return f'classes: {len(ours)}, the same in the checkpoint and in the config'
    return (f'WARNING: the classes of the checkpoint differ from those of {config.filename}, so '
            f'labels may mean other things\n  checkpoint: {", ".join(theirs)}\n'
            f'  config: {", ".join(ours)}')


def convert(args: argparse.Namespace) -> None:
    """Read, convert, check, print the account, write."""
    check_output(args.out, args.source)
    config = load_config(args.config) if args.config else None
    source = read_checkpoint(args.source)
    conversion = convert_state_dict(source.state_dict, args.kind, args.box_head, args.copy_amodal,
                                    args.source)
    print(describe(source))
    if config is not None:
        left = load_strictly(build_on_meta(config), conversion, args.config)
        conversion = replace(conversion, left=left)
    print(conversion.report())
    if config is not None:
        print(f'fits the model of {args.config}')
        if conversion.kind not in ('coco', 'savos'):
            print(compare_classes(source, config))
    write_checkpoint(args.out, conversion, source, f'vatrack {vatrack.__version__}')
    print(args.out)


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one checkpoint; returns the exit code."""
    args = parse_args(argv)
    try:
        convert(args)
    except (CheckpointError, ConfigError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
