"""What is browsed: videos of an annotation file and of a result file, read one at a time."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vatrack.files import AnnotationError, AnnotationIndex, ResultIndex, resolve_image
from vatrack.structures import TrackRecord, Video
from vatrack.visualization.overlay import choose_videos


class Source:
    """Some videos of a dataset with the tracks that were predicted for them.

    Both files are read through an index that is kept on disk, so that memory
    does not depend on their size and a second start takes a moment.

    Args:
        ann_file: Annotation file, with or without truth.
        image_root: Folder to which the file names of frames are relative; None:
            there are no pictures.
        results: Result file; None: no predictions.
        videos: Names of the videos to browse; None: all.
        max_videos: Only so many, the first ones.
        every: Only every so many-th frame of each video.

    Attributes:
        index: The annotation file.
        results: The result file, None if there is none.
        positions: (V,) int64, positions in ``index`` of the videos to browse.
        every: As the argument.

    Raises:
        AnnotationError: The annotation file is wrong.
        ResultError: The result file is wrong, or belongs to other videos.
        ValueError: A name is unknown, no video is left, or ``every`` is below 1.
        NotADirectoryError: ``image_root`` is no folder.
    """

    def __init__(self, ann_file: str | Path, image_root: str | Path | None = None,
                 results: str | Path | None = None, *, videos: Iterable[str] | None = None,
                 max_videos: int | None = None, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f'every {every}-th frame: the number must be at least 1')
        # Told at once, because a large file takes a while; unless that is what is missing.
        if image_root is not None and Path(ann_file).is_file() and not Path(image_root).is_dir():
            raise NotADirectoryError(f'{image_root}: no such folder of images; give the folder to '
                                     f'which the file names in {ann_file} are relative')
        self.image_root = None if image_root is None else Path(image_root)
        self.index = AnnotationIndex.open(ann_file)
        self.every = every
        outline = self.index.outline()
        chosen = {video.id for video in choose_videos(outline, videos, max_videos)}
        self.positions = np.flatnonzero(np.isin(self.index.video_ids, list(chosen)))
        self.results = None if results is None else ResultIndex.open(results, outline)

    @property
    def has_truth(self) -> bool:
        """Whether the annotation file holds any object."""
        return len(self.index.ids) > 0

    def video(self, number: int) -> Video:
        """The video with its frames and true objects; ``number`` counts those that are browsed."""
        video = self.index.video(int(self.positions[number]))
        video.frames = video.frames[::self.every]
        return video

    def tracks(self, number: int) -> list[TrackRecord]:
        """The predicted tracks of a video, in file order."""
        if self.results is None:
            return []
        video_id = int(self.index.video_ids[self.positions[number]])
        return [thinned(track, self.every) for track in self.results.tracks(video_id)]

    def image_path(self, number: int, position: int) -> Path:
        """Where the picture of a frame is; safe to call from several threads.

        Args:
            number: The video, of those that are browsed.
            position: The frame, of those that are browsed.

        Raises:
            KeyError: There is no such frame.
            AnnotationError: There is no such file, or it lies outside of the
                image folder.
        """
        if number >= len(self.positions):
            raise KeyError(number)
        video = self.positions[number]
        frames = range(*self.index.video_starts[video:video + 2].tolist(), self.every)
        if position >= len(frames):
            raise KeyError(position)
        file_name = self.index.file_names[frames[position]]
        if self.image_root is None:
            raise AnnotationError(f'{file_name}: no image folder was given')
        if Path(file_name).is_absolute() or '..' in Path(file_name).parts:
            raise AnnotationError(f'{file_name}: lies outside of the image folder '
                                  f'{self.image_root}; name the frames relative to it')
        return resolve_image(self.image_root, file_name, self.index.video_names[video])


def thinned(track: TrackRecord, every: int) -> TrackRecord:
    """The track in the frames 0, ``every``, ... of its video, which become 0, 1, ..."""
    if every == 1:
        return track
    kept = [position for position, frame in enumerate(track.frames) if frame % every == 0]

    def pick(values: list | None) -> list | None:
        return None if values is None else [values[position] for position in kept]

    return TrackRecord(track.video_id, track.track_id, track.category_id, track.score,
                       [frame // every for frame in pick(track.frames)],
                       {kind: pick(masks) for kind, masks in track.masks.items()},
                       pick(track.scores), pick(track.bboxes), pick(track.visible_bboxes),
                       pick(track.category_ids))
