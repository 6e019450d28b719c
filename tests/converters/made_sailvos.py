"""A small SAIL-VOS in the official layout, with frames that cut where the test says."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vatrack.structures import rle as rle_ops

WIDTH, HEIGHT = 48, 32
CATEGORIES = [{'id': 3, 'name': 'person', 'supercategory': 'person'},
              {'id': 8, 'name': 'aquarium', 'supercategory': 'indoor'},
              {'id': 40, 'name': 'stick', 'supercategory': 'thing'}]
MODELS = [{'id': 1, 'category_id': 40, 'name': 'branch'}, {'id': 2, 'category_id': 8}]
# Files 000000 to 000002 and six at the end are leftovers: on disk, but not in the JSON.
FIRST_FILE, NUM_LAST = 3, 6


@dataclass
class Made:
    """Where the raw data is and what is in it."""

    root: Path
    splits: dict[str, Path] = field(default_factory=dict)
    json: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self) -> None:
        for split, content in self.json.items():
            self.splits[split].write_text(json.dumps(content))


def make_sailvos(root: Path, videos: Mapping[str, Mapping[str, Sequence[int]]],
                 suffix: str = '.bmp', frames: bool = True) -> Made:
    """Write raw data.

    Args:
        root: Folder to write.
        videos: Lengths of the shots by video by split.
        suffix: Of the frames on disk; the JSON always says .bmp.
        frames: Whether to write frames.
    """
    made = Made(root)
    root.mkdir(parents=True, exist_ok=True)
    for split, by_name in videos.items():
        made.splits[split] = root / f'{split}.json'
        made.json[split] = make_json(by_name)
        for name, lengths in by_name.items() if frames else ():
            write_frames(root / name / 'images', lengths, suffix)
    made.write()
    return made


def make_json(videos: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Official JSON of a split: three objects of kept classes and one other per frame."""
    content = {'categories': CATEGORIES, 'models': MODELS, 'videos': [], 'images': [],
               'annotations': []}
    for number, (name, lengths) in enumerate(videos.items()):
        content['videos'].append({'id': number, 'vid_name': name, 'num_frames': sum(lengths),
                                  'num_objs': 4})
        for frame_id in range(sum(lengths)):
            image_id = len(content['images'])
            content['images'].append({
                'id': image_id, 'file_name': f'{name}/images/{frame_id + FIRST_FILE:06d}.bmp',
                'frame_id': frame_id, 'width': WIDTH, 'height': HEIGHT})
            for object_id, hidden in ((7, 0), (0, frame_id % 5), (900, 8), (5, 3)):
                content['annotations'].append(annotation(
                    len(content['annotations']), image_id, object_id, frame_id % 20, hidden))
    return content


def annotation(number: int, image_id: int, object_id: int, left: int, hidden: int
               ) -> dict[str, Any]:
    """A box of 8 x 4 pixels, of which ``hidden`` columns from the right are covered."""
    top = {7: 0, 0: 5, 900: 10, 5: 15}[object_id]
    pixels = np.zeros((3, HEIGHT, WIDTH), bool)
    pixels[0, top:top + 4, left:left + 8] = True
    pixels[1, top:top + 4, left:left + 8 - hidden] = True
    pixels[2] = pixels[0] & ~pixels[1]
    masks = dict(zip(('segmentation', 'visible_mask', 'invisible_mask'), rle_ops.encode(pixels),
                     strict=True))
    return masks | {
        'id': number, 'image_id': image_id, 'obj_id': object_id, 'model_id': object_id + 1000,
        'category_id': {7: 3, 0: 40, 900: 40, 5: 8}[object_id],
        'bbox': [float(left), float(top), 8.0, 4.0],
        'bbox_visible': [float(left), float(top), 8.0 - hidden, 4.0] if hidden < 8 else [0.0] * 4,
        'area': 32, 'area_visible': 4 * (8 - hidden), 'iscrowd': 0, 'occlu_depth': 0,
        'occlude_rate': hidden / 8}


def write_frames(folder: Path, lengths: Sequence[int], suffix: str = '.bmp') -> None:
    """Frames whose background changes after each of ``lengths``, leftovers around them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(lengths))
    shades = [shot for shot, length in enumerate(lengths) for _ in range(length)]
    shades = [shades[0]] * FIRST_FILE + shades + [shades[-1]] * NUM_LAST
    for number, shot in enumerate(shades):
        image = np.full((HEIGHT, WIDTH, 3), ((20, 40, 200), (220, 180, 30))[shot % 2], np.uint8)
        image += rng.integers(0, 3, image.shape, np.uint8)
        Image.fromarray(image).save(folder / f'{number:06d}{suffix}')


def make_structure(path: Path, videos: Mapping[str, Sequence[int]]) -> Path:
    """Structure file that cuts as the lengths say, with leftovers and an empty shot."""
    structure = {}
    for name, lengths in videos.items():
        total, start = sum(lengths), 0
        structure[name] = [f'{number:06d}.bmp' for number in (
            *range(total + FIRST_FILE, total + FIRST_FILE + NUM_LAST), *range(FIRST_FILE))]
        structure[f'{name}__0'] = []
        for length in lengths:
            stop = start + length
            structure[f'{name}__{min(stop, total - 1)}'] = [
                f'{frame_id + FIRST_FILE:06d}.bmp' for frame_id in range(start, stop)]
            start = stop
    path.write_text(json.dumps(structure))
    return path
