"""Score tracks against an annotation file: one function, offline."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from vatrack.files import ResultError, TrackSelection
from vatrack.files.result_file import check_tracks
from vatrack.structures import MASK_KINDS, AnnotationFile, TrackRecord

from .metric_names import METRICS, admitted_metrics, check_metrics, metric_makers
from .protocols import Protocol, get_protocol
from .truth import truth_kinds
from .video_loop import Plan, Scorers, score_videos

__all__ = ['METRICS', 'check_metrics', 'evaluate', 'kind_pairs']


def evaluate(annotations: AnnotationFile, tracks: Iterable[TrackRecord],
             metrics: Sequence[str] = ('AP', 'AR', 'vAP', 'vAR'),
             protocol: str | Protocol = 'sailvos', kinds: Sequence[str] | None = None,
             predicted_kind: Mapping[str, str] | None = None,
             workers: int = 1, progress: bool = False, score_thr: float | None = None,
             occlusion_bins: Sequence[float] | None = None,
             per_category: bool = False,
             selection: TrackSelection | None = None) -> dict[str, float]:
    """Score tracks.

    Detections rank by score; equal scores by video (or image) id, then by their
    order in ``tracks``. The numbers are the same, to the bit, for any order of
    the videos in the file and any number of processes.

    Args:
        annotations: Truth.
        tracks: Predictions for its videos.
        metrics: Names out of :data:`METRICS`, or 'all'.
        protocol: Name of a protocol, or one of your own.
        kinds: Mask kinds of the truth to score; None: all that predictions and
            truth both hold.
        predicted_kind: Which predicted masks to hold against the truth of a
            kind, if not its own: ``{'amodal': 'visible'}`` takes the visible
            masks for amodal ones.
        workers: Number of processes that share the videos.
        progress: Show a progress bar on stderr, if that is a terminal.
        score_thr: Least score of a track that exists for HOTA, CLEAR, IDF1 and
            mIoU; None: the protocol's.
        occlusion_bins: Ends of occlusion strata that replace the protocol's,
            see :meth:`Protocol.with_occlusions`.
        per_category: Add every number of each category, under its name and the
            category's: ``'amodal/video/vAP/fish'``.
        selection: Only these tracks of the truth count, in these frames; mIoU alone
            can do that. None: all.

    Returns:
        Fractions in [0, 1] by ``'{kind}/{image|video}/{name}'``, such as
        ``'amodal/video/vAP50_H'``; -1 where there is no truth. Of the tracking
        metrics some are counts, and MOTA may be any number up to 1.

    Raises:
        ValueError: Unknown metric, protocol or kind, or bins that do not ascend.
        ResultError: A track does not fit the annotations, or a kind or metric is
            asked for that the predictions or the annotations do not allow.
        AnnotationError: The truth contradicts itself or lacks a mask, or is not
            that of the selection.
    """
    if selection is not None:
        selection.check(annotations)
    protocol = get_protocol(protocol, score_thr, occlusion_bins)
    names = check_metrics(metrics)
    tracks = list(tracks)
    check_tracks(tracks, annotations, 'predictions')
    pairs = kind_pairs(annotations, tracks, kinds, predicted_kind or {})
    names = admitted_metrics(names, protocol, tracks, pairs, truth_kinds(annotations),
                             selection)
    by_video = defaultdict(list)
    for track in tracks:
        by_video[track.video_id].append(track)
    category_ids = sorted(annotations.categories)
    plan = Plan(metric_makers(names, protocol, category_ids, selection), pairs,
                protocol.max_occlusion, annotations.path)
    scorers = score_videos(plan, annotations.videos, by_video, workers, progress)
    return _numbers(scorers, annotations.categories if per_category else {}, protocol.decimals)


def _numbers(scorers: Scorers, categories: Mapping[int, str],
             decimals: int | None) -> dict[str, float]:
    """Numbers by name, and under it by the names of categories, rounded to ``decimals``."""
    values = {}
    for kind, metrics in scorers.items():
        for metric in metrics:
            values |= {f'{kind}/{name}': value for name, value in metric.compute().items()}
    for kind, metrics in scorers.items():
        for metric in metrics if categories else ():
            values |= {f'{kind}/{name}/{categories[category]}': value
                       for category, numbers in metric.by_category().items()
                       for name, value in numbers.items()}
    if decimals is None:
        return values
    return {name: round(value, decimals) for name, value in values.items()}


def kind_pairs(annotations: AnnotationFile, tracks: Sequence[TrackRecord],
               kinds: Sequence[str] | None, predicted_kind: Mapping[str, str]) -> dict[str, str]:
    """Predicted kind by truth kind, for the kinds to score.

    Raises:
        ValueError: A kind is unknown.
        ResultError: Predictions or annotations lack a kind.
    """
    # Without a single prediction no kind is lacking: every object is missed.
    predicted = set(tracks[0].masks) if tracks else set(MASK_KINDS)
    true = truth_kinds(annotations)
    pairs = {kind: predicted_kind.get(kind, kind) for kind in kinds or MASK_KINDS}
    unknown = ({*pairs, *pairs.values(), *predicted_kind}) - set(MASK_KINDS)
    if unknown:
        raise ValueError(f'unknown mask kinds {sorted(unknown)}; choose from {MASK_KINDS}')
    scorable = {kind: source for kind, source in pairs.items()
                if kind in true and source in predicted}
    if (kinds and scorable != pairs) or not scorable:
        wanted = ' and '.join(f'{source} predictions against {kind} truth'
                              for kind, source in pairs.items() if kind not in scorable)
        raise ResultError(f'cannot score {wanted}: {annotations.path} holds {true} masks, the '
                          f'predictions {sorted(predicted)}; ask for kinds that both hold')
    return scorable
