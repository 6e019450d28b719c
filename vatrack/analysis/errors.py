"""Why vAP is lost: one function, offline."""
from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from vatrack.evaluation.evaluate import kind_pairs
from vatrack.evaluation.protocols import Protocol, get_protocol
from vatrack.evaluation.truth import truth_kinds
from vatrack.evaluation.video_loop import Plan, score_videos
from vatrack.files.result_file import check_tracks
from vatrack.files.whole_file import replace_when_done
from vatrack.structures import AnnotationFile, TrackRecord

from .causes import CAUSES
from .collector import ErrorCollector, KindErrors, Settings


@dataclass(frozen=True)
class ErrorReport:
    """The errors of a result file.

    Attributes:
        data: Name of the annotation file.
        results: Name of the result file.
        protocol: Name of the protocol.
        source: Where its rules come from.
        kinds: Errors by mask kind.
    """

    data: str
    results: str
    protocol: str
    source: str
    kinds: dict[str, KindErrors]


def analyze_errors(annotations: AnnotationFile, tracks: Iterable[TrackRecord],
                   protocol: str | Protocol = 'sailvos-full',
                   kinds: Sequence[str] | None = None, settings: Settings | None = None,
                   workers: int = 1, results: str = 'predictions') -> ErrorReport:
    """Find what vAP and vAP50 are lost to.

    Every cause is repaired alone, by an oracle, and vAP is computed again: the
    gain is the loss by that cause. Gains do not add up, because one track can
    be wrong for several reasons.

    Args:
        annotations: Truth.
        tracks: Predictions for its videos.
        protocol: Name of a protocol, or one of your own.
        kinds: Mask kinds; None: all that predictions and truth both hold.
        settings: What else is asked for; ``with_parts`` and ``path`` are set here.
        workers: Number of processes that share the videos.
        results: Name of the result file, for messages and reports.

    Raises:
        ValueError: Unknown protocol or kind, or impossible lengths.
        ResultError: A track does not fit the annotations, or a kind is asked for
            that the predictions or the annotations lack.
        AnnotationError: The truth contradicts itself or lacks a mask.
    """
    protocol, tracks = get_protocol(protocol), list(tracks)
    check_tracks(tracks, annotations, results)
    pairs = kind_pairs(annotations, tracks, kinds, {})
    settings = replace(settings or Settings(), path=annotations.path,
                       with_parts='visible' in truth_kinds(annotations))
    by_video: Mapping[int, list[TrackRecord]] = defaultdict(list)
    for track in tracks:
        by_video[track.video_id].append(track)
    plan = Plan([partial(ErrorCollector, protocol, sorted(annotations.categories), settings)],
                pairs, protocol.max_occlusion, annotations.path)
    collectors = score_videos(plan, annotations.videos, by_video, workers)
    return ErrorReport(annotations.path, results, protocol.name, protocol.source,
                       {kind: collectors[kind][0].compute() for kind in pairs})


def save_errors(path: str | Path, report: ErrorReport) -> None:
    """Write a report as JSON; the file appears only when it is complete."""
    content = asdict(report) | {
        'repairs': {cause.name: cause.repair for cause in CAUSES.values()}}
    with replace_when_done(path) as file:
        json.dump(content, file, indent=1, allow_nan=False)
        file.write('\n')
