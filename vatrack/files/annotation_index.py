"""An annotation file as arrays on disk: built once, then mapped by every process.

A SAIL-VOS file holds two million objects, for which dataclasses take minutes
and gigabytes, in every process anew. The arrays are there at once, and all
processes share one copy of them. What counts as an annotation file, and what is
refused, is that of :func:`~vatrack.files.load_annotations`.
"""
from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vatrack.structures import (
    MASK_KINDS,
    AnnotationFile,
    Frame,
    Instance,
    Video,
    bboxes_field,
)
from vatrack.structures.rle import RLE

from .annotation_file import AnnotationParser, parse_stream, paused_collector, refuse
from .column_cache import (
    ColumnWriter,
    Texts,
    are_columns_sound,
    cached_folder,
    content_hash,
    map_columns,
)
from .errors import AnnotationError
from .json_stream import JsonStream, file_errors

# Count up whenever the columns or what is read into them change.
_VERSION = 3
_NO_BOX = (float('nan'),) * 4
_BLOB_BYTES = 4 << 20


class AnnotationIndex:
    """The columns of an annotation file: V videos, F frames, N objects, K mask kinds.

    Frames are sorted by video, in file order, and ``frame_id``; objects by
    frame, then in file order. All arrays are read-only. A copy in another
    process maps the same file. :meth:`open` finds or makes the index of a file.

    Args:
        path: The annotation file.
        folder: The index on disk.

    Attributes:
        path: The annotation file.
        categories: Category id -> name, in file order.
        video_ids: (V,) int64.
        video_names: V strings.
        video_sizes: (V, 2) int64, [H, W] in pixels.
        video_starts: (V + 1,) int64, the first frame of each video, and F.
        image_ids: (F,) int64.
        frame_ids: (F,) int64, position in time as the file numbers it.
        file_names: F strings.
        frame_starts: (F + 1,) int64, the first object of each frame, and N.
        ids: (N,) int64, annotation ids.
        instance_ids: (N,) int64.
        category_positions: (N,) int64, position of the class in ``categories``.
        bboxes: By kind, (N, 4) float64 xyxy in pixels, NaN where there is none:
            not annotated, or no pixel of the kind.
        occlusions: (N,) float64, NaN where unknown.
        iscrowd: (N,) bool.
        mask_spans: (N, K, 2) int64, where the counts of each mask, by kind as
            in MASK_KINDS, begin and end; nothing in between if not annotated.
    """

    def __init__(self, path: str | Path, folder: str | Path) -> None:
        self.path, self._folder = str(path), Path(folder)
        try:
            columns = map_columns(self._folder)
        except OSError as error:
            raise AnnotationError(f'{path}: its index {folder} was removed while in use '
                                  f'({error.strerror}); start again') from error
        category_ids = columns['category_ids'].tolist()
        self.categories = dict(zip(category_ids, Texts(columns, 'category_names'), strict=True))
        self.video_ids = columns['video_ids']
        self.video_names = Texts(columns, 'video_names')
        self.video_sizes = columns['video_sizes']
        self.video_starts = columns['video_starts']
        self.image_ids = columns['image_ids']
        self.frame_ids = columns['frame_ids']
        self.file_names = Texts(columns, 'file_names')
        self.frame_starts = columns['frame_starts']
        self.ids = columns['ids']
        self.instance_ids = columns['instance_ids']
        self.category_positions = columns['category_positions']
        self.bboxes = {kind: columns[bboxes_field(kind)] for kind in MASK_KINDS}
        self.occlusions = columns['occlusions']
        self.iscrowd = columns['iscrowd']
        self.mask_spans = columns['mask_spans']
        self._mask_counts = memoryview(columns['mask_counts'])

    @classmethod
    def open(cls, path: str | Path) -> AnnotationIndex:
        """The index of an annotation file, built now unless it is on disk.

        The content of the file decides, not its date: an index never outlives
        it. :mod:`~vatrack.files.column_cache` says where it is kept.

        Raises:
            AnnotationError: As :func:`~vatrack.files.load_annotations`, or
                the index cannot be kept anywhere.
        """
        path = Path(path)
        with file_errors(path):
            before, content = _state(path), content_hash(path)

        def build(folder: Path) -> None:
            with ColumnWriter(folder) as writer:
                _IndexBuilder(path, writer).build()
            with file_errors(path):
                # Reading a file of gigabytes once more takes seconds.
                changed = _state(path) != before and content_hash(path) != content
            if changed:
                raise AnnotationError(f'{path}: changed while it was being read; start again when '
                                      'it is complete')

        return cls(path, cached_folder(path, f'{content}-v{_VERSION}', are_columns_sound, build))

    def __reduce__(self) -> tuple:
        return AnnotationIndex, (self.path, self._folder)

    def outline(self) -> AnnotationFile:
        """The videos and frames alone, without objects."""
        videos = [self.bare_video(position) for position in range(len(self.video_ids))]
        return AnnotationFile(self.path, self.categories, videos)

    def video(self, position: int) -> Video:
        """A video with all its objects, as :func:`~vatrack.files.load_annotations` makes it."""
        video = self.bare_video(position)
        category_ids = list(self.categories)
        size = (video.height, video.width)
        first = int(self.video_starts[position])
        for offset, frame in enumerate(video.frames):
            objects = slice(*self.frame_starts[first + offset:first + offset + 2].tolist())
            columns = (self.ids, self.instance_ids, self.category_positions, self.occlusions,
                       self.iscrowd)
            frame.instances = [
                Instance(id_, instance_id, category_ids[category], {}, {},
                         None if np.isnan(occlusion) else occlusion, crowd)
                for id_, instance_id, category, occlusion, crowd
                in zip(*(column[objects].tolist() for column in columns), strict=True)]
            self._add_shapes(frame.instances, objects, size)
        return video

    def bare_video(self, position: int) -> Video:
        """A video and its frames, without objects."""
        height, width = self.video_sizes[position].tolist()
        frames = range(*self.video_starts[position:position + 2].tolist())
        return Video(int(self.video_ids[position]), self.video_names[position], width, height,
                     [Frame(int(self.image_ids[frame]), int(self.frame_ids[frame]),
                            self.file_names[frame]) for frame in frames])

    def _add_shapes(self, instances: list[Instance], objects: slice,
                    size: tuple[int, int]) -> None:
        for kind in MASK_KINDS:
            masks = self.masks(kind, objects, size)
            boxes = self.bboxes[kind][objects].tolist()
            for instance, mask, box in zip(instances, masks, boxes, strict=True):
                if mask['counts']:
                    instance.masks[kind] = mask
                if not np.isnan(box[0]):
                    instance.bboxes[kind] = tuple(box)

    def video_of(self, frame: int) -> int:
        """Position of the video that a frame belongs to."""
        return int(np.searchsorted(self.video_starts, frame, side='right')) - 1

    def has_mask(self, kind: str, objects: slice = slice(None)) -> np.ndarray:
        """Whether masks of ``kind`` are annotated, if only as empty ones: (N,) bool."""
        spans = self.mask_spans[objects, MASK_KINDS.index(kind)]
        return spans[:, 1] > spans[:, 0]

    def masks(self, kind: str, objects: Sequence[int] | np.ndarray | slice,
              size: tuple[int, int]) -> list[RLE]:
        """Annotated masks of some objects, all of one video with frames of ``size`` (H, W)."""
        spans = self.mask_spans[objects, MASK_KINDS.index(kind)].tolist()
        return [{'size': list(size), 'counts': str(self._mask_counts[start:end], 'ascii')}
                for start, end in spans]


