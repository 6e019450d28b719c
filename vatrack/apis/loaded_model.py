"""A trained model that takes frames out of memory: what testing does, without files."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner.checkpoint import CheckpointLoader

from vatrack.datasets import with_scale
from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS
from vatrack.video import VideoFrame

from .config import ConfigError, config_errors
from .device import PRECISIONS
from .weights import check_checkpoint_file, drop_pretrained, load_weights

_LOADING = 'LoadFrame'


class LoadedModel:
    """Model, weights and test pipeline of a config.

    Frames go through the config's own test pipeline, so that predictions are
    those of ``tools/test.py``.

    Args:
        config: Complete config; changed in place.
        checkpoint: Checkpoint of that config.
        device: Where the model runs.
        precision: Name out of :data:`PRECISIONS`.

    Attributes:
        video_model: The model, in evaluation mode.
        device: Where it runs.
        dtype: Of autocast; None: off.
        classes: Class names in label order.
        kinds: Kinds of masks that are predicted.

    Raises:
        ConfigError: The config names a class or key that does not exist, says
            nothing of the classes, or its test pipeline does not read frames
            with one ``LoadFrame``.
        WeightsError: The checkpoint is damaged or of another architecture.
        UntrustedCheckpointError: It would run code.
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
            self.video_model = MODELS.build(config.model)
            self._pipeline = Compose(pipeline)
        load_weights(self.video_model, checkpoint)
        self.video_model.to(device).eval()
        self.kinds = tuple(kind for kind in MASK_KINDS if kind in self.video_model.mask_kinds)

    def prepare(self, frame: VideoFrame, name: str) -> dict[str, Any]:
        """Put a frame through the test pipeline; may run in another thread.

        Args:
            frame: Frame of the video.
            name: Name of the video.
        """
        size = frame.image.shape[:2]
        clip = dict(img=cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), img_shape=size,
                    ori_shape=size, height=size[0], width=size[1], img_path='',
                    img_id=frame.index, sample_idx=frame.index, frame_id=frame.index,
                    video_id=1, video_name=name, instances=[], key_frame_flags=True)
        return self._pipeline({key: [value] for key, value in clip.items()})


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

    dataset = config.test_dataloader.dataset
    pipeline = keep(dataset.pipeline)
    if len(loaders) != 1:
        raise ConfigError(f'{config.filename}: test_dataloader.dataset.pipeline must read frames '
                          f'with one {_LOADING}, it has {len(loaders)}')
    try:
        return with_scale(pipeline, dataset.get('scale'))
    except ValueError as error:
        raise ConfigError(f'{config.filename}: test_dataloader.dataset: {error}') from None


def _name(transform: Any) -> str:
    kind = transform['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]
