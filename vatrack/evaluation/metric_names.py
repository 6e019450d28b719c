"""The names of metrics, and which classes compute them."""
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.logging import print_log

from vatrack.files import ResultError, TrackSelection
from vatrack.structures import MASK_KINDS, TrackRecord

from .ap_metrics import ImageAP, VideoAP, detection_boxes
from .miou import MeanIoU
from .protocols import Protocol
from .tracking import Tracking

_FAMILIES = (ImageAP, VideoAP, Tracking, MeanIoU)

#: Classes by the metrics they compute. A class is built with (protocol,
#: category ids, names of its metrics that are wanted), fed a
#: :class:`ComparedVideo` by ``add``, put together with those of other videos by
#: ``merge``, read by ``compute`` and ``by_category``; it has ``names`` and a
#: ``level``, 'image' or 'video', and ``partial_truth``.
METRICS: dict[str, Any] = {name: family for family in _FAMILIES for name in family.names}

#: Stands for every metric that the data and the protocol admit.
ALL_METRICS = 'all'


def check_metrics(metrics: str | Sequence[str]) -> list[str]:
    """Names of metrics as a list.

    Raises:
        ValueError: A name is unknown; lists those that are not.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    unknown = [name for name in names if name not in METRICS and name != ALL_METRICS]
    if unknown or not names:
        raise ValueError(f'unknown metrics {unknown}; choose from {[*METRICS, ALL_METRICS]}')
    return names


def admitted_metrics(names: Sequence[str], protocol: Protocol, tracks: Sequence[TrackRecord],
                     pairs: Mapping[str, str], true_kinds: Sequence[str],
                     selection: TrackSelection | None = None) -> list[str]:
    """Put names for 'all', and refuse what the data do not admit.

    What 'all' leaves out is logged as a warning.

    Args:
        names: As :func:`check_metrics` gives them.
        protocol: The rules.
        tracks: All predictions.
        pairs: Predicted mask kind by the kind of truth it is held against.
        true_kinds: Mask kinds of the annotations.
        selection: Tracks that alone count; only some metrics can do that.

    Raises:
        ResultError: A metric that was asked for by name cannot be computed.
    """
    lacking = {name: _lacking(name, protocol, tracks, pairs, true_kinds) for name in METRICS}
    if selection is not None:
        lacking |= {name: f'{selection.path} selects tracks, and what is predicted for others '
                    'would count against it; ask for mIoU, or score all tracks'
                    for name in METRICS if name not in MeanIoU.names}
    for name in names:
        if name != ALL_METRICS and lacking[name]:
            raise ResultError(f'{name} cannot be computed: {lacking[name]}')
    if ALL_METRICS not in names:
        return list(dict.fromkeys(names))
    for name, reason in lacking.items():
        if reason:
            print_log(f'{ALL_METRICS} leaves out {name}: {reason}', 'current', logging.WARNING)
    return [name for name, reason in lacking.items() if not reason]


def metric_makers(names: Sequence[str], protocol: Protocol,
                  category_ids: Sequence[int],
                  selection: TrackSelection | None = None) -> list[Callable[[], Any]]:
    """What makes the metrics of these names; one object may serve several names."""
    families = dict.fromkeys(METRICS[name] for name in names)
    return [partial(family, protocol, category_ids,
                    [name for name in family.names if name in names],
                    **({'selection': selection} if family is MeanIoU else {}))
            for family in families]


def _lacking(name: str, protocol: Protocol, tracks: Sequence[TrackRecord],
             pairs: Mapping[str, str], true_kinds: Sequence[str]) -> str | None:
    """Why a metric cannot be computed, and the remedy; None if it can."""
    predicted = set(tracks[0].masks) if tracks else set(MASK_KINDS)
    bare = next((track for track in tracks for kind in pairs.values()
                 if detection_boxes(track, kind) is None), None)
    if METRICS[name] is ImageAP and protocol.image_detection_area == 'box' and bare is not None:
        return (f'protocol {protocol.name!r} takes areas from boxes, but track {bare.track_id} of '
                f'video {bare.video_id} has no boxes; write bboxes into the results, or choose the '
                "protocol 'sailvos'")
    if name in MeanIoU.names and 'amodal' in pairs and not (
            'visible' in predicted and 'visible' in true_kinds):
        return ('the track of an amodal mask is found by the visible one, which the predictions or '
                'the annotations lack')
    return None
