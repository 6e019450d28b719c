"""The one dataset class: frames of annotated videos, in time order."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dataset.base_dataset import force_full_init

from vatrack.registry import DATASETS, TASK_UTILS
from vatrack.structures import AnnotationError, Frame, Instance, Video, load_annotations


@DATASETS.register_module()
class AmodalVideoDataset(BaseDataset):
    """Videos with amodal and/or visible masks, in the format of ``docs/annotations.md``.

    A sample is a *clip*: in training a key frame with its reference frames, as
    the ``clip_sampler`` draws them; in testing a single frame, all frames of
    all videos in time order. Masks stay run-length encoded until a transform
    decodes them. The ``frame_id`` of a sample is the position of the frame in
    its video, without the gaps that the frame ids of a file may have.

    In training an object counts in a frame if its class is one of the config's
    ``classes``, it is no crowd, its box overlaps the frame and is at least one
    pixel wide and high, every mask kind asked for has a pixel, and its
    occlusion rate is at most ``max_occlusion``. Frames with at least one such
    object are key frames; all others remain candidates for reference frames.

    Args:
        ann_file: Annotation file, relative to ``data_root`` if that is given.
        box_kind: Kind of the ground-truth boxes.
        mask_kinds: Kinds of the ground-truth masks; may be empty.
        max_occlusion: Drop objects with a higher occlusion rate (VATrack,
            SAIL-VOS: 0.75), not those whose rate is unknown; None keeps all.
        min_size: Key frames have at least this many pixels on the short side.
        clip_sampler: Draws the frames of a training clip (config or object).
        require_common_instance: Draw another key frame when no object of the
            key frame is in the reference frames.
        metainfo: ``dict(classes=...)``, class names in label order; by default
            the categories of the file in its order.
        **kwargs: As :class:`mmengine.dataset.BaseDataset`, without ``indices``.

    Raises:
        AnnotationError: The file is wrong, misses a class of the config or a
            kind of mask or box that it asks for, or has no key frame.
        ValueError: ``indices`` is given: it would cut videos apart.
    """

    def __init__(self,
                 ann_file: str,
                 box_kind: str = 'amodal',
                 mask_kinds: Sequence[str] = ('amodal', 'visible'),
                 max_occlusion: float | None = None,
                 min_size: int = 32,
                 clip_sampler: dict | Any = None,
                 require_common_instance: bool = True,
                 **kwargs: Any) -> None:
        self.box_kind = box_kind
        self.mask_kinds = tuple(mask_kinds)
        self.max_occlusion = max_occlusion
        self.min_size = min_size
        self.clip_sampler = (TASK_UTILS.build(clip_sampler)
                             if isinstance(clip_sampler, dict) else clip_sampler)
        self.require_common_instance = require_common_instance
        if kwargs.get('indices') is not None:
            raise ValueError('AmodalVideoDataset takes no indices, they would cut videos apart; '
                             'leave videos out of the annotation file instead')
        super().__init__(ann_file=ann_file, **kwargs)

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

    def load_data_list(self) -> list[dict]:
        """Read the annotation file into one record per frame, in time order."""
        annotations = load_annotations(self.ann_file)
        labels = self._labels(annotations.categories)
        records, starts, keys = [], [0], []
        for video in annotations.videos:
            for position, frame in enumerate(video.frames):
                record = self._record(video, frame, position, labels)
                if record['instances'] and min(video.width, video.height) >= self.min_size:
                    keys.append(len(records))
                records.append(record)
            starts.append(len(records))
        if not self.test_mode and not keys:
            raise AnnotationError(
                f'{self.ann_file}: no frame has an object to train on (classes '
                f'{self.metainfo["classes"]}, max_occlusion {self.max_occlusion}, min_size '
                f'{self.min_size}); check these values in the config')
        self._video_starts = np.array(starts, dtype=np.int64)
        self._key_indices = np.array(keys, dtype=np.int64)
        return records

    def _labels(self, categories: dict[int, str]) -> dict[int, int]:
        """Map category ids of the file to 0-based labels; fixes ``classes`` if unset."""
        names = list(categories.values())
        classes = list(self._metainfo.setdefault('classes', tuple(names)))
        missing = [name for name in classes if name not in names]
        if missing:
            raise AnnotationError(f'{self.ann_file}: the config asks for classes {missing}, but '
                                  f'"categories" has only {names}; mend metainfo.classes')
        return {id_: classes.index(name) for id_, name in categories.items() if name in classes}

    def _record(self, video: Video, frame: Frame, position: int, labels: dict[int, int]) -> dict:
        instances = [] if self.test_mode else [
            self._instance(video, frame, instance, labels[instance.category_id])
            for instance in frame.instances
            if instance.category_id in labels and self._counts(video, instance)]
        return dict(img_path=str(Path(self.data_prefix.get('img_path', '')) / frame.file_name),
                    img_id=frame.id, video_id=video.id, video_name=video.name,
                    frame_id=position, video_length=len(video.frames), height=video.height,
                    width=video.width, mask_kinds=self.mask_kinds, instances=instances)

    def _counts(self, video: Video, instance: Instance) -> bool:
        occlusion = instance.occlusion
        if instance.iscrowd or (self.max_occlusion is not None and occlusion is not None
                                and occlusion > self.max_occlusion):
            return False
        # A kind that is annotated but has no pixel in this frame has no box.
        kinds = (self.box_kind, *self.mask_kinds)
        if any(kind in instance.masks and kind not in instance.bboxes for kind in kinds):
            return False
        if self.box_kind not in instance.bboxes:
            return True  # refused with a message by _instance
        x1, y1, x2, y2 = instance.bboxes[self.box_kind]
        inside = min(x2, video.width) > max(x1, 0) and min(y2, video.height) > max(y1, 0)
        return inside and x2 - x1 >= 1 and y2 - y1 >= 1

    def _instance(self, video: Video, frame: Frame, instance: Instance, label: int) -> dict:
        for kind, found, what in [(self.box_kind, instance.bboxes, 'box'),
                                  *((kind, instance.masks, 'mask') for kind in self.mask_kinds)]:
            if kind not in found:
                raise AnnotationError(
                    f'{self.ann_file}: annotation {instance.id} (video {video.name!r}, frame '
                    f'{frame.frame_id}) has no {kind} {what}, but the config trains on it; change '
                    f'box_kind or mask_kinds of the dataset, or convert the data anew')
        return dict(bbox=instance.bboxes[self.box_kind], bbox_label=label,
                    instance_id=instance.instance_id,
                    masks={kind: instance.masks[kind] for kind in self.mask_kinds})

    def prepare_data(self, idx: int) -> dict | None:
        """Draw and transform the clip of one sample; None asks for another key frame."""
        if self.test_mode:
            frames = [self.get_data_info(idx)]
        else:
            frames = self._training_clip(int(self.key_indices[idx]))
            if frames is None:
                return None
        clip = {key: [frame[key] for frame in frames] for key in frames[0]}
        clip['key_frame_flags'] = [i == 0 for i in range(len(frames))]
        return self.pipeline(clip)

    def _training_clip(self, key: int) -> list[dict] | None:
        video = np.searchsorted(self.video_starts, key, side='right') - 1
        start, stop = self.video_starts[video:video + 2]
        refs = self.clip_sampler.sample(key, int(start), int(stop)) if self.clip_sampler else []
        frames = [self.get_data_info(index) for index in (key, *refs)]
        ids = [{i['instance_id'] for i in frame['instances']} for frame in frames]
        common = not refs or any(ids[0] & other for other in ids[1:])
        return frames if common or not self.require_common_instance else None
