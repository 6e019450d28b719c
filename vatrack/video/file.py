"""Read video files and streams frame by frame: as they are shown, at the times they are shown."""
from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from .backend import VideoError, load_av

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av import VideoFrame as DecodedFrame

_MEND = 'ffmpeg -i INPUT -pix_fmt yuv420p OUTPUT.mp4'
#: What may be missing of the promised length before a file counts as cut off: frames, seconds, and
#: the share of a length that stands in the video stream itself, or in the container only.
_MISSING_FRAMES = 2
_MISSING_SECONDS = 0.2
_MISSING_SHARE = {'stream': 0.01, 'container': 0.1}


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video before it is read.

    Attributes:
        frames: Number of frames that the container promises, exact or estimated; None of a live
            stream.
        fps: Mean frames per second, or None.
        width: Width in pixels as the video is shown, rotation applied.
        height: Height in pixels, likewise.
    """

    frames: int | None
    fps: float | None
    width: int
    height: int


def video_info(path: str | Path) -> VideoInfo:
    """Open a video, decode its first frame, and say what it is.

    Args:
        path: File, or URL of a stream (``rtsp://...``).

    Raises:
        VideoError: The file is missing, is no video, or holds no frame.
    """
    with _opened(path) as stream:
        rate = _rate(stream)
        for frame in _decoded(stream, path):
            height, width = _upright(frame, frame.to_ndarray(format='rgb24')).shape[:2]
            return VideoInfo(_promised(stream), rate, width, height)
    raise VideoError(f'{shown_name(path)}: the video holds no frame that can be decoded; write it '
                     f'again, for example with: {_MEND}')


def read_video(path: str | Path) -> Iterator[np.ndarray]:
    """Iterate over the frames of a video file, (H, W, 3) uint8 RGB each.

    The file is opened at the call, so that a wrong path fails there.

    Raises:
        VideoError: As :func:`video_info`, and after the last frame as :func:`timed_frames`.
    """
    video_info(path)
    return (image for _, image in timed_frames(path))


def timed_frames(path: str | Path) -> Iterator[tuple[float | None, np.ndarray]]:
    """Frames of a video with the time at which each is shown.

    Rotated and mirrored recordings are put upright, as players do.

    Yields:
        Seconds since the first frame (None where the video has no times), and
        the image (H, W, 3) uint8 RGB.

    Raises:
        VideoError: The file cannot be opened or, after the last frame that can
            be decoded, it is damaged or ends much too early.
    """
    start = None
    with _opened(path) as stream:
        for frame in _decoded(stream, path):
            start = frame.time if start is None else start
            time = None if frame.time is None else frame.time - start
            yield time, _upright(frame, frame.to_ndarray(format='rgb24'))


def is_url(source: object) -> bool:
    """Whether a source is the address of a stream."""
    return isinstance(source, str) and '://' in source


def shown_name(path: str | Path) -> str:
    """A path as it is, a URL without user and password: for messages."""
    if not is_url(path):
        return str(path)
    parts = urlsplit(path)
    return parts._replace(netloc=parts.netloc.rpartition('@')[2], query='').geturl()


@contextmanager
def _opened(path: str | Path) -> Iterator[VideoStream]:
    """The video stream of a file or URL, open for the time of the block."""
    av = load_av()
    if not is_url(path) and not Path(path).is_file():
        raise VideoError(f'{path}: no such video file')
    try:
        container = av.open(str(path))
    except av.error.FFmpegError as error:
        raise VideoError(f'{shown_name(path)}: not a video that FFmpeg reads, or cut off in the '
                         f'middle ({error.strerror}); copy it again or convert it with: '
                         f'{_MEND}') from error
    with container:
        stream = container.streams.best('video')
        # FFmpeg paints text files as terminals of old.
        if stream is None or container.format.name == 'tty':
            raise VideoError(f'{shown_name(path)}: holds no video, or is cut off; give a video '
                             'file, a folder of frames, or a pattern such as frames/*.png')
        if not is_url(path):
            stream.thread_type = 'AUTO'  # in a live stream whole frames would wait for others
        yield stream


def _decoded(stream: VideoStream, path: str | Path) -> Iterator[DecodedFrame]:
    """Frames of a stream; then the error, if it is damaged or ends too early.

    After a damaged packet the frames that the decoder still holds come first.
    What cannot be decoded before the first frame is skipped: recordings may
    begin in the middle of a group of pictures.
    """
    failures = load_av().error.FFmpegError
    packets, span = stream.container.demux(), _Span(stream)
    started, error = False, None
    while error is None:
        try:
            packet = next(packets, None)
            if packet is None:
                span.check(path)
                return
            span.add(packet)
            frames = packet.decode() if packet.stream == stream else []
        except failures as failure:
            if not started:
                continue
            error, frames = failure, _rest(stream)
        for frame in frames:
            started = True
            yield frame
    raise _damaged(path, f'it cannot be decoded to its end ({error.strerror})') from error


class _Span:
    """The time that packets cover, beside what the file promises.

    The length of the container is that of its longest stream, sound included.
    """

    def __init__(self, stream: VideoStream) -> None:
        self.stream, self.first, self.end = stream, math.inf, -math.inf
        self.by = 'container' if stream.duration is None else 'stream'
        self.promised = _seconds(stream)

    def add(self, packet: Packet) -> None:
        if packet.pts is not None and (self.by == 'container' or packet.stream == self.stream):
            self.first = min(self.first, packet.pts * packet.time_base)
            self.end = max(self.end, (packet.pts + (packet.duration or 0)) * packet.time_base)

    def check(self, path: str | Path) -> None:
        """Refuse a file that ends too early; one without times is taken as it is."""
        if self.promised is None or self.end < self.first:
            return
        allowed = _MISSING_SHARE[self.by] * self.promised + max(
            _MISSING_SECONDS, _MISSING_FRAMES / (_rate(self.stream) or 1))
        if self.end - self.first < self.promised - allowed:
            raise _damaged(path, f'it ends after {float(self.end - self.first):.1f} of '
                                 f'{float(self.promised):.1f} seconds')


def _rest(stream: VideoStream) -> list[DecodedFrame]:
    """Frames that wait in the decoder for their turn."""
    try:
        return stream.decode(None)
    except load_av().error.FFmpegError:
        return []


def _damaged(path: str | Path, fault: str) -> VideoError:
    return VideoError(f'{shown_name(path)}: {fault}, so the file is damaged or cut off; copy it '
                      f'again, or keep what is left with: {_MEND}')


def _rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _seconds(stream: VideoStream) -> Fraction | None:
    """Length that the file states."""
    rate = stream.average_rate or stream.guessed_rate
    # The edit list of an MP4 may hide frames; the length of an AVI is a guess by its size.
    if stream.frames and rate and 'mp4' not in stream.container.format.name:
        return stream.frames / rate
    if stream.duration is not None:
        return stream.duration * stream.time_base
    length = stream.container.duration
    return None if length is None else Fraction(length, load_av().time_base)


def _promised(stream: VideoStream) -> int | None:
    """Number of frames by the index of the container, else by length and rate."""
    rate, seconds = _rate(stream), _seconds(stream)
    if stream.frames or not rate or seconds is None:
        return stream.frames or None
    return round(seconds * rate)


def _upright(frame: DecodedFrame, image: np.ndarray) -> np.ndarray:
    """Apply the display matrix of a frame to its image (H, W, 3), to the nearest right angle."""
    data = frame.side_data.get('DISPLAYMATRIX')
    if data is None:
        return image
    # [a b u; c d v; x y w] takes (x, y) to (ax + cy, bx + dy): ISO/IEC 14496-12, 6.2.2.
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        image, a, d = image.swapaxes(0, 1), c, b
    return np.ascontiguousarray(image[::-1 if d < 0 else 1, ::-1 if a < 0 else 1])
