"""Fields of optical flow as files: one per frame and direction.

Three formats, known by their suffix:

==========  ====================================================================================
``.npz``    ``flow``, (H, W, 2) float16, compressed: the project's own
``.flo``    Middlebury (Baker et al., *A Database and Evaluation Methodology for Optical Flow*,
            IJCV 2011): ``PIEH``, int32 width and height, float32 u and v by turns; what lies
            beyond 1e9 is unknown
``.png``    KITTI (Menze and Geiger, *Object Scene Flow for Autonomous Vehicles*, CVPR 2015):
            16 bit, red = 64 u + 2**15, green = 64 v + 2**15, blue = 0 where unknown
==========  ====================================================================================

A pixel without a value is NaN in both components, whatever the format.
"""
from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from vatrack.files.whole_file import replace_when_done

DIRECTIONS = ('forward', 'backward')

_MAGIC = b'PIEH'  # 202021.25 as little-endian float32
_UNKNOWN = np.float32(1e9)
_PNG_STEPS, _PNG_ZERO = 64, 1 << 15
_REMEDY = 'make it again with tools/make_flow.py'


class FlowError(ValueError):
    """A field of optical flow is missing, damaged or does not fit; says which and what to do."""


class FlowFiles:
    """The fields of the frames of a dataset.

    They lie in ``<root>/{forward,backward}/<file_name of the frame without its suffix>`` with the
    suffix of one of the formats. The last frame of a video has no ``forward`` field, the first no
    ``backward`` one.

    Args:
        root: Folder of the fields.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, file_name: str, direction: str, suffix: str = '.npz') -> Path:
        """Where the field of a frame is written.

        Args:
            file_name: Name of the frame as the annotation file states it.
            direction: One of :data:`DIRECTIONS`.
            suffix: Key of :data:`FORMATS`.
        """
        if direction not in DIRECTIONS:
            raise ValueError(f'direction must be one of {DIRECTIONS}, got {direction!r}')
        # Not with_suffix(suffix): names such as shot.0001.png hold more than one dot.
        return self.root / direction / f'{Path(file_name).with_suffix("")}{suffix}'

    def find(self, file_name: str, direction: str) -> Path | None:
        """The file that holds the field of a frame; None if there is none."""
        places = (self.path(file_name, direction, suffix) for suffix in FORMATS)
        return next((place for place in places if place.is_file()), None)

    def read(self, file_name: str, direction: str, size: tuple[int, int]) -> np.ndarray:
        """Read the field of a frame.

        Args:
            file_name: Name of the frame as the annotation file states it.
            direction: One of :data:`DIRECTIONS`.
            size: (H, W) of the frame in pixels.

        Returns:
            (H, W, 2) float32, finite.

        Raises:
            FlowError: There is no such field, it is damaged, of another size than
                the frame, or has pixels without a value.
        """
        path = self.find(file_name, direction)
        if path is None:
            suffixes = ', '.join(FORMATS)
            raise FlowError(f"{self.root}: no {direction} flow of frame '{file_name}' "
                            f'({self.path(file_name, direction, "")} with {suffixes}); make it '
                            'with tools/make_flow.py, or name the folder that holds '
                            f'{" and ".join(DIRECTIONS)}')
        field = read_flow(path)
        if field.shape[:2] != tuple(size):
            raise FlowError(f"{path}: is {field.shape[1]}x{field.shape[0]}, but frame "
                            f"'{file_name}' is {size[1]}x{size[0]}; flow is read at the size of "
                            f'its frame: {_REMEDY}')
        unknown = np.isnan(field).any(axis=2).sum()
        if unknown:
            raise FlowError(f'{path}: {unknown} of {field.shape[0] * field.shape[1]} pixels have '
                            f'no value; a dense field is needed: {_REMEDY}')
        return field


def read_flow(path: str | Path) -> np.ndarray:
    """Read one field of any of the formats.

    Returns:
        (H, W, 2) float32, NaN where the file has no value.

    Raises:
        FlowError: There is no such file, it is damaged, or of no known format.
    """
    path = Path(path)
    read = _format(path).read
    if not path.is_file():
        raise FlowError(f'{path}: no such file; make it with tools/make_flow.py')
    try:
        field = read(path)
    except _DAMAGE as error:
        raise FlowError(f'{path}: {error or type(error).__name__}; {_REMEDY}') from error
    if np.isinf(field).any():
        raise FlowError(f'{path}: holds infinite values; {_REMEDY}')
    return field


def write_flow(path: str | Path, field: np.ndarray) -> None:
    """Write one field; the file appears when it is complete, missing folders are made.

    Args:
        path: The file; its suffix says the format.
        field: (H, W, 2) floats in pixels, NaN where there is no value.

    Raises:
        FlowError: The field has another shape, infinite values, or values that
            the format cannot hold.
    """
    path = Path(path)
    encode = _format(path).encode
    if field.ndim != 3 or field.shape[2] != 2 or not field.size:
        raise FlowError(f'{path}: a field is (H, W, 2), got {field.shape}')
    if np.isinf(field).any():
        raise FlowError(f'{path}: the field holds infinite values; estimate it again')
    unknown = np.isnan(field).any(axis=2, keepdims=True)
    try:
        content = encode(np.where(unknown, np.float32(np.nan), field.astype(np.float32)))
    except ValueError as error:
        raise FlowError(f'{path}: {error}; write .flo, which holds any value') from error
    with replace_when_done(path, 'wb', sync=False) as file:
        file.write(content)


def _read_npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as content:
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise ValueError('is a single array, not an .npz file')
        field = content['flow']
    if field.dtype.kind != 'f' or field.ndim != 3 or field.shape[2] != 2 or not field.size:
        raise ValueError(f'flow must be (H, W, 2) floats, got {field.shape} {field.dtype}')
    return field.astype(np.float32)


def _encode_npz(field: np.ndarray) -> bytes:
    if np.nanmax(np.abs(field), initial=0) > np.finfo(np.float16).max:
        raise ValueError('the field holds values beyond 65504 pixels, the end of float16')
    content = io.BytesIO()
    np.savez_compressed(content, flow=field.astype(np.float16))
    return content.getvalue()


def _read_flo(path: Path) -> np.ndarray:
    content = path.read_bytes()
    if content[:4] != _MAGIC:
        raise ValueError(f'begins with {content[:4]!r} instead of {_MAGIC!r}: no .flo file')
    width, height = (int.from_bytes(content[at:at + 4], 'little') for at in (4, 8))
    needed = 12 + 8 * width * height
    if len(content) != needed or needed == 12:
        raise ValueError(f'has {len(content)} bytes, but {width}x{height} pixels need {needed}: '
                         'damaged or cut off')
    field = np.frombuffer(content, '<f4', offset=12).reshape(height, width, 2).astype(np.float32)
    field[(np.abs(field) > _UNKNOWN).any(axis=2)] = np.nan
    return field


def _encode_flo(field: np.ndarray) -> bytes:
    height, width = field.shape[:2]
    size = np.array([width, height], '<i4').tobytes()
    return _MAGIC + size + np.nan_to_num(field, nan=10 * _UNKNOWN).astype('<f4').tobytes()


def _read_png(path: Path) -> np.ndarray:
    content = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    if image is None:
        raise ValueError('no image, damaged or cut off')
    if image.dtype != np.uint16 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'flow is a 16-bit RGB image, got {image.shape} {image.dtype}')
    field = (image[..., :0:-1].astype(np.float32) - _PNG_ZERO) / _PNG_STEPS
    field[image[..., 0] == 0] = np.nan
    return field


def _encode_png(field: np.ndarray) -> bytes:
    known = ~np.isnan(field[..., 0])
    steps = np.rint(np.nan_to_num(field[..., ::-1]) * _PNG_STEPS) + _PNG_ZERO
    if steps.min() < 0 or steps.max() > np.iinfo(np.uint16).max:
        raise ValueError('the field holds values beyond 512 pixels, the end of KITTI\'s format')
    steps[~known] = 0
    image = np.dstack([known, steps]).astype(np.uint16)
    return cv2.imencode('.png', image)[1].tobytes()


class _Format(NamedTuple):
    read: Callable[[Path], np.ndarray]
    encode: Callable[[np.ndarray], bytes]


#: Suffixes of files of flow, the first that is there is read.
FORMATS = {'.npz': _Format(_read_npz, _encode_npz), '.flo': _Format(_read_flo, _encode_flo),
           '.png': _Format(_read_png, _encode_png)}

_DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile,
           zlib.error)


def _format(path: Path) -> _Format:
    if path.suffix not in FORMATS:
        raise FlowError(f'{path}: flow is read and written as {", ".join(FORMATS)}; convert it')
    return FORMATS[path.suffix]
