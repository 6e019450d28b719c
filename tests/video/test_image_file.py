"""Frames are read as they are shown, whole or not at all."""
from __future__ import annotations

import os
import pickle
import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from vatrack.video.image_file import (
    ImageError,
    encode_image,
    image_head,
    read_image,
    read_stored,
)

HEIGHT, WIDTH = 40, 64
#: Each quarter of another brightness, so that every turn shows; soft, so that JPEG keeps it.
PIXELS = np.kron([[0, 90], [160, 250]], np.ones((HEIGHT // 2, WIDTH // 2)))[..., None].repeat(
    3, 2).astype(np.uint8)


def noise() -> np.ndarray:
    """Pixels (HEIGHT, WIDTH, 3) uint8 that do not compress."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def encoded(suffix: str, pixels: np.ndarray = PIXELS, orientation: int | None = None,
            **options) -> bytes:
    exif = Image.Exif()
    exif[0x010f] = 'a maker'
    if orientation is not None:
        exif[0x0112] = orientation
    file = BytesIO()
    Image.fromarray(pixels).save(file, suffix, exif=exif, **options)
    return file.getvalue()


@pytest.mark.parametrize('suffix', ['jpeg', 'png', 'webp', 'tiff'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_size_and_pixels_are_those_that_are_shown(tmp_path, suffix, orientation):
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(encoded(suffix, orientation=orientation))
    with Image.open(path) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    assert shown.shape[:2] == ((WIDTH, HEIGHT) if orientation > 4 else (HEIGHT, WIDTH))
    assert image_head(path).size == shown.shape[:2]
    assert np.abs(read_image(path).astype(int) - shown).max() < 8
    assert np.array_equal(read_image(path, 'bgr')[..., ::-1], read_image(path))


def test_a_turned_image_says_so(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(encoded('jpeg', orientation=6))
    assert str(image_head(path)) == ('40 x 64 pixels (as it is shown and read, by its EXIF '
                                     'orientation 6; stored: 64 x 40)')
    path.write_bytes(encoded('jpeg', orientation=1))
    assert str(image_head(path)) == '64 x 40 pixels'


def test_an_orientation_after_the_pixels_of_a_png_counts(tmp_path):
    exif = b'MM\0*' + struct.pack('>IHHHIHH', 8, 1, 0x0112, 3, 1, 8, 0)
    chunk = struct.pack('>I', len(exif)) + b'eXIf' + exif + struct.pack('>I', zlib.crc32(
        b'eXIf' + exif))
    png = encode_image(PIXELS, '.png')
    (tmp_path / 'a.png').write_bytes(png[:-12] + chunk + png[-12:])
    assert image_head(tmp_path / 'a.png').orientation == 8


@pytest.mark.parametrize('exif', [b'', b'II', b'II*\0\xff\xff\xff\xff', b'MM\0*\0\0\0\x08\0\x09',
                                  b'MM\0*' + struct.pack('>IHHHIHH', 8, 1, 0x0112, 3, 1, 99, 0)])
def test_a_broken_exif_turns_nothing(tmp_path, exif):
    file = BytesIO()
    Image.fromarray(PIXELS).save(file, 'jpeg', exif=b'Exif\0\0' + exif)
    (tmp_path / 'a.jpg').write_bytes(file.getvalue())
    assert image_head(tmp_path / 'a.jpg').orientation == 1


@pytest.mark.parametrize(('suffix', 'options'), [
    ('jpeg', {}), ('jpeg', {'progressive': True}), ('png', {}), ('webp', {}), ('bmp', {}),
    ('tiff', {})])
@pytest.mark.parametrize('share', [.3, .6, .95])
def test_what_is_cut_off_is_not_read(tmp_path, suffix, options, share):
    path = tmp_path / f'a.{suffix}'
    whole = encoded(suffix, noise(), **options)
    path.write_bytes(whole[:int(len(whole) * share)])
    with pytest.raises(ImageError, match='not an image or damaged'):
        read_image(path)
    path.write_bytes(whole)
    assert read_image(path).shape == PIXELS.shape


@pytest.mark.parametrize('thumbnail', [False, True])
def test_a_jpeg_whose_end_is_zeros_is_not_read(tmp_path, thumbnail):
    """So it is after a copy that was broken off; the end of a thumbnail is not that of it."""
    exif = b'Exif\0\0' + (encoded('jpeg') if thumbnail else b'')
    file = BytesIO()
    Image.fromarray(noise()).save(file, 'jpeg', exif=exif)
    whole = file.getvalue()
    kept = int(len(whole) * .7)
    (tmp_path / 'a.jpg').write_bytes(whole[:kept] + bytes(len(whole) - kept))
    with pytest.raises(ImageError, match='its end is missing'):
        read_image(tmp_path / 'a.jpg')
    (tmp_path / 'a.jpg').write_bytes(whole + b'what a camera adds')
    assert read_image(tmp_path / 'a.jpg').shape == PIXELS.shape


def test_a_png_with_a_flipped_bit_is_not_read(tmp_path):
    content = bytearray(encoded('png', noise()))
    content[len(content) // 2] ^= 1
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ImageError, match='not an image or damaged'):
        read_image(tmp_path / 'a.png')


@pytest.mark.parametrize(('content', 'fault'), [
    (b'', 'not an image'), (b'none' * 9, 'not an image'), (None, 'no such image')])
@pytest.mark.parametrize('read', [read_image, read_stored, image_head])
def test_what_is_no_image_is_named(tmp_path, content, fault, read):
    if content is not None:
        (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ImageError, match=rf'a\.png: {fault}.*again') as caught:
        read(tmp_path / 'a.png')
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize('read', [read_image, image_head])
def test_an_image_of_ten_to_the_ten_pixels(tmp_path, read):
    head = b'IHDR' + struct.pack('>IIBBBBB', 100000, 100000, 8, 2, 0, 0, 0)
    png = encode_image(PIXELS, '.png')
    (tmp_path / 'a.png').write_bytes(png[:12] + head + struct.pack('>I', zlib.crc32(head))
                                     + png[33:])
    with pytest.raises(ImageError, match='more pixels than can be read'):
        read(tmp_path / 'a.png')


@pytest.mark.parametrize('read', [read_image, image_head])
def test_names_that_are_no_text(tmp_path, read):
    """OpenCV crashes at them; half a character from a JSON names no file at all."""
    folder = tmp_path / os.fsdecode(b'\xc4\xcf\xbe\xa9')
    folder.mkdir()
    (folder / 'a.png').write_bytes(encoded('png'))
    read(folder / 'a.png')
    with pytest.raises(ImageError, match='cannot be opened'):
        read(Path(tmp_path, '\ud800.png'))


def test_label_images_are_read_as_they_are_stored(tmp_path):
    numbers = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 20
    (tmp_path / 'a.png').write_bytes(encoded('png', numbers, orientation=6))
    assert np.array_equal(read_stored(tmp_path / 'a.png'), numbers)


def test_images_are_encoded_as_rgb():
    pixels = noise()
    assert np.array_equal(cv2.imdecode(np.frombuffer(encode_image(pixels, '.PNG'), np.uint8),
                                       cv2.IMREAD_COLOR)[..., ::-1], pixels)
    assert len(encode_image(pixels, '.jpg', quality=20)) < len(encode_image(pixels, '.jpg'))
    with pytest.raises(OSError, match=r'a\.unknown: .*\.png'):
        encode_image(pixels, '.unknown', 'a.unknown')
