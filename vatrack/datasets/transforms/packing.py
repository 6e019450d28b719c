"""Packing: the last transform, from a clip to what the model takes."""
from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.structures import InstanceData

from vatrack.registry import TRANSFORMS
from vatrack.structures import bboxes_field
from vatrack.structures.by_kind import PackedMasks

# The key of a clip's dict is mmdet's: its RandomCrop selects ids by that name.
_FIELDS = {'gt_bboxes_labels': 'labels', 'gt_instances_ids': 'instances_id'}
_META = ('img_id', 'img_path', 'video_id', 'video_name', 'frame_id', 'video_length', 'ori_shape',
         'img_shape', 'scale_factor', 'flip', 'flip_direction')


@TRANSFORMS.register_module()
class PackClip(BaseTransform):
    """Pack the T frames of a clip.

    Args:
        bits: Hand masks over with one bit per pixel, as
            :class:`~vatrack.structures.by_kind.PackedMasks`: for models that join
            the truth of long clips. Those that crop regions need arrays.

    Returns:
        ``inputs`` (T, 3, H, W) uint8 and ``data_samples``, a
        :class:`TrackDataSample` of T frames whose ``key_frames_inds`` and
        ``ref_frames_inds`` name the key and reference frames. Fields and
        metainfo are those of :mod:`vatrack.structures.fields`.
    """

    def __init__(self, bits: bool = False) -> None:
        self.bits = bits

    def transform(self, results: dict) -> dict:
        """Pack ``results``, a dict of lists with one entry per frame."""
        images = np.stack(results['img'])
        frames = [self._frame(results, i) for i in range(len(images))]
        is_key = np.asarray(results['key_frame_flags'])
        clip = TrackDataSample(video_data_samples=frames,
                               metainfo=dict(key_frames_inds=np.flatnonzero(is_key).tolist(),
                                             ref_frames_inds=np.flatnonzero(~is_key).tolist()))
        inputs = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        return dict(inputs=inputs, data_samples=clip)

    def _frame(self, results: dict, index: int) -> DetDataSample:
        meta = {key: results[key][index] for key in _META if key in results}
        frame = DetDataSample(metainfo=meta)
        if 'gt_bboxes' in results:
            kinds = results['box_kinds'][index]
            main, *further = results['gt_bboxes'][index].by_kind(kinds).items()
            instances = InstanceData(bboxes=main[1])
            for kind, boxes in further:
                instances[bboxes_field(kind)] = boxes
            for key, field in _FIELDS.items():
                instances[field] = torch.from_numpy(results[key][index])
            masks = results['gt_masks'][index]
            if masks is not None:
                instances.masks = PackedMasks.pack(masks) if self.bits else masks
            frame.gt_instances = instances
        return frame
