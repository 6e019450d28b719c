"""What a format is to ``tools/convert.py``: a sub-command, and what it has written."""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vatrack.files import AnnotationWriter

#: Takes one line about what a conversion changes, or what the user has to know or to do.
Note = Callable[[str], Any]


@dataclass(slots=True)
class Converted:
    """A written annotation file: what is in it, and how many annotations are not, by reason.

    Attributes:
        path: The file.
        videos: Number of videos.
        frames: Number of frames.
        annotations: Number of objects, counted in every frame that they are in.
        left_out: Number of annotations that were left out, by reason.
        images: Folder that the file names are relative to; None: there are no
            frames to look at.
    """

    path: Path
    videos: int
    frames: int
    annotations: int
    left_out: Counter[str] = field(default_factory=Counter)
    images: Path | None = None

    @classmethod
    def by(cls, writer: AnnotationWriter, images: str | Path | None,
           left_out: Counter[str] | None = None) -> Converted:
        """What a writer has written."""
        return cls(writer.path, writer.num_videos, writer.num_frames, writer.num_annotations,
                   left_out or Counter(), None if images is None else Path(images))

    def __str__(self) -> str:
        reasons = ', '.join(f'{count} {reason}' for reason, count in sorted(self.left_out.items()))
        return (f'{self.path}: {self.videos} videos, {self.frames} frames, {self.annotations} '
                f'annotations' + (f' (left out: {reasons})' if reasons else ''))


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command of ``tools/convert.py``.

    Attributes:
        name: Its name on the command line.
        help: One line for the list of all formats.
        description: What its own ``--help`` says first; line breaks stay.
        add_arguments: Declares what it takes.
        run: Converts. It gets the parsed arguments and a function that takes
            notes to the user, and returns one :class:`Converted` per file, all
            of which the tool then checks. It raises ConversionError,
            AnnotationError or OSError.
    """

    name: str
    help: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Note], Sequence[Converted]]


def note_if_empty(writer: AnnotationWriter, note: Note) -> None:
    """Tell of a file without objects: a test set without truth, or labels that were not found."""
    if not writer.num_annotations:
        note(f'{writer.path} has no annotations: results for it can be submitted, not scored')


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


def add_raw_folder(parser: argparse.ArgumentParser) -> None:
    """Declare what the converters of whole datasets take: a folder to read, one to write."""
    parser.add_argument('raw_dir', metavar='RAW_DIR', help='dataset as downloaded')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    parser.add_argument('--workers', type=positive, default=1, metavar='N',
                        help='processes (default: %(default)s)')
    parser.add_argument('--limit', type=positive, metavar='N',
                        help='convert only the first N videos of each split')
