"""KINS-Video-Car (Yao et al., *Self-supervised Amodal Video Object Segmentation*, NeurIPS 2022).

Layout, that of the released code, below ``RAW_DIR``::

    Kitti/raw_video/<date>/<drive>/0000000000.png     frames of KITTI's raw drives
    Kins/training/image_2/000000.png                  images of KINS ...
    Kins/instances_train.json                         ... and its annotations
    car_data/{train,val,test}_data.pkl                tracks with visible masks (PointTrack)
    car_data/{train,val,test}_data_full_mask.pkl      amodal masks by track (EoRaS), if there

``<date>`` is the beginning of the drive's name, ``2011_09_26``. Amodal masks exist in the few
frames that KINS has annotated.
"""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from vatrack.files import AnnotationWriter
from vatrack.structures import Instance
from vatrack.structures import rle as rle_ops
from vatrack.structures.rle import RLE

from ..command import Command, Converted, Note, positive
from ..common import ConversionError
from ..parts.frames import add_placement, place
from ..parts.image_files import image_files, image_size
from ..parts.segmentation import KindJoiner
from .kins import Kins, KinsObject, assign, match_files
from .tracks import DriveTracks, Masks, read_full_masks, read_tracks

#: Splits as they are published.
SPLITS = ('train', 'val', 'test')
#: Where amodal masks come from: KINS itself, EoRaS's pickles, nowhere.
SOURCES = ('kins', 'full-mask', 'none')
_CLASS = 'car'

_DESCRIPTION = """\
RAW_DIR is laid out as SaVos' code wants it: Kitti/raw_video/<date>/<drive>/*.png,
Kins/{training/image_2,instances_train.json}, car_data/{train,val,test}_data.pkl; for
--amodal full-mask car_data/{train,val,test}_data_full_mask.pkl in place of Kins. The pickles are
read without running code of theirs.

Writes DIR/SPLIT.json, the tracks; with --amodal kins also DIR/SPLIT_kins.json, the objects as KINS
annotates them, for scores of SPLIT's completed tracks under the protocol savos-kins.

Examples:
    python tools/convert.py kins-video-car data/kins_video_car_raw --out data/kins_video_car
    python tools/convert.py kins-video-car data/kins_video_car_raw --out data/kins_video_car \\
        --splits test --amodal full-mask --frames link
"""


@dataclass(frozen=True)
class KinsVideoCarOptions:
    """How to convert.

    Attributes:
        splits: Some of :data:`SPLITS`; empty: those that are there.
        amodal: One of :data:`SOURCES`.
        polygons: Fill the 'first' polygon of an amodal mask of KINS, as the
            released evaluation does, or 'all'.
        frames: 'reference', 'link' or 'copy'.
        limit: Only the first so many drives of each split.
    """

    splits: Sequence[str] = ()
    amodal: str = 'kins'
    polygons: str = 'first'
    frames: str = 'reference'
    limit: int | None = None


@dataclass(frozen=True)
class _Drive:
    """A drive: its name, T frames of (H, W) pixels, and its tracks."""

    name: str
    frames: Sequence[Path]
    size: tuple[int, int]
    tracks: DriveTracks


def convert_kins_video_car(raw_dir: str | Path, out_dir: str | Path, options: KinsVideoCarOptions,
                           note: Note) -> list[Converted]:
    """Convert all splits.

    Args:
        raw_dir: Folder laid out as above.
        out_dir: Where the annotation files go.
        options: How to convert.
        note: Told what is not in the annotation files.

    Returns:
        The annotation files: of each split the tracks, and what KINS annotates.

    Raises:
        ConversionError: A file is missing, damaged or contradicts another one;
            names it, and the drive, object and frame.
    """
    raw_dir, out_dir = Path(raw_dir), Path(out_dir)
    splits = options.splits or [split for split in SPLITS
                                if (raw_dir / 'car_data' / f'{split}_data.pkl').exists()]
    if not splits:
        raise ConversionError(f'{raw_dir}: holds none of car_data/{{{",".join(SPLITS)}}}_data.pkl; '
                              'give the folder that holds car_data, Kitti and Kins')
    out_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        kins = stack.enter_context(Kins(raw_dir / 'Kins/instances_train.json', options.polygons,
                                        out_dir)) if options.amodal == 'kins' else None
        return [written for split in splits
                for written in _Split(raw_dir, out_dir, split, options, note).write(kins)]


