"""One open video: the only driver of a video model."""
from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

if TYPE_CHECKING:
    from .video_model import VideoModel


class VideoSession:
    """Feeds the frames of one video to a model, and pairs what comes out with its frames.

    Frames are regrouped into the clips that the model wants, so that the size
    of a batch never decides which frames meet. Several sessions of one model
    may be open at once.

    Args:
        model: Known by its ``begin``, ``step`` and ``finish`` only.
    """

    def __init__(self, model: VideoModel) -> None:
        self._model = model
        self._state = model.begin()
        # Frames that are not yet a whole clip, and those whose outcome is not known yet.
        self._clip: list[tuple[Tensor, DetDataSample]] = []
        self._waiting: deque[DetDataSample] = deque()
        self._last: tuple[int, int] | None = None
        self._closed = False

    def push(self, images: Tensor, samples: Sequence[DetDataSample]) -> list[DetDataSample]:
        """Take the next frames.

        Args:
            images: (T, 3, H, W) float, normalised and padded.
            samples: T frames with ``video_id`` and ``frame_id``.

        Returns:
            The frames that are finished, in order, now with
            ``pred_track_instances``.

        Raises:
            ValueError: A frame does not follow the one before it, the video was
                closed, or the model gives more frames than it got.
        """
        if self._closed:
            raise ValueError('this video was closed; begin another session')
        for sample in samples:
            self._check_order(sample)
        self._waiting.extend(samples)
        length = self._model.clip_length
        if length is None:
            return self._step(images, samples)
        self._clip += zip(images.unbind(), samples, strict=True)
        done = []
        while len(self._clip) >= length:
            done += self._step_clip(length)
        return done

    def close(self) -> tuple[list[DetDataSample], InstanceData | None]:
        """End the video.

        Returns:
            The frames that were left, and ``pred_tracks`` or None.

        Raises:
            ValueError: The model leaves frames without an outcome.
        """
        done = self._step_clip(len(self._clip)) if self._clip else []
        self._closed = True
        ending = self._model.finish(self._state)
        self._state = None
        done += self._pair(ending.frames)
        if self._waiting:
            raise ValueError(f'{type(self._model).__name__} ended the video with '
                             f'{len(self._waiting)} frames that it gave no instances for')
        return done, ending.pred_tracks

    def _step_clip(self, length: int) -> list[DetDataSample]:
        clip, self._clip = self._clip[:length], self._clip[length:]
        images, samples = zip(*clip, strict=True)
        return self._step(torch.stack(images), samples)

    def _step(self, images: Tensor, samples: Sequence[DetDataSample]) -> list[DetDataSample]:
        return self._pair(self._model.step(images, [sample.metainfo for sample in samples],
                                           self._state))

    def _pair(self, instances: Sequence[InstanceData]) -> list[DetDataSample]:
        if len(instances) > len(self._waiting):
            raise ValueError(f'{type(self._model).__name__} gave instances of {len(instances)} '
                             f'frames, but only {len(self._waiting)} wait for some')
        done = []
        for each in instances:
            done.append(self._waiting.popleft())
            done[-1].pred_track_instances = each
        return done

    def _check_order(self, sample: DetDataSample) -> None:
        video, frame = sample.video_id, sample.frame_id
        expected = (video, 0) if self._last is None else (self._last[0], self._last[1] + 1)
        if (video, frame) != expected:
            before = f'frame {self._last[1]} of video {self._last[0]}' if self._last else 'no other'
            raise ValueError(
                f'frame {frame} of video {video} follows {before}; tracking needs all frames of a '
                'video in order: use sampler dict(type="VideoSampler") and no shuffling in the '
                'test dataloader')
        self._last = (video, frame)
