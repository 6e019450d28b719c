"""Select the tracks of an annotation file that SaVos is trained or tested on.

Writes their objects and runs of frames to a file, which tools/evaluate.py (--tracks) and
ObjectTrackDataset read. The numbers of a rule can be changed one by one.

Examples:
    python tools/select_tracks.py data/fishbowl/train.json --rule savos-train --out OUT
    python tools/select_tracks.py data/fishbowl/test.json --rule savos-test --out OUT
    python tools/select_tracks.py ANN --rule savos-train --without-species BigFishA --out FILE
"""
from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.datasets.track_rules import SUBSETS, TRACK_RULES, TrackRule, select_tracks
from vatrack.files import AnnotationIndex, TrackSelection, write_selection
from vatrack.stopping import run_tool
from vatrack.structures import MASK_KINDS

#: Options that replace a number of the rule: type, number of values, help.
_NUMBERS = {
    'min_area': (int, None, 'more pixels than this in the full mask'),
    'border': (int, None, 'distance of its box from the edges of the frame, in pixels'),
    'min_visible': (int, None, 'more visible pixels than this'),
    'longer_than': (int, None, 'more frames than this in the run'),
    'lag': (int, None, 'frames over which visible shapes are compared'),
    'changed_below': (float, None, 'IoU of visible shapes below this in some frame'),
    'occlusion': (float, 2, 'occlusion rate between these in some frame'),
    'box_ratio': (float, None, 'limit of the subset test1'),
    'low_iou': (float, None, 'limit of the subset test3')}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann', metavar='ANN', help='annotation file')
    parser.add_argument('--rule', required=True, choices=list(TRACK_RULES))
    parser.add_argument('--out', required=True, metavar='FILE', help='selection to write')
    species = parser.add_mutually_exclusive_group()
    species.add_argument('--species', nargs='+', metavar='NAME',
                         help='only objects of these classes')
    species.add_argument('--without-species', nargs='+', metavar='NAME',
                         help='no objects of these classes')
    parser.add_argument('--by', choices=MASK_KINDS, default='amodal',
                        help='kind of mask that is the full one (default: %(default)s)')
    for name, (kind, values, text) in _NUMBERS.items():
        defaults = ', '.join(f'{rule} {value}' for rule, each in TRACK_RULES.items()
                             if (value := getattr(each, name)) is not None)
        parser.add_argument(f'--{name.replace("_", "-")}', type=kind, nargs=values,
                            metavar=('LOW', 'HIGH') if values else 'N',
                            help=f'{text} (default: {defaults})')
    return parser.parse_args(argv)


def rule_of(args: argparse.Namespace) -> TrackRule:
    """The rule with the numbers that were given."""
    given = {name: value for name in _NUMBERS if (value := getattr(args, name)) is not None}
    if 'occlusion' in given:
        given['occlusion'] = tuple(given['occlusion'])
    if given.get('lag', 1) < 1:
        raise ValueError(f'shapes are compared over at least 1 frame (--lag), got {given["lag"]}')
    return replace(TRACK_RULES[args.rule], by=args.by, **given)


def describe(selection: TrackSelection, index: AnnotationIndex, rule: TrackRule) -> str:
    """Counts as text: tracks and frames, by species, and of the subsets."""
    categories = list(index.categories.values())
    names = {(int(index.video_ids[position]), int(instance)): categories[category]
             for position in range(len(index.video_ids))
             for instance, category in zip(*_objects(index, position), strict=True)}
    species, subsets = Counter(), Counter()
    for video_id, instance_id, track in selection:
        species[names[video_id, instance_id]] += 1
        subsets.update({name: len(frames) for name, frames in track.subsets.items()})
    lines = [f'{selection.num_tracks} tracks, {selection.num_frames} frames, '
             f'{len(selection.tracks)} of {len(index.video_ids)} videos']
    lines += [f'  {name:<16}{species[name]:>7} tracks' for name in categories if species[name]]
    if rule.subsets:
        lines += [f'  {name:<16}{subsets[name]:>7} frames: {text}'
                  for name, text in SUBSETS.items()]
    return '\n'.join(lines)


def _objects(index: AnnotationIndex, position: int) -> tuple[Sequence[int], Sequence[int]]:
    """Instance ids and positions of their classes, of all entries of a video."""
    first, last = index.frame_starts[index.video_starts[position:position + 2]]
    return index.instance_ids[first:last].tolist(), index.category_positions[first:last].tolist()


def main(argv: Sequence[str] | None = None) -> int:
    """Select; returns the exit code."""
    args = parse_args(argv)
    try:
        rule = rule_of(args)
        index = AnnotationIndex.open(args.ann)
        wanted = args.species
        if args.without_species:
            known = list(index.categories.values())
            unknown = set(args.without_species) - set(known)
            # Unknown names are refused where all names are.
            wanted = [name for name in known if name not in args.without_species] + [*unknown]
        selection = select_tracks(index, rule, wanted, progress=True)
        write_selection(args.out, selection, {'annotations': args.ann, 'rule': args.rule,
                                              'species': wanted, 'options': asdict(rule)})
    except (*USER_ERRORS, ValueError, OSError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 1
    print(f'{args.out}: {describe(selection, index, rule)}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