class _Split:
    """One split on its way into annotation files."""

    def __init__(self, raw_dir: Path, out_dir: Path, split: str, options: KinsVideoCarOptions,
                 note: Note) -> None:
        self.raw_dir, self.out_dir, self.split = raw_dir, out_dir, split
        self.options, self.note = options, note
        self.videos = raw_dir / 'Kitti/raw_video'
        self.pickle = raw_dir / 'car_data' / f'{split}_data.pkl'
        self.counts: Counter[str] = Counter()
        # Completion starts from the visible masks, so the amodal ones give way; of KINS's own
        # objects the amodal masks are what is scored.
        self._tracks, self._objects = KindJoiner('extend'), KindJoiner('clip')

    def write(self, kins: Kins | None) -> list[Converted]:
        """Write the files of the split."""
        drives = [self._drive(name, tracks) for name, tracks
                  in list(read_tracks(self.pickle).items())[:self.options.limit]]
        categories = {1: _CLASS} if kins is None else _with_car(kins.categories)
        car = next(id_ for id_, name in categories.items() if name == _CLASS)
        matches = {} if kins is None else match_files(
            {drive.name: drive.frames for drive in drives},
            self.raw_dir / 'Kins/training/image_2')
        full = self._full_masks() if self.options.amodal == 'full-mask' else {}
        with ExitStack() as stack:
            tracks, objects = [
                stack.enter_context(AnnotationWriter(self.out_dir / name, categories))
                if wanted else None for name, wanted in
                ((f'{self.split}.json', True), (f'{self.split}_kins.json', kins is not None))]
            for drive in tqdm(drives, self.split, unit='drive', disable=None):
                for writer in filter(None, (tracks, objects)):
                    writer.add_video(drive.name, width=drive.size[1], height=drive.size[0])
                images = matches.get(drive.name, {})
                for position, path in enumerate(drive.frames):
                    found = [] if position not in images else self._kins(
                        kins, images[position], drive.size)
                    name = path.relative_to(self.videos).as_posix()
                    tracks.add_frame(name, self._instances(drive, position, car, found,
                                                           full.get(drive.name, {})))
                    if objects is not None:
                        objects.add_frame(name, [
                            Instance(0, each.id, each.category_id, masks, {}) for each in found
                            if (masks := self._objects.join(each.masks, list(drive.size)))])
        self._place(drives)
        self._tell(sum(map(len, matches.values())))
        images = self.videos if self.options.frames == 'reference' else self.out_dir / self.split
        left_out = Counter({'visible masks without a pixel': empty}) if (
            empty := sum(drive.tracks.empty for drive in drives)) else Counter()
        written = [Converted.by(tracks, images, left_out)]
        return written if objects is None else [*written, Converted.by(objects, images,
                                                                       self._objects.left_out)]

    def _drive(self, name: str, tracks: DriveTracks) -> _Drive:
        """Frames of a drive; they are numbered from 0 without gaps, as the tracks need it."""
        folder = self.videos / '_'.join(name.split('_')[:3]) / name
        where = f"{self.pickle}: drive '{name}'"
        files = image_files(folder, ['.png'])
        numbered = {int(stem): path for stem, path in files.items() if stem.isdecimal()}
        if sorted(numbered) != list(range(len(files))):
            raise ConversionError(f'{folder}: frames must be numbered from 0 without gaps, '
                                  f'0000000000.png and on, for {where} counts them; extract the '
                                  'drive again (synced and rectified, image_02)')
        frames = [numbered[position] for position in range(len(files))]
        size = image_size(frames[0])
        for masks in (tracks.visible, tracks.others):
            for frame, objects in masks.items():
                for instance, mask in objects.items():
                    _check_mask(mask, size, frame, len(frames),
                                f'{where}, object {instance}, frame {frame}', folder)
        return _Drive(name, frames, size, tracks)

    def _full_masks(self) -> Mapping[str, Masks]:
        return read_full_masks(self.pickle.with_name(f'{self.split}_data_full_mask.pkl'))

    def _kins(self, kins: Kins, image: str, size: tuple[int, int]) -> list[KinsObject]:
        """What KINS annotates in an image; nothing if it does not know it."""
        if image not in kins.images:
            self.counts['images of KINS that its annotations do not list'] += 1
            return []
        return list(kins.objects(kins.images[image], size))

    def _instances(self, drive: _Drive, position: int, car: int, objects: list[KinsObject],
                   full: Masks) -> list[Instance]:
        """The tracks in a frame, with amodal masks where there are any."""
        visible = drive.tracks.visible.get(position, {})
        amodal = {instance: each.masks['amodal']
                  for instance, each in assign(objects, visible).items()}
        for instance, mask in full.get(position, {}).items():
            where = f'{self.split}_data_full_mask.pkl: drive {drive.name!r}, object {instance}'
            _check_mask(mask, drive.size, position, len(drive.frames), where, self.videos)
            amodal[instance] = mask
        self.counts['amodal masks of tracks'] += len(amodal.keys() & visible.keys())
        self.counts['amodal masks of objects that are no track there'] += max(
            len(objects), len(amodal)) - len(amodal.keys() & visible.keys())
        self._count_others(visible, drive.tracks.others.get(position, {}))
        return [Instance(0, instance, car, self._tracks.join(
            {'amodal': amodal[instance], 'visible': mask} if instance in amodal
            else {'visible': mask}, list(drive.size)), {}) for instance, mask in visible.items()]

    def _count_others(self, visible: Mapping[int, RLE], others: Mapping[int, RLE]) -> None:
        """Count frames where more is said to cover tracks than other tracks are."""
        if others:
            seen = rle_ops.union(list(visible.values()))
            together = rle_ops.union([seen, *others.values()])
            areas = rle_ops.areas([seen, together])
            self.counts['frames with loss masks beyond the tracks'] += int(areas[1] > areas[0])

    def _place(self, drives: Sequence[_Drive]) -> None:
        target = self.out_dir / self.split
        if self.options.frames == 'link':
            place(self.videos, target, link=True)
        elif self.options.frames == 'copy':
            for path in (path for drive in drives for path in drive.frames):
                place(path, target / path.relative_to(self.videos), link=False)
        else:
            self.note(f'the frames stay in {self.videos}: state this folder for img_path in the '
                      'config')

    def _tell(self, matched: int) -> None:
        if self.options.amodal == 'kins':
            self.note(f'{self.split}: {matched} frames are images of KINS (equal MD5)')
        for text, number in self.counts.items():
            if number:
                self.note(f'{self.split}: {number} {text}')
        for joiner, text in ((self._tracks, 'amodal masks of tracks were extended by visible '
                                            'pixels outside of them'),
                             (self._objects, 'visible masks of KINS were clipped to the amodal')):
            if joiner.changed:
                self.note(f'{self.split}: {joiner.changed} {text}')


