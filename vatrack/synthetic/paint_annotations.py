"""Frames for annotation files whose images are not public: masks painted on a backdrop.

Every object has a skin of its own, which moves and grows with the box of its
amodal mask, so that detection and tracking can be learnt from the pictures.
(The brushes are those of the synthetic videos; nothing else here knows them.)
"""
from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vatrack.files import AnnotationError, load_annotations
from vatrack.files.annotation_entry import occlusion_rate, read_masks, to_xywh
from vatrack.files.whole_file import replace_when_done
from vatrack.structures import MASK_KINDS, AnnotationFile, Frame, Instance, Video
from vatrack.structures.rle import areas, bboxes, decode, encode
from vatrack.video.image_file import write_image

from .textures import blend, colour, noise, relatives, step

_SKIN_SIZE = 192
_GOLDEN_RATIO = 0.6180339887


def render_annotations(source: str | Path, out_dir: str | Path,
                       size: tuple[int, int] | None = None, seed: int = 0,
                       on_frame: Callable[[], object] | None = None) -> Path:
    """Paint all frames of an annotation file.

    Args:
        source: Annotation file with visible masks.
        out_dir: Gets the frames under their ``file_name``, and ``annotations.json``.
        size: (width, height) of the frames; the masks, boxes and areas of
            ``annotations.json`` are rescaled to it. None keeps the size.
        seed: Other seeds paint other skins and backdrops; one seed always the same.
        on_frame: Called after each frame.

    Returns:
        Path of ``annotations.json``.

    Raises:
        AnnotationError: The file is broken, lacks a visible mask, names a frame
            outside ``out_dir``, or would be replaced by ``annotations.json``.
        OSError: A frame cannot be written.
    """
    annotations = load_annotations(source)
    path = Path(out_dir) / 'annotations.json'
    _check(annotations, path)
    raw = json.loads(Path(source).read_bytes())
    with replace_when_done(path) as file:
        json.dump(raw if size is None else resized_annotations(raw, size), file)
    for video in (annotations if size is None else load_annotations(path)).videos:
        skins: dict[tuple[int, int], np.ndarray] = {}
        backdrop = paint_backdrop(video, seed)
        for frame in video.frames:
            image = paint_frame(backdrop, video, frame, skins, seed)
            write_image(path.parent / frame.file_name, image[..., ::-1])
            if on_frame:
                on_frame()
    return path


def paint_frame(backdrop: np.ndarray, video: Video, frame: Frame,
                skins: dict[tuple[int, int], np.ndarray], seed: int) -> np.ndarray:
    """Paint the visible masks of a frame over its backdrop: (H, W, 3) uint8 RGB.

    Pixels outside all visible masks are those of ``backdrop`` (H, W, 3) uint8;
    ``skins`` keeps the skin of every (instance id, category id) met so far.
    """
    image = backdrop.copy()
    for instance in frame.instances:
        key = (instance.instance_id, instance.category_id)
        if key not in skins:
            skins[key] = paint_skin(video.id, *key, seed)
        _paint_instance(image, instance, skins[key])
    return image


