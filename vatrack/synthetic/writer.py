"""Writing splits: PNG frames and one annotation file, made frame by frame."""
from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..structures.rle import RLE, areas, bboxes, encode
from .render import DrawnFrame, draw_frame
from .scene import Identity, SceneConfig, build_scene

#: Raise it when the pictures or the truth change, so that old output is not taken for new.
GENERATOR_VERSION = 1

#: File in the folder of a split that tells how it was made.
STAMP = 'synthetic.json'

_OCCLUSION_EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
_FAST_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]


class OutputExistsError(FileExistsError):
    """The output folder holds something else; says what and how to go on."""


@dataclass(frozen=True)
class SplitReport:
    """What a split holds.

    Attributes:
        made: False if it was there already, made with the same options.
        videos: Number of videos.
        frames: Number of frames.
        objects: Number of annotated objects (tracks).
        annotations: Number of object-frames.
        histogram: Object-frames by occlusion: none, then up to 0.1, 0.25, 0.5,
            0.75, below 1, and full.
    """

    made: bool
    videos: int
    frames: int
    objects: int
    annotations: int
    histogram: dict[str, int]


def annotation(ids: dict[str, int], amodal: RLE, visible: RLE) -> dict[str, Any]:
    """One entry of ``annotations``.

    Args:
        ids: ``id``, ``video_id``, ``image_id``, ``category_id``, ``instance_id``.
        amodal: Mask of the full silhouette; not empty.
        visible: Mask of what is seen; may be empty.
    """
    area_amodal, area_visible = (int(area) for area in areas([amodal, visible]))
    boxes = bboxes([amodal, visible])
    boxes[:, 2:] -= boxes[:, :2]
    return {
        **ids, 'bbox': boxes[0].tolist(),
        'bbox_visible': boxes[1].tolist() if area_visible else None,
        'amodal_mask': amodal, 'visible_mask': visible, 'area_amodal': area_amodal,
        'area_visible': area_visible, 'occlude_rate': 1 - area_visible / area_amodal, 'iscrowd': 0}