class _IndexBuilder:
    """Fills the columns while the file streams by; only the masks go to disk at once."""

    def __init__(self, path: Path, writer: ColumnWriter) -> None:
        self._path, self._writer = path, writer
        self._videos: dict[int, Video] = {}
        self._category_names: dict[int, str] = {}
        self._frames, self._ids = array('q'), array('q')
        self._instance_ids, self._categories = array('q'), array('q')
        self._bboxes = {kind: array('d') for kind in MASK_KINDS}
        self._occlusions, self._iscrowd = array('d'), array('b')
        self._lengths, self._counts = array('q'), bytearray()

    def build(self) -> None:
        """Read the file and write all columns."""
        # Not kept: it knows this object, and a circle would hold its memory back.
        parser = AnnotationParser(self._path, refuse, self._keep)
        self._videos, self._category_names = parser.videos, parser.categories
        total = self._path.stat().st_size
        with paused_collector(), tqdm(total=total, desc=f'indexing {self._path.name}', unit='B',
                                      unit_scale=True, disable=None) as bar:
            def advance(chunk: bytes) -> None:
                if bar.n >= total:  # lists in an unusual order: the file is read once more
                    bar.reset()
                bar.update(len(chunk))
            parse_stream(JsonStream(self._path, advance), parser)
        self._flush_masks()
        self._write_frames()
        self._write_objects()
        self._writer.close()

    @cached_property
    def _frame_positions(self) -> dict[int, int]:
        """Image id -> position; asked for when the parser has put all frames in order."""
        frames = (frame for video in self._videos.values() for frame in video.frames)
        return {frame.id: position for position, frame in enumerate(frames)}

    @cached_property
    def _category_positions(self) -> dict[int, int]:
        return {id_: position for position, id_ in enumerate(self._category_names)}

    def _keep(self, frames: Sequence[Frame], objects: Sequence[Instance]) -> None:
        frame_positions, positions = self._frame_positions, self._category_positions
        self._frames.extend([frame_positions[frame.id] for frame in frames])
        self._ids.extend([each.id for each in objects])
        self._instance_ids.extend([each.instance_id for each in objects])
        self._categories.extend([positions[each.category_id] for each in objects])
        self._occlusions.extend([_NO_BOX[0] if each.occlusion is None else each.occlusion
                                 for each in objects])
        self._iscrowd.extend([each.iscrowd for each in objects])
        for kind, boxes in self._bboxes.items():
            boxes.extend(chain.from_iterable([each.bboxes.get(kind, _NO_BOX) for each in objects]))
        counts = [each.masks[kind]['counts'] if kind in each.masks else '' for each in objects
                  for kind in MASK_KINDS]
        self._counts += ''.join(counts).encode('ascii')
        self._lengths.extend(map(len, counts))
        if len(self._counts) > _BLOB_BYTES:
            self._flush_masks()

    def _flush_masks(self) -> None:
        self._writer.extend('mask_counts', self._counts)
        self._counts.clear()

    def _write_frames(self) -> None:
        videos = list(self._videos.values())
        frames = [frame for video in videos for frame in video.frames]
        self._write({
            'category_ids': _int64(list(self._category_names)),
            'video_ids': _int64([video.id for video in videos]),
            'video_sizes': _int64([(v.height, v.width) for v in videos]).reshape(-1, 2),
            'video_starts': _int64(np.cumsum([0, *(len(v.frames) for v in videos)])),
            'image_ids': _int64([frame.id for frame in frames]),
            'frame_ids': _int64([frame.frame_id for frame in frames])})
        self._writer.append_texts('category_names', list(self._category_names.values()))
        self._writer.append_texts('video_names', [video.name for video in videos])
        self._writer.append_texts('file_names', [frame.file_name for frame in frames])

    def _write_objects(self) -> None:
        frames = _int64(self._frames)
        order = np.argsort(frames, kind='stable')
        starts = np.searchsorted(frames[order], np.arange(len(self._frame_positions) + 1))
        ends = np.cumsum(_int64(self._lengths))
        columns = {
            'ids': _int64(self._ids), 'instance_ids': _int64(self._instance_ids),
            'category_positions': _int64(self._categories),
            'occlusions': np.asarray(self._occlusions, dtype=np.float64),
            'iscrowd': np.asarray(self._iscrowd, dtype=bool),
            'mask_spans': np.stack([ends - self._lengths, ends], axis=1).reshape(
                -1, len(MASK_KINDS), 2)}
        columns |= {bboxes_field(kind): np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
                    for kind, boxes in self._bboxes.items()}
        # One by one: the sorted copies are large.
        self._write({'frame_starts': _int64(starts)})
        for name, column in columns.items():
            self._write({name: column[order]})

    def _write(self, columns: dict[str, np.ndarray]) -> None:
        for name, column in columns.items():
            self._writer.append(name, column)


def _state(path: Path) -> tuple[int, ...]:
    """Facts of a file, some of which change whenever its content does."""
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _int64(values: list | array | np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)
