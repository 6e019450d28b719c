"""Objects over time in windows of their own: what completion of masks reads."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from .tracks import TrackRecord


@dataclass(frozen=True, slots=True)
class ClipSource:
    """Where one clip of an object comes from.

    Attributes:
        video_id: Id of the video.
        video_name: Its name, for messages.
        track_id: Instance id of an annotation file, or track id of a result file.
        frames: The T positions in time, consecutive and ascending.
        frame_size: Height and width of the frames in pixels.
    """

    video_id: int
    video_name: str
    track_id: int
    frames: range
    frame_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ObjectClips:
    """B objects over T frames, each frame cut to a window around the object.

    All windows have one size (h, w) and lie on whole pixels of their frames:
    nothing is resampled, and what is said of a window holds in the frame.
    Beyond the frame, and in frames that are there for padding only, everything
    is 0. Positions are (x, y) in pixels; the centre of the first pixel of a
    frame is (0.5, 0.5).

    Attributes:
        visible: (B, T, h, w) bool, visible masks; empty where the object is hidden.
        others: (B, T, h, w) bool, visible masks of all other objects: 1 - W of
            SaVos, Eq. 5.
        origins: (B, T, 2) int64, the top left pixel of each window in its frame;
            negative beyond the frame.
        boxes: (B, T, 4) float32 xyxy in the frame, the region that a network
            looks at; see ``datasets/object_crops.py``.
        valid: (B, T) bool, False for padding at the end of a clip.
        amodal: (B, T, h, w) bool, the truth; None where it is not known.
        image: (B, T, 3, h, w) uint8 RGB; None if not loaded.
        forward: (B, T, 2, h, w) float, flow to the next frame in pixels, x
            before y; None if not loaded. That of a video's last frame is a
            copy of the one before.
        backward: The same to the frame before; that of the first frame is a
            copy of the one after.
        sources: Where the B clips come from.
    """

    visible: Tensor
    others: Tensor
    origins: Tensor
    boxes: Tensor
    valid: Tensor
    amodal: Tensor | None = None
    image: Tensor | None = None
    forward: Tensor | None = None
    backward: Tensor | None = None
    sources: tuple[ClipSource, ...] = ()

    def __len__(self) -> int:
        return len(self.visible)

    @property
    def num_frames(self) -> int:
        """T."""
        return self.visible.shape[1]

    @property
    def window_size(self) -> tuple[int, int]:
        """(h, w)."""
        return tuple(self.visible.shape[-2:])

    @property
    def lengths(self) -> Tensor:
        """(B,) int64, frames of each clip without padding."""
        return self.valid.sum(dim=1)

    def to(self, *args, **kwargs) -> ObjectClips:
        """The same on another device; arguments as :meth:`torch.Tensor.to` (no dtype)."""
        return self._map(lambda name, value: value.to(*args, **kwargs))

    def __getitem__(self, rows: slice | Tensor) -> ObjectClips:
        """Some of the B clips."""
        sources = (self.sources[rows] if isinstance(rows, slice)
                   else tuple(self.sources[row] for row in rows.tolist()))
        return replace(self._map(lambda name, value: value[rows]), sources=sources)

    def reversed(self) -> ObjectClips:
        """Backward in time: frames, and the two directions of flow, change places.

        The order is turned within the frames that count, so that padding stays
        at the end.
        """
        turned = self._map(lambda name, value: self.turned(value))
        return replace(turned, forward=turned.backward, backward=turned.forward)

    def turned(self, values: Tensor) -> Tensor:
        """(B, T, ...) values of these frames in the order of :meth:`reversed`, and back again."""
        steps = torch.arange(self.num_frames, device=self.valid.device)
        back = self.lengths[:, None] - 1 - steps
        rows = torch.arange(len(self), device=self.valid.device)[:, None]
        return values[rows, torch.where(back >= 0, back, steps)]

    def part(self, frames: range) -> ObjectClips:
        """Some consecutive of the T frames alone, counted from the first one of the clips."""
        sources = tuple(replace(source, frames=source.frames[frames.start:frames.stop])
                        for source in self.sources)
        some = self._map(lambda name, value: value[:, frames.start:frames.stop])
        return replace(some, sources=sources)

    @classmethod
    def stack(cls, clips: Sequence[ObjectClips]) -> ObjectClips:
        """Put clips together, padded to the longest one and the largest window.

        Raises:
            ValueError: Some have a field that others lack.
        """
        frames = max(clip.num_frames for clip in clips)
        height, width = (max(sizes) for sizes in zip(*(clip.window_size for clip in clips),
                                                     strict=True))
        joint = {}
        for name in cls._tensors():
            values = [getattr(clip, name) for clip in clips]
            if any(value is None for value in values):
                if any(value is not None for value in values):
                    raise ValueError(f'some clips have {name}, others do not; load it for all')
                joint[name] = None
                continue
            joint[name] = torch.cat([_padded(name, value, frames, height, width)
                                     for value in values])
        return cls(**joint, sources=tuple(source for clip in clips for source in clip.sources))

    @classmethod
    def _tensors(cls) -> list[str]:
        return [field.name for field in fields(cls) if field.name != 'sources']

    def _map(self, change) -> ObjectClips:
        return replace(self, **{name: change(name, getattr(self, name)) for name in self._tensors()
                                if getattr(self, name) is not None})


@dataclass(frozen=True, slots=True)
class TrackChunk:
    """All tracks of a stretch of a video, as they are tested.

    Attributes:
        video_id: Id of the video.
        video_name: Its name.
        frames: Frames whose masks are wanted.
        video_length: Frames of the video.
        tracks: The tracks that are in one of ``frames``, there alone.
        clips: A clip of one object for each of ``tracks``, with frames before
            and after for the context; None for a track that is seen nowhere.
    """

    video_id: int
    video_name: str
    frames: range
    video_length: int
    tracks: list[TrackRecord]
    clips: list[ObjectClips | None]


def _padded(name: str, value: Tensor, frames: int, height: int, width: int) -> Tensor:
    more = frames - value.shape[1]
    if name in ('origins', 'boxes'):
        # Padding keeps the place of the last frame: a box without area cannot be looked at.
        return torch.cat([value, value[:, -1:].expand(-1, more, -1)], dim=1)
    if name == 'valid':
        return pad(value, (0, more))
    time = (0, 0) * (value.ndim - 4) + (0, more)
    return pad(value, (0, width - value.shape[-1], 0, height - value.shape[-2], *time))
