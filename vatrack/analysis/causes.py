"""The causes of lost vAP: what each is called and what the oracle does that repairs it alone.

The oracles are those of TIDE (Bolya et al., "TIDE: A General Toolbox for
Identifying Object Detection Errors", ECCV 2020), carried over from boxes to
tracks; ``docs/error-analysis.md`` defines every one to the pixel.
"""
from __future__ import annotations

from dataclasses import dataclass

#: IoU from which a track, or a mask in one frame, is on an object.
FOUND = .5
#: IoU below which it has nothing to do with it.
BACKGROUND = .1


@dataclass(frozen=True)
class Cause:
    """One cause of lost vAP.

    Attributes:
        name: Key in files.
        title: Name for people.
        repair: What the oracle does.
        is_total: Not a cause of its own, but several together.
    """

    name: str
    title: str
    repair: str
    is_total: bool = False


CAUSES: dict[str, Cause] = {cause.name: cause for cause in (
    Cause('missed', 'missed', 'objects that no track of any class overlaps by 0.1 are taken out '
          'of the truth'),
    Cause('duplicate', 'duplicate', 'further tracks on an object that is found already are '
          'removed'),
    Cause('class', 'class', 'tracks on an object of another class get its class'),
    Cause('frames', 'wrong frames', 'the track appears in the frames where its object is, and in '
          'no other'),
    Cause('mask', 'mask quality', 'where the track is on its object, its masks become the true '
          'ones'),
    Cause('mask-visible', 'mask, visible part', 'pixels of the visible part of the object that '
          'the mask lacks are added'),
    Cause('mask-occluded', 'mask, occluded part', 'pixels of the occluded part of the object that '
          'the mask lacks are added'),
    Cause('mask-outside', 'mask, outside', 'pixels outside of the object are taken from the mask'),
    Cause('switch', 'identity switch', 'tracks that go from one object to another are cut there, '
          'and the pieces joined by object'),
    Cause('fragmentation', 'fragmentation', 'tracks that follow the same object one after the '
          'other are joined'),
    Cause('background', 'background', 'tracks on no object at all are removed'),
    Cause('other', 'other', 'false positives that no other repair touches are removed'),
    Cause('localisation', 'all frames and masks', 'every track that finds an object, or a part of '
          'one, gets its masks in all frames', True),
    Cause('false-positives', 'all false positives', 'every track that finds no object is removed',
          True),
    Cause('unfound', 'all unfound objects', 'every object that no track finds is taken out of the '
          'truth', True),
)}

#: Parts into which the mask quality of amodal masks falls.
MASK_PARTS = ('mask-visible', 'mask-occluded', 'mask-outside')
