"""Small videos, made with PyAV in any container."""
from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def gradient(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth frame (H, W, 3) uint8 RGB whose colours are plain from its index."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 30 + 20 * (index % 10)
    image[..., 1] = np.linspace(0, 160, height).astype(np.uint8)[:, None]
    image[..., 2] = np.linspace(40, 200, width).astype(np.uint8)
    return image


def noise(index: int) -> np.ndarray:
    """A frame that takes room in a file."""
    return np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)


def is_like(image: np.ndarray, expected: np.ndarray) -> bool:
    """Whether an image is another one, but for the losses of a codec."""
    return image.shape == expected.shape and np.abs(image.astype(int) - expected).mean() < 12


def make_video(path: Path, frames: Sequence[np.ndarray], codec: str = 'mpeg4', rate: int = 10,
               times: Sequence[float] | None = None, **options: str) -> Path:
    """Encode frames; ``times`` are in seconds, else those of the rate."""
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        base = stream.codec_context.time_base = Fraction(1, rate if times is None else 1000)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.time_base = base
            frame.pts = index if times is None else round(times[index] / base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Set the display matrix [a b; c d] of an MP4, as a camera does that is held upright."""
    content = bytearray(path.read_bytes())
    at = content.index(b'tkhd') + 4
    assert content[at] == 0, 'version 0 of the box'
    a, b, c, d = (value << 16 for value in matrix)
    content[at + 40:at + 76] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:int(len(content) * share)])
    return path
