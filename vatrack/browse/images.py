"""Pictures of frames as browsers show them."""
from __future__ import annotations

from pathlib import Path

import cv2

#: Formats that are handed on as they are on disk.
CONTENT_TYPES = {'.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg',
                 '.webp': 'image/webp', '.gif': 'image/gif', '.avif': 'image/avif'}
_QUALITY = 92


def browser_image(path: Path) -> tuple[bytes, str]:
    """A picture and its content type; formats that browsers lack, such as BMP, become JPEG.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not an image that OpenCV reads.
    """
    content_type = CONTENT_TYPES.get(path.suffix.lower())
    if content_type is not None:
        return path.read_bytes(), content_type
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{path}: not an image that OpenCV reads; copy or extract it again')
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes(), CONTENT_TYPES['.jpg']
