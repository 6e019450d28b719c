"""A few made tracks in the JSON layouts of other datasets, written here as those publish them."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from vatrack.files import load_annotations

CATEGORIES = {40: 'fish', 3: 'crab'}
#: (H, W), frames by video id.
VIDEOS = {11: ((24, 32), 4), 4: ((20, 30), 3)}


@dataclass
class Track:
    """Pixels by kind, (T, H, W) bool; a frame without any is one where the object is absent."""

    id: int
    video_id: int
    category_id: int
    masks: dict[str, np.ndarray]
    levels: list[str | None]


def made_tracks() -> list[Track]:
    """Blocks of varied sizes: covered in part, hidden in some frames, absent from others."""
    rng = np.random.default_rng(0)
    tracks = []
    for id_, video_id, category_id in ((21, 4, 3), (7, 11, 40), (8, 11, 3)):
        (height, width), length = VIDEOS[video_id]
        amodal = np.zeros((length, height, width), bool)
        for t in range(length):
            y, x = rng.integers(0, (height - 8, width - 8))
            amodal[t, y:y + rng.integers(4, 9), x:x + rng.integers(4, 9)] = True
        amodal[1] &= id_ != 8
        visible = amodal & (np.arange(width) % 5 > 0)
        visible[length - 1] &= id_ != 7
        levels = ['no_occlusion', 'slight_occlusion', 'severe_occlusion', None][:length]
        tracks.append(Track(id_, video_id, category_id, dict(amodal=amodal, visible=visible),
                            levels))
    return tracks


def encoded(pixels: np.ndarray, style: str = 'string') -> dict | None:
    """A mask (H, W) as RLE of pycocotools; None without a pixel."""
    if not pixels.any():
        return None
    rle = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    if style == 'string':
        return {'size': list(rle['size']), 'counts': rle['counts'].decode()}
    flat = np.concatenate([[0], pixels.ravel(order='F')])
    starts = np.flatnonzero(np.diff(flat, prepend=0)) - 1
    return {'size': list(pixels.shape),
            'counts': np.diff([0, *starts, pixels.size]).tolist()}


def decoded(rle: dict) -> np.ndarray:
    """Pixels of an RLE, (H, W) bool."""
    return coco_mask.decode(rle).astype(bool)


def file_names(video_id: int) -> list[str]:
    return [f'v{video_id}/{5 * t:05d}.jpg' for t in range(VIDEOS[video_id][1])]


def categories() -> list[dict]:
    return [dict(id=id_, name=name, supercategory='sea') for id_, name in CATEGORIES.items()]


def ytvis(kind: str = 'visible', style: str = 'string', **lists: str) -> dict:
    """YouTube-VIS JSON of one kind of masks; ``lists`` name further lists by kind."""
    content = dict(info=dict(year=2021), licenses=[], categories=categories(), videos=[
        dict(id=id_, height=size[0], width=size[1], length=length, file_names=file_names(id_))
        for id_, (size, length) in VIDEOS.items()], annotations=[])
    for track in made_tracks():
        masks = track.masks[kind]
        entry = dict(
            id=track.id, video_id=track.video_id, category_id=track.category_id, iscrowd=0,
            segmentations=[encoded(pixels, style) for pixels in masks],
            areas=[int(pixels.sum()) or None for pixels in masks],
            bboxes=[[1., 2., 3., 4.] if pixels.any() else None for pixels in masks])
        entry |= {key: [encoded(pixels) for pixels in track.masks[other]]
                  for key, other in lists.items()}
        content['annotations'].append(entry)
    return content


def ovis() -> dict:
    """OVIS JSON: YouTube-VIS with a level of occlusion for every frame."""
    content = ytvis()
    for entry, track in zip(content['annotations'], made_tracks(), strict=True):
        entry['occlusion'] = track.levels
    return content


def coco_video(**masks: str) -> dict:
    """CocoVID JSON; ``masks`` names the kind of each key, by default segmentation='visible'."""
    masks = masks or {'segmentation': 'visible'}
    content = dict(
        categories=categories(), annotations=[],
        videos=[dict(id=id_, name=f'clip {id_}') for id_ in VIDEOS],
        images=[dict(id=100 * id_ + t, video_id=id_, frame_id=t, file_name=name, height=size[0],
                     width=size[1])
                for id_, (size, _) in VIDEOS.items() for t, name in enumerate(file_names(id_))])
    for track in made_tracks():
        for t in range(VIDEOS[track.video_id][1]):
            entry = {key: encoded(track.masks[kind][t]) or [] for key, kind in masks.items()}
            if any(entry.values()):
                content['annotations'].append(entry | dict(
                    id=len(content['annotations']) + 1, image_id=100 * track.video_id + t,
                    video_id=track.video_id, category_id=track.category_id, iscrowd=0,
                    instance_id=track.id, bbox=[1, 2, 3, 4], area=5))
    content['annotations'].reverse()  # in no order
    return content


def written(folder: Path, content: dict, name: str = 'train.json') -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def make_frames(root: Path) -> Path:
    """All frames, black, as JPEG."""
    for id_, (size, _) in VIDEOS.items():
        for name in file_names(id_):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / name), np.zeros((*size, 3), np.uint8))
    return root


def found_masks(path: Path) -> dict[tuple[int, int, int], dict[str, np.ndarray]]:
    """What an annotation file holds: {(video id, frame, instance id): {kind: pixels}}."""
    return {(video.id, frame.frame_id, instance.instance_id):
            {kind: decoded(rle) for kind, rle in instance.masks.items()}
            for video, frame in load_annotations(path).frames for instance in frame.instances}


def expected_masks(*kinds: str) -> dict[tuple[int, int, int], dict[str, np.ndarray]]:
    """What it should hold: objects with a pixel of one of these kinds."""
    return {(track.video_id, t, track.id): {kind: track.masks[kind][t] for kind in kinds}
            for track in made_tracks() for t in range(VIDEOS[track.video_id][1])
            if any(track.masks[kind][t].any() for kind in kinds)}


def assert_same_masks(path: Path, *kinds: str) -> None:
    """Pixel for pixel; a kind that is not expected is not there either."""
    found, expected = found_masks(path), expected_masks(*kinds)
    assert found.keys() == expected.keys()
    for key, masks in expected.items():
        assert found[key].keys() == masks.keys()
        for kind, pixels in masks.items():
            assert (found[key][kind] == pixels).all(), (key, kind)
