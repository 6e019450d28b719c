"""Frames as image files."""
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

#: Parameters of ``cv2.imwrite`` by image format.
IMAGE_FORMATS = {
    'jpg': [cv2.IMWRITE_JPEG_QUALITY, 95],
    'png': [cv2.IMWRITE_PNG_COMPRESSION, 1],
}


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a frame; missing folders are made.

    Args:
        path: The file; its suffix says the format.
        image: (H, W, 3) uint8 **BGR**, as OpenCV reads and writes it.

    Raises:
        OSError: The file cannot be written, or the suffix is of no image format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    parameters = IMAGE_FORMATS.get(path.suffix[1:].lower(), [])
    if not cv2.haveImageWriter(str(path)) or not cv2.imwrite(str(path), image, parameters):
        raise OSError(f'{path}: the frame cannot be written; check the free space, that the folder '
                      'is writable, and that the name ends in an image format such as .png')
