"""Image files: the one place where the size and the pixels of a frame are read.

A frame is what it looks like: one with an EXIF orientation is turned, its size included, as
labelling programs (CVAT, labelme), browsers and OpenCV do. Label images are numbers, and read as
they are stored.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from struct import error as StructError
from struct import unpack, unpack_from
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from .backend import VideoError

#: Formats in which frames of videos are written.
IMAGE_FORMATS = ('jpg', 'png')
#: What to do where the labels of turned frames were drawn on their stored pixels.
REMOVE_TAG = ('if the labels were drawn on the stored pixels, remove the tag from the files: '
              'exiftool -Orientation= FILES')

_DAMAGED = 'not an image or damaged'
_CUT_OFF = f'{_DAMAGED}: its end is missing'
_TOO_LARGE = 'states more pixels than can be read'
_JPEG, _PNG = b'\xff\xd8', b'\x89PNG\r\n\x1a\n'
_END_OF_JPEG = b'\xff\xd9'
_APP1, _SCAN = 0xE1, 0xDA  # markers of JPEG: metadata, pixels
_EXIF = b'Exif\0\0'
_ORIENTATION = 0x0112  # a tag of EXIF
# How stored pixels become those that are shown, by EXIF orientation (CIPA DC-008, 4.6.4).
_TURNS = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.rotate(cv2.transpose(image), cv2.ROTATE_180),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


class ImageError(VideoError):
    """An image file cannot be read.

    Attributes:
        path: The file.
        fault: What is wrong with it.
    """

    def __init__(self, path: str | Path, fault: str) -> None:
        super().__init__(f'{path}: {fault}; copy or extract the frame again')
        self.path, self.fault = path, fault

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.fault)


@dataclass(frozen=True, slots=True)
class ImageHead:
    """What an image file says before its pixels.

    Attributes:
        stored: (H, W) of the stored pixels.
        orientation: How they are turned to be shown, 1 (not at all) to 8, as EXIF counts.
    """

    stored: tuple[int, int]
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image as it is shown and read."""
        return self.stored[::-1] if self.orientation > 4 else self.stored

    def __str__(self) -> str:
        text = f'{self.size[1]} x {self.size[0]} pixels'
        if self.orientation > 1:
            text += (f' (as it is shown and read, by its EXIF orientation {self.orientation}; '
                     f'stored: {self.stored[1]} x {self.stored[0]})')
        return text


def image_head(path: str | Path) -> ImageHead:
    """Size and orientation of an image; its pixels are not looked at.

    Raises:
        ImageError: It is missing, no image, or states more pixels than can be read.
    """
    try:
        with Path(path).open('rb') as file:
            return _head(file)
    except Image.DecompressionBombError:
        raise ImageError(path, _TOO_LARGE) from None
    except (UnidentifiedImageError, SyntaxError):
        raise ImageError(path, _DAMAGED) from None
    except (OSError, ValueError) as error:
        raise _unopened(path, error) from None


