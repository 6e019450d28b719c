"""Collects the errors of videos one by one, like a metric: add, merge, compute."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan

import numpy as np

from vatrack.evaluation.average_precision import RECALL_POINTS
from vatrack.evaluation.protocols import Protocol
from vatrack.evaluation.similarity import ComparedVideo
from vatrack.evaluation.truth import check_kind

from .causes import CAUSES
from .identity_repairs import repair_fragmentation, repair_switch
from .lost_ap import (
    LENGTHS,
    OCCLUSION_BINS,
    StratifiedAP,
    class_mean,
    length_strata,
    losses,
    occlusion_strata,
)
from .mask_repairs import mask_repairs
from .repair import SIMPLE_REPAIRS, Case, Repair, repair_other
from .video import ErrorVideo

#: IoU thresholds of the precision-recall plot and their positions; None is the mean over all ten.
CURVES = {'0.50': 0, '0.75': 5, '0.50 to 0.95': None}
SCORE_BINS = 20


@dataclass(frozen=True)
class Settings:
    """What the analysis is asked for; picklable.

    Attributes:
        with_parts: Truth has visible masks, so amodal masks fall into parts.
        lengths: See :func:`vatrack.analysis.lost_ap.length_strata`.
        worst: So many of the worst cases are kept per cause.
        path: Name of the annotation file, for messages.
    """

    with_parts: bool = True
    lengths: tuple[int, ...] = LENGTHS
    worst: int = 3
    path: str = 'annotations'


@dataclass(frozen=True)
class Example:
    """A case with the names of what is in it.

    Attributes:
        video_id: Video.
        case: What is wrong, in positions.
        track_ids: Ids of its tracks, the wrong one first.
        scores: Their scores.
        track_categories: Their category ids.
        instance_ids: Ids of its truths.
        truth_categories: Their category ids.
    """

    video_id: int
    case: Case
    track_ids: tuple[int, ...]
    scores: tuple[float, ...]
    track_categories: tuple[int, ...]
    instance_ids: tuple[int, ...]
    truth_categories: tuple[int, ...]


@dataclass(frozen=True)
class CauseLoss:
    """What one cause costs; fractions, None where there is no truth.

    Attributes:
        cause: Name in :data:`vatrack.analysis.causes.CAUSES`.
        count: How many objects or tracks have the error.
        dvAP50: vAP50 that the repair gains.
        dvAP: vAP that it gains.
        strata: dvAP50 by stratum.
        worst: The worst cases, worst first.
    """

    cause: str
    count: int
    dvAP50: float | None
    dvAP: float | None
    strata: dict[str, float | None]
    worst: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class KindErrors:
    """The errors of one kind of mask; fractions, None where there is no truth.

    Attributes:
        vAP: Before any repair.
        vAP50: The same at IoU .5.
        num_tracks: How many tracks there are.
        num_found: How many of them find an object at IoU .5.
        strata: By name: number of truths, vAP50 and recall at IoU .5; 'all' first.
        occlusion_strata: Bounds of those of them that are strata of occlusion.
        occlusion_bins: The same by tenths of occlusion, with 'low' and 'high'.
        causes: Losses by cause.
        precision: Precision at 101 recalls, by IoU threshold, mean over classes.
        score_edges: Edges of the bins of the histogram of scores.
        found_scores: Tracks that find an object, by bin.
        false_scores: False positives, by bin.
    """

    vAP: float | None
    vAP50: float | None
    num_tracks: int
    num_found: int
    strata: dict[str, dict[str, float | int | None]]
    occlusion_strata: dict[str, tuple[float, float]]
    occlusion_bins: list[dict[str, float | int | None]]
    causes: list[CauseLoss]
    precision: dict[str, list[float] | None]
    score_edges: list[float]
    found_scores: list[int]
    false_scores: list[int]


class ErrorCollector:
    """Repairs every cause in every video on its own and holds vAP against vAP.

    Args:
        protocol: The rules.
        category_ids: Ids of the annotation file, ascending.
        settings: What else is asked for.
    """

    level = 'video'
    partial_truth = False

    def __init__(self, protocol: Protocol, category_ids: Sequence[int],
                 settings: Settings | None = None) -> None:
        self.protocol, self.settings = protocol, settings or Settings()
        self._category_ids = list(category_ids)
        self._occlusions = occlusion_strata(protocol)
        self._lengths = length_strata(self.settings.lengths)
        self._base = self._curves([*self._occlusions.values(), *OCCLUSION_BINS])
        self._repaired: dict[str, StratifiedAP] = {}
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[Example]] = {}
        self._scores: list[np.ndarray] = []
        self._found: list[np.ndarray] = []

    def _curves(self, occlusions: Sequence[tuple[float, float]]) -> StratifiedAP:
        return StratifiedAP(self.protocol, self._category_ids, occlusions,
                            list(self._lengths.values()))

    def add(self, compared: ComparedVideo) -> None:
        """Take in one video.

        Raises:
            AnnotationError: Amodal truth lacks a visible mask, which the parts need.
        """
        with_parts = self.settings.with_parts and compared.kind == 'amodal'
        if with_parts:
            check_kind(compared.truths, 'visible', compared.video, self.settings.path)
        video = ErrorVideo.of(compared, self.protocol)
        self._base.add(video, video.tracks, video.truths)
        self._scores.append(video.tracks.scores[~video.ignored])
        self._found.append((video.found >= 0)[~video.ignored])
        for name, repair in repairs(video, with_parts):
            if name not in self._repaired:
                self._repaired[name] = self._curves(list(self._occlusions.values()))
            self._repaired[name].add(video, repair.tracks, repair.truths)
            self._note(name, repair.count, [_example(video, case) for case in repair.cases])

    def merge(self, other: ErrorCollector) -> None:
        """Take in what another has seen."""
        self._base.merge(other._base)
        self._scores += other._scores
        self._found += other._found
        for name, curves in other._repaired.items():
            if name in self._repaired:
                self._repaired[name].merge(curves)
            else:
                self._repaired[name] = curves
            self._note(name, other._counts[name], other._examples[name])

    def _note(self, name: str, count: int, examples: Sequence[Example]) -> None:
        self._counts[name] = self._counts.get(name, 0) + count
        ranked = sorted([*self._examples.get(name, ()), *examples],
                        key=lambda each: (-each.case.weight, each.video_id, each.track_ids,
                                          each.instance_ids))
        self._examples[name] = ranked[:self.settings.worst]

    def compute(self) -> KindErrors:
        """All numbers."""
        before = self._base.ap()
        size, bins = 1 + len(self._occlusions), len(OCCLUSION_BINS)
        # Without the bins of the plot, which stand between occlusions and lengths.
        shown = np.r_[0:size, size + bins:size + bins + len(self._lengths)]
        names = ['all', *self._occlusions, *self._lengths]
        rows = [*self._rows(before['vAP50'])]
        ap = class_mean(before['vAP'])
        edges, found, false = self._histogram()
        return KindErrors(
            vAP=_number(ap[0]), vAP50=rows[0]['vAP50'],
            num_tracks=sum(map(len, self._scores)), num_found=int(found.sum()),
            strata=dict(zip(names, [rows[s] for s in shown], strict=True)),
            occlusion_strata=self._occlusions,
            occlusion_bins=[{'low': low / bins, 'high': (low + 1) / bins} | rows[size + low]
                            for low in range(bins)],
            causes=[self._loss(name, {key: values[:, shown] for key, values in before.items()},
                               names) for name in CAUSES if name in self._repaired],
            precision=self._precision(), score_edges=edges.tolist(),
            found_scores=found.tolist(), false_scores=false.tolist())

    def _rows(self, ap50: np.ndarray) -> Iterator[dict[str, float | int | None]]:
        numbers = (self._base.num_truth.sum(axis=0), class_mean(ap50),
                   class_mean(self._base.recall()[:, :, 0]))
        for truths, ap, recall in zip(*numbers, strict=True):
            yield {'truths': int(truths), 'vAP50': _number(ap), 'recall50': _number(recall)}

    def _loss(self, name: str, before: dict[str, np.ndarray], strata: list[str]) -> CauseLoss:
        gains = losses(before, self._repaired[name].ap())
        return CauseLoss(name, self._counts[name], _number(gains['vAP50'][0]),
                         _number(gains['vAP'][0]),
                         dict(zip(strata, map(_number, gains['vAP50']), strict=True)),
                         self._examples[name])

    def _precision(self) -> dict[str, list[float] | None]:
        every = self._base.precision(self.protocol.video.fixed)[:, 0]
        curves = {}
        for name, threshold in CURVES.items():
            mean = class_mean(every.mean(axis=1) if threshold is None else every[:, threshold])
            curves[name] = None if np.isnan(mean).any() else mean.tolist()
        return curves

    def _histogram(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scores = np.concatenate([np.zeros(0), *self._scores])
        found = np.concatenate([np.zeros(0, bool), *self._found])
        bounds = min(0., scores.min(initial=0)), max(1., scores.max(initial=1))
        edges = np.linspace(*bounds, SCORE_BINS + 1)
        return edges, *(np.histogram(part, edges)[0] for part in (scores[found], scores[~found]))


def repairs(video: ErrorVideo, with_parts: bool) -> Iterator[tuple[str, Repair]]:
    """The repairs of a video by name of the cause, each of them alone."""
    for name, simple in SIMPLE_REPAIRS.items():
        yield name, simple(video)
    yield from mask_repairs(video, with_parts).items()
    switch, switched = repair_switch(video)
    yield 'switch', switch
    fragmentation, joined = repair_fragmentation(video)
    yield 'fragmentation', fragmentation
    yield 'other', repair_other(video, switched | joined)


def recall_points() -> list[float]:
    """The 101 recalls of :attr:`KindErrors.precision`."""
    return RECALL_POINTS.tolist()


def _example(video: ErrorVideo, case: Case) -> Example:
    tracks = [video.compared.tracks[d] for d in case.tracks]
    truths = [video.compared.truths[video.rows[g]] for g in case.truths]
    return Example(
        video.compared.video.id, case, tuple(track.track_id for track in tracks),
        tuple(float(track.score) for track in tracks),
        tuple(int(video.tracks.categories[d]) for d in case.tracks),
        tuple(truth.instance_id for truth in truths),
        tuple(truth.category_id for truth in truths))


def _number(value: float) -> float | None:
    return None if isnan(value) else float(value)
