"""Loading: frames and their annotations."""
from __future__ import annotations

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from vatrack.files import AnnotationError, resolve_image
from vatrack.registry import TRANSFORMS
from vatrack.structures.by_kind import BoxesByKind, MasksByKind


@TRANSFORMS.register_module()
class LoadFrame(BaseTransform):
    """Read the image of a frame; .bmp, .png and .jpg stand in for one another.

    Required keys: img_path, video_name, frame_id, height, width. Added keys:
    img (H, W, 3) uint8 BGR, img_shape, ori_shape.

    Raises:
        AnnotationError: The file is missing, is no image, or has another size
            than the annotation file says.
    """

    def transform(self, results: dict) -> dict:
        """Read ``results['img_path']``."""
        path = resolve_image('', results['img_path'], results['video_name'])
        # OpenCV returns None for a damaged file, but raises for an empty one.
        image = mmcv.imread(str(path), channel_order='bgr') if path.stat().st_size else None
        where = f'{path} (video {results["video_name"]!r}, frame {results["frame_id"]})'
        if image is None:
            raise AnnotationError(f'{where}: not an image or damaged; extract the frame anew')
        expected = (results['height'], results['width'])
        if image.shape[:2] != expected:
            raise AnnotationError(
                f'{where}: the image is {image.shape[1]}x{image.shape[0]}, but its annotation file '
                f'says {expected[1]}x{expected[0]}; use the frames the file was made for')
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