def _with_car(categories: Mapping[int, str]) -> dict[int, str]:
    """Categories of KINS; the class of the tracks is added if it is not among them."""
    categories = {id_: _CLASS if name.lower() == _CLASS else name
                  for id_, name in categories.items()}
    if _CLASS not in categories.values():
        categories[max(categories) + 1] = _CLASS
    return categories


def _check_mask(mask: RLE, size: tuple[int, int], frame: int, num_frames: int, where: str,
                folder: Path) -> None:
    if frame >= num_frames:
        raise ConversionError(f'{where}: there are only {num_frames} frames in {folder}; extract '
                              'the whole drive')
    if tuple(mask['size']) != size:
        raise ConversionError(f'{where}: the mask has size {mask["size"]}, but the frames in '
                              f'{folder} are {list(size)} [H, W]; use the drive as published '
                              '(synced and rectified, image_02)')


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('raw_dir', metavar='RAW_DIR', help='dataset in the layout of SaVos')
    add_placement(parser)
    parser.add_argument('--splits', nargs='+', choices=SPLITS, default=(),
                        help='splits (default: those that are there)')
    parser.add_argument('--amodal', choices=SOURCES, default=SOURCES[0],
                        help='where amodal masks come from: KINS, whose images are matched to '
                             'frames by MD5; the pickles of EoRaS; or nowhere (default: '
                             '%(default)s)')
    parser.add_argument('--polygons', choices=['first', 'all'], default='first',
                        help='of an amodal mask of KINS, fill the first polygon alone, as the '
                             'released evaluation does, or all (default: %(default)s)')
    parser.add_argument('--limit', type=positive, metavar='N',
                        help='convert only the first N drives of each split')


def _run(args: argparse.Namespace, note: Note) -> list[Converted]:
    options = KinsVideoCarOptions(args.splits, args.amodal, args.polygons, args.frames, args.limit)
    return convert_kins_video_car(args.raw_dir, args.out, options, note)


KINS_VIDEO_CAR = Command('kins-video-car', 'KINS-Video-Car: KITTI raw drives, given tracks of '
                         'cars, amodal masks of KINS', _DESCRIPTION, _add_arguments, _run)
