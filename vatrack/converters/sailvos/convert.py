"""SAIL-VOS and SAIL-VOS-cut out of the official SAIL-VOS JSONs and frames.

Output, where the configs look for it::

    sailvos_complete_json/joint/train.json    (or 'train(bbox=both_bbox).json' ...), valid.json
    sailvos_complete_png/<video>/images/000003.bmp
    sailvos_cut_json/joint/train(bbox=amdl_bbox).json ...
    sailvos_cut_png/<video>__<N>/images/000003.bmp
    sailvos_cut_json/detection/<split>/<video>.json        content scores, with detected cuts

The originals are only read. A run that was interrupted goes on with what is there.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..command import Converted
from ..common import ConversionError
from ..parts.frames import FRAME_MODES
from .detection import DetectionOptions, detect_shots
from .frames import FrameNames, place_frames
from .shots import Shot, check_structure, read_structure, shots_listed, whole_video
from .source import Source, read_source
from .write import BOX_VARIANTS, write_split

SPLITS = ('train', 'valid')


@dataclass(frozen=True, slots=True)
class SailvosOptions:
    """How to write.

    Attributes:
        boxes: Kinds of boxes, one file each: 'amodal', 'visible', 'both'.
        max_occlusion: Leave out objects with a higher occlusion rate (the VATrack paper: 0.75).
        frames: 'link', 'copy', or 'reference': name the original frames, make no files.
        all_classes: Keep all categories instead of the 24 SAIL-VOS classes.
        limit: Convert only the first so many SAIL-VOS videos of each split.
        workers: Number of processes.
    """

    boxes: tuple[str, ...] = ('amodal',)
    max_occlusion: float | None = None
    frames: str = 'link'
    all_classes: bool = False
    limit: int | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        unknown = set(self.boxes) - BOX_VARIANTS.keys()
        if unknown or not self.boxes:
            raise ValueError(f'boxes must be some of {tuple(BOX_VARIANTS)}, got {self.boxes}')
        if self.frames not in FRAME_MODES:
            raise ValueError(f'frames must be one of {FRAME_MODES}, got {self.frames!r}')


def find_splits(raw_dir: str | Path, train: str | Path | None = None,
                valid: str | Path | None = None) -> dict[str, Path]:
    """The official JSON of each split.

    Args:
        raw_dir: Folder that has ``train.json`` and ``valid.json``, or one of them.
        train: The JSON of the training split, if it lies elsewhere.
        valid: The JSON of the validation split, if it lies elsewhere.

    Raises:
        ConversionError: There is none.
    """
    found = {}
    for split, given in zip(SPLITS, (train, valid), strict=True):
        path = Path(raw_dir, f'{split}.json') if given is None else Path(given)
        if given is not None or path.is_file():
            found[split] = path
    if not found:
        raise ConversionError(f'{raw_dir}: has neither train.json nor valid.json; say where the '
                              'official annotation files are (--train, --valid)')
    return found


def convert_sailvos(splits: Mapping[str, str | Path], images: str | Path, out_dir: str | Path,
                    options: SailvosOptions | None = None) -> list[Converted]:
    """Convert SAIL-VOS as it is, without cutting.

    Args:
        splits: Official JSON by split, 'train' and 'valid' or one of them.
        images: Folder that has ``<video>/images/``, or whose folders have them.
        out_dir: Where to write.
        options: How to write.

    Returns:
        The annotation files.

    Raises:
        AnnotationError: A JSON is damaged or a frame is missing; names it.
        ConversionError: A JSON is not as published; names the entry.
    """
    options = options or SailvosOptions()
    sources = {split: read_source(path, options.all_classes) for split, path in splits.items()}
    shots = {split: [whole_video(video) for video in source.videos[:options.limit]]
             for split, source in sources.items()}
    return _write(sources, shots, Path(images), Path(out_dir), 'sailvos_complete', options)


def convert_sailvos_cut(splits: Mapping[str, str | Path], images: str | Path, out_dir: str | Path,
                        cuts: str | Path | DetectionOptions,
                        options: SailvosOptions | None = None) -> list[Converted]:
    """Convert SAIL-VOS, split into shots.

    Args:
        splits: Official JSON by split, 'train' and 'valid' or one of them.
        images: Folder that has ``<video>/images/``, or whose folders have them.
        out_dir: Where to write.
        cuts: The released structure file, or how to find the cuts from the frames.
        options: How to write.

    Returns:
        The annotation files.

    Raises:
        AnnotationError: A JSON is damaged or a frame is missing; names it.
        ConversionError: A JSON is not as published, the structure file does not fit it, or a
            frame is unreadable; names entry, video or frame.
    """
    options = options or SailvosOptions()
    sources = {split: read_source(path, options.all_classes) for split, path in splits.items()}
    if isinstance(cuts, DetectionOptions):
        cache = Path(out_dir, 'sailvos_cut_json', 'detection')
        shots = {split: detect_shots(source.videos[:options.limit], images, cache / split, cuts,
                                     options.workers)
                 for split, source in sources.items()}
    else:
        structure = read_structure(cuts)
        check_structure(structure, list(sources.values()), complete=set(sources) == set(SPLITS))
        shots = {split: [shots_listed(video, structure) for video in source.videos[:options.limit]]
                 for split, source in sources.items()}
    flat = {split: [shot for of_video in of_videos for shot in of_video]
            for split, of_videos in shots.items()}
    return _write(sources, flat, Path(images), Path(out_dir), 'sailvos_cut', options)


def _write(sources: Mapping[str, Source], shots: Mapping[str, list[Shot]], images: Path,
           out_dir: Path, name: str, options: SailvosOptions) -> list[Converted]:
    """Place the frames of all splits, then write the annotation files that name them."""
    names = FrameNames(images, options.frames == 'reference')
    folder = images if names.reference else out_dir / f'{name}_png'
    if not names.reference:
        for of_split in shots.values():
            place_frames(of_split, names, folder, options.frames, options.workers)
    written = []
    for split, source in sources.items():
        paths = {boxes: out_dir / f'{name}_json' / 'joint' / _file_name(name, split, boxes)
                 for boxes in options.boxes}
        written += write_split(source, shots[split], names, paths, options.max_occlusion)
    return [replace(each, images=folder) for each in written]


def _file_name(name: str, split: str, boxes: str) -> str:
    """The authors' names; their uncut file with amodal boxes has no suffix."""
    if name == 'sailvos_complete' and boxes == 'amodal':
        return f'{split}.json'
    return f'{split}(bbox={BOX_VARIANTS[boxes]}).json'
