"""Score tracks against an annotation file: one function, offline."""
from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmengine.utils import track_iter_progress

from vatrack.structures import MASK_KINDS, AnnotationFile
from vatrack.structures.results import ResultError, TrackRecord, check_tracks

from .ap_metrics import ImageAP, VideoAP
from .protocols import Protocol, get_protocol
from .similarity import compare_video
from .truth import check_kind, truth_kinds, truth_tracks

#: Metrics by name: built with (protocol, category ids), fed one
#: :class:`ComparedVideo` after the other by ``add``, read by ``compute``; their
#: ``level`` is 'image' or 'video'.
METRICS: dict[str, Any] = {'AP': ImageAP, 'vAP': VideoAP}


def evaluate(annotations: AnnotationFile, tracks: Iterable[TrackRecord],
             metrics: Sequence[str] = ('AP', 'vAP'), protocol: str | Protocol = 'sailvos',
             kinds: Sequence[str] | None = None,
             predicted_kind: Mapping[str, str] | None = None,
             progress: bool = False) -> dict[str, float]:
    """Score tracks.

    Detections rank by score; equal scores by video (or image) id, then by their
    order in ``tracks``.

    Args:
        annotations: Truth.
        tracks: Predictions for its videos.
        metrics: Names out of :data:`METRICS`.
        protocol: Name of a protocol, or one of your own.
        kinds: Mask kinds of the truth to score; None: all that predictions and
            truth both hold.
        predicted_kind: Which predicted masks to hold against the truth of a
            kind, if not its own: ``{'amodal': 'visible'}`` takes the visible
            masks for amodal ones.
        progress: Show a progress bar on stderr.

    Returns:
        Fractions in [0, 1] by ``'{kind}/{image|video}/{name}'``, such as
        ``'amodal/video/vAP50_H'``; -1 where there is no truth.

    Raises:
        ValueError: Unknown metric, protocol or kind.
        ResultError: A track does not fit the annotations, or a kind is asked for
            that the predictions or the annotations lack.
        AnnotationError: The truth contradicts itself or lacks a mask.
    """
    protocol = get_protocol(protocol)
    names = check_metrics(metrics)
    tracks = list(tracks)
    check_tracks(tracks, annotations, 'predictions')
    pairs = _kind_pairs(annotations, tracks, kinds, predicted_kind or {})
    scorers = {kind: [METRICS[name](protocol, sorted(annotations.categories)) for name in names]
               for kind in pairs}
    by_video = defaultdict(list)
    for track in tracks:
        by_video[track.video_id].append(track)
    videos = annotations.videos
    for video in track_iter_progress(videos, file=sys.stderr) if progress else videos:
        truths = truth_tracks(video, protocol.max_occlusion, annotations.path)
        for kind, predicted in pairs.items():
            check_kind(truths, kind, video, annotations.path)
            compared = compare_video(video, by_video[video.id], truths, kind, predicted)
            for scorer in scorers[kind]:
                scorer.add(compared)
    values = {f'{kind}/{name}': value for kind in pairs for scorer in scorers[kind]
              for name, value in scorer.compute().items()}
    if protocol.decimals is None:
        return values
    return {name: round(value, protocol.decimals) for name, value in values.items()}


def check_metrics(metrics: Sequence[str]) -> list[str]:
    """Names of metrics as a list.

    Raises:
        ValueError: A name is unknown; lists those that are not.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise ValueError(f'unknown metrics {unknown}; choose from {list(METRICS)}')
    return names


def _kind_pairs(annotations: AnnotationFile, tracks: Sequence[TrackRecord],
                kinds: Sequence[str] | None, predicted_kind: Mapping[str, str]) -> dict[str, str]:
    """Predicted kind by truth kind, for the kinds to score."""
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
        raise ResultError(f'cannot score {pairs} (truth: predictions): {annotations.path} holds '
                          f'{true} masks, the predictions {sorted(predicted)}; ask for kinds that '
                          'both hold')
    return scorable
