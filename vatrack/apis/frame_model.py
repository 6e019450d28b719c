"""A trained model that takes frames out of memory: what testing does, without files."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.structures import InstanceData

from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS
from vatrack.video import VideoFrame

from .config import ConfigError, config_errors
from .device import PRECISIONS
from .stopwatch import Stopwatch
from .weights import check_checkpoint_file, drop_pretrained, load_weights

_LOADING = 'LoadFrame'


class FrameModel:
    """Model, weights and test pipeline of a config, for one video at a time.

    Frames go through the config's own test pipeline, so that predictions are
    those of ``tools/test.py``.

    Args:
        config: Complete config; changed in place.
        checkpoint: Checkpoint of that config.
        device: Where the model runs.
        precision: Name out of :data:`PRECISIONS`.

    Raises:
        ConfigError: The config names a class or key that does not exist, says
            nothing of the classes, or its test pipeline does not read frames
            with one ``LoadFrame``.
        WeightsError: The checkpoint is damaged or of another architecture.
    """

    def __init__(self, config: Config, checkpoint: str | Path, device: torch.device,
                 precision: str) -> None:
        check_checkpoint_file(checkpoint)
        drop_pretrained(config)
        self.device, self.dtype = device, PRECISIONS[precision]
        self.classes = _classes(config, checkpoint)
        pipeline = _without_loading(config)
        with config_errors(config), MODELS.switch_scope_and_registry(
                config.get('default_scope', 'vatrack')):
            self._model = MODELS.build(config.model)
            self._pipeline = Compose(pipeline)
        load_weights(self._model, checkpoint)
        self._model.to(device).eval()
        self._model.tracker.track = self._measured(self._model.tracker.track)
        kinds = self._model.detector.roi_head.mask_kinds
        #: Kinds of masks that are predicted.
        self.kinds = tuple(kind for kind in MASK_KINDS if kind in kinds)
        self._stopwatch = Stopwatch()
        self._video = 0

    def begin(self, stopwatch: Stopwatch) -> int:
        """Begin a video; returns the number that its frames are prepared with."""
        self._stopwatch = stopwatch
        self._video += 1
        return self._video

    def prepare(self, frame: VideoFrame, name: str, video: int) -> dict[str, Any]:
        """Put a frame through the test pipeline; may run in another thread.

        Args:
            frame: Frame of the video.
            name: Name of the video.
            video: Its number, see :meth:`begin`.
        """
        size = frame.image.shape[:2]
        clip = dict(img=cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), img_shape=size,
                    ori_shape=size, height=size[0], width=size[1], img_path='',
                    img_id=frame.index, sample_idx=frame.index, frame_id=frame.index,
                    video_id=video, video_name=name, instances=[], key_frame_flags=True)
        return self._pipeline({key: [value] for key, value in clip.items()})

    @torch.inference_mode()
    def predict(self, samples: Sequence[dict[str, Any]]) -> list[InstanceData]:
        """Detect in prepared frames at once, and track them in order.

        Args:
            samples: The next B frames of the video, from :meth:`prepare`.

        Returns:
            ``pred_track_instances`` of each frame, on the CPU.

        Raises:
            RuntimeError: Another video was begun.
        """
        clips = [sample['data_samples'] for sample in samples]
        if any(frame.video_id != self._video for clip in clips
               for frame in clip.video_data_samples):
            raise RuntimeError('another video was begun with this inferencer, and its tracker '
                               'remembers only one; finish a video before the next, or make two '
                               'inferencers')
        batch = dict(inputs=[sample['inputs'] for sample in samples], data_samples=clips)
        with self._stopwatch.measure('detector', on_device=True), \
                torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            predicted = self._model.test_step(batch)
            return [frame.pred_track_instances.to('cpu') for clip in predicted
                    for frame in clip.video_data_samples]

    def _measured(self, track: Callable[..., InstanceData]) -> Callable[..., InstanceData]:
        @wraps(track)
        def measured(*args: Any) -> InstanceData:
            with self._stopwatch.measure('track', on_device=True):
                return track(*args)
        return measured


def _classes(config: Config, checkpoint: str | Path) -> tuple[str, ...]:
    """Class names in label order, of the config or else of the run that made the checkpoint."""
    classes = config.test_dataloader.dataset.get('metainfo', {}).get('classes')
    if classes is None:
        state = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
        classes = (state.get('meta', {}).get('dataset_meta') or {}).get('classes')
    if not classes:
        raise ConfigError(f'{config.filename}: says nothing of the classes, nor does {checkpoint}; '
                          "name them: --cfg-options test_dataloader.dataset.metainfo="
                          "\"{'classes': ('fish', 'turtle')}\"")
    return tuple(classes)


def _without_loading(config: Config) -> list[Any]:
    """The test pipeline without the transform that reads a file."""
    loaders: list[Any] = []

    def keep(transforms: Sequence[Any]) -> list[Any]:
        kept = []
        for transform in transforms:
            inner = transform.get('transforms')
            if _name(transform) == _LOADING:
                loaders.append(transform)
            else:
                kept.append(transform if inner is None else {**transform,
                                                             'transforms': keep(inner)})
        return kept

    pipeline = keep(config.test_dataloader.dataset.pipeline)
    if len(loaders) != 1:
        raise ConfigError(f'{config.filename}: test_dataloader.dataset.pipeline must read frames '
                          f'with one {_LOADING}, it has {len(loaders)}')
    return pipeline


def _name(transform: Any) -> str:
    kind = transform['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]
