"""Transforms of a clip: from records to what the model takes; geometry is mmdet's own.

mmdet's transforms move masks and boxes of all kinds alike, see
``structures/by_kind.py``.
"""
from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from vatrack.files import AnnotationError, resolve_image
from vatrack.registry import TRANSFORMS
from vatrack.structures import bboxes_field
from vatrack.structures.by_kind import BoxesByKind, MasksByKind, PackedMasks
from vatrack.structures.clips import ClipSample
from vatrack.video.image_file import ImageError, image_head, read_image


@TRANSFORMS.register_module()
class LoadFrame(BaseTransform):
    """Read the image of a frame as it is shown; .bmp, .png and .jpg stand in for one another.

    Required keys: img_path, video_name, frame_id, height, width. Added keys:
    img (H, W, 3) uint8 BGR, img_shape, ori_shape.

    Raises:
        AnnotationError: The file is missing, is no image, is cut off or
            damaged, or has another size than the annotation file says.
    """

    def transform(self, results: dict) -> dict:
        """Read ``results['img_path']``."""
        path = resolve_image('', results['img_path'], results['video_name'])
        where = f'{path} (video {results["video_name"]!r}, frame {results["frame_id"]})'
        try:
            image = read_image(path, 'bgr')
        except ImageError as error:
            raise AnnotationError(f'{where}: {error.fault}; extract the frame anew') from None
        expected = (results['height'], results['width'])
        if image.shape[:2] != expected:
            raise AnnotationError(
                f'{where}: the image is {image_head(path)}, but its annotation file says '
                f'{expected[1]} x {expected[0]}; use the frames the file was made for')
        results.update(img=image, img_shape=expected, ori_shape=expected)
        return results


@TRANSFORMS.register_module()
class LoadAmodalAnnotations(BaseTransform):
    """Load boxes, labels, ids and the masks of all kinds in ``instances``.

    Required keys: instances, box_kinds, mask_kinds, height, width,
    key_frame_flags. Added keys: gt_bboxes (:class:`BoxesByKind`, clipped to the
    frame), gt_bboxes_labels (N,) int64, gt_instances_ids (N,) int64, gt_masks
    (:class:`MasksByKind`; None on frames that need no masks).

    Args:
        reference_masks: Decode the masks of reference frames too. The
            quasi-dense losses do not use them, so that is half of the decoding.
    """

    def __init__(self, reference_masks: bool = False) -> None:
        self.reference_masks = reference_masks

    def transform(self, results: dict) -> dict:
        """Turn ``results['instances']`` into arrays and decoded masks."""
        instances = results['instances']
        shape = (results['height'], results['width'])
        boxes = BoxesByKind.from_kinds({
            kind: np.array([i['bboxes'][kind] for i in instances], dtype=np.float32)
            for kind in results['box_kinds']})
        boxes.clip_(shape)
        results['gt_bboxes'] = boxes
        results['gt_bboxes_labels'] = np.array([i['bbox_label'] for i in instances], dtype=np.int64)
        results['gt_instances_ids'] = np.array([i['instance_id'] for i in instances],
                                               dtype=np.int64)
        wanted = results['mask_kinds'] and (results['key_frame_flags'] or self.reference_masks)
        results['gt_masks'] = MasksByKind.from_rles(
            {kind: [i['masks'][kind] for i in instances] for kind in results['mask_kinds']},
            shape) if wanted else None
        return results


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
        clip = ClipSample(video_data_samples=frames,
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


def with_scale(pipeline: Sequence[Any], scale: Sequence[int] | None) -> list[Any]:
    """A pipeline whose ``Resize`` transforms have a size.

    Those without ``scale`` (and without ``scale_factor``) get the given one; a
    ``Resize`` that states its own keeps it. Pipelines within transforms, as in
    a ``TransformBroadcaster``, count too.

    Args:
        pipeline: Configs of transforms, which stay as they are, or transforms.
        scale: (width, height) that frames are scaled to, as ``Resize`` takes it.

    Returns:
        A copy of the pipeline.

    Raises:
        ValueError: A ``Resize`` has no size and there is none to give, or
            ``scale`` is no pair of positive whole numbers.
    """
    if scale is not None:
        if (isinstance(scale, str) or not isinstance(scale, Sequence) or len(scale) != 2
                or not all(isinstance(each, int) and each > 0 for each in scale)):
            raise ValueError(f'scale must be (width, height) in whole pixels, got {scale!r}')
        scale = tuple(scale)
    pipeline = copy.deepcopy(list(pipeline))
    resizes = list(_resizes(pipeline))
    for resize in resizes:
        if resize.get('scale') is None and resize.get('scale_factor') is None:
            if scale is None:
                raise ValueError('a Resize of the pipeline has no scale; give the dataset one: '
                                 'dataset=dict(scale=(width, height))')
            resize['scale'] = scale
    own = [resize.get('scale') for resize in resizes]
    if scale is not None and scale not in [tuple(each) for each in own if each is not None]:
        print_log(f'scale={scale} of the dataset is read by nothing in its pipeline, where Resize '
                  f'transforms have these scales of their own: {own}; take those out, or set '
                  'scale=None', 'current', logging.WARNING)
    return pipeline


def _resizes(pipeline: Any) -> Iterator[dict]:
    """The configs of all ``Resize`` transforms, nested ones included."""
    if isinstance(pipeline, list | tuple):
        for transform in pipeline:
            yield from _resizes(transform)
    elif isinstance(pipeline, dict):
        kind = pipeline.get('type', '')
        name = kind if isinstance(kind, str) else kind.__name__
        if name.rpartition('.')[2] == 'Resize':
            yield pipeline
        yield from _resizes(pipeline.get('transforms', ()))