def read_image(path: str | Path, channels: str = 'rgb') -> np.ndarray:
    """Read a frame as it is shown: (H, W, 3) uint8.

    The file is decoded from memory: where OpenCV reads files itself, it fills what is cut off
    with grey, and crashes at names that are no UTF-8.

    Args:
        path: The file.
        channels: Their order, 'rgb' or 'bgr'.

    Raises:
        ImageError: It is missing, no image, cut off or damaged, or has more pixels than can be
            read.
    """
    data = _bytes(path)
    image = _decode(path, data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    turn = _TURNS.get(_orientation(BytesIO(data)))
    if turn is not None:
        image = turn(image)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if channels == 'rgb' else image


def read_stored(path: str | Path) -> np.ndarray:
    """Pixels of a label image as they are stored: (H, W) or (H, W, C), of its own type.

    Raises:
        ImageError: As :func:`read_image`.
    """
    return _decode(path, _bytes(path), cv2.IMREAD_UNCHANGED)


def _bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise _unopened(path, error) from None


def _unopened(path: str | Path, error: Exception) -> ImageError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ImageError(path, 'no such image')
    return ImageError(path, f'cannot be opened ({getattr(error, "strerror", None) or error})')


def _decode(path: str | Path, data: bytes, flags: int) -> np.ndarray:
    if data.startswith(_JPEG) and not _has_end(data):
        raise ImageError(path, _CUT_OFF)
    image = None
    with suppress(cv2.error):  # empty, or of too many pixels
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        try:
            _head(BytesIO(data))
        except Image.DecompressionBombError:
            raise ImageError(path, _TOO_LARGE) from None
        except (OSError, SyntaxError, ValueError):
            pass
        raise ImageError(path, _DAMAGED)
    return image


def _head(file: BinaryIO) -> ImageHead:
    with Image.open(file) as image:
        width, height = image.size
        if image.format == 'TIFF':  # its size is that which is shown
            return ImageHead((height, width))
        file.seek(0)
        return ImageHead((height, width), _orientation(file))


def _orientation(file: BinaryIO) -> int:
    """EXIF orientation that a JPEG, PNG or WebP, read from its start, is shown with."""
    start = file.read(12)
    exif = b''
    if start.startswith(_JPEG):
        bodies = (file.read(length) for marker, length in _segments(file) if marker == _APP1)
        exif = next((body for body in bodies if body.startswith(_EXIF)), b'')
    elif start.startswith(_PNG):
        exif = _chunk(file, b'eXIf', 8)
    elif start.startswith(b'RIFF') and start.endswith(b'WEBP'):
        exif = _chunk(file, b'EXIF', 12)
    return _orientation_in(exif.removeprefix(_EXIF))


def _has_end(jpeg: bytes) -> bool:
    """Whether the end marker follows the pixels, where no pixel can look like it."""
    if jpeg.endswith(_END_OF_JPEG):
        return True
    file = BytesIO(jpeg)
    return any(jpeg.find(_END_OF_JPEG, file.tell()) >= 0
               for marker, _ in _segments(file) if marker == _SCAN)


def _segments(jpeg: BinaryIO) -> Iterator[tuple[int, int]]:
    """Marker and length of what stands before the pixels; the file is at its beginning."""
    position, marker = 2, 0
    while marker != _SCAN:
        jpeg.seek(position)
        head = jpeg.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        marker, length = unpack('>xBH', head)
        yield marker, length - 2
        position += 2 + length


def _chunk(file: BinaryIO, wanted: bytes, position: int) -> bytes:
    """A chunk of a PNG or a WebP, whose first chunk is at a position; empty if there is none."""
    is_png = position == 8
    file.seek(position)
    while len(head := file.read(8)) == 8:
        length, kind = unpack('>I4s', head) if is_png else unpack('<4sI', head)[::-1]
        if kind == wanted:
            return file.read(length)
        # Then a checksum, or a byte that makes the length even.
        file.seek(length + (4 if is_png else length % 2), 1)
    return b''


def _orientation_in(exif: bytes) -> int:
    order = {b'II': '<', b'MM': '>'}.get(exif[:2])
    if order is None:
        return 1
    try:
        start, = unpack_from(f'{order}I', exif, 4)
        count, = unpack_from(f'{order}H', exif, start)
        tags = [unpack_from(f'{order}H6xH', exif, start + 2 + 12 * entry)
                for entry in range(count)]
    except StructError:
        return 1
    value = dict(tags).get(_ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def encode_image(image: np.ndarray, suffix: str, name: str = 'image',
                 quality: int = 95) -> bytes:
    """An image as the content of a file.

    Args:
        image: (H, W, 3) uint8 RGB, or (H, W) uint8 or uint16.
        suffix: Of the file; says the format.
        name: What errors call it.
        quality: Of a JPEG, in percent.

    Raises:
        VideoError: OpenCV writes no such format.
    """
    if not suffix or not cv2.haveImageWriter(suffix):
        raise VideoError(f'{name}: no such image format in OpenCV; end the name in .png or .jpg')
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    parameters = {'.jpg': [cv2.IMWRITE_JPEG_QUALITY, quality],
                  '.jpeg': [cv2.IMWRITE_JPEG_QUALITY, quality],
                  '.png': [cv2.IMWRITE_PNG_COMPRESSION, 1]}
    _, data = cv2.imencode(suffix, image, parameters.get(suffix.lower(), []))
    return data.tobytes()
