"""Made tracks for the tests of result formats: several videos, classes and kinds, with gaps."""
from __future__ import annotations

import math

import numpy as np

from vatrack.structures import AnnotationFile, Frame, TrackRecord, Video, rle

LENGTHS = {7: 6, 2: 4, 5: 3}  # video 5 has no track
SIZES = {7: (12, 17), 2: (9, 30), 5: (4, 4)}
CATEGORIES = {3: 'fish', 1: 'crab', 12: 'ship'}


def annotations(categories: dict[int, str] = CATEGORIES) -> AnnotationFile:
    """Three videos without truth; image ids start at 0."""
    videos, image = [], 0
    for video_id, length in LENGTHS.items():
        height, width = SIZES[video_id]
        frames = [Frame(image + t, t, f'{video_id}/{t}.png') for t in range(length)]
        videos.append(Video(video_id, f'city/v {video_id}', width, height, frames))
        image += length
    return AnnotationFile('truth.json', dict(categories), videos)


def random_tracks(seed: int, *, apart: bool = False, classes: bool = True,
                  boxes: bool = True) -> list[TrackRecord]:
    """Tracks with gaps, whose visible part is missing in some frames.

    Args:
        seed: Of the random numbers.
        apart: Masks of different tracks do not overlap.
        classes: Some tracks change their class.
        boxes: Both kinds of boxes, and scores of the frames.
    """
    rng = np.random.default_rng(seed)
    tracks = []
    for video_id, length in LENGTHS.items():
        for number in range(0 if video_id == 5 else 4):
            frames = np.flatnonzero(rng.random(length) < .7).tolist() or [length - 1]
            tracks.append(_track(rng, video_id, len(tracks) + 1, frames, number if apart else None))
            if classes and number == 2:
                _change_classes(rng, tracks[-1])
            if boxes:
                _add_boxes(rng, tracks[-1])
    return tracks


def _track(rng, video_id, track_id, frames, stripe):
    height, width = SIZES[video_id]
    amodal = rng.random((len(frames), height, width)) < .5
    if stripe is not None:
        amodal[:, :, np.arange(width) % 4 != stripe] = False
    amodal[:, 0, stripe or 0] = True
    visible = amodal & (rng.random(amodal.shape) < .7)
    visible[0, 0, stripe or 0] = True
    visible[1:][rng.random(len(frames) - 1) < .3] = False
    seen = visible.any(axis=(1, 2))
    masks = {'amodal': rle.encode(amodal),
             'visible': [mask if there else None for mask, there in
                         zip(rle.encode(visible), seen, strict=True)]}
    return TrackRecord(video_id, track_id, int(rng.choice(list(CATEGORIES))),
                       float(rng.random()), frames, masks)


def _change_classes(rng, track):
    track.category_ids = rng.choice(list(CATEGORIES), len(track.frames)).tolist()
    counts = {c: track.category_ids.count(c) for c in track.category_ids}
    track.category_id = min(counts, key=lambda c: (-counts[c], c))
    if len(counts) == 1:
        track.category_ids = None


def _add_boxes(rng, track):
    track.scores = rng.random(len(track.frames)).tolist()
    track.score = math.fsum(track.scores) / len(track.scores)
    corners = np.round(rng.uniform(-3, 8, (2, len(track.frames), 2)) * 4) / 4
    sizes = np.round(rng.uniform(1, 9, (2, len(track.frames), 2)) * 4) / 4
    track.bboxes, track.visible_bboxes = (
        [tuple(box) for box in np.concatenate([low, low + size], axis=1).tolist()]
        for low, size in zip(corners, sizes, strict=True))
    track.visible_bboxes = [box if mask else None for box, mask in
                            zip(track.visible_bboxes, track.masks['visible'], strict=True)]
