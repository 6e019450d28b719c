"""Pictures of frames as browsers show them."""
from __future__ import annotations

from pathlib import Path

from vatrack.video.image_file import encode_image, image_head, read_image

#: Formats that are handed on as they are on disk.
CONTENT_TYPES = {'.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg',
                 '.webp': 'image/webp', '.gif': 'image/gif', '.avif': 'image/avif'}
_QUALITY = 92


def browser_image(path: Path) -> tuple[bytes, str]:
    """A picture and its content type; formats that browsers lack, such as BMP, become JPEG.

    One that is turned by its EXIF orientation is turned here: not every browser does it in every
    format.

    Raises:
        OSError: The file cannot be read, or is no image.
    """
    suffix = path.suffix.lower()
    content_type = CONTENT_TYPES.get(suffix)
    if content_type is None:
        return encode_image(read_image(path), '.jpg', quality=_QUALITY), CONTENT_TYPES['.jpg']
    if image_head(path).orientation > 1:
        return encode_image(read_image(path), suffix, quality=_QUALITY), content_type
    return path.read_bytes(), content_type
