"""Frames of a converted dataset: left where they are, linked or copied."""
from __future__ import annotations

import argparse
import os
import shutil
from contextlib import suppress
from pathlib import Path

from vatrack.files.whole_file import make_folder, output_errors

from ..common import ConversionError

#: What happens to the frames: relative links, copies, or nothing.
FRAME_MODES = ('link', 'copy', 'reference')


def add_placement(parser: argparse.ArgumentParser) -> None:
    """Declare the folder of the dataset, DIR, and what becomes of the frames of a part, SPLIT."""
    parser.add_argument('--out', required=True, metavar='DIR',
                        help='folder of the dataset; gets SPLIT.json')
    parser.add_argument('--frames', choices=FRAME_MODES, default='reference',
                        help='leave the frames where they are, make DIR/SPLIT a link to their '
                             'folder, or copy them to DIR/SPLIT (default: %(default)s)')


def place(source: Path, target: Path, link: bool) -> None:
    """Put a relative link to a file or folder, or a copy of a file, where it is not there yet.

    Raises:
        ConversionError: Another file is where it should go.
        OutputError: It cannot be written.
    """
    if _is_placed(source, target, link):
        return
    make_folder(target.parent)
    temporary = target.with_name(f'{target.name}.{os.getpid()}.part')
    try:
        with output_errors(target):
            if link:
                original = os.path.join(os.path.realpath(source.parent), source.name)
                temporary.symlink_to(os.path.relpath(original, os.path.realpath(target.parent)))
            else:
                shutil.copyfile(source, temporary)
            temporary.replace(target)
    finally:
        with suppress(OSError):  # an error that is on its way says more
            temporary.unlink()


def _is_placed(source: Path, target: Path, link: bool) -> bool:
    if target.is_symlink():
        return link and target.exists() and target.samefile(source)
    if not target.exists():
        return False
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return True
    raise ConversionError(f'{target}: is another file than {source}, which should go there; '
                          'choose another output folder or remove the file')
