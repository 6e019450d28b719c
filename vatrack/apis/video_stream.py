"""One video on its way through the model, and where its time goes."""
from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import torch
from mmengine.structures import InstanceData

from vatrack.models import VideoSession
from vatrack.structures import TrackCollector
from vatrack.video import FrameSource, VideoFrame, read_ahead

from .loaded_model import LoadedModel
from .video_result import FrameResult, VideoResult, read_instances

Item = TypeVar('Item')


class _OpenVideo:
    """The session of one video, and what surrounds its steps."""

    def __init__(self, loaded: LoadedModel, stopwatch: Stopwatch) -> None:
        self._model, self._device, self._dtype = loaded.video_model, loaded.device, loaded.dtype
        self._stopwatch = stopwatch
        with self._computing():
            self._session = VideoSession(loaded.video_model)

    def push(self, samples: Sequence[dict[str, Any]]) -> list[InstanceData]:
        """Take the next frames, from :meth:`LoadedModel.prepare`.

        Returns:
            ``pred_track_instances`` of the next frames that are finished.
        """
        clips = [sample['data_samples'] for sample in samples]
        batch = dict(inputs=[sample['inputs'] for sample in samples], data_samples=clips)
        with self._computing():
            batch = self._model.data_preprocessor(batch, False)
            frames = [frame for clip in batch['data_samples'] for frame in clip.video_data_samples]
            done = self._session.push(batch['inputs'].flatten(0, 1), frames)
        return [frame.pred_track_instances for frame in done]

    def close(self) -> tuple[list[InstanceData], InstanceData | None]:
        """End the video: the instances of the frames left, and ``pred_tracks`` or None."""
        with self._computing():
            done, pred_tracks = self._session.close()
        return [frame.pred_track_instances for frame in done], pred_tracks

    @contextmanager
    def _computing(self) -> Iterator[None]:
        # Set anew each time: videos that are open together have a stopwatch each.
        self._model.measure = partial(self._stopwatch.measure, on_device=True)
        with self._model.measure('detector'), torch.inference_mode(), \
                torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not None):
            yield


