"""The contract of every model of videos: frames go in as they come, finished frames come out."""
from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.structures import DetDataSample, TrackDataSample, TrackSampleList
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.structures.clips import ClipSample


class Ending(NamedTuple):
    """What :meth:`VideoModel.finish` gives.

    Attributes:
        frames: ``pred_track_instances`` of the frames that were still held
            back, in order.
        pred_tracks: What is known of tracks only at the end, or None; see
            :mod:`vatrack.structures.fields`.
    """

    frames: Sequence[InstanceData] = ()
    pred_tracks: InstanceData | None = None


class VideoModel(BaseMOTModel):
    """Segments videos; what it remembers of one is a state object that the caller holds.

    A sub-class says in ``loss`` how it learns, and in ``begin``, ``step`` and
    ``finish`` how it reads a video. :class:`~vatrack.models.video_model.VideoSession`
    drives these three; nothing else calls them. Frames reach ``step`` in time
    order and every frame once; what becomes of them must not depend on how many
    come at a time.

    Attributes:
        mask_kinds: Kinds of the masks that it predicts.
        clip_length: Frames that a step wants (the last step of a video may get
            fewer); None takes any number, with the same outcome.
        delay: Most frames that it holds back; None: all of the video come at
            the end.
        live_switch: The change of a config, as KEY=VALUE, that makes a model whose
            ``delay`` is None give results as frames come; None: there is none.
        measure: Context manager around a named stage of a step, for whoever
            times it (:class:`vatrack.apis.video_stream.Stopwatch`).
    """

    mask_kinds: tuple[str, ...]
    clip_length: int | None = None
    delay: int | None = 0
    live_switch: str | None = None
    measure: Callable[[str], AbstractContextManager] = staticmethod(lambda stage: nullcontext())

    # Of predict() alone: mmengine's loops hand over batches without a word of where a video begins.
    _session: VideoSession | None = None

    @abstractmethod
    def begin(self) -> Any:
        """State of a new video."""

    @abstractmethod
    def step(self, images: Tensor, metas: list[dict], state: Any) -> list[InstanceData]:
        """Take the next T frames.

        Args:
            images: (T, 3, H, W) float, normalised and padded.
            metas: Metainfo of each frame, see :mod:`vatrack.structures.fields`.
            state: Of this video; changed in place.

        Returns:
            ``pred_track_instances`` of the next frames that are finished, in order,
            all tensors on the host: of as many as came in, of fewer, or of none.
        """

    def finish(self, state: Any) -> Ending:
        """End a video: what is left of it."""
        return Ending()

    def predict(self, inputs: Tensor, data_samples: TrackSampleList) -> TrackSampleList:
        """Take a batch of mmengine's loops: frames of whole videos, in order.

        ``frame_id`` 0 begins a video, ``video_length - 1`` ends it.

        Args:
            inputs: (B, T, 3, H, W) float.
            data_samples: B clips of T frames.

        Returns:
            A sample for each video in the batch, with those of its frames that are
            finished now, be they of this batch or of earlier ones; it has no
            ``video_data_samples`` if there are none. With the last frame of a
            video come its ``pred_tracks``, if the model gives them.

        Raises:
            ValueError: A frame does not follow the one before it.
        """
        images = inputs.flatten(0, 1)
        frames = [frame for clip in data_samples for frame in clip.video_data_samples]
        outputs, start = [], 0
        for _, group in groupby(frames, lambda frame: frame.video_id):
            video = list(group)
            outputs.append(self._predict_video(images[start:start + len(video)], video))
            start += len(video)
        return outputs

    def _predict_video(self, images: Tensor, frames: list[DetDataSample]) -> TrackDataSample:
        # A video that was broken off has no end; the next one's beginning replaces it.
        if self._session is None or frames[0].frame_id == 0:
            self._session = VideoSession(self)
        done, pred_tracks = self._session.push(images, frames), None
        if frames[-1].frame_id == frames[-1].video_length - 1:
            rest, pred_tracks = self._session.close()
            done += rest
            self._session = None
        output = ClipSample(metainfo=dict(video_id=frames[0].video_id))
        if done:
            output.video_data_samples = done
        if pred_tracks is not None:
            output.set_metainfo(dict(pred_tracks=pred_tracks))
        return output


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
        self._check_open()
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
        self._check_open()
        done = self._step_clip(len(self._clip)) if self._clip else []
        self._closed = True
        ending = self._model.finish(self._state)
        self._state = None  # may hold features of many frames
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
        instances = self._model.step(images, [sample.metainfo for sample in samples], self._state)
        if instances and self._model.delay is None:
            raise ValueError(f'{type(self._model).__name__} gave {len(instances)} frames before '
                             'the end of the video, but its delay is None')
        return self._pair(instances)

    def _pair(self, instances: Sequence[InstanceData]) -> list[DetDataSample]:
        if len(instances) > len(self._waiting):
            raise ValueError(f'{type(self._model).__name__} gave instances of {len(instances)} '
                             f'frames, but only {len(self._waiting)} wait for some')
        done = []
        for each in instances:
            done.append(self._waiting.popleft())
            done[-1].pred_track_instances = each
        return done

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError('this video was closed; begin another session')

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
