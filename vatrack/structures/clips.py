"""The truth of a clip: its objects over time, put together from the truth of its frames."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from .by_kind import MasksByKind, PackedMasks


class ClipSample(TrackDataSample):
    """The frames of a clip, as mmdet's class, but without its way of setting them.

    mmdet's setter formats a whole frame as text each time, moving to another
    device included: every value of the truth is waited for.
    """

    @property
    def video_data_samples(self) -> list[DetDataSample]:
        """The frames, in time order."""
        return self._video_data_samples

    @video_data_samples.setter
    def video_data_samples(self, frames: list[DetDataSample]) -> None:
        if not isinstance(frames, list) or not isinstance(frames[0], DetDataSample):
            raise TypeError(f'the frames of a clip are a list of DetDataSample, got {type(frames)}')
        self.set_field(frames, '_video_data_samples', dtype=list)

    @video_data_samples.deleter
    def video_data_samples(self) -> None:
        del self._video_data_samples


@dataclass(frozen=True)
class ClipTruth:
    """N objects over the T frames of a clip, in the order of their ids.

    An object is in frame t if it is annotated there with a pixel of any kind,
    and has had a visible pixel in one of the frames up to t: a model is not
    asked for what it has not seen yet (the convention of A2VIS; it looks at the
    masks that there are, so that what a crop cuts off was not seen). Without
    visible masks any pixel will do. Objects that are in no frame are left out.
    What is hidden between two sights is in the frames between with an empty
    visible mask, if the dataset keeps it (``keep_hidden``).

    Attributes:
        ids: (N,) int64, instance ids, ascending.
        labels: (N,) int64, 0-based.
        presence: (N, T) bool, whether an object is in a frame.
        boxes: (N, T, 4) float32, boxes of the main kind; 0 where it is not.
        masks: (N, T) masks of each kind, without a pixel where it is not; None
            if no kinds were asked for.
        appeared: (N,) bool, whether an object was in an earlier clip of the
            same sample, see :meth:`split`.
    """

    ids: Tensor
    labels: Tensor
    presence: Tensor
    boxes: Tensor
    masks: PackedMasks | None
    appeared: Tensor

    @property
    def valid(self) -> Tensor:
        """Whether an object is in a frame of this clip: (N,) bool."""
        return self.presence.any(dim=1)

    @property
    def new(self) -> Tensor:
        """Whether an object is in this clip for the first time: (N,) bool."""
        return self.valid & ~self.appeared

    @classmethod
    def join(cls, frames: Sequence[DetDataSample], kinds: Sequence[str]) -> ClipTruth:
        """Put the truth of the frames of a clip together, on their device.

        The device is waited for once, to learn which objects there are. Masks
        that are not packed yet are packed here. They are padded, below and at
        the right, to the ``batch_input_shape`` (H, W) that the data
        preprocessor notes in the frames, so that they lie on the network's
        input.

        Args:
            frames: T frames in time order, with ``gt_instances`` as in
                :mod:`vatrack.structures.fields`.
            kinds: Kinds of masks that are wanted; may be empty.

        Raises:
            KeyError: A kind was not loaded.
            ValueError: A frame has no masks, or frames have masks of different
                sizes.
        """
        truths = [frame.gt_instances for frame in frames]
        ids, labels, boxes = (torch.cat([truth[field] for truth in truths])
                              for field in ('instances_id', 'labels', 'bboxes'))
        masks = _join_masks(truths, kinds).to(ids.device) if kinds else None
        has_pixel, is_visible = _pixels(masks, ids)
        columns = np.repeat(np.arange(len(frames)), [len(truth) for truth in truths])
        table = torch.stack([ids, has_pixel, is_visible]).cpu().numpy()  # the wait
        presence, places = _arrange(*table, columns, len(frames))
        entries, rows, columns = torch.from_numpy(places).to(ids.device)

        def spread(values: Tensor) -> Tensor:
            """(M, ...) of all entries -> (N, T, ...)."""
            joint = values.new_zeros(*presence.shape, *values.shape[1:])
            joint[rows, columns] = values[entries]
            return joint

        def first(values: Tensor) -> Tensor:
            """(M,) -> (N,): the same in all frames."""
            joint = values.new_zeros(len(presence))
            joint[rows] = values[entries]
            return joint

        if masks is not None:
            masks = masks.pad(frames[0].get('batch_input_shape', (masks.height, masks.width)))
            masks = PackedMasks(spread(masks.bits), masks.kinds, masks.width)
        return cls(first(ids), first(labels), spread(has_pixel), spread(boxes), masks,
                   ids.new_zeros(len(presence), dtype=torch.bool))

    def split(self, clip_length: int) -> list[ClipTruth]:
        """Cut into clips that follow one another, for models that carry objects between them.

        All have the same N objects in the same rows, so that what was assigned
        in one clip is known in the next. ``appeared`` tells what was in an
        earlier one: GenVIS assigns queries to :attr:`new` objects only, and
        keeps those of others.

        Args:
            clip_length: Frames of a clip; the last may be shorter.
        """
        clips, appeared = [], self.appeared
        for start in range(0, self.presence.shape[1], clip_length):
            part = slice(start, start + clip_length)
            clip = replace(self, presence=self.presence[:, part], boxes=self.boxes[:, part],
                           masks=self.masks[:, part] if self.masks is not None else None,
                           appeared=appeared)
            clips.append(clip)
            appeared = appeared | clip.valid
        return clips


def _join_masks(truths: Sequence[InstanceData], kinds: Sequence[str]) -> PackedMasks:
    """Masks of the M entries of all frames, one frame after the other."""
    if any('masks' not in truth for truth in truths):
        raise ValueError('a frame of the clip has no masks; those of reference frames are loaded '
                         'with dict(type="LoadAmodalAnnotations", reference_masks=True)')
    packed = [PackedMasks.pack(truth.masks) if isinstance(truth.masks, MasksByKind)
              else truth.masks for truth in truths]
    return PackedMasks.cat([masks.select(kinds) for masks in packed])


def _pixels(masks: PackedMasks | None, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Whether entries have a pixel, and whether they count as visible: two (M,) bool."""
    if masks is None:
        return (torch.ones_like(ids, dtype=torch.bool),) * 2
    have_pixels = masks.have_pixels()
    has_any = have_pixels.any(dim=1)
    visible = 'visible' in masks.kinds
    return has_any, have_pixels[:, masks.kinds.index('visible')] if visible else has_any


def _arrange(ids: np.ndarray, has_pixel: np.ndarray, is_visible: np.ndarray, frames: np.ndarray,
             num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Which objects there are, and where the entries of the frames belong.

    Args:
        ids: (M,) ids of the entries.
        has_pixel: (M,) 0/1.
        is_visible: (M,) 0/1.
        frames: (M,) the frame of each.
        num_frames: T.

    Returns:
        presence (N, T) bool, and (3, E) int64: of each entry that counts its
        position among the M, its row out of N, and its column out of T.
    """
    unique, rows = np.unique(ids, return_inverse=True)
    presence, visible = np.zeros((2, len(unique), num_frames), dtype=bool)
    presence[rows, frames] = has_pixel
    visible[rows, frames] = is_visible
    presence &= np.logical_or.accumulate(visible, axis=1)
    entries = np.flatnonzero(presence[rows, frames])
    there = presence.any(axis=1)
    places = np.stack([entries, (np.cumsum(there) - 1)[rows[entries]], frames[entries]])
    return presence[there], places
