"""Frames of SAIL-VOS under the names that the converted files state; the originals stay.

BMP frames keep their suffix, also where the annotation file says PNG:
:func:`~vatrack.files.resolve_image` finds them.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vatrack.files import resolve_image

from ..common import run_parallel
from ..parts.frames import place
from .shots import Shot


@dataclass(frozen=True, slots=True)
class FrameNames:
    """Names of the frames of shots in the annotation file.

    Attributes:
        images: Folder of the original frames, see :func:`find_frames`.
        reference: Name the originals, relative to ``images``, instead of
            ``<shot>/images/<frame>.png``.
    """

    images: Path
    reference: bool

    def __call__(self, shot: Shot) -> list[str]:
        """One name per frame."""
        if not self.reference:
            return [f'{shot.name}/images/{frame.base_name}.png' for frame in shot.frames]
        folder = find_frames(self.images, shot.video).relative_to(self.images).as_posix()
        prefix = '' if folder == '.' else f'{folder}/'
        return [f'{prefix}{frame.file_name}' for frame in shot.frames]


def find_frames(images: Path, video: str) -> Path:
    """Folder that the file names of a video are relative to.

    That is ``images`` or one of the folders in it, whichever has ``<video>/``; ``images`` if none
    has.
    """
    if (images / video).is_dir() or not images.is_dir():
        return images
    found = sorted(folder for folder in images.iterdir() if (folder / video).is_dir())
    return found[0] if found else images


def place_frames(shots: Sequence[Shot], names: FrameNames, target: str | Path, mode: str,
                 workers: int = 1) -> None:
    """Link or copy all frames to ``<target>/<shot>/images/``; those in place are left alone.

    Args:
        shots: The shots.
        names: Names of their frames.
        target: Folder to write.
        mode: 'link' (relative symbolic links) or 'copy'.
        workers: Number of processes.

    Raises:
        AnnotationError: A frame is missing; names it.
        ConversionError: Another file is where a frame should go; names it.
    """
    job = partial(_place_shot, names=names, target=Path(target), link=mode == 'link')
    run_parallel(job, shots, workers, f'{mode}: frames')


def _place_shot(shot: Shot, names: FrameNames, target: Path, link: bool) -> None:
    folder = find_frames(names.images, shot.video)
    for frame, name in zip(shot.frames, names(shot), strict=True):
        source = resolve_image(folder, frame.file_name, shot.video)
        place(source, (target / name).with_suffix(source.suffix), link)