def paint_skin(video_id: int, instance_id: int, category_id: int, seed: int) -> np.ndarray:
    """Skin of an object: (S, S, 3) float32 RGB in [0, 255].

    The category picks the pattern (blotches, stripes, checks or dots), the
    identity its colours and proportions.
    """
    rng = np.random.default_rng([seed, video_id, instance_id, category_id])
    hue = (instance_id + 7 * seed) * _GOLDEN_RATIO
    base = colour(hue, rng.uniform(0.6, 0.85), rng.uniform(0.7, 0.9))
    dark, light = relatives(base, rng)
    axis = np.linspace(0, 1, _SKIN_SIZE, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    u, v = (part + 0.03 * noise(rng, *u.shape, _SKIN_SIZE / 4) for part in (u, v))
    across, down = 2 * np.pi * rng.uniform(3, 6, 2)
    pattern = (noise(rng, *u.shape, _SKIN_SIZE / 5), np.sin(down * v + rng.uniform(-2, 2) * u),
               np.sin(across * u) * np.sin(down * v),
               np.sin(across * (u + v)) + np.sin(down * (u - v)) - 0.9)[category_id % 4]
    skin = blend(np.broadcast_to(base, (*u.shape, 3)), dark, step(pattern, 0.1, 0.15) * 0.8)
    return blend(skin, light, step(-v, -0.2, 0.1) * 0.6)


def paint_backdrop(video: Video, seed: int) -> np.ndarray:
    """A smooth, muted backdrop that stays the same in all frames: (H, W, 3) uint8 RGB."""
    rng = np.random.default_rng([seed, video.id])
    hue = rng.uniform()
    top, bottom = colour(hue, 0.15, 0.72), colour(hue + rng.uniform(-0.2, 0.2), 0.22, 0.4)
    down = np.linspace(0, 1, video.height, dtype=np.float32)[:, None]
    image = blend(np.broadcast_to(top, (video.height, video.width, 3)), bottom,
                  np.broadcast_to(step(down, 0.55, 0.35), (video.height, video.width)))
    clouds = noise(rng, video.height, video.width, video.width / 5)
    return np.rint(np.clip(image + 14 * clouds[..., None], 0, 255)).astype(np.uint8)


def resized_annotations(raw: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Rescale the JSON of an annotation file to frames of ``size`` (width, height).

    Masks are sampled at the nearest pixel, so visible stays a subset of amodal;
    they, their boxes and areas are written by kind, and ``occlude_rate`` is that
    of the rescaled masks where both kinds are there. An object that loses its
    last pixel in a frame loses its entry there. Other keys are kept.
    """
    shapes = {video['id']: [video['height'], video['width']] for video in raw['videos']}
    videos = {image['id']: image['video_id'] for image in raw['images']}
    new_size = {'width': size[0], 'height': size[1]}
    entries = (_resized_entry(entry, shapes[videos[entry['image_id']]], size)
               for entry in raw['annotations'])
    return raw | {'videos': [video | new_size for video in raw['videos']],
                  'images': [image | new_size for image in raw['images']],
                  'annotations': [entry for entry in entries if entry]}


def _resized_entry(entry: dict[str, Any], shape: list[int],
                   size: tuple[int, int]) -> dict[str, Any] | None:
    old = read_masks(entry, shape)
    small = [cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
             for mask in decode(list(old.values()), tuple(shape))]
    masks = encode(np.stack(small))
    pixels, boxes = areas(masks).tolist(), [to_xywh(box) for box in bboxes(masks)]
    if not pixels[0]:
        return None
    kept = {key: value for key, value in entry.items()
            if not key.startswith(('bbox', 'area', 'segm')) and not key.endswith('mask')}
    kept['bbox'] = boxes[0]
    if len(pixels) == len(MASK_KINDS):
        kept['occlude_rate'] = occlusion_rate(visible=pixels[1], amodal=pixels[0])
    for kind, mask, area, box in zip(old, masks, pixels, boxes, strict=True):
        kept |= {f'{kind}_mask': mask, f'area_{kind}': area}
        kept |= {f'bbox_{kind}': box} if area else {}
    return kept


def _check(annotations: AnnotationFile, target: Path) -> None:
    """Refuse what cannot be painted, before anything is written."""
    if os.path.realpath(annotations.path) == os.path.realpath(target):
        raise AnnotationError(f'{target}: the output would replace the annotation file itself; '
                              'choose another output folder')
    folder = Path(os.path.realpath(target.parent))
    for video, frame in annotations.frames:
        where = f'{annotations.path}: video {video.name}, frame {frame.file_name}'
        if not Path(os.path.realpath(folder / frame.file_name)).is_relative_to(folder):
            raise AnnotationError(f'{where} would lie outside {folder}; make the file names '
                                  'relative')
        for instance in frame.instances:
            if 'visible' not in instance.masks:
                raise AnnotationError(f'{where}: annotation {instance.id} has no visible mask; '
                                      'use a file that has both kinds of masks')


def _paint_instance(image: np.ndarray, instance: Instance, skin: np.ndarray) -> None:
    full = instance.masks.get('amodal', instance.masks['visible'])
    x0, y0, x1, y1 = bboxes([full])[0].astype(int)
    amodal, visible = decode([full, instance.masks['visible']], image.shape[:2])[:, y0:y1, x0:x1]
    patch = cv2.resize(skin, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    rim = 0.06 * (x1 - x0 + y1 - y0)
    depth = cv2.distanceTransform(np.ascontiguousarray(amodal), cv2.DIST_L2, 3) / rim
    shaded = patch * (0.55 + 0.45 * np.minimum(depth, 1))[..., None]
    shown = visible > 0
    image[y0:y1, x0:x1][shown] = np.rint(np.clip(shaded[shown], 0, 255)).astype(np.uint8)
