"""Truth of a video: annotations of single frames put together to tracks."""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vatrack.files import AnnotationError
from vatrack.structures import MASK_KINDS, AnnotationFile, Instance, Video
from vatrack.structures.rle import RLE, areas

from .protocols import Protocol, get_protocol


@dataclass
class TruthTrack:
    """One object over the T frames of a video; None where it is absent or removed."""

    instance_id: int
    category_id: int
    instances: list[Instance | None]

    @cached_property
    def iscrowd(self) -> bool:
        """Whether any of its frames is a crowd."""
        return any(instance.iscrowd for instance in self.instances if instance)

    @cached_property
    def occlusion(self) -> float:
        """Occlusion of the track: mean of the upper half of its known rates, else NaN.

        Of n rates the ceil(n / 2) largest count (OVIS evaluator, adopted by
        VATrack). Frames whose mask is empty count by their rate.
        """
        rates = sorted(instance.occlusion for instance in self.instances
                       if instance and instance.occlusion is not None)
        return float(np.mean(rates[len(rates) // 2:])) if rates else math.nan

    def masks(self, kind: str) -> list[RLE | None]:
        """T masks of one kind, None where absent."""
        return [instance and instance.masks.get(kind) for instance in self.instances]


def truth_tracks(video: Video, max_occlusion: float | None, path: str) -> list[TruthTrack]:
    """Tracks of a video in order of instance id.

    Args:
        video: Video with its annotated frames.
        max_occlusion: Frames of an object more occluded than this are removed.
        path: Name of the annotation file, for messages.

    Raises:
        AnnotationError: An object changes its category, or stands twice in a frame.
    """
    tracks: dict[int, TruthTrack] = {}
    for index, frame in enumerate(video.frames):
        for instance in frame.instances:
            track = tracks.get(instance.instance_id)
            if track is None:
                track = tracks[instance.instance_id] = TruthTrack(
                    instance.instance_id, instance.category_id, [None] * len(video.frames))
            if instance.category_id != track.category_id or track.instances[index] is not None:
                raise AnnotationError(f'{path}: video {video.id} ({video.name}), frame '
                                      f'{frame.frame_id}: {_contradiction(track, instance)}')
            track.instances[index] = instance
    for track in tracks.values():
        track.instances = [instance if instance and _is_kept(instance, max_occlusion) else None
                           for instance in track.instances]
    return [tracks[instance_id] for instance_id in sorted(tracks)]


def truth_kinds(annotations: AnnotationFile) -> list[str]:
    """Mask kinds that the file annotates; all of them if it holds no instance at all."""
    found: set[str] = set()
    empty = True
    for _, frame in annotations.frames:
        for instance in frame.instances:
            empty = False
            found.update(instance.masks)
    return [kind for kind in MASK_KINDS if empty or kind in found]


def has_truth(annotations: AnnotationFile, kind: str, protocol: str | Protocol = 'sailvos') -> bool:
    """Whether the protocol leaves any mask of ``kind`` with a pixel; else every metric is -1."""
    max_occlusion = get_protocol(protocol).max_occlusion
    return any(areas([instance.masks[kind]])[0] > 0 for _, frame in annotations.frames
               for instance in frame.instances
               if kind in instance.masks and _is_kept(instance, max_occlusion))


def check_kind(tracks: list[TruthTrack], kind: str, video: Video, path: str) -> None:
    """Refuse truth that is not annotated in ``kind``, so that it never counts as absent.

    An object that is wholly hidden has no visible mask, and needs none.

    Raises:
        AnnotationError: An annotation lacks the mask; names it.
    """
    for track in tracks:
        for instance in track.instances:
            if instance is None or kind in instance.masks or _is_hidden(instance, kind):
                continue
            raise AnnotationError(f'{path}: video {video.id} ({video.name}): annotation '
                                  f'{instance.id} has no {kind} mask; add it, or score only the '
                                  f'kinds {sorted(instance.masks)}, or mIoU of {kind} masks alone, '
                                  'which leaves such objects out')


def _contradiction(track: TruthTrack, instance: Instance) -> str:
    if instance.category_id != track.category_id:
        return (f'instance {instance.instance_id} has category {instance.category_id}, earlier '
                f'{track.category_id}; give each object one category')
    return (f'instance {instance.instance_id} is annotated twice; make instance ids unique in a '
            'frame')


def _is_kept(instance: Instance, max_occlusion: float | None) -> bool:
    return max_occlusion is None or instance.occlusion is None or (
        instance.occlusion <= max_occlusion)


def _is_hidden(instance: Instance, kind: str) -> bool:
    return kind == 'visible' and 'amodal' in instance.masks and (
        instance.occlusion is None or math.isclose(instance.occlusion, 1, abs_tol=1e-6))
