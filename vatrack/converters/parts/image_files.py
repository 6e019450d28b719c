"""Frames and label images in folders: found, put in order, matched by name."""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vatrack.files.bystanders import is_bystander
from vatrack.video.image_file import REMOVE_TAG, ImageError, image_head
from vatrack.video.source import natural_key

from ..command import Note
from ..common import ConversionError

#: Suffixes of frames.
FRAME_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp')


def subfolders(folder: Path, what: str) -> list[Path]:
    """The folders in a folder, in order; hidden ones and those of systems are not looked at.

    Raises:
        ConversionError: There is no folder, or none in it.
    """
    if not folder.is_dir():
        raise ConversionError(f'{folder}: no such folder; give the folder that holds {what}')
    found = [path for path in folder.iterdir() if path.is_dir() and not is_bystander(path.name)]
    if not found:
        raise ConversionError(f'{folder}: holds no folder; expected {what}')
    return sorted(found, key=natural_key)


def image_files(folder: Path, suffixes: Iterable[str] = FRAME_SUFFIXES) -> dict[str, Path]:
    """Images of a folder by stem, in natural order.

    Raises:
        ConversionError: There is no such folder, no image in it, or two of one stem.
    """
    if not folder.is_dir():
        raise ConversionError(f'{folder}: no such folder; check the names of the folders')
    suffixes = tuple(suffixes)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=natural_key):
        if path.suffix.lower() not in suffixes or is_bystander(path.name):
            continue
        if path.stem in found:
            raise ConversionError(f'{path}: {found[path.stem].name} is a frame of the same name; '
                                  'remove one of them')
        found[path.stem] = path
    if not found:
        raise ConversionError(f'{folder}: holds no image ({", ".join(suffixes)}); check the folder '
                              'and the format')
    return found


def has_frames(folder: Path) -> bool:
    """Whether a folder holds a frame."""
    return any(path.suffix.lower() in FRAME_SUFFIXES and not is_bystander(path.name)
               for path in folder.iterdir())


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) of a frame as it is shown; only its head is read.

    Raises:
        ConversionError: It is missing or no image.
    """
    try:
        return image_head(path).size
    except ImageError as error:
        raise _unreadable(path, error.fault) from None


@contextmanager
def labels_of(frame: Path) -> Iterator[None]:
    """Read the labels of a video with this frame; errors say if it is turned, maybe the cause."""
    try:
        yield
    except ConversionError as error:
        with suppress(ImageError):
            head = image_head(frame)
            if head.orientation > 1:
                raise ConversionError(f'{error}; note that the frame {frame} is {head}: '
                                      f'{REMOVE_TAG}') from None
        raise


def read_pixels(path: Path) -> tuple[np.ndarray, str]:
    """Pixels of an image as they are stored, and its mode as PIL names it ('P', 'I;16', ...).

    Raises:
        ConversionError: It is missing, broken or no image.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image), image.mode
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from None


def add_unlabelled(parser: argparse.ArgumentParser) -> None:
    """Declare what a frame without a label file means."""
    parser.add_argument('--unlabelled', choices=['refuse', 'empty', 'skip'], default='refuse',
                        help='a frame has no label file: an error, a frame without objects, or '
                             'left out (default: %(default)s)')


def match_labels(frames: Mapping[str, Path], labels: Mapping[str, Path], where: str,
                 unlabelled: str, note: Note) -> list[tuple[Path, Path | None]]:
    """Frames with their label files, by stem; None for a frame without.

    Args:
        frames: Frames by stem, in time order.
        labels: Label files by stem.
        where: The video, for messages.
        unlabelled: 'refuse', 'empty' or 'skip', see :func:`add_unlabelled`.
        note: Told how many frames have no labels.

    Raises:
        ConversionError: A label file has no frame, or a frame no label file.
    """
    strange = [path for stem, path in labels.items() if stem not in frames]
    if strange:
        raise ConversionError(f'{where}: {strange[0]} belongs to no frame ({len(strange)} of '
                              f'{len(labels)} do not); give labels and frames the same names')
    bare = [path for stem, path in frames.items() if stem not in labels]
    if bare and unlabelled == 'refuse':
        raise ConversionError(f'{where}: {bare[0]} has no labels ({len(bare)} of {len(frames)} '
                              'frames have none); label it, or choose --unlabelled empty (no '
                              'objects) or skip (leave it out)')
    if bare:
        note(f'{where}: {len(bare)} of {len(frames)} frames have no labels: '
             + ('they have no objects' if unlabelled == 'empty' else 'they are left out'))
    matched = [(path, labels.get(stem)) for stem, path in frames.items()
               if stem in labels or unlabelled == 'empty']
    if not matched:
        raise ConversionError(f'{where}: no frame is left; label some, or leave the video out')
    return matched


def check_unique(names: Iterable[str], where: str | Path) -> None:
    """Refuse two videos of one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConversionError(f"{where}: two videos are called '{twice[0]}'; rename one")


def _unreadable(path: Path, error: Exception | str) -> ConversionError:
    return ConversionError(f'{path}: no readable image ({error}); save or extract it again')