class VideoStream:
    """Frames of one video with their objects, as they come out of the model.

    Iterate over it, once: frames are read and prepared in a thread of their
    own while the model is at work on those before. Left early it should be
    closed; it is a context manager. Memory holds the frames of two batches and
    those that a model holds back, and of the tracks only run-length encoded
    masks. For a model that answers at the end of the video, files are read
    once more, so that their frames need not be kept.

    Attributes:
        source: Where the frames come from.
        stopwatch: Seconds by stage: decode, prepare (both in the thread of
            their own), wait (for them), detector, track.

    Raises:
        VideoError: After the last good frame: the source is damaged.
    """

    def __init__(self, model: LoadedModel, source: FrameSource, batch_size: int, score_thr: float,
                 keep_tracks: bool, stopwatch: Stopwatch) -> None:
        self.source, self.stopwatch = source, stopwatch
        self._model, self._batch_size, self._score_thr = model, batch_size, score_thr
        self._size = (0, 0)
        self._collector = TrackCollector(1, range(1, len(model.classes) + 1),
                                         model.kinds) if keep_tracks else None
        self._stopped = False
        self._pred_tracks: InstanceData | None = None
        self._frames = self._run()

    def __iter__(self) -> Iterator[FrameResult]:
        return self

    def __next__(self) -> FrameResult:
        return next(self._frames)

    def __enter__(self) -> VideoStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the video here; :meth:`result` then holds the frames that were taken."""
        self._frames.close()

    def stop(self) -> None:
        """Read no further; frames that were read are still finished. Safe in a signal handler."""
        self._stopped = True

    def result(self) -> VideoResult:
        """Go through the frames that are left, and return the tracks of the whole video.

        Raises:
            ValueError: The tracks were not kept.
            VideoError: The source is damaged. Called once more it returns the
                tracks up to there.
        """
        if self._collector is None:
            raise ValueError('the tracks of this video were not kept; leave keep_tracks=False out')
        for _ in self:
            pass
        height, width = self._size
        return VideoResult(
            self.source.name, width, height, self.source.fps,
            [self.source.file_name(index) for index in range(self._collector.length)],
            dict(enumerate(self._model.classes, start=1)), self._model.kinds,
            list(self._collector.tracks(self._pred_tracks)))

    def _run(self) -> Iterator[FrameResult]:
        video = _OpenVideo(self._model, self.stopwatch)
        # Frames whose results are not there yet; none if they come at the end: memory would grow
        # with the video, so the source is read once more.
        waiting: deque[VideoFrame] = deque()
        reread = self._model.video_model.delay is None and self.source.can_reread
        failed: Exception | None = None
        with closing(read_ahead(self._prepared(), self._batch_size)) as prepared:
            batches = _batches(self.stopwatch.each('wait', prepared), self._batch_size)
            while not self._stopped:
                try:
                    batch = next(batches, None)
                except Exception as error:  # of the source: what came before it is finished first
                    failed, batch = error, None
                if batch is None:
                    break
                if not reread:
                    waiting.extend(frame for frame, _ in batch)
                samples = [sample for _, sample in batch]
                del batch
                for predicted in _drained(video.push(samples)):
                    yield self._result(waiting.popleft(), predicted)
                    if self._stopped and self._model.video_model.delay == 0:
                        return  # nothing is held back: what was detected with it may go
        rest, self._pred_tracks = video.close()
        frames = iter(self.source) if reread else _drained(waiting)
        for predicted, frame in zip(_drained(rest), frames, strict=False):
            yield self._result(frame, predicted)
        if failed is not None:
            raise failed

    def _prepared(self) -> Iterator[tuple[VideoFrame, dict[str, Any]]]:
        for frame in self.stopwatch.each('decode', self.source):
            with self.stopwatch.measure('prepare'):
                sample = self._model.prepare(frame, self.source.name)
            yield frame, sample
            del frame, sample  # or they would live until the next are there

    def _result(self, frame: VideoFrame, predicted: Any) -> FrameResult:
        self._size = frame.image.shape[:2]
        kept = predicted[predicted.scores >= self._score_thr]
        if self._collector is not None:
            self._collector.add(kept)
        return FrameResult(frame.index, frame.time, frame.image,
                           read_instances(kept, self._model.classes))


def _drained(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each forgotten as it is handed out."""
    items = deque(items)
    while items:
        yield items.popleft()


def _batches(items: Iterable[Item], size: int) -> Iterator[deque[Item]]:
    """Items in groups of ``size``; before an error comes the group that it broke off."""
    batch: deque[Item] = deque()
    try:
        for item in items:
            batch.append(item)
            del item
            if len(batch) == size:
                yield batch
                batch = deque()
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


Item = TypeVar('Item')
_END = object()


class Stopwatch:
    """Adds up the seconds of stages; the time of a stage inside another is its own only.

    Stages may run in several threads; then their sum is more than the time
    that passes.

    Args:
        wait: Called around stages on a device, to wait for its work; None
            leaves that work to the stage that needs its outcome first.
    """

    def __init__(self, wait: Callable[[], None] | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._wait = wait
        self._local = threading.local()

    @contextmanager
    def measure(self, stage: str, on_device: bool = False) -> Iterator[None]:
        """Add the time of the block to a stage."""
        wait = self._wait if on_device else None
        if wait:
            wait()
        outer = getattr(self._local, 'inner', 0.0)
        self._local.inner = 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            if wait:
                wait()
            elapsed = time.perf_counter() - start
            self.seconds[stage] += elapsed - self._local.inner
            self._local.inner = outer + elapsed

    def each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; the time that it takes to get them is added to a stage."""
        iterator = iter(items)
        while True:
            with self.measure(stage):
                item = next(iterator, _END)
            if item is _END:
                return
            yield item
            del item  # or it would live until the next is there
