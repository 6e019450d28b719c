"""A dataset of rectangles, with predictions and with pictures of several formats.

Videos of 64x40 and 5 frames. Object 7 stands still, half of it covered, object 9 is hidden in frame
2; one more video has no object at all.
"""
from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from vatrack.files import load_annotations, write_results
from vatrack.structures import AnnotationFile, TrackRecord
from vatrack.structures import rle as rle_codec

H, W, FRAMES = 40, 64, 5
FISH, CRAB = 3, 5
SCRIPT = '<script>document.documentElement.dataset.errors = "injected"</script>'


def mask(left: int, top: int, width: int = 20, height: int = 16) -> rle_codec.RLE:
    """RLE of a rectangle."""
    pixels = np.zeros((1, H, W), np.uint8)
    pixels[0, top:top + height, left:left + width] = 1
    return rle_codec.encode(pixels)[0]


def make_dataset(folder: Path, names: tuple[str, ...] = ('reef', SCRIPT, 'empty'),
                 suffixes: tuple[str, ...] = ('.png', '.jpg', '.bmp')) -> AnnotationFile:
    """Write ``annotations.json`` and pictures; of the first video frame 3 has no picture."""
    images, objects = [], []
    for number, suffix in zip(range(len(names)), suffixes, strict=True):
        for t in range(FRAMES):
            image_id, name = 100 * number + t, f'v{number}/{t}{suffix}'
            images.append({'id': image_id, 'video_id': 10 + number, 'frame_id': 2 * t,
                           'file_name': name, 'width': W, 'height': H})
            if (number, t) != (0, 3):
                _draw(folder / name, 40 * t)
            if names[number] != 'empty':
                objects += _objects(image_id, t)
    videos = [{'id': 10 + n, 'name': name, 'width': W, 'height': H}
              for n, name in enumerate(names)]
    path = folder / 'annotations.json'
    path.write_text(json.dumps({
        'videos': videos, 'images': images, 'annotations': objects,
        'categories': [{'id': FISH, 'name': 'fish'}, {'id': CRAB, 'name': SCRIPT}]}))
    return load_annotations(path)


def make_results(path: Path, annotations: AnnotationFile) -> Path:
    """Tracks of the first video: on object 7, on nothing, and one of low score on object 9."""
    frames = list(range(FRAMES))

    def track(number: int, score: float, left: int, top: int, category: int = FISH) -> TrackRecord:
        masks = {'amodal': [mask(left, top)] * FRAMES, 'visible': [mask(left, top, 10)] * FRAMES}
        return TrackRecord(10, number, category, score, frames, masks, scores=[score] * FRAMES)

    write_results(path, [track(4, .9, 4, 4), track(5, .5, 40, 24), track(6, .2, 35, 3, CRAB)],
                  annotations)
    return path


def _draw(path: Path, level: int) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((H, W, 3), level, np.uint8))


def _objects(image_id: int, t: int) -> list[dict]:
    hidden = mask(0, 0, 0, 0) if t == 2 else mask(34, 3, 20)
    shapes = ((7, FISH, mask(4, 4), mask(4, 4, 10)), (9, CRAB, mask(34, 3), hidden))
    return [{'id': 10 * image_id + instance, 'image_id': image_id, 'category_id': category,
             'instance_id': instance, 'amodal_mask': amodal, 'visible_mask': visible}
            for instance, category, amodal, visible in shapes]
