"""Named evaluation protocols: everything that varies between published numbers, in one place.

All ranges are closed at both ends, as in the COCO code: an area of exactly
32^2 px is small and medium, an occlusion of exactly .25 is partial and heavy.
"""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from vatrack.structures import TrackRecord

Range = tuple[float, float]
ClassRule = Literal['majority', 'first', 'score_sum']

EVERY_AREA: Range = (0, 1e10)
COCO_AREAS = {'L': (96**2, 1e10), 'M': (32**2, 96**2), 'S': (0, 32**2)}
YTVIS_AREAS = {'L': (256**2, 1e10), 'M': (128**2, 256**2), 'S': (0, 128**2)}


@dataclass(frozen=True)
class Stratum:
    """Truth that counts; truth outside is ignored: neither found nor missed.

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
class MaxDetections:
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
        """Every number in use, ascending."""
        return tuple(sorted({self.ap, self.fixed, *self.recall}))


@dataclass(frozen=True)
class OverlapRules:
    """How the mean IoU of objects (mIoU) is taken.

    Attributes:
        text: The rules in words.
        match: Which track is held against an object: the one of highest IoU of
            visible masks in each 'frame', or over all frames of the 'video'
            (which finds the right one wherever the visible masks were given to
            the model); at least .5 either way.
        composed: None: predictions count as they are. 'truth' or 'prediction':
            they count only where other objects are visible, elsewhere the
            object's visible mask stands for them; whose visible masks those are.
        occlusion: Frames of objects count only strictly between these rates.
        smoothing: Added to intersection and union.
        drop_perfect: Leave out IoUs of exactly 1.
        drop_ends: Leave out the first and the last frame of each run of frames
            that an object is in, which SaVos cannot predict.
    """

    text: str
    match: Literal['frame', 'video'] = 'frame'
    composed: Literal['truth', 'prediction'] | None = None
    occlusion: Range | None = None
    smoothing: float = 0
    drop_perfect: bool = False
    drop_ends: bool = False


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
            belongs to an area stratum: its mask's or its box's (the visible
            box, for visible masks of models that predict one).
        image_recall_at_50: Whether recall by occlusion at image level is taken
            at IoU .5 too (``AR50_H``).
        image: Most detections at image level.
        video: Most detections at video level.
        decimals: Rounding of the fractions; None: not rounded.
        score_thr: Least score of a track that exists for HOTA, CLEAR, IDF1 and
            mIoU; AP and AR rank all tracks instead.
        overlap: Rules of mIoU.
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
    image_recall_at_50: bool = False
    image: MaxDetections = MaxDetections()
    video: MaxDetections = MaxDetections()
    decimals: int | None = None
    score_thr: float = .3
    overlap: OverlapRules = OverlapRules('predictions as they are; occluded region: what the '
                                         'visible truth leaves of the object')

    @cached_property
    def strata(self) -> dict[str, Stratum]:
        """Strata by name, 'all' first; areas at every occlusion, occlusions at every area."""
        every = self.every_occlusion
        strata = {'all': Stratum(EVERY_AREA, every, True)}
        strata |= {name: Stratum(EVERY_AREA, bound) for name, bound in self.occlusions.items()}
        return strata | {name: Stratum(bound, every, True) for name, bound in self.areas.items()}

    def with_occlusions(self, bins: Sequence[float]) -> Protocol:
        """The same protocol with occlusion strata of one's own.

        Args:
            bins: Two or more ascending rates in [0, 1]; (0, .1, .3, 1) makes the
                strata '0-10', '10-30' and '30-100', named in percent.

        Raises:
            ValueError: The bins are no ascending rates.
        """
        bins = [float(rate) for rate in bins]
        if len(bins) < 2 or not all(a < b for a, b in pairwise([-1, *bins, 2])) or (
                bins[0] < 0 or bins[-1] > 1):
            raise ValueError(f'occlusion bins must be two or more ascending rates between 0 and '
                             f'1, got {bins}; for example 0 .25 .5 1')
        names = [f'{100 * low:.6g}-{100 * high:.6g}' for low, high in pairwise(bins)]
        return replace(self, occlusions=dict(zip(names, pairwise(bins), strict=True)))


_PARTIAL, _MEDIUM, _HEAVY = (0, .25), (.25, .5), (.25, .75)
_SAILVOS = {'areas': COCO_AREAS, 'every_occlusion': (0, .75), 'max_occlusion': .75}

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol('sailvos', 'VATrack (paper and public code), without the accidents of its code',
                 **_SAILVOS, occlusions={'P': _PARTIAL, 'H': _HEAVY}),
        # Boxes as areas, AP of 100 and AP50 of 1000 detections, the first frame's class: what
        # the code does. It also computes a medium bin and recalls at IoU .5, which the paper
        # does not print.
        Protocol('sailvos-legacy', 'VATrack, public code as it is, for published numbers',
                 **_SAILVOS, occlusions={'P': _PARTIAL, 'medium': _MEDIUM, 'H': _HEAVY},
                 class_rule='first', image_detection_area='box', image_recall_at_50=True,
                 image=MaxDetections(ap=100, fixed=1000, recall=(100, 300, 1000)), decimals=3),
        # X, extreme, is open below: .75 itself is heavy.
        Protocol('sailvos-full', 'as sailvos, but no truth is removed: a perfect predictor has 1',
                 areas=COCO_AREAS,
                 occlusions={'P': _PARTIAL, 'H': _HEAVY, 'X': (math.nextafter(.75, 1), 1)},
                 every_occlusion=(0, 1)),
        Protocol('ytvis', 'YouTube-VIS (youtubevos/cocoapi)', areas=YTVIS_AREAS,
                 strata_at_50=False),
        # Slight, moderate and severe occlusion, of OVIS's rates 0, .25 and .75 by frame.
        Protocol('ovis', 'OVIS (qjy981010/cocoapi)', areas=YTVIS_AREAS, strata_at_50=False,
                 occlusions={'SO': (0, .25), 'MO': (.25, .5), 'HO': (.5, 1)}),
        # The paper does not say how the rate of a track is taken, nor on which side .5 is.
        Protocol('a2vis', 'A2VIS paper (no public code); its HOTA, IDF1 and IDSW are of boxes',
                 strata_at_50=False,
                 occlusions={'lt50': (0, math.nextafter(.5, 0)), 'ge50': (.5, 1)}),
        Protocol('savos', 'SaVos (public code) on FISHBOWL, visible masks given',
                 strata_at_50=False,
                 overlap=OverlapRules('occlusion .1 to .7, without the ends of a run; predictions, '
                                      'and the occluded region, only under other objects',
                                      match='video', composed='truth', occlusion=(.1, .7),
                                      smoothing=1e-6, drop_ends=True)),
        # No script was released; these rules yield the paper's numbers of the convex hull.
        Protocol('savos-chewing-gum', 'SaVos (paper) on Chewing Gum, visible masks given',
                 strata_at_50=False,
                 overlap=OverlapRules('without the ends of a run; predictions, and the occluded '
                                      'region, only under other objects', match='video',
                                      composed='truth', smoothing=1e-6, drop_ends=True)),
        Protocol('savos-kins', 'SaVos (public code) on KINS, visible masks predicted',
                 strata_at_50=False,
                 overlap=OverlapRules('predictions, and the occluded region, only under other '
                                      'predicted objects; no IoUs of 1', composed='prediction',
                                      smoothing=1e-6, drop_perfect=True)),
    )
}


def get_protocol(protocol: str | Protocol, score_thr: float | None = None,
                 occlusion_bins: Sequence[float] | None = None) -> Protocol:
    """Look a protocol up by name; a protocol of one's own passes through.

    Args:
        protocol: Name or protocol.
        score_thr: Not None: replaces :attr:`Protocol.score_thr`.
        occlusion_bins: Not None: see :meth:`Protocol.with_occlusions`.

    Raises:
        ValueError: No protocol has that name, the threshold is no number, or the
            bins are no ascending rates.
    """
    if not isinstance(protocol, Protocol):
        if protocol not in PROTOCOLS:
            raise ValueError(f'unknown protocol {protocol!r}; choose one of {sorted(PROTOCOLS)}')
        protocol = PROTOCOLS[protocol]
    if score_thr is not None:
        if not math.isfinite(score_thr):
            raise ValueError(f'the score threshold must be a finite number, got {score_thr}')
        protocol = replace(protocol, score_thr=score_thr)
    return protocol if occlusion_bins is None else protocol.with_occlusions(occlusion_bins)


def track_category(track: TrackRecord, rule: ClassRule) -> int:
    """Reduce a track's frame classes to one category id; ties go to the smallest id.

    A track without frame classes keeps its ``category_id``.
    """
    classes = [] if track.category_ids is None else [
        (frame, category) for frame, category in zip(track.frames, track.category_ids, strict=True)
        if category is not None]
    if not classes:
        return track.category_id
    if rule == 'first':
        return classes[0][1]
    votes: Counter[int] = Counter()
    for frame, category in classes:
        votes[category] += track.frame_score(frame) if rule == 'score_sum' else 1
    return min(votes, key=lambda category: (-votes[category], category))
