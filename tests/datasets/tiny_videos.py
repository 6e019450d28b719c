"""A made dataset of a few tiny frames; rectangles as objects."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vatrack.datasets import AmodalVideoDataset, KeyReferenceSampler
from vatrack.files import AnnotationWriter
from vatrack.structures import Instance, rle

HEIGHT, WIDTH = 40, 64
CATEGORIES = {3: 'fish', 5: 'turtle', 9: 'leaf'}

LOAD = [dict(type='LoadFrame'), dict(type='LoadAmodalAnnotations')]


def thing(instance_id: int = 0, category_id: int = 3, at: tuple[int, int] = (4, 6),
          size: tuple[int, int] = (16, 8), hidden: float = 0.0,
          kinds: Sequence[str] = ('amodal', 'visible'), **changes: Any) -> Instance:
    """A rectangle of ``size`` (w, h) whose right part, a share ``hidden`` of it, is covered."""
    (x, y), (w, h) = at, size
    masks = np.zeros((2, HEIGHT, WIDTH), bool)
    masks[0, y:y + h, x:x + w] = True
    masks[1, y:y + h, x:x + w - round(w * hidden)] = True
    encoded = dict(zip(('amodal', 'visible'), rle.encode(masks), strict=True))
    return Instance(0, instance_id, category_id, {kind: encoded[kind] for kind in kinds},
                    changes.pop('bboxes', {}), **changes)


def picture(instances: Sequence[Instance]) -> np.ndarray:
    """(H, W, 3) uint8, white where something is visible and black elsewhere."""
    masks = rle.decode([i.masks['visible'] for i in instances if 'visible' in i.masks],
                       (HEIGHT, WIDTH))
    return np.repeat(masks.any(0)[..., None] * np.uint8(255), 3, axis=2)


def write(root: Path, videos: dict[str, list[list[Instance]]], stored: str = 'png') -> Path:
    """Write annotations and frames (named .png, stored as ``stored``) into ``root``."""
    with AnnotationWriter(root / 'train.json', CATEGORIES) as writer:
        for name, frames in videos.items():
            writer.add_video(name, WIDTH, HEIGHT)
            (root / 'frames' / name).mkdir(parents=True)
            for index, instances in enumerate(frames):
                writer.add_frame(f'{name}/{index:03d}.png', instances)
                cv2.imwrite(str(root / 'frames' / name / f'{index:03d}.{stored}'),
                            picture(instances))
    return root


def dataset(root: Path, **options: Any) -> AmodalVideoDataset:
    """The dataset of ``root``, with one reference frame within +-3 unless told otherwise."""
    defaults: dict[str, Any] = dict(
        ann_file='train.json', data_root=str(root), data_prefix=dict(img_path='frames/'),
        clip_sampler=KeyReferenceSampler(scope=3, num_refs=1), pipeline=[])
    return AmodalVideoDataset(**(defaults | options))


def pipeline(*geometry: dict, share: bool = True, **annotations: Any) -> list[dict]:
    """Loading, ``geometry`` in key and reference frame alike, packing."""
    load = [LOAD[0], LOAD[1] | annotations]
    return [dict(type='TransformBroadcaster', share_random_params=share,
                 transforms=[*load, *geometry]), dict(type='PackClip')]
