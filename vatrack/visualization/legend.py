"""The legend of the drawing: what each item of ``show`` looks like.

Usage: python -m vatrack.visualization.legend docs/legend.png
"""
from __future__ import annotations

import sys
from collections.abc import Sequence

import cv2
import numpy as np

from vatrack.files import write_image
from vatrack.structures.rle import encode

from .contact_sheet import contact_sheet
from .draw import SHOWN, DrawnInstance, DrawStyle, draw_instances

_SIZE = (150, 240)
_SCALE = 1.25
_COLUMNS = 4


def legend() -> np.ndarray:
    """All items together, then each by itself: (H, W, 3) uint8 RGB."""
    ground, instances = _scene()
    shown = {'all but boxes (default)': DrawStyle().show, **{item: {item} for item in SHOWN}}
    panels = [draw_instances(ground, instances, scale=_SCALE, style=DrawStyle(show))
              for show in shown.values()]
    return contact_sheet(panels, _COLUMNS, list(shown), theme='light', margin=12)


def _scene() -> tuple[np.ndarray, list[DrawnInstance]]:
    """Two overlapping shapes, the front one covers a part of the other."""
    height, width = _SIZE
    fade = np.linspace(70, 130, height)[:, None, None] * np.float32([.75, .9, 1.1])
    ground = np.broadcast_to(fade, (height, width, 3)).astype(np.uint8).copy()
    masks = np.zeros((3, height, width), np.uint8)
    front, back, seen = masks
    cv2.ellipse(front, (82, 92), (52, 34), -14, 0, 360, 1, -1)
    cv2.ellipse(back, (148, 84), (56, 40), 20, 0, 360, 1, -1)
    seen[:] = back & (1 - front)
    for mask, shade in ((back, (168, 150, 132)), (front, (120, 134, 150))):
        ground[mask > 0] = shade
    rles = encode(masks)
    return ground, [
        DrawnInstance(0, {'amodal': rles[1], 'visible': rles[2]}, 'turtle', 0.87),
        DrawnInstance(4, {'amodal': rles[0], 'visible': rles[0]}, 'fish', 0.93)]


def main(argv: Sequence[str]) -> int:
    """Write the legend to the file that is named; returns the exit code."""
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    write_image(argv[0], legend())
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
