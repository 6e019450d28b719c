"""Writing splits: PNG frames and one annotation file, made frame by frame."""
from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from vatrack.files import AnnotationWriter, write_image
from vatrack.files.annotation_entry import occlusion_rate
from vatrack.files.whole_file import make_folder, replace_when_done
from vatrack.flow import FlowFiles, write_flow
from vatrack.stopping import process_pool
from vatrack.structures import Instance
from vatrack.structures.rle import encode

from .chewing_gum import ChewingGumConfig, draw_chewing_gum
from .randomness import video_name
from .render import DrawnFrame, draw_scene
from .scene import SceneConfig

#: What videos can look like.
VideoConfig = SceneConfig | ChewingGumConfig

#: A frame on disk: its file name, and its objects.
WrittenFrame = tuple[str, list[Instance]]

#: Raise it when the pictures or the truth change, so that old output is not taken for new.
GENERATOR_VERSION = 1

#: File in the folder of a split that tells how it was made.
STAMP = 'synthetic.json'

_OCCLUSION_EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


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


def generate(out_dir: str | Path, split: str, num_videos: int,
             config: VideoConfig | None = None, *, flow: bool = False, workers: int = 1,
             overwrite: bool = False,
             on_frame: Callable[[int], object] | None = None) -> SplitReport:
    """Write ``<out_dir>/<split>/<video>/images/*.png`` and ``<out_dir>/<split>.json``.

    ``file_name`` of an image is relative to ``<out_dir>/<split>``. Exact flow goes
    to ``<out_dir>/<split>/flow``, as ``vatrack.flow.FlowFiles`` reads it. The output
    is the same whatever the number of workers, and video k is the same
    whatever the number of videos. A split that was made with the same options
    is left as it is; one that was broken off is made again.

    Args:
        out_dir: Folder of the dataset.
        split: Name of the split; takes part in the seed.
        num_videos: Number of videos.
        config: What the videos look like; None takes the defaults of
            :class:`SceneConfig`.
        flow: Write the exact flow, too.
        workers: Processes that draw, one video at a time each.
        overwrite: Replace a split that was made with other options.
        on_frame: Called with the number of frames done since the last call.

    Raises:
        ValueError: ``num_videos`` or ``workers`` is below 1.
        OutputExistsError: The output is there and was made otherwise.
        OutputError: It cannot be written.
    """
    if num_videos < 1 or workers < 1:
        raise ValueError(f'num_videos and workers must be at least 1, got {num_videos}, {workers}')
    folder, file = Path(out_dir, split), Path(out_dir, f'{split}.json')
    config = config or SceneConfig()
    options = _options(split, num_videos, config, flow)
    stamp = _read_stamp(folder)
    same_options = stamp is not None and stamp['options'] == options
    if same_options and stamp['report'] and file.exists():
        return SplitReport(**{**stamp['report'], 'made': False})
    if not same_options:
        _make_room(folder, file, stamp, overwrite)
    make_folder(folder)
    _stamp(folder, options, None)
    draw = partial(draw_video, folder, split, config, flow=flow)
    videos = _draw_videos(draw, num_videos, config.num_frames, workers, on_frame)
    report = _annotate(file, split, videos, config)
    _stamp(folder, options, report)
    return report


def _options(split: str, num_videos: int, config: VideoConfig, flow: bool) -> dict[str, Any]:
    """All that the output depends on, as JSON gives it back."""
    return {'version': GENERATOR_VERSION, 'split': split, 'num_videos': num_videos,
            **config.options()} | ({'flow': True} if flow else {})


def _stamp(folder: Path, options: dict[str, Any], report: SplitReport | None) -> None:
    """Note how the split is made (and, once it is complete, what it holds) in one step."""
    with replace_when_done(folder / STAMP) as stamp:
        json.dump({'options': options, 'report': report and asdict(report)}, stamp)


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


def _draw_videos(draw: Callable[..., Iterator[WrittenFrame]], num_videos: int, num_frames: int,
                 workers: int, on_frame: Callable[[int], object] | None
                 ) -> Iterator[Iterable[WrittenFrame]]:
    """Yield the frames of each video in order, drawing in ``workers`` processes.

    One worker hands over each frame as it is drawn, several hand over whole videos.
    """
    if workers == 1:
        for index in range(num_videos):
            yield draw(index, on_frame)
        return
    with process_pool(min(workers, num_videos), get_context('spawn')) as pool:
        for frames in pool.map(partial(_draw_whole_video, draw), range(num_videos)):
            if on_frame is not None:
                on_frame(num_frames)
            yield frames


def _draw_whole_video(draw: Callable[..., Iterator[WrittenFrame]],
                      index: int) -> list[WrittenFrame]:
    return list(draw(index))


def draw_video(folder: Path, split: str, config: VideoConfig, index: int,
               on_frame: Callable[[int], object] | None = None,
               flow: bool = False) -> Iterator[WrittenFrame]:
    """Draw one video to disk and yield its frames, one by one."""
    draw = draw_scene if isinstance(config, SceneConfig) else draw_chewing_gum
    fields = FlowFiles(folder / 'flow')
    for time, drawn in enumerate(draw(config, split, index, flow)):
        file_name = f'{video_name(split, index)}/images/{time:06d}.png'
        write_image(folder / file_name, drawn.image)
        for direction, field in drawn.flow.items():
            write_flow(fields.path(file_name, direction), field)
        if on_frame is not None:
            on_frame(1)
        yield file_name, _instances(drawn)


def _instances(drawn: DrawnFrame) -> list[Instance]:
    """The objects of a frame by instance id."""
    count = len(drawn.identities)
    rles = encode(np.concatenate([drawn.amodal, drawn.visible]))
    areas = [masks.sum(axis=(1, 2)).tolist() for masks in (drawn.visible, drawn.amodal)]
    instances = [
        Instance(0, *identity, {'amodal': amodal, 'visible': visible}, {}, occlusion_rate(*pixels))
        for identity, amodal, visible, *pixels in zip(drawn.identities, rles[:count], rles[count:],
                                                      *areas, strict=True)]
    return sorted(instances, key=lambda instance: instance.instance_id)


def _annotate(file: Path, split: str, videos: Iterable[Iterable[WrittenFrame]],
              config: VideoConfig) -> SplitReport:
    """Write the annotation file of a split while its videos are drawn."""
    tracks, rates = set(), []
    with AnnotationWriter(file, dict(enumerate(config.classes, start=1))) as writer:
        for index, frames in enumerate(videos):
            video_id = writer.add_video(video_name(split, index), config.width, config.height)
            for file_name, instances in frames:
                writer.add_frame(file_name, instances)
                tracks.update((video_id, instance.instance_id) for instance in instances)
                rates += [instance.occlusion for instance in instances]
    return SplitReport(True, video_id, writer.num_frames, len(tracks), len(rates),
                       _histogram(np.array(rates)))


def _histogram(rates: np.ndarray) -> dict[str, int]:
    """Count object-frames by occlusion rate."""
    histogram = {'0': int((rates == 0).sum())}
    for low, high in pairwise(_OCCLUSION_EDGES):
        inside = (rates > low) & ((rates < high) if high == 1 else (rates <= high))
        histogram[f'{low:g}-{high:g}'] = int(inside.sum())
    histogram['1'] = int((rates == 1).sum())
    return histogram
