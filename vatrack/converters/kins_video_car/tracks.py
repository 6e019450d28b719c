"""The released pickles of KINS-Video-Car: tracks with visible masks, and EoRaS's full masks.

``<split>_data.pkl`` (SaVos, Yao et al., NeurIPS 2022)::

    {drive: {object: {frame: {'VM': RLE, 'VM_bbox': [r0, r1, c0, c1], 'loss_mask': RLE}}}}

``VM`` is the visible mask that PointTrack gave, ``loss_mask`` what is visible of other objects.
``<split>_data_full_mask.pkl`` (EoRaS, Fan et al., ICCV 2023)::

    {drive: {object: {frame: {'FM': RLE}}}}

``FM`` is the amodal mask, empty where KINS has not annotated the frame. A frame is both the
position in the sorted frames of the drive and the number in the name of its file.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vatrack.checkpoints.errors import CheckpointError
from vatrack.checkpoints.plain_pickle import load_plain_pickle
from vatrack.files import AnnotationError
from vatrack.files.annotation_entry import read_rle
from vatrack.structures import rle as rle_ops
from vatrack.structures.rle import RLE

from ..common import ConversionError

#: Masks of the objects of a drive: ``masks[frame][object]``.
Masks = dict[int, dict[int, RLE]]


@dataclass(frozen=True)
class DriveTracks:
    """The tracks of a drive.

    Attributes:
        visible: Their visible masks; what has no pixel is left out.
        others: What is said to be visible of other objects there.
        empty: How many visible masks had no pixel.
    """

    visible: Masks
    others: Masks
    empty: int


def read_tracks(path: Path) -> dict[str, DriveTracks]:
    """Tracks by drive, from ``<split>_data.pkl``.

    Raises:
        ConversionError: The file is missing, damaged, not in the layout, or
            holds more than plain data; names file, drive, object and frame.
    """
    drives: dict[str, DriveTracks] = {}
    for drive, instance, frame, entry, where in _entries(path):
        tracks = drives.setdefault(drive, DriveTracks(defaultdict(dict), defaultdict(dict), 0))
        visible = _read_mask(entry, 'VM', where)
        if visible is None:
            drives[drive] = DriveTracks(tracks.visible, tracks.others, tracks.empty + 1)
            continue
        tracks.visible[frame][instance] = visible
        others = _read_mask(entry, 'loss_mask', where) if 'loss_mask' in entry else None
        if others is not None:
            tracks.others[frame][instance] = others
    return drives


def read_full_masks(path: Path) -> dict[str, Masks]:
    """Amodal masks by drive, from ``<split>_data_full_mask.pkl``; only those that are annotated.

    Raises:
        ConversionError: As :func:`read_tracks`.
    """
    drives: dict[str, Masks] = defaultdict(lambda: defaultdict(dict))
    for drive, instance, frame, entry, where in _entries(path):
        mask = _read_mask(entry, 'FM', where)
        if mask is not None:
            drives[drive][frame][instance] = mask
    return drives


def _entries(path: Path) -> Iterator[tuple[str, int, int, dict[str, Any], str]]:
    """Drive, object, frame, entry, and where it stands, of a pickle of either layout."""
    try:
        content = load_plain_pickle(path)
    except CheckpointError as error:
        raise ConversionError(str(error)) from None
    except FileNotFoundError:
        raise ConversionError(f'{path}: no such file; get it from the authors, as described in '
                              'docs/converters.md') from None
    for drive, objects in _items(content, str, f'{path}'):
        where = f"{path}: drive '{drive}'"
        for instance, frames in _items(objects, int, where):
            for frame, entry in _items(frames, int, f'{where}, object {instance}'):
                place = f'{where}, object {instance}, frame {frame}'
                if not isinstance(entry, dict):
                    raise ConversionError(f'{place}: expected a dict, got a '
                                          f'{type(entry).__name__}; {_WRONG}')
                yield drive, instance, frame, entry, place


_WRONG = 'is it the published file? download it again'


def _items(value: Any, kind: type, where: str) -> Iterator[tuple[Any, Any]]:
    """Keys and values of a dict whose keys are text, or numbers from 0."""
    if not isinstance(value, dict):
        raise ConversionError(f'{where}: expected a dict, got a {type(value).__name__}; {_WRONG}')
    for key, content in value.items():
        number = isinstance(key, int | np.integer) and not isinstance(key, bool)
        if not (isinstance(key, str) if kind is str else number and key >= 0):
            what = 'names of drives' if kind is str else 'numbers from 0'
            raise ConversionError(f'{where}: has the key {key!r:.60}, but keys are {what}; '
                                  f'{_WRONG}')
        yield kind(key), content


def _read_mask(entry: dict[str, Any], key: str, where: str) -> RLE | None:
    """An RLE, or a list of one, with counts as text or bytes; None where it has no pixel."""
    if key not in entry:
        raise ConversionError(f"{where}: has no '{key}', only {sorted(map(str, entry))}; {_WRONG}")
    value = entry[key]
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, dict | list | tuple | str | bytes) and not value):
        return None
    try:
        counts, size = value['counts'], [int(side) for side in value['size']]
        counts = counts.decode('ascii') if isinstance(counts, bytes) else counts
        mask = read_rle({'size': size, 'counts': counts}, key, size)
    except (TypeError, KeyError, ValueError, IndexError, AnnotationError) as error:
        reason = error if isinstance(error, AnnotationError) else 'is no RLE'
        raise ConversionError(f"{where}: '{key}' {reason}; {_WRONG}") from None
    return mask if rle_ops.areas([mask])[0] else None
