"""Masks as outlines for a browser: the lines of the pictures, as SVG path data."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vatrack.structures.rle import RLE, bboxes
from vatrack.visualization.areas import occluded_part
from vatrack.visualization.contour import contour_lines
from vatrack.visualization.labels import mask_anchor
from vatrack.visualization.patches import MaskPatch, mask_patch

#: Path data counts in this part of a pixel of the frame; (0, 0) is the frame's corner.
UNIT = 8
# Small objects are enlarged to about so many pixels, for smooth outlines that are true to the mask.
_TRACED_SIDE, _MAX_SCALE = 400, 4


def mask_paths(masks: Mapping[str, RLE]) -> dict[str, Any]:
    """Outlines of an object in one frame.

    Args:
        masks: RLE by kind; either kind may be absent, and each may be empty.

    Returns:
        Path data by name, areas to be filled by the even-odd rule:

        ``amodal``, ``visible``  the masks.
        ``occluded``  amodal but not visible, without slivers along the border;
                      absent if there is no such part.
        ``shown``     the part of the amodal outline that is visible, as open
                      lines; like ``hidden`` absent if nothing is occluded.
        ``hidden``    the rest of it.
        ``anchor``    [x, y] above which a label goes; absent without any pixel.
    """
    if not masks:
        return {}
    scale = _scale(list(masks.values()))
    patches = {kind: mask_patch(mask, tuple(scale * side for side in mask['size']))
               for kind, mask in masks.items()}
    found = {kind: _lines(patch, None, scale) for kind, patch in patches.items()}
    if {'amodal', 'visible'} <= patches.keys():
        found |= _hidden_parts(patches['amodal'], patches['visible'], scale)
    outer = patches.get('amodal', patches.get('visible'))
    if not outer.is_empty:
        found['anchor'] = [_rounded(side, scale) for side in mask_anchor(outer)]
    return {name: value for name, value in found.items() if value or name == 'shown'}


def path_data(lines: Sequence[np.ndarray], scale: int) -> str:
    """Polylines (P, 2) through pixel centres as SVG path data in :data:`UNIT`; relative moves."""
    return ''.join(_line(line, scale) for line in lines)


def _scale(masks: Sequence[RLE]) -> int:
    boxes = bboxes(masks)
    longest = max((boxes[:, 2:] - boxes[:, :2]).max(), 1)
    return int(np.clip(_TRACED_SIDE // longest, 1, _MAX_SCALE))


def _hidden_parts(amodal: MaskPatch, visible: MaskPatch, scale: int) -> dict[str, str]:
    occluded = occluded_part(amodal, visible)
    if occluded.is_empty:
        return {}
    return {'occluded': _lines(occluded, None, scale),
            'shown': _lines(amodal, occluded.mask, scale),
            'hidden': _lines(amodal, 1 - occluded.mask, scale)}


def _lines(patch: MaskPatch, hidden: np.ndarray | None, scale: int) -> str:
    """The outline of a mask without the part that is hidden, (h, w) uint8 0/1."""
    if patch.is_empty:
        return ''
    return path_data(contour_lines(patch.mask, hidden, (patch.x, patch.y), dash=None), scale)


def _line(line: np.ndarray, scale: int) -> str:
    points = np.rint((line + .5) * (UNIT / scale)).astype(np.int64)
    is_closed = (points[0] == points[-1]).all()
    steps = np.diff(points, axis=0)[:-1 if is_closed else None]
    steps = steps[steps.any(axis=1)]
    moves = ' '.join(map(str, steps.ravel().tolist()))
    return f'M{points[0, 0]} {points[0, 1]}l{moves or "0 0"}{"z" if is_closed else ""}'


def _rounded(side: int, scale: int) -> int:
    return round((side + .5) * UNIT / scale)
