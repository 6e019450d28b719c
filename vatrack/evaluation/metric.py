"""The metric that mmengine's loops call: collects tracks, writes them, scores them."""
from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.structures import DetDataSample
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from vatrack.files import ResultError, load_annotations, write_results
from vatrack.files.track_entry import track_from_json, track_to_json
from vatrack.files.track_selection import read_selection
from vatrack.files.whole_file import make_folder, output_errors
from vatrack.registry import METRICS
from vatrack.structures import (
    MASK_KINDS,
    AnnotationFile,
    TrackCollector,
    TrackRecord,
    Video,
    masks_field,
)

from .evaluate import check_metrics, evaluate
from .metric_names import ALL_METRICS, metric_makers
from .metric_names import METRICS as METRIC_CLASSES
from .protocols import get_protocol
from .report import full_report
from .truth import truth_kinds

_ALL_FRAMES = ('testing needs all frames of whole videos in order: use sampler '
               'dict(type="VideoSampler") in the test dataloader')
_SAME_FILE = 'give the ann_file of the dataset to the evaluator too'


@METRICS.register_module()
class VideoInstanceMetric(BaseMetric):
    """Collect the tracks of whole videos and score them against an annotation file.

    Frames arrive in time order. When a video is complete its tracks go to a
    file, so that finished work outlives a crash and memory holds one video at
    a time. At the end one process merges the files of all, writes the result
    file and scores it; the numbers do not depend on how many processes there
    were.

    Args:
        ann_file: Annotation file with the truth.
        metric: What to compute, such as 'AP' (image level) and 'vAP' (video
            level); nothing, if the result file is all that is wanted. (Not
            ``metrics``: mmengine takes a dict with that key for an evaluator.)
        protocol: Name of the evaluation protocol, see ``protocols.py``.
        score_thr: As of :func:`~vatrack.evaluation.evaluate.evaluate`.
        occlusion_bins: As of ``evaluate``.
        per_category: As of ``evaluate``.
        selection: File of :mod:`vatrack.files.track_selection`; only its tracks
            count, which some metrics alone can do (mIoU).
        out: Result file to write; None keeps none.
        **kwargs: As :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: Unknown metric or protocol, or wrong bins; raised before any
            frame is processed.
    """

    default_prefix = ''

    def __init__(self, ann_file: str, metric: Sequence[str] = ('AP', 'vAP'),
                 protocol: str = 'sailvos-full', out: str | None = None,
                 score_thr: float | None = None, occlusion_bins: Sequence[float] | None = None,
                 per_category: bool = False, selection: str | None = None,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metric = check_metrics(metric) if metric else []
        self.protocol = get_protocol(protocol, score_thr, occlusion_bins)
        self.per_category = per_category
        self.selection = None if selection is None else read_selection(selection)
        self.ann_file = ann_file
        self.out = out
        self._annotations: AnnotationFile | None = None
        self._reset()

    def _reset(self) -> None:
        self._parts: Path | None = None
        self._open: _OpenVideo | _OpenTracks | None = None
        self._kinds: tuple[str, ...] = ()
        # Videos, and how many samples of the dataset each of them took.
        self._done: list[tuple[int, int]] = []

    @property
    def annotations(self) -> AnnotationFile:
        """The annotation file, read when first needed."""
        if self._annotations is None:
            self._annotations = load_annotations(self.ann_file)
        return self._annotations

    def number_names(self) -> list[str]:
        """What it computes, without the kind of mask: 'video/vAP', 'video/vAP50' ..."""
        names = list(METRIC_CLASSES) if ALL_METRICS in self.metric else self.metric
        makers = metric_makers(names, self.protocol, [])
        return [name for make in makers for name in make().compute()]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take the next frames, in time order.

        Args:
            data_batch: Unused.
            data_samples: Clips as dicts, each of one video; each frame has
                ``pred_track_instances``, and the clip that ends a video may have
                ``pred_tracks`` (see ``vatrack/structures/fields.py``). A clip
                without frames is fine: a model may hold frames back. Or
                stretches of videos with ``pred_records``, their finished
                tracks, as :class:`~vatrack.models.TrackCompleter` gives them.

        Raises:
            ResultError: A frame is missing, out of order, or not of the
                annotation file.
        """
        for clip in data_samples:
            if 'pred_records' in clip:
                self._add_records(**clip)
            for frame in clip.get('video_data_samples', ()):
                self._add(frame)
                if self._open.length == frame.video_length:
                    self._close(frame, clip.get('pred_tracks'))

    def _add(self, frame: DetDataSample) -> None:
        instances = frame.pred_track_instances
        self._kinds = tuple(kind for kind in MASK_KINDS if masks_field(kind) in instances)
        if self._open is None:
            video = self._checked_video(frame.video_id, frame.video_name, frame.video_length)
            self._open = _OpenVideo(video, self._kinds, self._categories())
        if (frame.video_id, frame.frame_id) != (self._open.video.id, self._open.length):
            raise ResultError(f'frame {frame.frame_id} of video {frame.video_name!r} came where '
                              f'{self._open.expected}; {_ALL_FRAMES}')
        self._open.add(instances)

    def _add_records(self, pred_records: list[TrackRecord], video_id: int, video_name: str,
                     frames: range, video_length: int) -> None:
        for record in pred_records:
            self._kinds = max(self._kinds, tuple(record.masks), key=len)
        if self._open is None:
            self._open = _OpenTracks(self._checked_video(video_id, video_name, video_length))
        if (video_id, frames.start) != (self._open.video.id, self._open.length):
            raise ResultError(f'frames from {frames.start} on of video {video_name!r} came where '
                              f'{self._open.expected}; {_ALL_FRAMES}')
        self._open.add(pred_records, frames)
        if self._open.length == video_length:
            self._write(self._open.tracks(), self._open.samples)

    def _close(self, last: DetDataSample, pred_tracks: Mapping[str, Any] | None) -> None:
        """Write the tracks of the video that ends with this frame."""
        self._write(self._open.tracks(pred_tracks), last.video_length)

    def _write(self, tracks: Iterable[TrackRecord], samples: int) -> None:
        video, part = self._open.video, self._part()
        with output_errors(part), part.open('a') as file:
            file.writelines(json.dumps(track_to_json(record, len(video.frames))) + '\n'
                            for record in tracks)
        self._done.append((video.id, samples))
        self._open = None

    def _checked_video(self, video_id: int, name: str, length: int) -> Video:
        videos = {video.id: video for video in self.annotations.videos}
        video = videos.get(video_id)
        if video is None or (video.name, len(video.frames)) != (name, length):
            raise ResultError(f'{self.ann_file} has no video {video_id} named {name!r} with '
                              f'{length} frames, but the dataset has; {_SAME_FILE}')
        return video

    def _categories(self) -> list[int]:
        ids = {name: id_ for id_, name in self.annotations.categories.items()}
        missing = [name for name in self.dataset_meta['classes'] if name not in ids]
        if missing:
            raise ResultError(f'{self.ann_file} has no categories {missing}, but the dataset has; '
                              f'{_SAME_FILE}')
        return [ids[name] for name in self.dataset_meta['classes']]

    def _part(self) -> Path:
        if self._parts is None:
            if self.out is not None:
                self._parts = Path(f'{self.out}.parts')
                make_folder(self._parts)
            else:
                self._parts = Path(tempfile.mkdtemp(prefix='vatrack-'))
            self._part_file.unlink(missing_ok=True)
        return self._part_file

    @property
    def _part_file(self) -> Path:
        return self._parts / f'rank{get_rank()}.jsonl'

    def evaluate(self, size: int) -> dict[str, float]:
        """Merge the tracks of all processes, write and score them.

        Args:
            size: Number of samples of the dataset: frames, or stretches of videos.

        Returns:
            Fractions in [0, 1] by name, for example ``amodal/video/vAP50``; -1
            where there is no truth. The same in every process.

        Raises:
            ResultError: Frames are missing.
            OutputError: The tracks cannot be written.
        """
        part = self._part()
        with output_errors(part):
            part.touch()
        gathered = all_gather_object((self._part_file.resolve(), self._kinds, self._done,
                                      self._open and self._open.expected))
        self._reset()
        parts, kinds, done, unfinished = zip(*gathered, strict=True)
        self._check_complete([each for part in done for each in part], unfinished, size)
        results: list[dict] = [{}]
        if is_main_process():
            results = [self._score(parts, max(kinds, key=len))]
            for folder in {file.parent for file in parts}:
                shutil.rmtree(folder)
        broadcast_object_list(results)
        return results[0]

    def _check_complete(self, done: list[tuple[int, int]], unfinished: Sequence[str | None],
                        size: int) -> None:
        """Refuse to score a part of the dataset; the same in every process."""
        for expected in filter(None, unfinished):
            raise ResultError(f'the data ended where {expected}; {_ALL_FRAMES}')
        videos = {video.id: video for video in self.annotations.videos}
        ids = [id_ for id_, _ in done]
        count = sum(samples for _, samples in done)
        if count != size or len(set(ids)) != len(ids):
            lost = [video.name for id_, video in videos.items() if id_ not in ids][:5]
            twice = sorted({videos[id_].name for id_ in ids if ids.count(id_) > 1})[:5]
            raise ResultError(f'{count} samples were processed instead of {size}; videos without '
                              f'results: {lost}, videos with several: {twice}; {_ALL_FRAMES}')

    def _score(self, parts: Sequence[Path], kinds: tuple[str, ...]) -> dict[str, float]:
        logger = MMLogger.get_current_instance()
        tracks = list(_merge(parts))
        if self.out is not None:
            write_results(self.out, tracks, self.annotations)
            logger.info('Wrote %s', self.out)
        if not self.metric:
            return {}
        true = truth_kinds(self.annotations)
        metrics = evaluate(self.annotations, tracks, self.metric, self.protocol,
                           [kind for kind in kinds if kind in true] or None,
                           per_category=self.per_category, selection=self.selection)
        logger.info('\n%s', full_report(self.annotations, metrics, self.protocol))
        return metrics

    def compute_metrics(self, results: list) -> dict:
        """Not used: :meth:`evaluate` scores whole files."""
        raise TypeError('VideoInstanceMetric scores in evaluate()')


class _OpenVideo(TrackCollector):
    """The tracks of the video that is being processed."""

    def __init__(self, video: Video, kinds: tuple[str, ...], categories: list[int]) -> None:
        super().__init__(video.id, categories, kinds)
        self.video = video

    @property
    def expected(self) -> str:
        """What must come next, for messages."""
        return (f'frame {self.length} of video {self.video.name!r}, which has '
                f'{len(self.video.frames)}, was expected')


class _OpenTracks:
    """The tracks of the video that is being processed, in stretches of time."""

    def __init__(self, video: Video) -> None:
        self.video = video
        self.length = self.samples = 0
        self._tracks: dict[int, TrackRecord] = {}

    def add(self, records: Sequence[TrackRecord], frames: range) -> None:
        """Take what the tracks are in the next frames."""
        for record in records:
            known = self._tracks.get(record.track_id)
            self._tracks[record.track_id] = known.joined(record) if known else record
        self.length = frames.stop
        self.samples += 1

    def tracks(self) -> Iterable[TrackRecord]:
        """Tracks by id."""
        return (record for _, record in sorted(self._tracks.items()))

    @property
    def expected(self) -> str:
        """What must come next, for messages."""
        return (f'frame {self.length} of video {self.video.name!r}, which has '
                f'{len(self.video.frames)}, was expected')


def _merge(parts: Sequence[Path]) -> Iterator[TrackRecord]:
    """All tracks in order of video and track, with ids that are unique over all videos."""
    tracks = [track_from_json(json.loads(line)) for part in parts for line in part.open()]
    tracks.sort(key=lambda track: (track.video_id, track.track_id))
    for new_id, track in enumerate(tracks, start=1):
        track.track_id = new_id
        yield track
