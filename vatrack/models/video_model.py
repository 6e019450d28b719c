"""The contract of every model of videos: frames go in as they come, finished frames come out."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any, NamedTuple

from mmdet.models.mot import BaseMOTModel
from mmdet.structures import DetDataSample, TrackDataSample, TrackSampleList
from mmengine.structures import InstanceData
from torch import Tensor

from .session import VideoSession


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
    ``finish`` how it reads a video. :class:`~vatrack.models.session.VideoSession`
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
            times it (:class:`vatrack.apis.stopwatch.Stopwatch`).
    """

    mask_kinds: tuple[str, ...]
    clip_length: int | None = None
    delay: int | None = 0
    live_switch: str | None = None
    measure: Callable[[str], AbstractContextManager] = staticmethod(lambda stage: nullcontext())

    def __init__(self, data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        # Only for mmengine's loops, which hand over batches without a word of where a video begins.
        self._sessions: dict[int, VideoSession] = {}

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
        video_id, pred_tracks = frames[0].video_id, None
        if frames[0].frame_id == 0:
            # Others are left over from runs that were broken off.
            self._sessions = {video_id: VideoSession(self)}
        if video_id not in self._sessions:
            self._sessions[video_id] = VideoSession(self)
        done = self._sessions[video_id].push(images, frames)
        if frames[-1].frame_id == frames[-1].video_length - 1:
            rest, pred_tracks = self._sessions.pop(video_id).close()
            done += rest
        output = TrackDataSample(metainfo=dict(video_id=video_id))
        if done:
            output.video_data_samples = done
        if pred_tracks is not None:
            output.set_metainfo(dict(pred_tracks=pred_tracks))
        return output
