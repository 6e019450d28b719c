"""Pictures: the one place where they are written."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from vatrack.video.image_file import encode_image

from .whole_file import replace_when_done


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write a picture, whole or not at all; missing folders are made.

    Args:
        path: The file; its suffix says the format.
        image: (H, W, 3) uint8 RGB, or (H, W) uint8 or uint16.

    Raises:
        OSError: The file cannot be written, or the suffix is of no image format.
    """
    path = Path(path)
    data = encode_image(image, path.suffix, str(path))
    # A data set has many: they are not worth waiting for the disk each.
    with replace_when_done(path, 'wb', sync=False) as file:
        file.write(data)
