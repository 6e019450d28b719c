"""Write frames to an MP4 that every player and browser shows."""
from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .backend import VideoError, load_av

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import OutputContainer

_ENCODER = 'libx264'
# Without B frames: with them an MP4 of uneven frame times is cut short.
_OPTIONS = {'preset': 'veryfast', 'crf': '20', 'bf': '0'}
#: Least ticks per second of the times in a file.
_TICKS = 60000
_BT709 = 1


class VideoWriter:
    """Write an MP4 frame by frame, in constant memory: H.264, yuv420p, index at the head.

    Used as a context manager. Frames are (H, W, 3) uint8 RGB of one size; an
    odd side is padded by one replicated pixel, because the codec needs even
    ones. The file appears under its name when the block ends; after an error
    nothing is left.

    Args:
        path: Target, ending in ``.mp4``; its folder is made.
        fps: Frames per second.

    Raises:
        VideoError: PyAV or its encoder is absent, the file cannot be written,
            or the block ends without a frame.
        ValueError: The path does not end in ``.mp4``, the rate is not positive,
            or a frame has another size or type than it should.
    """

    def __init__(self, path: str | Path, fps: float = 10.0) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != '.mp4':
            raise ValueError(f'{path}: videos are written as MP4; end the name in .mp4')
        if not fps > 0:
            raise ValueError(f'{path}: fps must be positive, got {fps}')
        self.fps = fps
        self._rate = Fraction(fps).limit_denominator(1001)  # NTSC's rates are N / 1001
        self._ticks = self._rate.numerator * -(-_TICKS // self._rate.numerator)
        self._temporary = self.path.with_name(f'.{self.path.name}.{os.getpid()}.part')
        self._shape: tuple[int, ...] = ()
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._count, self._last, self._start = 0, -1, 0.0

    def __enter__(self) -> VideoWriter:
        av = load_av()
        if _ENCODER not in av.codecs_available:
            raise VideoError(f'{self.path}: this build of PyAV ({av.__version__}) cannot encode '
                             f'H.264 ({_ENCODER}); take the one with all codecs: pip install '
                             "--force-reinstall 'av>=17,<19'")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._close()

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Append a frame.

        Args:
            frame: (H, W, 3) uint8 RGB.
            time: Seconds at which it is shown, counted from the first frame's;
                None: one period of ``fps`` after the frame before.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f'{self.path}: a frame must be (H, W, 3) uint8 RGB, '
                             f'got {frame.shape} {frame.dtype}')
        if self._container is None:
            self._shape = frame.shape
            self._open(frame.shape[1], frame.shape[0])
        if frame.shape != self._shape:
            raise ValueError(f'{self.path}: a frame is {frame.shape}, but the video began with '
                             f'{self._shape}; resize the frames to one size first')
        self._encode(frame, self._position(time))
        self._count += 1

    def _position(self, time: float | None) -> int:
        """Ticks at which the next frame is shown; times that do not ascend are mended."""
        if time is None:
            time = self._start + self._count / self.fps
        if not self._count:
            self._start = time
        self._last = max(round((time - self._start) * self._ticks), self._last + 1)
        return self._last

    def _open(self, width: int, height: int) -> None:
        av = load_av()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._temporary), 'w', format='mp4',
                                      options={'movflags': '+faststart'})
        except OSError as error:  # FFmpeg's errors are OSErrors too
            raise self._unwritable(error) from error
        self._stream = self._container.add_stream(_ENCODER, rate=self._rate, options=_OPTIONS)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = 'yuv420p'
        codec = self._stream.codec_context
        codec.time_base = Fraction(1, self._ticks)
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = av.video.reformatter.ColorRange.MPEG

    def _encode(self, frame: np.ndarray, position: int) -> None:
        av = load_av()
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        pixels = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
        picture = pixels.reformat(format='yuv420p', dst_colorspace='ITU709', dst_color_range='MPEG')
        picture.pts, picture.time_base = position, Fraction(1, self._ticks)
        picture.duration = round(self._ticks / self._rate)
        self._mux(picture)

    def _mux(self, picture: Any) -> None:
        """Encode a frame, or what the encoder still holds (None)."""
        try:
            self._container.mux(self._stream.encode(picture))
        except load_av().error.FFmpegError as error:
            raise self._unwritable(error) from error

    def _finish(self) -> None:
        if self._container is None:
            raise VideoError(f'{self.path}: no frame was written, so there is no video; '
                             f'check that the source has frames')
        self._mux(None)
        try:
            self._container.close()
            self._temporary.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _close(self) -> None:
        """Let go of the encoder and of a file that was not finished."""
        if self._container is not None:
            with suppress(OSError):  # an error that is on its way says more
                self._container.close()
            self._temporary.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> VideoError:
        return VideoError(f'{self.path}: the video cannot be written: {error.strerror}; check the '
                          'free space, and that the folder is writable')
