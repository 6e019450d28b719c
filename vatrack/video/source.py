"""Frames of one video, wherever they come from: file, folder, pattern, arrays, camera."""
from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from .backend import VideoError
from .file import is_url, shown_name, timed_frames, video_info
from .image_file import read_image

#: Frames whose rate is not known count as so many a second.
DEFAULT_FPS = 25.0
#: Suffixes of the files that count as frames.
IMAGE_SUFFIXES = frozenset({'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'})


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame of a video.

    Attributes:
        index: Position in the video, from 0.
        time: Seconds since the first frame.
        image: (H, W, 3) uint8 RGB.
    """

    index: int
    time: float
    image: np.ndarray


#: What :func:`open_frames` takes.
Source: TypeAlias = 'FrameSource | str | Path | Iterable[np.ndarray | VideoFrame | str | Path]'
_Timed = Iterator[tuple[float | None, np.ndarray]]


class FrameSource:
    """Frames of one video, one at a time and all of one size.

    Every iteration begins anew, except that an iterator can be read only once.

    Attributes:
        name: Short name of the video.
        fps: Frames per second, or None if unknown; times then are those of 25.
        num_frames: Number of frames, exact or as the container promises; None
            if unknown.
        can_reread: Whether a second iteration gives the same frames; not so of
            iterators and streams.
    """

    def __init__(self, name: str, read: Callable[[], _Timed], fps: float | None,
                 num_frames: int | None, files: Sequence[str] = (),
                 max_frames: int | None = None, can_reread: bool = True) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f'{name}: fps must be positive, got {fps}')
        if max_frames is not None and max_frames < 1:
            raise ValueError(f'{name}: max_frames must be at least 1, got {max_frames}')
        self.name, self.fps = name, fps
        known = [count for count in (num_frames, max_frames) if count is not None]
        self.num_frames = None if num_frames is None else min(known)
        self.can_reread = can_reread
        self._read, self._files, self._max_frames = read, files, max_frames

    @property
    def may_never_end(self) -> bool:
        """Whether nothing says that the frames come to an end: cameras, generators."""
        return not self.can_reread and self._max_frames is None

    def file_name(self, index: int) -> str:
        """Name of the image file of a frame; one that fits, where it comes from none."""
        return self._files[index] if self._files else f'{index:06d}.jpg'

    def __iter__(self) -> Iterator[VideoFrame]:
        """Frames in order of time.

        Raises:
            VideoError: A frame cannot be read, is no RGB image, or has another
                size than the first.
        """
        shape, last = None, -math.inf
        rate = self.fps or DEFAULT_FPS
        with closing(self._read()) as frames:
            for index, (time, image) in enumerate(islice(frames, self._max_frames)):
                shape = self._check(index, image, shape)
                time = index / rate if time is None else time
                last = time if time > last else last + 1 / rate  # broken times are mended
                yield VideoFrame(index, last, image)
                del image  # or it would live until the next is there

    def _check(self, index: int, image: object, shape: tuple[int, ...] | None) -> tuple[int, ...]:
        where = f'{self.name}: frame {index}'
        if self._files:
            where += f' ({self._files[index]})'
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or (
                image.shape[2] != 3 or not image.size):
            kind = (f'{image.shape} {image.dtype}' if isinstance(image, np.ndarray)
                    else type(image).__name__)
            raise VideoError(f'{where} must be an array (H, W, 3) uint8 RGB, got {kind}; a video '
                             'is a list of such arrays')
        if shape is not None and image.shape != shape:
            raise VideoError(f'{where} is {image.shape[1]}x{image.shape[0]}, but the video began '
                             f'with {shape[1]}x{shape[0]}; all frames of a video have one size: '
                             'resize them, or give them as two videos')
        return image.shape


def open_frames(source: Source, fps: float | None = None,
                max_frames: int | None = None) -> FrameSource:
    """Open whatever holds the frames of one video.

    Args:
        source: One of

            - a video file, or the URL of a stream (``rtsp://...``),
            - a folder of images, in natural order of their names (``2.png``
              before ``10.png``), or a pattern such as ``'frames/*.png'``, or
              one image,
            - a list or an array (T, H, W, 3) of uint8 RGB frames, or a list of
              image files,
            - an iterator of frames, such as a generator that reads a camera;
              it may never end. Items are arrays, or :class:`VideoFrame` with
              times of their own,
            - a :class:`FrameSource`, which is returned as it is.
        fps: Rate of frames that have no times of their own.
        max_frames: Stop after so many frames.

    Raises:
        VideoError: There is no such file or folder, or it holds no frames.
        ValueError: ``fps`` is not positive, ``max_frames`` below 1, or one of them
            is given with a :class:`FrameSource`.
    """
    if isinstance(source, FrameSource):
        if (fps, max_frames) != (None, None):
            raise ValueError(f'{source.name}: is open already; give fps and max_frames to the '
                             'open_frames that opens it')
        return source
    if isinstance(source, str | Path):
        return _open_path(source, fps, max_frames)
    if isinstance(source, Sequence | np.ndarray):
        name, items, count = 'frames', source, len(source)
    else:
        name, items, count = 'stream', iter(source), None
    return FrameSource(name, lambda: _timed_items(items), fps, count, (), max_frames,
                       can_reread=count is not None)


def _open_path(source: str | Path, fps: float | None, max_frames: int | None) -> FrameSource:
    path = Path(source)
    if not is_url(source):
        if path.is_dir():
            return _open_images(path.resolve().name, _images_of(path), fps, max_frames)
        if not path.exists() and glob.has_magic(str(source)):
            found = sorted(map(Path, glob.glob(str(source), recursive=True)), key=natural_key)
            if not found:
                raise VideoError(f'{source}: no file matches this pattern')
            return _open_images(path.parent.resolve().name, found, fps, max_frames)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return _open_images(path.stem, [path], fps, max_frames)
    info = video_info(source)
    name = shown_name(source) if is_url(source) else path.stem
    return FrameSource(name, lambda: timed_frames(source), info.fps or fps, info.frames, (),
                       max_frames, can_reread=not is_url(source))


def natural_key(path: str | Path) -> list[tuple[int, int | str]]:
    """Key to sort names by, numbers in them by value: frame2 before frame10."""
    return [(0, int(part)) if part.isdecimal() else (1, part)
            for part in re.split(r'(\d+)', str(path)) if part]


def _images_of(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES
             and not path.name.startswith('.')]
    if not found:
        raise VideoError(f'{folder}: no image in this folder ({", ".join(sorted(IMAGE_SUFFIXES))})'
                         '; give the folder that holds the frames of one video')
    return sorted(found, key=natural_key)


def _open_images(name: str, paths: list[Path], fps: float | None,
                 max_frames: int | None) -> FrameSource:
    root = os.path.commonpath([path.parent for path in paths])
    files = [os.path.relpath(path, root) for path in paths]
    return FrameSource(name, lambda: _timed_items(paths), fps, len(paths), files, max_frames)


def _timed_items(items: Iterable[np.ndarray | VideoFrame | str | Path]) -> _Timed:
    for item in items:
        if isinstance(item, VideoFrame):
            yield item.time, item.image
        else:
            yield None, read_image(item) if isinstance(item, str | Path) else item
