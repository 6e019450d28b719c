"""What decides identity: losses, and a step from detections to instances with ids."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.tracking_heads import QuasiDenseTrackHead
from mmdet.structures import DetDataSample, SampleList
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from vatrack.registry import MODELS

Propose = Callable[[tuple[Tensor, ...], SampleList], list[InstanceData]]


@dataclass
class FrameBatch:
    """B frames, one of each clip: features, truth, and what is computed when first asked for.

    Attributes:
        feats: Feature maps (B, C, H_l, W_l) per level.
        samples: Ground truth of each frame.
        propose: Makes the proposals of such a batch.
    """

    feats: tuple[Tensor, ...]
    samples: SampleList
    propose: Propose = field(repr=False)

    @cached_property
    def proposals(self) -> list[InstanceData]:
        """Proposals per frame, ``bboxes`` (P, 4) in pixels of the network input."""
        return self.propose(self.feats, self.samples)


@dataclass
class FeatureClip:
    """A batch of B training clips.

    Attributes:
        keys: The key frames; of clips whose frames all are keys, all frames,
            clip after clip.
        references: The reference frames, or None.
    """

    keys: FrameBatch
    references: FrameBatch | None = None


class Association(BaseModule):
    """The part of a :class:`~vatrack.models.TrackedDetector` that gives identities.

    It remembers nothing: what it knows of a video is a memory that the caller
    holds.

    Attributes:
        frames: What its loss needs of a training clip: 'none' (there is no loss),
            'pair' (a key and a reference frame) or 'clip' (all frames are keys).
    """

    frames: ClassVar[Literal['none', 'pair', 'clip']] = 'none'

    def loss(self, clip: FeatureClip) -> dict[str, Tensor]:
        """Losses of a batch of training clips."""
        return {}

    @abstractmethod
    def begin(self) -> Any:
        """Memory of a new video."""

    @abstractmethod
    def step(self, feats: tuple[Tensor, ...], detections: list[InstanceData], metas: list[dict],
             memory: Any) -> list[InstanceData]:
        """Give ids to the detections of consecutive frames.

        Args:
            feats: Feature maps (T, C, H_l, W_l) of T frames.
            detections: Per frame ``bboxes`` (N, 4) in pixels of the network
                input, ``scores`` (N,) and ``labels`` (N,).
            metas: Metainfo per frame.
            memory: Of this video; changed in place.

        Returns:
            Per frame the detections that belong to tracks, on the host, with
            ``instances_id`` (M,) int64.
        """

    def finish(self, memory: Any) -> InstanceData | None:
        """What is known of tracks only at the end (``pred_tracks``), or None."""
        return None


@MODELS.register_module()
class TrackerAssociation(Association):
    """A policy that needs nothing learnt: boxes, classes and scores decide.

    Args:
        tracker: Config of a policy, see :mod:`vatrack.track`.

    Raises:
        ValueError: The policy compares embeddings.
    """

    def __init__(self, tracker: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.tracker = MODELS.build(tracker)
        if self.tracker.needs_embeds:
            raise ValueError(
                f'{type(self.tracker).__name__} compares embeddings: give the model '
                'association=dict(type="EmbeddingAssociation", head=..., tracker=...), as in '
                'configs/_base_/association, or choose tracker=dict(type="NoAssociation")')

    def begin(self) -> Any:
        """Memory of the policy."""
        return self.tracker.begin()

    def step(self, feats: tuple[Tensor, ...], detections: list[InstanceData], metas: list[dict],
             memory: Any) -> list[InstanceData]:
        """See :class:`Association`."""
        return self._track(detections, metas, memory)

    def _track(self, detections: list[InstanceData], metas: list[dict],
               memory: Any) -> list[InstanceData]:
        # One copy for all frames: the policy decides on the host, see vatrack/track/base.py.
        on_host = InstanceData.cat(detections).to('cpu')
        kept, start = [], 0
        for found, meta in zip(detections, metas, strict=True):
            of_frame = on_host[start:start + len(found)]
            start += len(found)
            kept.append(self.tracker.track(of_frame, meta['frame_id'], memory))
        return kept


class TrackHead(QuasiDenseTrackHead):
    """RoI extractor, embedding network, assigner and sampler, as mmdet configures them."""

    def embed(self, feats: tuple[Tensor, ...], bboxes: list[Tensor]) -> list[Tensor]:
        """Embeddings of boxes in pixels of the network input: per image (R, E)."""
        embeds = self.embed_head(self.extract_roi_feats(feats, bboxes))
        return list(embeds.split([len(b) for b in bboxes]))

    def sample(self, proposals: InstanceData, sample: DetDataSample) -> SamplingResult:
        """Assign the proposals of an image to its ground truth and sample; changes neither."""
        priors = InstanceData(priors=proposals.bboxes)
        assigned = self.bbox_assigner.assign(priors, sample.gt_instances)
        return self.bbox_sampler.sample(assigned, priors, sample.gt_instances)


@MODELS.register_module()
class EmbeddingAssociation(TrackerAssociation):
    """An embedding head and the policy that compares its embeddings: QDTrack, MaskTrack R-CNN.

    Args:
        head: Config of a :class:`~.track_head.TrackHead`.
        tracker: Config of a policy, see :mod:`vatrack.track`.
    """

    frames = 'pair'

    def __init__(self, head: dict, tracker: dict, init_cfg: dict | None = None) -> None:
        super(TrackerAssociation, self).__init__(init_cfg)
        self.head = MODELS.build(head)
        self.tracker = MODELS.build(tracker)

    def loss(self, clip: FeatureClip) -> dict[str, Tensor]:
        """Losses of the head."""
        return self.head.loss(clip)

    def step(self, feats: tuple[Tensor, ...], detections: list[InstanceData], metas: list[dict],
             memory: Any) -> list[InstanceData]:
        """Embed the detections of all frames at once, then track frame by frame."""
        embeds = self.head.embed(feats, [each.bboxes for each in detections])
        for found, embed in zip(detections, embeds, strict=True):
            found.embeds = embed
        kept = self._track(detections, metas, memory)
        for each in kept:  # nobody after the policy reads them
            del each.embeds
        return kept