def generate(out_dir: str | Path, split: str, num_videos: int,
             config: SceneConfig | None = None, *, workers: int = 1, overwrite: bool = False,
             on_frame: Callable[[int], object] | None = None) -> SplitReport:
    """Write ``<out_dir>/<split>/<video>/images/*.png`` and ``<out_dir>/<split>.json``.

    ``file_name`` of an image is relative to ``<out_dir>/<split>``. The output
    is the same whatever the number of workers, and video k is the same
    whatever the number of videos. A split that was made with the same options
    is left as it is; one that was broken off is made again.

    Args:
        out_dir: Folder of the dataset.
        split: Name of the split; takes part in the seed.
        num_videos: Number of videos.
        config: What the videos look like; None takes the defaults.
        workers: Processes that draw, one video at a time each.
        overwrite: Replace a split that was made with other options.
        on_frame: Called with the number of frames done since the last call.

    Raises:
        ValueError: ``num_videos`` or ``workers`` is below 1.
        OutputExistsError: The output is there and was made otherwise.
    """
    if num_videos < 1 or workers < 1:
        raise ValueError(f'num_videos and workers must be at least 1, got {num_videos}, {workers}')
    folder, file = Path(out_dir, split), Path(out_dir, f'{split}.json')
    config = config or SceneConfig()
    options = _options(split, num_videos, config)
    stamp = _read_stamp(folder)
    same_options = stamp is not None and stamp['options'] == options
    if same_options and stamp['report'] and file.exists():
        return SplitReport(**{**stamp['report'], 'made': False})
    if not same_options:
        _make_room(folder, file, stamp, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    _stamp(folder, options, None)
    videos = _draw_videos(folder, split, num_videos, config, workers, on_frame)
    content = _assemble(videos, config)
    file.write_text(json.dumps(content))
    report = _report(content)
    _stamp(folder, options, report)
    return report


def _options(split: str, num_videos: int, config: SceneConfig) -> dict[str, Any]:
    """All that the output depends on, as JSON gives it back."""
    return {'version': GENERATOR_VERSION, 'split': split, 'num_videos': num_videos,
            **asdict(config), 'objects': list(config.object_range), 'occlusion': config.level,
            'classes': list(config.classes)}


def _stamp(folder: Path, options: dict[str, Any], report: SplitReport | None) -> None:
    """Note how the split is made (and, once it is complete, what it holds) in one step."""
    draft = folder / f'{STAMP}.part'
    draft.write_text(json.dumps({'options': options, 'report': report and asdict(report)}))
    draft.replace(folder / STAMP)


def _read_stamp(folder: Path) -> dict[str, Any] | None:
    stamp = folder / STAMP
    return json.loads(stamp.read_text()) if stamp.exists() else None


def _make_room(folder: Path, file: Path, stamp: dict[str, Any] | None, overwrite: bool) -> None:
    """Remove what stands at the place of a split, if that is allowed and was made here."""
    occupied = folder.is_dir() and any(folder.iterdir())
    if not occupied and not file.exists():
        return
    if not overwrite:
        raise OutputExistsError(
            f'{folder if occupied else file} is there already and was made '
            f'{"with other options" if stamp else "by something else"}; pass overwrite '
            '(--overwrite) to replace it, or choose another output folder')
    if occupied and stamp is None:
        raise OutputExistsError(f'{folder} was not written by this generator and is not removed; '
                                'move it away, or choose another output folder')
    if folder.exists():
        shutil.rmtree(folder)
    file.unlink(missing_ok=True)


def _draw_videos(folder: Path, split: str, num_videos: int, config: SceneConfig, workers: int,
                 on_frame: Callable[[int], object] | None) -> Iterator[dict[str, Any]]:
    """Yield the records of each video in order, drawing in ``workers`` processes."""
    if workers == 1:
        for index in range(num_videos):
            yield write_video(folder, split, config, index, on_frame)
        return
    draw = partial(write_video, folder, split, config)
    with multiprocessing.get_context('spawn').Pool(min(workers, num_videos)) as pool:
        for video in pool.imap(draw, range(num_videos)):
            if on_frame is not None:
                on_frame(config.num_frames)
            yield video


def write_video(folder: Path, split: str, config: SceneConfig, index: int,
                on_frame: Callable[[int], object] | None = None) -> dict[str, Any]:
    """Draw one video to disk, frame by frame.

    Returns:
        ``name`` and ``frames``: per frame ``file_name`` and ``entries``, each
        entry (:class:`Identity`, amodal RLE, visible RLE).
    """
    scene = build_scene(config, split, index)
    images = folder / scene.name / 'images'
    images.mkdir(parents=True, exist_ok=True)
    frames = []
    for time in range(config.num_frames):
        drawn = draw_frame(scene, time)
        path = images / f'{time:06d}.png'
        if not cv2.imwrite(str(path), cv2.cvtColor(drawn.image, cv2.COLOR_RGB2BGR), _FAST_PNG):
            raise OSError(f'{path} could not be written; check the disk space and permissions')
        frames.append({'file_name': f'{scene.name}/images/{path.name}', 'entries': _entries(drawn)})
        if on_frame is not None:
            on_frame(1)
    return {'name': scene.name, 'frames': frames}


def _entries(drawn: DrawnFrame) -> list[tuple[Identity, RLE, RLE]]:
    """Identity, amodal and visible mask of every object, by instance id."""
    masks = encode(np.concatenate([drawn.amodal, drawn.visible]))
    count = len(drawn.identities)
    entries = zip(drawn.identities, masks[:count], masks[count:], strict=True)
    return sorted(entries, key=lambda entry: entry[0].instance_id)


def _assemble(drawn_videos: Iterator[dict[str, Any]], config: SceneConfig) -> dict[str, Any]:
    """Number everything from 1 and lay it out as one annotation file."""
    size = {'width': config.width, 'height': config.height}
    videos, images, annotations = [], [], []
    for video_id, video in enumerate(drawn_videos, start=1):
        videos.append({'id': video_id, 'name': video['name'], **size,
                       'num_frames': config.num_frames})
        for frame_id, frame in enumerate(video['frames']):
            image_id = len(images) + 1
            images.append({'id': image_id, 'video_id': video_id, 'file_name': frame['file_name'],
                           'frame_id': frame_id, **size})
            for identity, amodal, visible in frame['entries']:
                ids = {'id': len(annotations) + 1, 'video_id': video_id, 'image_id': image_id,
                       **identity._asdict()}
                annotations.append(annotation(ids, amodal, visible))
    categories = [{'id': k, 'name': name} for k, name in enumerate(config.classes, start=1)]
    return {'categories': categories, 'videos': videos, 'images': images,
            'annotations': annotations}


def _report(content: dict[str, Any]) -> SplitReport:
    rates = np.array([entry['occlude_rate'] for entry in content['annotations']])
    tracks = {(entry['video_id'], entry['instance_id']) for entry in content['annotations']}
    edges = _OCCLUSION_EDGES
    histogram = {'0': int((rates == 0).sum())}
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (rates > low) & ((rates < high) if high == 1 else (rates <= high))
        histogram[f'{low:g}-{high:g}'] = int(inside.sum())
    histogram['1'] = int((rates == 1).sum())
    return SplitReport(True, len(content['videos']), len(content['images']), len(tracks),
                       len(rates), histogram)
