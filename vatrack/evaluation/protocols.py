"""Named evaluation protocols: everything that varies between published numbers, in one place.

All ranges are closed at both ends, as in the COCO code: an area of exactly
32^2 px is small and medium, an occlusion of exactly .25 is partial and heavy.
"""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vatrack.structures.results import TrackRecord

Range = tuple[float, float]
ClassRule = Literal['majority', 'first', 'score_sum']

EVERY_AREA: Range = (0, 1e10)
COCO_AREAS = {'L': (96**2, 1e10), 'M': (32**2, 96**2), 'S': (0, 32**2)}
YTVIS_AREAS = {'L': (256**2, 1e10), 'M': (128**2, 256**2), 'S': (0, 128**2)}


@dataclass(frozen=True)
class Stratum:
    """Truth that counts; truth outside is ignored: neither a hit nor a miss.

    Attributes:
        area: Range of mask area in pixels, of truth and of detections.
        occlusion: Range of the occlusion of truth; None: any, known or not.
        unknown_occlusion: Whether truth of unknown occlusion (NaN) counts.
    """

    area: Range = EVERY_AREA
    occlusion: Range | None = None
    unknown_occlusion: bool = False

    def excludes_area(self, areas: np.ndarray) -> np.ndarray:
        """Which of N areas lie outside: (N,) bool."""
        return (areas < self.area[0]) | (areas > self.area[1])

    def excludes(self, areas: np.ndarray, occlusions: np.ndarray) -> np.ndarray:
        """Which of N truths do not count: (N,) bool, from area and occlusion (N,)."""
        outside = self.excludes_area(areas)
        if self.occlusion is None:
            return outside
        inside = (occlusions >= self.occlusion[0]) & (occlusions <= self.occlusion[1])
        if self.unknown_occlusion:
            inside |= np.isnan(occlusions)
        return outside | ~inside


@dataclass(frozen=True)
class Budgets:
    """How many detections per class count in one image or one video.

    Attributes:
        ap: For AP (mean over IoU thresholds) and for AR.
        fixed: For AP50, AP75 and all strata.
        recall: For AR@k, one metric each.
    """

    ap: int = 100
    fixed: int = 100
    recall: tuple[int, ...] = (1, 10, 100)

    @property
    def all(self) -> tuple[int, ...]:
        """Every budget in use, ascending."""
        return tuple(sorted({self.ap, self.fixed, *self.recall}))


@dataclass(frozen=True)
class Protocol:
    """One way of scoring.

    Attributes:
        name: Name in :data:`PROTOCOLS`.
        source: Where the rules come from.
        areas: Area strata by name, in the order of table columns.
        occlusions: Occlusion strata by name, in the order of table columns.
        every_occlusion: Occlusion bound of "all" and of the area strata.
        max_occlusion: Truth of one frame above it is removed (not ignored), so
            detections on it are false positives; None: no truth is removed.
        class_rule: Class of a track whose frames have classes of their own.
        strata_at_50: Strata at IoU .5 (``AP50_S``) or over all ten (``AP_S``).
        image_detection_area: Area by which an unmatched detection of one frame
            belongs to an area stratum: its mask's or its box's.
        image: Detection budgets at image level.
        video: Detection budgets at video level.
        decimals: Rounding of the fractions; None: not rounded.
    """

    name: str
    source: str
    areas: Mapping[str, Range] = field(default_factory=dict)
    occlusions: Mapping[str, Range] = field(default_factory=dict)
    every_occlusion: Range | None = None
    max_occlusion: float | None = None
    class_rule: ClassRule = 'majority'
    strata_at_50: bool = True
    image_detection_area: Literal['mask', 'box'] = 'mask'
    image: Budgets = Budgets()
    video: Budgets = Budgets()
    decimals: int | None = None

    @property
    def strata(self) -> dict[str, Stratum]:
        """Strata by name, 'all' first; areas at every occlusion, occlusions at every area."""
        every = self.every_occlusion
        strata = {'all': Stratum(EVERY_AREA, every, True)}
        strata |= {name: Stratum(EVERY_AREA, bound) for name, bound in self.occlusions.items()}
        return strata | {name: Stratum(bound, every, True) for name, bound in self.areas.items()}


_SAILVOS_OCCLUSIONS = {'P': (0, .25), 'H': (.25, .75)}
_SAILVOS = {'areas': COCO_AREAS, 'occlusions': _SAILVOS_OCCLUSIONS, 'every_occlusion': (0, .75),
            'max_occlusion': .75}

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol('sailvos', 'VATrack (paper and public code), without the accidents of its code',
                 **_SAILVOS),
        # Boxes as areas, two budgets and the first frame's class: what the code does.
        Protocol('sailvos-legacy', 'VATrack, public code as it is, for published numbers',
                 **_SAILVOS, class_rule='first', image_detection_area='box',
                 image=Budgets(ap=100, fixed=1000, recall=(100, 300, 1000)), decimals=3),
        # X, extreme, is open below: .75 itself is heavy.
        Protocol('sailvos-full', 'as sailvos, but no truth is removed: a perfect predictor has 1',
                 areas=COCO_AREAS,
                 occlusions={**_SAILVOS_OCCLUSIONS, 'X': (math.nextafter(.75, 1), 1)},
                 every_occlusion=(0, 1)),
        Protocol('ytvis', 'YouTube-VIS (youtubevos/cocoapi)', areas=YTVIS_AREAS,
                 strata_at_50=False),
    )
}


def get_protocol(protocol: str | Protocol) -> Protocol:
    """Look a protocol up by name; a protocol of one's own passes through.

    Raises:
        ValueError: No protocol has that name.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise ValueError(f'unknown protocol {protocol!r}; choose one of {sorted(PROTOCOLS)}')
    return PROTOCOLS[protocol]


def track_category(track: TrackRecord, rule: ClassRule) -> int:
    """Reduce a track's frame classes to one category id; ties go to the smallest id.

    A track without frame classes keeps its ``category_id``.
    """
    frames = [t for t, c in enumerate(track.category_ids or ()) if c is not None]
    if not frames:
        return track.category_id
    if rule == 'first':
        return track.category_ids[frames[0]]
    votes: Counter[int] = Counter()
    for t in frames:
        votes[track.category_ids[t]] += track.frame_score(t) if rule == 'score_sum' else 1
    return min(votes, key=lambda category: (-votes[category], category))
