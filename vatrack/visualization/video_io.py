"""Write frames to a video and read them back, one at a time."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

#: FourCCs of MP4 in order of preference: H.264 plays everywhere but is missing in OpenCV's
#: wheels, VP9 plays in browsers, MPEG-4 part 2 only in desktop players.
MP4_CODECS = ('avc1', 'vp09', 'mp4v')


class VideoError(OSError):
    """A video cannot be read or written; says which and how to mend it."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What the container says of a video: count of ``frames``, ``fps``, size in pixels."""

    frames: int
    fps: float
    width: int
    height: int


class VideoWriter:
    """Write an MP4 frame by frame, in constant memory.

    Used as a context manager. Frames are (H, W, 3) uint8 RGB of one size; odd
    sides are padded by one pixel, because video codecs need even ones.

    Args:
        path: Target, ending in ``.mp4``; its folder is made.
        fps: Frames per second.
        codecs: FourCCs to try in order.

    Raises:
        VideoError: No codec works, or the block ends without a frame.
        ValueError: The path does not end in ``.mp4``, or a frame has another
            size or type than it should.
    """

    def __init__(self, path: str | Path, fps: float = 10.0,
                 codecs: Sequence[str] = MP4_CODECS) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != '.mp4':
            raise ValueError(f'{path}: videos are written as MP4; end the name in .mp4')
        self.fps = fps
        self.codecs = tuple(codecs)
        self.codec: str | None = None
        self._shape: tuple[int, ...] = ()
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.release()
        elif error is None:
            raise VideoError(f'{self.path}: no frame was written, so there is no video; '
                             f'check that the source has frames')

    def write(self, frame: np.ndarray) -> None:
        """Append one (H, W, 3) uint8 RGB frame."""
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f'{self.path}: a frame must be (H, W, 3) uint8 RGB, '
                             f'got {frame.shape} {frame.dtype}')
        if self._writer is None:
            self._shape = frame.shape
            self._writer = self._open(frame.shape[1], frame.shape[0])
        if frame.shape != self._shape:
            raise ValueError(f'{self.path}: a frame is {frame.shape}, but the video began with '
                             f'{self._shape}; resize the frames to one size first')
        even = cv2.copyMakeBorder(frame, 0, frame.shape[0] % 2, 0, frame.shape[1] % 2,
                                  cv2.BORDER_REPLICATE)
        self._writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        size = (width + width % 2, height + height % 2)
        for codec in self.codecs:
            with _quiet_opencv():
                writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG,
                                         cv2.VideoWriter_fourcc(*codec), self.fps, size)
            if writer.isOpened():
                self.codec = codec
                return writer
            writer.release()
        raise VideoError(
            f'{self.path}: OpenCV {cv2.__version__} cannot write {size[0]}x{size[1]} video with '
            f'any of the codecs {", ".join(self.codecs)}. Check that the folder is writable, and '
            f'install a build with FFmpeg: pip install --force-reinstall opencv-python-headless')


def video_info(path: str | Path) -> VideoInfo:
    """Read frame count, rate and size from a video file.

    Raises:
        VideoError: The file is missing or is not a video that OpenCV reads.
    """
    capture = _capture(path)
    values = [capture.get(key) for key in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS,
                                           cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    capture.release()
    return VideoInfo(int(values[0]), float(values[1]), int(values[2]), int(values[3]))


def read_video(path: str | Path) -> Iterator[np.ndarray]:
    """Iterate over the frames of a video file, (H, W, 3) uint8 RGB each.

    The file is opened at the call, so that a wrong path fails there.

    Raises:
        VideoError: The file is missing, is not a video that OpenCV reads,
            holds no frame, or (after the last frame) ends much too early.
    """
    capture = _capture(path)
    found, frame = capture.read()
    if not found:
        capture.release()
        raise VideoError(f'{path}: the video holds no frame that can be decoded; write it again, '
                         f'for example with: ffmpeg -i INPUT -pix_fmt yuv420p OUTPUT.mp4')
    return _frames(path, capture, frame)


def _frames(path: str | Path, capture: cv2.VideoCapture,
            frame: np.ndarray) -> Iterator[np.ndarray]:
    promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    found, count = True, 0
    while found:
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        count += 1
        found, frame = capture.read()
    capture.release()
    # Containers without an index only estimate their frame count, so a few may be missing.
    if count < 0.9 * promised - 2:
        raise VideoError(f'{path}: only {count} of {promised:.0f} frames can be decoded, so the '
                         f'file is damaged or cut off; copy it again, or keep what is left with: '
                         f'ffmpeg -i INPUT -pix_fmt yuv420p OUTPUT.mp4')


def _capture(path: str | Path) -> cv2.VideoCapture:
    if not Path(path).is_file():
        raise VideoError(f'{path}: no such video file')
    with _quiet_opencv():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise VideoError(f'{path}: not a video that OpenCV reads, or cut off in the middle; copy '
                         f'it again or convert it with: ffmpeg -i INPUT -pix_fmt yuv420p OUT.mp4')
    return capture


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Silence OpenCV's log while codecs are tried, because a refusal is expected."""
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
