"""The detector with everything on it: two stages, mask heads, embeddings, association."""
from __future__ import annotations

from typing import Any

import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.structures import DetDataSample, SampleList, TrackSampleList
from mmengine.structures import InstanceData
from torch import Tensor, nn

from vatrack.registry import MODELS
from vatrack.structures import MASK_KINDS, bboxes_field, masks_field

from .mask_ops import paste_masks
from .roi_head import mask_boxes


@MODELS.register_module()
class TrackedRCNN(BaseMOTModel):
    """Two-stage detection, masks of any kinds, and tracking: VATrack and its baselines.

    The systems of the VATrack paper differ in config only: ``detector.
    roi_head`` says which masks and whether there is a second box head,
    ``track_head`` and ``tracker`` say how detections are associated, and the
    first of the dataset's ``box_kinds`` says what kind of box is detected.

    Args:
        detector: A :class:`mmdet.models.MaskRCNN` with an ``AmodalRoIHead``.
        tracker: Association policy, see :mod:`vatrack.track`.
        track_head: Embedding head; None for policies that need none.
        data_preprocessor: As :class:`BaseMOTModel`.
        init_cfg: As :class:`BaseMOTModel`.
    """

    def __init__(self, detector: dict, tracker: dict, track_head: dict | None = None,
                 data_preprocessor: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.detector = MODELS.build(detector)
        features = self.detector.neck if self.detector.with_neck else self.detector.backbone
        for part in (features, self.detector.rpn_head, *self.detector.roi_head.bbox_heads):
            part.register_forward_hook(_to_float32)
        self.tracker = MODELS.build(tracker)
        if track_head is not None:
            self.track_head = MODELS.build(track_head)
        elif self.tracker.needs_embeds:
            raise ValueError(f'{type(self.tracker).__name__} compares embeddings: give the model '
                             'a track_head, or choose tracker=dict(type="NoAssociation")')
        self._last_frame: tuple[int, int] | None = None

    def loss(self, inputs: Tensor, data_samples: TrackSampleList) -> dict[str, Tensor]:
        """Losses of a batch of clips (VATrack, Eq. 2).

        Args:
            inputs: (B, T, 3, H, W) float; T is 1, or 2 with a ``track_head``.
            data_samples: B clips, each with one key and up to one reference
                frame.

        Raises:
            ValueError: There is a ``track_head``, but not one reference frame.
        """
        keys = [clip.get_key_frames()[0] for clip in data_samples]
        clips = torch.arange(len(inputs), device=inputs.device)
        key_imgs = inputs[clips, [clip.key_frames_inds[0] for clip in data_samples]]
        feats = self.detector.extract_feat(key_imgs)
        losses, proposals = self._rpn_loss(feats, keys)
        losses.update(self.detector.roi_head.loss(feats, proposals, keys))
        if self.with_track_head:
            counts = {len(clip.ref_frames_inds) for clip in data_samples}
            if counts != {1}:
                raise ValueError('the track_head learns from one reference frame per key frame, '
                                 f'got {sorted(counts)}; give the training dataset clip_sampler='
                                 'dict(type="KeyReferenceSampler", num_refs=1)')
            refs = [clip.get_ref_frames()[0] for clip in data_samples]
            ref_imgs = inputs[clips, [clip.ref_frames_inds[0] for clip in data_samples]]
            ref_feats = self.detector.extract_feat(ref_imgs)
            ref_proposals = None
            if self.track_head.needs_ref_proposals:
                with torch.no_grad():
                    ref_proposals = self.detector.rpn_head.predict(ref_feats, refs, rescale=False)
            losses.update(self.track_head.loss(feats, ref_feats, proposals, ref_proposals, keys,
                                               refs))
        # Kept for the message of a run that is stopped by a NaN.
        self.last_losses = {name: sum(t.detach().mean() for t in _as_list(value))
                            for name, value in losses.items()}
        return losses

    def _rpn_loss(self, feats: tuple[Tensor, ...],
                  samples: SampleList) -> tuple[dict[str, Tensor], list[InstanceData]]:
        """RPN losses and proposals; the RPN knows one class, so labels become 0 in a copy."""
        boxes_only = []
        for sample in samples:
            gt = sample.gt_instances
            boxes_only.append(DetDataSample(
                metainfo=sample.metainfo,
                gt_instances=InstanceData(bboxes=gt.bboxes, labels=torch.zeros_like(gt.labels))))
        cfg = self.detector.train_cfg.rpn_proposal
        losses, proposals = self.detector.rpn_head.loss_and_predict(feats, boxes_only,
                                                                    proposal_cfg=cfg)
        return {name if 'rpn' in name else f'rpn_{name}': loss
                for name, loss in losses.items()}, proposals

    def predict(self, inputs: Tensor, data_samples: TrackSampleList) -> TrackSampleList:
        """Detect in all frames at once, track them in order, then segment what was kept.

        Args:
            inputs: (B, T, 3, H, W) float.
            data_samples: B clips of T frames. All frames, clip after clip,
                follow each other in time; a frame with ``frame_id`` 0 starts a
                new video.

        Returns:
            The clips, each frame with ``pred_track_instances`` as described in
            :mod:`vatrack.structures.fields`.

        Raises:
            ValueError: A frame does not follow the one before it.
        """
        frames = [frame for clip in data_samples for frame in clip.video_data_samples]
        metas = [frame.metainfo for frame in frames]
        feats = self.detector.extract_feat(inputs.flatten(0, 1))
        proposals = self.detector.rpn_head.predict(feats, frames, rescale=False)
        detections = self.detector.roi_head.predict_boxes(feats, proposals, metas)
        tracked = self._track(feats, detections, metas)
        self._segment(feats, tracked, metas)
        for frame, instances in zip(frames, tracked, strict=True):
            frame.pred_track_instances = instances
        return data_samples

    def _track(self, feats: tuple[Tensor, ...], detections: list[InstanceData],
               metas: list[dict]) -> list[InstanceData]:
        if self.tracker.needs_embeds:
            embeds = self.track_head.embed(feats, [d.bboxes for d in detections])
            for detection, embed in zip(detections, embeds, strict=True):
                detection.embeds = embed
        return [self._track_frame(d, meta) for d, meta in zip(detections, metas, strict=True)]

    def _track_frame(self, detections: InstanceData, meta: dict) -> InstanceData:
        video, frame = meta['video_id'], meta['frame_id']
        if frame == 0:
            self.tracker.reset()
        elif self._last_frame != (video, frame - 1):
            last = self._last_frame
            before = f'frame {last[1]} of video {last[0]}' if last else 'no other'
            raise ValueError(
                f'frame {frame} of video {video} follows {before}; tracking needs all frames of a '
                'video in order: use sampler dict(type="VideoSampler") and no shuffling in the '
                'test dataloader')
        self._last_frame = (video, frame)
        return self.tracker.track(detections, frame)

    def _segment(self, feats: tuple[Tensor, ...], tracked: list[InstanceData],
                 metas: list[dict]) -> None:
        """Add masks and move boxes to original pixels, in place."""
        roi_head = self.detector.roi_head
        roi_head.predict_visible_boxes(feats, tracked, metas)
        probabilities = roi_head.predict_masks(feats, tracked)
        threshold = self.detector.test_cfg.rcnn.mask_thr_binary
        for i, (instances, meta) in enumerate(zip(tracked, metas, strict=True)):
            scale = instances.bboxes.new_tensor(meta['scale_factor']).repeat(2)
            for field in {'bboxes', *map(bboxes_field, MASK_KINDS)} & set(instances.keys()):
                instances[field] = instances[field] / scale
            instances.pop('embeds', None)
            for kind, masks in probabilities.items():
                instances.set_field(
                    paste_masks(masks[i], mask_boxes(kind, instances), meta['ori_shape'],
                                threshold), masks_field(kind))


def _to_float32(part: nn.Module, inputs: Any, outputs: Any) -> Any:
    """Under autocast, keep boxes and scores out of half precision.

    Boxes are decoded in the dtype of a head's outputs, and mmdet's extractors
    round regions to the dtype of the features. Bfloat16 has no more than every
    eighth pixel between 1024 and 2048. RoIAlign works in float32 in any case.
    """
    if isinstance(outputs, Tensor):
        return outputs.float()
    return type(outputs)(_to_float32(part, inputs, output) for output in outputs)


def _as_list(value: Tensor | list[Tensor]) -> list[Tensor]:
    return value if isinstance(value, list) else [value]
