"""Inference on videos: a trained model, and anything that holds frames."""
from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from vatrack.video import Source, VideoError, open_frames

from .config import ConfigError, load_config
from .device import choose_device, choose_precision
from .loaded_model import LoadedModel
from .runs import find_run
from .video_stream import Stopwatch, VideoStream

_CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


class VideoInferencer:
    """Finds, tracks and segments the objects of videos.

    Example::

        inferencer = VideoInferencer('work_dirs/vatrack_qd_synthetic')
        video = inferencer('street.mp4')
        for frame in video:
            print(frame.time, [(each.track_id, each.category) for each in frame.instances])
        video.result().to_json('street.json')

    Args:
        config: Config file, name of one of the project's configs, or folder of
            a run; None: that of the checkpoint's folder, or of the newest run in
            ``work_dirs``.
        checkpoint: Checkpoint; None: the last one of the run.
        device: 'cpu', 'cuda', 'cuda:1'; None: a GPU if there is one.
        precision: 'fp32', 'bf16' or 'fp16'; None: the fastest that suits the
            device, on a CPU fp32.
        batch_size: Frames that are detected at once, 1 for a camera; None: that
            of the config's ``test_dataloader``.
        score_thr: Objects with a lower score in a frame are left out of it.
        cfg_options: Values of the config to change, by dotted key.

    Raises:
        ConfigError: The config is missing or wrong, or there is no such device
            or precision.
        RunError: There is no run or checkpoint.
        WeightsError: The checkpoint is damaged or of another architecture.
        UntrustedCheckpointError: It would run code.
    """

    def __init__(self, config: str | Path | None = None, checkpoint: str | Path | None = None,
                 device: str | torch.device | None = None, precision: str | None = None,
                 batch_size: int | None = None, score_thr: float = 0.0,
                 cfg_options: dict[str, Any] | None = None) -> None:
        config_path, weights = _find(config, checkpoint)
        loaded = load_config(config_path, cfg_options)
        self.batch_size = loaded.test_dataloader.batch_size if batch_size is None else batch_size
        if self.batch_size < 1:
            raise ConfigError(f'batch_size must be at least 1, got {self.batch_size}')
        self.score_thr = score_thr
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.model = LoadedModel(loaded, weights, self.device, self.precision)

    def __call__(self, source: Source, fps: float | None = None, max_frames: int | None = None,
                 keep_tracks: bool = True, timing: bool = False) -> VideoStream:
        """Begin a video; frames are read when the result is iterated over.

        Args:
            source: File, URL, folder, pattern, arrays or iterator, see
                :func:`vatrack.video.open_frames`. An iterator runs in a thread
                of its own.
            fps: Rate of frames that have no times of their own.
            max_frames: Stop after so many frames.
            keep_tracks: Whether tracks are kept for ``result()``. Without, memory
                does not grow: for cameras that never end.
            timing: Wait for the GPU around every stage, so that times are those
                of the stages; this costs speed.

        Raises:
            VideoError: There is no such source, it holds no frames, or it may never
                end while the model needs the end.
        """
        frames = open_frames(source, fps, max_frames)
        if self.model.video_model.delay is None and frames.may_never_end:
            switch = self.model.video_model.live_switch
            live = f'make it live with --cfg-options {switch}, ' if switch else ''
            raise VideoError(
                f'{frames.name}: this model gives its results when a video has ended, and this '
                f'source may never end; {live}say how many frames to take (max_frames, '
                '--max-frames), or give a file')
        wait = (partial(torch.cuda.synchronize, self.device)
                if timing and self.device.type == 'cuda' else None)
        return VideoStream(self.model, frames, self.batch_size, self.score_thr, keep_tracks,
                           Stopwatch(wait))


def _find(config: str | Path | None, checkpoint: str | Path | None) -> tuple[Path, Path]:
    """Config and checkpoint, filled in where they are left out."""
    folder = None
    if config is not None and Path(config).is_dir():
        folder = Path(config)
    elif config is None and checkpoint is not None:
        folder = Path(checkpoint).parent
    if folder is not None:
        found, last = find_run(root=folder)
        return found, last if checkpoint is None else Path(checkpoint)
    if config is not None and not Path(config).exists() and not Path(config).suffix:
        config = _CONFIGS / f'{config}.py'
    return find_run(config, checkpoint)
