"""What must hold of an input that a check passed."""
from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path

import numpy as np

from vatrack.evaluation.dataset_card import dataset_card, format_card
from vatrack.evaluation.evaluate import evaluate
from vatrack.files import AnnotationWriter, load_annotations, read_results, write_results
from vatrack.files.annotation_index import AnnotationIndex
from vatrack.structures import AnnotationFile, Frame, TrackRecord, Video, rle
from vatrack.visualization import draw_instances
from vatrack.visualization.draw import DrawnInstance


class Nonsense(AssertionError):
    """Something that a check passed does not hold."""


def require(holds: object, what: str) -> None:
    """Raise Nonsense if something does not hold."""
    if not holds:
        raise Nonsense(what)


def check_accepted(path: Path, folder: Path) -> None:
    """All that must work with an annotation file that a check passed."""
    annotations = load_annotations(path)
    index = AnnotationIndex.open(path)
    indexed = [index.video(position) for position in range(len(annotations.videos))]
    require(_with_floats(indexed) == _with_floats(annotations.videos),
            'the index differs from the file')
    for video, frame in annotations.frames:
        _check_frame(video, frame)
    format_card(dataset_card(annotations))
    if sum(video.height * video.width * len(video.frames) for video in annotations.videos) > 1e7:
        return
    for video, frame in list(annotations.frames)[:2]:
        image = np.zeros((video.height, video.width, 3), np.uint8)
        draw_instances(image, [DrawnInstance(
            each.instance_id, each.masks, annotations.categories[each.category_id],
            boxes=each.bboxes)
            for each in frame.instances])
    _score_itself(annotations)
    _write_again(annotations, folder / 'again.json')


def _with_floats(videos: list[Video]) -> list[Video]:
    videos = deepcopy(videos)
    for each in (each for video in videos for frame in video.frames for each in frame.instances):
        each.bboxes = {kind: tuple(map(float, box)) for kind, box in each.bboxes.items()}
    return videos


def _check_frame(video: Video, frame: Frame) -> None:
    size = [video.height, video.width]
    for each in frame.instances:
        for box in each.bboxes.values():
            require(all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3],
                    f'box {box}')
        require(each.occlusion is None or 0 <= each.occlusion <= 1, f'occlusion {each.occlusion}')
        for mask in each.masks.values():
            require(mask['size'] == size, 'size of a mask')
            runs = rle.parse_counts(mask['counts'])
            require(runs.min() >= 0 and runs.sum() == size[0] * size[1], 'runs of a mask')
            if size[0] * size[1] < 1e6:
                pixels = rle.decode([mask], tuple(size))[0]
                require(int(pixels.sum()) == rle.areas([mask])[0], 'pixels of a mask')


def _tracks_of(annotations: AnnotationFile) -> list[TrackRecord]:
    """The truth as perfect results, of the kinds that all objects have."""
    objects = [(video, position, each) for video in annotations.videos
               for position, frame in enumerate(video.frames) for each in frame.instances]
    kinds = set.intersection(*(set(each.masks) for *_, each in objects)) if objects else set()
    tracks: dict[tuple[int, int], TrackRecord] = {}
    for video, position, each in objects if kinds else ():
        track = tracks.setdefault((video.id, each.instance_id), TrackRecord(
            video.id, len(tracks) + 1, each.category_id, 0.5, [], {kind: [] for kind in kinds}))
        track.frames.append(position)
        for kind in kinds:
            track.masks[kind].append(each.masks[kind])
    return list(tracks.values())


def _score_itself(annotations: AnnotationFile) -> None:
    tracks = _tracks_of(annotations)
    if tracks:
        metrics = ['AP', 'vAP', 'HOTA', 'CLEAR'] + ['mIoU'] * (len(tracks[0].masks) == 2)
        numbers = evaluate(annotations, tracks, metrics, protocol='ytvis', per_category=True)
        require(all(map(math.isfinite, numbers.values())), 'a number is not finite')
        crowd = any(each.iscrowd for _, frame in annotations.frames for each in frame.instances)
        # A track without a visible pixel is a false one.
        own = numbers.get('amodal/video/vAP', 1)
        require(crowd or own == -1 or own > 0.99, f'vAP of the truth itself: {own}')


def _write_again(annotations: AnnotationFile, path: Path) -> None:
    with AnnotationWriter(path, annotations.categories) as writer:
        for video in annotations.videos:
            writer.add_video(video.name, video.width, video.height)
            for frame in video.frames:
                writer.add_frame(frame.file_name, frame.instances)
    again = load_annotations(path)
    for old, new in zip(annotations.videos, again.videos, strict=True):
        for first, second in zip(old.frames, new.frames, strict=True):
            require([each.masks for each in first.instances]
                    == [each.masks for each in second.instances], 'written masks differ')


def check_tracks(annotations: AnnotationFile, tracks: list[TrackRecord], folder: Path) -> None:
    """All that must work with results that a check passed."""
    if tracks and tracks[0].masks:
        metrics = 'all' if len(tracks[0].masks) == 2 else ('AP', 'vAP', 'HOTA')
        numbers = evaluate(annotations, tracks, metrics)
        require(all(map(math.isfinite, numbers.values())), 'a number is not finite')
    write_results(folder / 'again/r.json', tracks, annotations)
    again = read_results(folder / 'again/r.json', annotations)
    require([each.masks for each in again] == [each.masks for each in tracks]
            and [each.score for each in again] == [float(each.score) for each in tracks],
            'written results differ')
