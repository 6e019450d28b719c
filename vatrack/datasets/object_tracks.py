"""The dataset of completion: objects over time, of annotation files or of any tracker's results."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from vatrack.files import AnnotationError, AnnotationIndex
from vatrack.files.track_selection import TrackSelection, read_selection
from vatrack.registry import DATASETS, FUNCTIONS
from vatrack.structures import TrackRecord
from vatrack.structures.object_clips import ObjectClips, TrackChunk

from .cut_tracks import CutRequest, CutTracks, part_of
from .given_tracks import ClipPlan, FrameFiles, GivenTracks, cut_clips, seen_frames
from .object_windows import LookRule

#: What a clip can hold beside masks.
NEEDS = ('image', 'flow')


class _TrackDataset(Dataset):
    """What training and testing on tracks have in common.

    Args:
        ann_file: Annotation file, relative to ``data_root``.
        data_root: Folder of the dataset.
        data_prefix: ``img_path`` and ``flow``, folders relative to ``data_root``.
        results: Result file whose tracks are taken; None: those of the annotations.
        needs: What clips hold beside masks, out of ``NEEDS``.
        look: Arguments of :class:`~vatrack.datasets.object_windows.LookRule`.
        selection: File of :mod:`vatrack.files.track_selection`, relative to
            ``data_root``: which tracks count, and in which frames. None: all, from
            the first to the last frame in which they are seen.
        metainfo: ``dict(classes=...)`` for whoever asks; not needed.
    """

    def __init__(self, ann_file: str, data_root: str = '', data_prefix: dict | None = None,
                 results: str | None = None, needs: Sequence[str] = NEEDS,
                 look: dict | None = None, selection: str | None = None,
                 metainfo: dict | None = None) -> None:
        if isinstance(needs, str) or set(needs) - set(NEEDS):
            raise ValueError(f'needs must be a list out of {NEEDS}, got {needs!r}')
        self.needs = frozenset(needs)
        self.rule = LookRule(**look or {})
        root, prefix = Path(data_root), data_prefix or {}
        if 'flow' in self.needs and 'flow' not in prefix:
            raise ValueError('flow is needed: name its folder, data_prefix=dict(flow=...), made '
                             'with tools/make_flow.py')
        self.ann_file = str(root / ann_file)
        self.files = FrameFiles(root / prefix.get('img_path', ''),
                                root / prefix['flow'] if 'flow' in prefix else None)
        self.results = results
        self.selection: TrackSelection | None = None
        if selection is not None:
            self.selection = read_selection(root / selection)
        self._metainfo = metainfo

    @cached_property
    def given(self) -> GivenTracks:
        """The tracks of all videos."""
        return GivenTracks(AnnotationIndex.open(self.ann_file), self.results)

    @property
    def index(self) -> AnnotationIndex:
        """The annotation file."""
        return self.given.index

    @property
    def metainfo(self) -> dict:
        """Classes, in the order of the annotation file unless the config names them."""
        return self._metainfo or dict(classes=tuple(self.index.categories.values()))

    def run(self, track: TrackRecord) -> range:
        """The frames of a track that count."""
        if self.selection is None:
            return seen_frames(track)
        # Ids of annotated tracks are one higher than those of their objects.
        chosen = self.selection.run(track.video_id, track.track_id - (self.results is None))
        seen = seen_frames(track) if len(chosen) else chosen
        return range(max(chosen.start, seen.start), min(chosen.stop, seen.stop))


@DATASETS.register_module()
class TrackClipDataset(_TrackDataset):
    """Clips of single objects, to train completion on.

    A sample is one clip of one track: ``clip_length`` consecutive frames from a
    random one on, or the whole track if it is shorter. The tracks are cut once,
    and read from then on (:mod:`vatrack.datasets.cut_tracks`).

    Args:
        clip_length: Frames of a clip.
        min_length: Tracks of fewer frames are left out.
        clips_per_track: Samples of a track in an epoch.
        random_start: Draw where clips begin; False begins in the middle of what
            is possible, so that validation is always of the same clips.
        **kwargs: As :class:`_TrackDataset`.

    Raises:
        AnnotationError: The file is wrong, or no track is long enough.
        FlowError: A field of flow is missing or damaged.
    """

    def __init__(self, *args, clip_length: int = 40, min_length: int = 3, clips_per_track: int = 1,
                 random_start: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if min(clip_length, min_length, clips_per_track) < 1:
            raise ValueError('clip_length, min_length and clips_per_track must be positive, got '
                             f'{clip_length}, {min_length} and {clips_per_track}')
        self.clip_length, self.min_length = clip_length, min_length
        self.clips_per_track, self.random_start = clips_per_track, random_start

    @cached_property
    def tracks(self) -> CutTracks:
        """The tracks, cut."""
        runs = {}
        for position, video_id in enumerate(self.index.video_ids.tolist()):
            own = {track.track_id: run for track in self.given.of(position)
                   if len(run := self.run(track)) >= self.min_length}
            if own:
                runs[video_id] = own
        if not runs:
            raise AnnotationError(f'{self.ann_file}: no track has {self.min_length} frames that '
                                  'count; check the selection, or lower min_length')
        return CutTracks.open(CutRequest(self.ann_file, self.results, runs, self.rule, self.files,
                                         self.needs), self.given)

    def full_init(self) -> None:
        """Cut the tracks; mmengine calls it when the loader is built."""
        _ = self.tracks

    def __len__(self) -> int:
        return len(self.tracks) * self.clips_per_track

    def __getitem__(self, index: int) -> ObjectClips:
        track = index // self.clips_per_track
        spare = max(int(self.tracks.lengths[track]) - self.clip_length, 0)
        start = np.random.randint(spare + 1) if self.random_start else spare // 2
        length = min(self.clip_length, int(self.tracks.lengths[track]))
        return self.tracks.clip(track, range(start, start + length))


@DATASETS.register_module()
class TrackChunkDataset(_TrackDataset):
    """Whole videos, all their tracks at a time, to complete them.

    A sample is a stretch of a video with all tracks that are in it; each frame
    is read once for all of them (twice where stretches overlap). Memory depends
    on the stretch, not on the length of the video.

    Args:
        chunk_length: Frames of a stretch whose masks are wanted.
        context: Frames before and after it that networks see too.
        min_score: Tracks of a result file with a lower score are not
            completed and cover nothing; they keep their visible masks.
        **kwargs: As :class:`_TrackDataset`.
    """

    def __init__(self, *args, chunk_length: int = 128, context: int = 16, min_score: float = 0.,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if chunk_length < 1 or context < 0:
            raise ValueError(f'chunk_length must be positive and context not negative, got '
                             f'{chunk_length} and {context}')
        self.chunk_length, self.context, self.min_score = chunk_length, context, min_score

    @cached_property
    def _chunks(self) -> list[tuple[int, range]]:
        lengths = np.diff(self.index.video_starts).tolist()
        return [(video, range(start, min(start + self.chunk_length, length)))
                for video, length in enumerate(lengths)
                for start in range(0, length, self.chunk_length)]

    @property
    def video_starts(self) -> np.ndarray:
        """(V + 1,) int64, the first chunk of each video, and how many there are."""
        videos = np.array([video for video, _ in self._chunks], np.int64)
        return np.searchsorted(videos, np.arange(len(self.index.video_ids) + 1))

    @property
    def num_frames(self) -> int:
        """Frames of all videos together."""
        return int(self.index.video_starts[-1])

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> TrackChunk:
        position, frames = self._chunks[index]
        video = self.index.bare_video(position)
        given = self.given.of(position)
        covering = [track for track in given if track.score >= self.min_score]
        tracks = [part for track in given if (part := track.part(frames)).frames]
        around = range(max(frames.start - self.context, 0),
                       min(frames.stop + self.context, len(video.frames)))
        plans = self._plans(covering, {track.track_id for track in tracks}, around,
                            (video.height, video.width))
        clips = dict(zip(plans, cut_clips(video, covering, list(plans.values()), self.files,
                                          self.needs), strict=True))
        return TrackChunk(video.id, video.name, frames, len(video.frames), tracks,
                          [clips.get(track.track_id) for track in tracks])

    def _plans(self, tracks: Iterable[TrackRecord], wanted: set[int], frames: range,
               frame_size: tuple[int, int]) -> dict[int, ClipPlan]:
        plans = {}
        for track in tracks:
            run = self.run(track) if track.track_id in wanted else range(0)
            if len(run):
                plan = part_of(ClipPlan.make(track, run, self.rule, frame_size), frames)
                if len(plan.frames):
                    plans[track.track_id] = plan
        return plans


@FUNCTIONS.register_module()
def stack_clips(samples: Sequence[ObjectClips | TrackChunk]) -> dict:
    """Collate the samples of :class:`TrackClipDataset` or :class:`TrackChunkDataset`."""
    if isinstance(samples[0], TrackChunk):
        return dict(chunks=list(samples))
    return dict(clips=ObjectClips.stack(samples))
