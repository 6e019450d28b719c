"""The one dataset class: frames of annotated videos, in time order."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dataset.base_dataset import force_full_init
from mmengine.logging import print_log

from vatrack.files import AnnotationError, AnnotationIndex
from vatrack.registry import DATASETS, TASK_UTILS
from vatrack.structures import MASK_KINDS

from .clip_objects import has_common_instance, keep_from_first_sight, keep_largest
from .clip_samplers import ClipFrames
from .seeds import SeededIndex, seed_all
from .transforms import with_scale

_NO_INDICES = ('AmodalVideoDataset takes no indices, they would cut videos apart; leave videos out '
               'of the annotation file instead')


@DATASETS.register_module()
class AmodalVideoDataset(BaseDataset):
    """Videos with amodal and/or visible masks, in the format of ``docs/annotations.md``.

    A sample is a *clip*: in training frames around a key frame, in time order,
    as the ``clip_sampler`` draws them; in testing a single frame, all frames of
    all videos in time order. Masks stay run-length encoded until a transform
    decodes them. The ``frame_id`` of a sample is the position of the frame in
    its video, without the gaps that the frame ids of a file may have.

    In training an object counts in a frame if its class is one of the config's
    ``classes``, it is no crowd, its boxes of every kind asked for overlap the
    frame and are at least one pixel wide and high, every mask kind asked for
    has a pixel, and its occlusion rate is at most ``max_occlusion``. There is a
    clip for each frame with at least one such object; all other frames remain
    candidates for what is drawn around it.

    With ``keep_hidden`` an object also counts in frames in which none of its
    pixels is visible, from the first frame of the clip on in which one is. Its
    visible mask is empty there. It gives no clip of its own.

    The file is read through its :class:`~vatrack.files.AnnotationIndex`:
    once, and then mapped into memory, shared by all processes. Records of
    frames are made when they are asked for (``serialize_data`` has no effect).

    Args:
        ann_file: Annotation file, relative to ``data_root`` if that is given.
        box_kinds: Kinds of the ground-truth boxes; the first is the main kind,
            see :mod:`vatrack.structures.fields`.
        mask_kinds: Kinds of the ground-truth masks; may be empty.
        max_occlusion: Drop objects with a higher occlusion rate (VATrack,
            SAIL-VOS: 0.75), not those whose rate is unknown; None keeps all.
        min_size: Key frames have at least this many pixels on the short side.
        clip_sampler: Draws the frames of a training clip (config or object);
            None: the key frame alone.
        require_common_instance: Draw another key frame when no object of the
            key frame is in the reference frames. It concerns clips that have
            some: where all frames are key frames, each is learned from alone.
        keep_hidden: Keep objects without a visible pixel, see above.
        max_objects: Most objects of a clip; those with the fewest visible
            pixels over all its frames (amodal ones if ``mask_kinds`` has no
            visible) are left out, before masks are decoded. None keeps all.
        scale: (width, height) that the ``Resize`` transforms of the pipeline
            scale frames to, unless they have one of their own.
        pipeline: Transforms of a clip.
        metainfo: ``dict(classes=...)``, class names in label order; by default
            the categories of the file in its order.
        **kwargs: As :class:`mmengine.dataset.BaseDataset`, without ``indices``.

    Raises:
        AnnotationError: The file is wrong, misses a class of the config or a
            kind of mask or box that it asks for, has no key frame, or, when
            samples are drawn, no object in two frames of a clip.
        ValueError: Unknown kinds; options that contradict each other; a
            ``Resize`` without a size; or ``indices``, which would cut videos
            apart.
    """

    def __init__(self,
                 ann_file: str,
                 box_kinds: Sequence[str] = ('amodal',),
                 mask_kinds: Sequence[str] = ('amodal', 'visible'),
                 max_occlusion: float | None = None,
                 min_size: int = 32,
                 clip_sampler: dict | Any = None,
                 require_common_instance: bool = True,
                 keep_hidden: bool = False,
                 max_objects: int | None = None,
                 scale: Sequence[int] | None = None,
                 pipeline: Sequence[Any] = (),
                 **kwargs: Any) -> None:
        self.box_kinds = _kinds('box_kinds', box_kinds)
        self.mask_kinds = _kinds('mask_kinds', mask_kinds)
        if not self.box_kinds:
            raise ValueError('box_kinds must name at least one kind, it is empty')
        self.max_occlusion = max_occlusion
        self.min_size = min_size
        self.require_common_instance = require_common_instance
        self.keep_hidden = keep_hidden
        self.max_objects = max_objects
        self._num_lone = 0
        self._check_options()
        self.clip_sampler = (TASK_UTILS.build(clip_sampler)
                             if isinstance(clip_sampler, dict) else clip_sampler)
        if kwargs.get('indices') is not None:
            raise ValueError(_NO_INDICES)
        super().__init__(ann_file=ann_file, pipeline=with_scale(pipeline, scale), **kwargs)

    def _check_options(self) -> None:
        if self.keep_hidden and 'visible' in self.box_kinds:
            raise ValueError("keep_hidden keeps objects that have no visible box; box_kinds must "
                             f"then be ('amodal',), it is {self.box_kinds}")
        if self.keep_hidden and self.max_occlusion is not None and self.max_occlusion < 1:
            raise ValueError('keep_hidden keeps objects whose occlusion rate is 1, max_occlusion='
                             f'{self.max_occlusion} drops them; set max_occlusion=None')
        if self.max_objects is not None and (self.max_objects < 1 or not self.mask_kinds):
            raise ValueError('max_objects must be positive, and counts pixels of masks; got '
                             f'{self.max_objects} with mask_kinds={self.mask_kinds}')

    def full_init(self) -> None:
        """Open the index of the annotation file, and work out what counts in training."""
        if self._fully_initialized:
            return
        self._index = AnnotationIndex.open(self.ann_file)
        self._video_starts = np.array(self._index.video_starts)
        self._labels = self._labels_by_position()
        self._key_indices = np.zeros(0, dtype=np.int64)
        if not self.test_mode:
            self._counting = self._select_objects()
            self._key_indices = self._select_keys()
            self._report_crowded()
        self._fully_initialized = True

    @property
    @force_full_init
    def index(self) -> AnnotationIndex:
        """The annotation file, all of it: also what does not count in training."""
        return self._index

    @property
    @force_full_init
    def video_starts(self) -> np.ndarray:
        """Frame index at which each video starts, and the total: (V + 1,) int64."""
        return self._video_starts

    @property
    @force_full_init
    def key_indices(self) -> np.ndarray:
        """Frame indices that can be key frames of a training clip: (K,) int64."""
        return self._key_indices

    @force_full_init
    def __len__(self) -> int:
        return int(self._video_starts[-1]) if self.test_mode else len(self._key_indices)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """The record of one frame, of all frames of all videos in time order."""
        frame = range(int(self._video_starts[-1]))[idx]
        video = self._index.video_of(frame)
        start, stop = self._video_starts[video:video + 2].tolist()
        height, width = self._index.video_sizes[video].tolist()
        img_path = Path(self.data_prefix.get('img_path', '')) / self._index.file_names[frame]
        return dict(img_path=str(img_path), img_id=int(self._index.image_ids[frame]),
                    video_id=int(self._index.video_ids[video]),
                    video_name=self._index.video_names[video], frame_id=frame - start,
                    video_length=stop - start, height=height, width=width,
                    box_kinds=self.box_kinds, mask_kinds=self.mask_kinds, sample_idx=frame,
                    instances=[] if self.test_mode else self._instances(frame, (height, width)))

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Refused, see ``indices``."""
        raise ValueError(_NO_INDICES)

    def get_subset(self, indices: Sequence[int] | int) -> BaseDataset:
        """Refused, see ``indices``."""
        raise ValueError(_NO_INDICES)

    def _labels_by_position(self) -> np.ndarray:
        """0-based label of each category of the file, -1 if unused; fixes ``classes`` if unset."""
        names = list(self._index.categories.values())
        classes = list(self._metainfo.setdefault('classes', tuple(names)))
        missing = [name for name in classes if name not in names]
        if missing:
            raise AnnotationError(f'{self.ann_file}: the config asks for classes {missing}, but '
                                  f'"categories" has only {names}; mend metainfo.classes')
        return np.array([classes.index(name) if name in classes else -1 for name in names],
                        dtype=np.int64)

    def _select_objects(self) -> np.ndarray:
        """Which objects count in training: (N,) bool."""
        ends = self._index.frame_starts[self._video_starts].tolist()
        parts = [self._select_in_video(video, slice(*part))
                 for video, part in enumerate(pairwise(ends))]
        return np.concatenate([np.zeros(0, dtype=bool), *parts])

    def _select_in_video(self, video: int, objects: slice) -> np.ndarray:
        index = self._index
        counts = self._labels[index.category_positions[objects]] >= 0
        counts &= ~index.iscrowd[objects]
        if self.max_occlusion is not None:
            counts &= ~(index.occlusions[objects] > self.max_occlusion)
        boxes = {kind: index.bboxes[kind][objects] for kind in MASK_KINDS}
        boxless = {kind: np.isnan(boxes[kind][:, 0]) for kind in MASK_KINDS}
        for kind in (*self.box_kinds, *self.mask_kinds):
            if not (self.keep_hidden and kind == 'visible'):
                counts &= ~self._is_empty(kind, objects)
        for kind in self.box_kinds:
            counts &= boxless[kind] | _is_valid(boxes[kind], *index.video_sizes[video].tolist())
        lacking = {f'{kind} box': boxless[kind] for kind in self.box_kinds}
        lacking |= {f'{kind} mask': ~index.has_mask(kind, objects) for kind in self.mask_kinds}
        for position in np.flatnonzero(counts & np.any([*lacking.values()], axis=0))[:1]:
            self._refuse(video, objects.start + int(position),
                         next(what for what, lacks in lacking.items() if lacks[position]))
        return counts

    def _is_empty(self, kind: str, objects: slice) -> np.ndarray:
        """Whether a kind is annotated, but has no pixel (and so no box): (N,) bool."""
        return (np.isnan(self._index.bboxes[kind][objects, 0])
                & self._index.has_mask(kind, objects))

    def _refuse(self, video: int, instance: int, lacking: str) -> None:
        index = self._index
        frame = np.searchsorted(index.frame_starts, instance, side='right') - 1
        raise AnnotationError(
            f'{self.ann_file}: annotation {index.ids[instance]} (video '
            f'{index.video_names[video]!r}, frame {index.frame_ids[frame]}) has no {lacking}, but '
            'the config trains on it; change box_kinds or mask_kinds of the dataset, or convert '
            'the data anew')

    def _select_keys(self) -> np.ndarray:
        """Frames with an object that counts, in videos that are large enough: (K,) int64."""
        counting = self._counting
        if self.keep_hidden:
            counting = counting & ~self._is_empty('visible', slice(None))
        large = self._index.video_sizes.min(axis=1) >= self.min_size
        keys = np.flatnonzero((self._per_frame(counting) > 0)
                              & np.repeat(large, np.diff(self._video_starts)))
        if not len(keys):
            raise AnnotationError(
                f'{self.ann_file}: no frame has an object to train on (classes '
                f'{self.metainfo["classes"]}, max_occlusion {self.max_occlusion}, min_size '
                f'{self.min_size}); check these values in the config')
        return keys

    def _report_crowded(self) -> None:
        if self.max_objects is not None:
            counts = self._per_frame(self._counting)[self._key_indices]
            print_log(f'{self.ann_file}: {(counts > self.max_objects).sum()} of {len(counts)} key '
                      f'frames have more than max_objects={self.max_objects} objects (up to '
                      f'{counts.max()}); clips leave out the smallest', 'current')

    def _per_frame(self, objects: np.ndarray) -> np.ndarray:
        """How many of some objects, (N,) bool, each frame has: (F,) int64."""
        return np.diff(np.concatenate(([0], np.cumsum(objects)))[self._index.frame_starts])

    def _instances(self, frame: int, size: tuple[int, int]) -> list[dict]:
        """The objects of a frame that count."""
        index = self._index
        first, last = index.frame_starts[frame:frame + 2].tolist()
        objects = first + np.flatnonzero(self._counting[first:last])
        labels = self._labels[index.category_positions[objects]].tolist()
        ids = index.instance_ids[objects].tolist()
        instances = [dict(bboxes={}, bbox_label=label, instance_id=id_, masks={})
                     for label, id_ in zip(labels, ids, strict=True)]
        for kind in self.box_kinds:
            for instance, box in zip(instances, index.bboxes[kind][objects].tolist(), strict=True):
                instance['bboxes'][kind] = tuple(box)
        for kind in self.mask_kinds:
            for instance, mask in zip(instances, index.masks(kind, objects, size), strict=True):
                instance['masks'][kind] = mask
        return instances

    def _are_hidden(self, frame: int) -> list[bool]:
        """Of each object of a frame that counts, whether it has no visible pixel."""
        objects = slice(*self._index.frame_starts[frame:frame + 2].tolist())
        return self._is_empty('visible', objects)[self._counting[objects]].tolist()

    def __getitem__(self, idx: int) -> dict:
        """The sample of an index; its random numbers are those that the index says, if it does."""
        if isinstance(idx, SeededIndex):
            seed_all(*idx.numbers)
        return super().__getitem__(idx)

    def prepare_data(self, idx: int) -> dict | None:
        """Draw and transform the clip of one sample; None asks for another key frame."""
        if self.test_mode:
            records, is_key = [self.get_data_info(idx)], [True]
        else:
            records, is_key = self._training_clip(int(self.key_indices[idx]))
            if self.require_common_instance and not has_common_instance(records, is_key):
                self._count_lone()
                return None
            self._num_lone = 0
        clip = {key: [record[key] for record in records] for key in records[0]}
        return self.pipeline(clip | dict(key_frame_flags=is_key))

    def _count_lone(self) -> None:
        """Count clips in a row that learn no identity, and give up before mmengine does."""
        self._num_lone += 1
        if self._num_lone > self.max_refetch:
            raise AnnotationError(
                f'{self.ann_file}: {self._num_lone} clips in a row have no object in both a key '
                'frame and a reference frame; label objects with the same instance_id in '
                'neighbouring frames, draw references from farther away (clip_sampler.scope), or '
                'train without identities: require_common_instance=False of the dataset')

    def _training_clip(self, key: int) -> tuple[list[dict], list[bool]]:
        video = self._index.video_of(key)
        start, stop = self._video_starts[video:video + 2].tolist()
        clip = (self.clip_sampler.sample(key, start, stop) if self.clip_sampler
                else ClipFrames([key], [True]))
        records = [self.get_data_info(frame) for frame in clip.frames]
        if self.keep_hidden:
            keep_from_first_sight(records, [self._are_hidden(frame) for frame in clip.frames])
        if self.max_objects is not None:
            kind = 'visible' if 'visible' in self.mask_kinds else 'amodal'
            keep_largest(records, kind, self.max_objects)
        return records, clip.is_key


def _kinds(option: str, kinds: Sequence[str]) -> tuple[str, ...]:
    if isinstance(kinds, str) or set(kinds) - set(MASK_KINDS) or len(set(kinds)) < len(kinds):
        raise ValueError(f'{option} must be a list of different kinds out of {MASK_KINDS}, got '
                         f'{kinds!r}')
    return tuple(kinds)


def _is_valid(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Whether (N, 4) boxes overlap the frame and are a pixel wide and high: (N,) bool."""
    x1, y1, x2, y2 = boxes.T
    inside = (np.minimum(x2, width) > np.maximum(x1, 0)) & (np.minimum(y2, height)
                                                           > np.maximum(y1, 0))
    return inside & (x2 - x1 >= 1) & (y2 - y1 >= 1)
