"""Identity is associated: a detector finds objects in frames, an association links them."""
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from mmdet.structures import DetDataSample, TrackSampleList
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS

from .association.base import FeatureClip, FrameBatch
from .detectors.base import Feats
from .video_model import Ending, VideoModel


@dataclass
class _OpenVideo:
    """State of a video: the association's memory, and the window of a calibration.

    Attributes:
        memory: Of the association.
        window: Features and metainfo of the latest frames; without a calibration
            none is kept.
        first: How many frames of the window are finished.
    """

    memory: Any
    window: list[tuple[Feats, dict]] = field(default_factory=list)
    first: int = 0


@MODELS.register_module()
class TrackedDetector(VideoModel):
    """VATrack, its baselines, and whatever else detects in frames and then associates.

    ``detector.detect`` finds boxes, ``association`` decides which belong to
    tracks, ``detector.segment`` makes masks of what was kept. The systems of
    the VATrack paper differ in config only.

    Args:
        detector: Config of a :class:`~vatrack.models.detectors.base.FrameDetector`.
        association: Config of an :class:`~vatrack.models.association.base.Association`.
        calibration: Config of a module that enriches features by those of
            neighbouring frames, or None. Called with the features of B frames
            and a list of those of neighbours, it returns a view for each
            neighbour; its ``reach`` is the number of frames to either side that
            are neighbours in testing. In training the reference frame is the
            one neighbour.
        data_preprocessor: As :class:`mmdet.models.mot.BaseMOTModel`.
        init_cfg: As :class:`mmdet.models.mot.BaseMOTModel`.
    """

    def __init__(self, detector: dict, association: dict, calibration: dict | None = None,
                 data_preprocessor: dict | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.detector = MODELS.build(detector)
        self.association = MODELS.build(association)
        self.calibration = calibration and MODELS.build(calibration)
        self.mask_kinds = self.detector.mask_kinds
        if self.calibration:
            self.delay = self.calibration.reach  # it looks so far ahead

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Rename what was called otherwise in checkpoints of earlier versions."""
        rename_entries(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def loss(self, inputs: Tensor, data_samples: TrackSampleList) -> dict[str, Tensor]:
        """Losses of a batch of clips (VATrack, Eq. 2).

        Args:
            inputs: (B, T, 3, H, W) float.
            data_samples: B clips of T frames in time order. The detector learns
                from the key frames, association and calibration from the
                reference frames too.

        Raises:
            ValueError: A reference frame is needed, but clips do not have one each.
        """
        needs_reference = self.association.frames == 'pair' or self.calibration is not None
        if needs_reference:
            _require_one_reference(data_samples)
        feats, keys = self._features(inputs, data_samples, 'key_frames_inds')
        references, views = None, [feats]
        if needs_reference:
            ref_feats, refs = self._features(inputs, data_samples, 'ref_frames_inds')
            references = FrameBatch(ref_feats, refs, self.detector.propose)
        if self.calibration:
            views = self.calibration(feats, [references.feats])
        losses, proposals = self.detector.loss(feats, keys, views)
        # The very proposals of the detector's loss: others would cost a second pass of the RPN.
        batch = FrameBatch(feats, keys, lambda *_: proposals)
        return losses | self.association.loss(FeatureClip(batch, references))

    def _features(self, inputs: Tensor, data_samples: TrackSampleList,
                  which: str) -> tuple[Feats, list[DetDataSample]]:
        """Features and truth of the key or reference frames of all clips, clip after clip."""
        places = [(i, t) for i, clip in enumerate(data_samples) for t in getattr(clip, which)]
        # Not by an index: that would travel to the device, and be waited for.
        images = torch.stack([inputs[i, t] for i, t in places])
        return (self.detector.extract_feat(images),
                [data_samples[i][t] for i, t in places])

    def begin(self) -> _OpenVideo:
        """See :class:`VideoModel`."""
        return _OpenVideo(self.association.begin())

    def step(self, images: Tensor, metas: list[dict], state: _OpenVideo) -> list[InstanceData]:
        """Detect in all frames at once, track them in order, then segment what was kept."""
        feats = self.detector.extract_feat(images)
        if self.calibration is None:
            return self._finish_frames(feats, metas, [feats], state)
        # Copies: a view of one frame would keep the features of its whole batch.
        state.window += [(tuple(level[i:i + 1].clone() for level in feats), meta)
                         for i, meta in enumerate(metas)]
        return self._slide(state, ahead=self.calibration.reach)

    def finish(self, state: _OpenVideo) -> Ending:
        """See :class:`VideoModel`."""
        frames = self._slide(state, ahead=0) if self.calibration else []
        return Ending(frames, self.association.finish(state.memory))

    def _slide(self, state: _OpenVideo, ahead: int) -> list[InstanceData]:
        """Finish the frames that have ``ahead`` successors; forget what is out of reach."""
        reach, done = self.calibration.reach, []
        while state.first + ahead < len(state.window):
            feats, meta = state.window[state.first]
            start = max(0, state.first - reach)
            neighbours = chain(state.window[start:state.first],
                               state.window[state.first + 1:state.first + 1 + reach])
            # At the ends of a video there are fewer neighbours, and so fewer views to average.
            views = self.calibration(feats, [near for near, _ in neighbours])
            done += self._finish_frames(feats, [meta], views, state)
            del state.window[:max(0, state.first + 1 - reach)]
            state.first = min(state.first + 1, reach)
        return done

    def _finish_frames(self, feats: Feats, metas: list[dict], views: list[Feats],
                       state: _OpenVideo) -> list[InstanceData]:
        # Masks come last, of what belongs to tracks only: they cost more than boxes do.
        detections = self.detector.detect(feats, metas, views)
        with self.measure('track'):
            tracked = self.association.step(feats, detections, metas, state.memory)
        self.detector.segment(feats, tracked, metas, views)
        return tracked


def rename_entries(state_dict: dict[str, Any], prefix: str = '') -> None:
    """Rename the entries of a checkpoint of version 0.1, in place.

    There the embedding head was ``track_head``.
    """
    old, new = f'{prefix}track_head.', f'{prefix}association.head.'
    for key in [key for key in state_dict if key.startswith(old)]:
        state_dict[new + key[len(old):]] = state_dict.pop(key)


def _require_one_reference(data_samples: TrackSampleList) -> None:
    counts = {len(clip.ref_frames_inds) for clip in data_samples}
    if counts != {1}:
        raise ValueError('the association learns from one reference frame per key frame, '
                         f'got {sorted(counts)}; give the training dataset clip_sampler='
                         'dict(type="KeyReferenceSampler", num_refs=1)')
