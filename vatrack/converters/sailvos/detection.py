"""Where a SAIL-VOS video cuts to another camera, found from its frames.

The rule of SAIL-VOS-cut: a frame that differs from the one before by a content score (that of
PySceneDetect, without edges) of at least 27, not too close to the last cut or the end.
"""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from vatrack.files import resolve_image
from vatrack.files.whole_file import replace_when_done
from vatrack.video.image_file import ImageError, read_image

from ..common import ConversionError, run_parallel
from .frames import find_frames
from .shots import Shot, shots_between
from .source import SourceVideo


@dataclass(frozen=True, slots=True)
class DetectionOptions:
    """How to find cuts.

    Attributes:
        threshold: Lowest content score of a cut, in [0, 255].
        min_length: Frames between two cuts, at least; after the last one there are more.
        legacy_channels: Swap red and blue before the conversion to HSV, as the released code
            does; needed for exactly its cuts.
    """

    threshold: float = 27.0
    min_length: int = 5
    legacy_channels: bool = False


def content_score(before: np.ndarray, after: np.ndarray) -> float:
    """Mean over the channels of the mean absolute difference of two HSV images.

    Hue is 0 to 179 and does not wrap around, as in PySceneDetect.

    Args:
        before: (H, W, 3) uint8.
        after: (H, W, 3) uint8.
    """
    sums = cv2.sumElems(cv2.absdiff(before, after))[:3]
    pixels = before.shape[0] * before.shape[1]
    return sum(channel / pixels for channel in sums) / 3.0


def find_cuts(scores: Sequence[float], options: DetectionOptions) -> list[int]:
    """Positions of the first frames of all shots but the first.

    Frame t of F is a cut if its score reaches the threshold, at least ``min_length`` frames lie
    between it and the cut before (or the start), and more than ``min_length`` follow it.

    Args:
        scores: (F - 2,) content scores of the frames 1 to F - 2; the last frame has none.
        options: Threshold and length.
    """
    last, previous, cuts = len(scores) + 1, 0, []
    for position in (np.flatnonzero(np.asarray(scores) >= options.threshold) + 1).tolist():
        if position - previous >= options.min_length and last - position > options.min_length:
            cuts.append(position)
            previous = position
    return cuts


def detect_shots(videos: Sequence[SourceVideo], images: str | Path, cache: str | Path,
                 options: DetectionOptions, workers: int = 1) -> list[list[Shot]]:
    """Split videos at the cuts found from their frames.

    The scores of each video are kept in ``<cache>/<video>.json``, from which a later run takes
    them, whatever its threshold and length.

    Args:
        videos: The videos.
        images: Folder of the frames, see :func:`~.sailvos_frames.find_frames`.
        cache: Folder of the scores.
        options: How to find cuts.
        workers: Number of processes.

    Returns:
        The shots of each video.

    Raises:
        AnnotationError: A frame is missing; names it.
        ConversionError: A frame is unreadable or of another size than its video; names it.
    """
    score = partial(score_video, images=Path(images), cache=Path(cache),
                    legacy_channels=options.legacy_channels)
    run_parallel(score, videos, workers, 'detecting cuts')
    return [shots_between(video, find_cuts(_load_scores(Path(cache), video,
                                                        options.legacy_channels), options))
            for video in videos]


def score_video(video: SourceVideo, images: Path, cache: Path, legacy_channels: bool) -> None:
    """Score the frames of a video and keep the scores, unless that is done."""
    if _load_scores(cache, video, legacy_channels) is not None:
        return
    scores, before = [], None
    for after in _read_frames(video, images, legacy_channels):
        if before is not None:
            scores.append(content_score(before, after))
        before = after
    record = _key(video, legacy_channels) | {'scores': scores[:-1]}
    with replace_when_done(cache / f'{video.name}.json') as file:
        json.dump(record, file)


def _read_frames(video: SourceVideo, images: Path, legacy_channels: bool) -> Iterator[np.ndarray]:
    """Frames in time order, (H, W, 3) uint8 HSV."""
    code = cv2.COLOR_BGR2HSV if legacy_channels else cv2.COLOR_RGB2HSV
    folder = find_frames(images, video.name)
    for frame in video.frames:
        path = resolve_image(folder, frame.file_name, video.name)
        try:
            pixels = read_image(path)
        except ImageError as error:
            raise ConversionError(f"{path}: video '{video.name}', frame {frame.frame_id}: is no "
                                  f'readable image ({error.fault}); extract the frame '
                                  'again') from None
        size = pixels.shape[1], pixels.shape[0]
        if size != video.size:
            raise ConversionError(f"{path}: video '{video.name}', frame {frame.frame_id}: has "
                                  f'(width, height) {size}, but its annotations {video.size}; use '
                                  'the frames that were annotated')
        yield cv2.cvtColor(pixels, code)


def _key(video: SourceVideo, legacy_channels: bool) -> dict:
    """What the scores of a video depend on."""
    return {'video': video.name, 'legacy_channels': legacy_channels,
            'frames': [frame.base_name for frame in video.frames]}


def _load_scores(cache: Path, video: SourceVideo, legacy_channels: bool) -> list[float] | None:
    """Scores from an earlier run, or None if there are none for these frames and channels."""
    try:
        record = json.loads((cache / f'{video.name}.json').read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return None
    scores = record.pop('scores')
    return scores if record == _key(video, legacy_channels) else None
