"""Which frames make a training clip.

A clip sampler has one method, ``sample(key, start, stop) -> ClipFrames``: the
frames of a clip around the key frame ``key`` of a video whose frames are
``start`` to ``stop - 1``. It gives as many frames for every key, so that clips
can be batched: where a video has too few, frames stand in the clip repeatedly.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vatrack.registry import TASK_UTILS


class ClipFrames(NamedTuple):
    """The T frames of a clip in time order, each with its part in training."""

    #: Frame indices, ascending; a frame may stand there more than once.
    frames: list[int]
    #: Whether each is a key frame, in which all is learned; others are references.
    is_key: list[bool]


@TASK_UTILS.register_module()
class KeyReferenceSampler:
    """A key frame and reference frames near it (QDTrack; VATrack: 1 within +-3).

    Args:
        scope: Largest distance to the key frame, in frames.
        num_refs: Reference frames per key frame.
    """

    def __init__(self, scope: int = 3, num_refs: int = 1) -> None:
        if scope < 1 or num_refs < 1:
            raise ValueError(f'scope and num_refs must be positive, got {scope} and {num_refs}')
        self.scope = scope
        self.num_refs = num_refs

    def sample(self, key: int, start: int, stop: int) -> ClipFrames:
        """Draw reference frames, uniformly and where possible without repetition.

        Args:
            key: Index of the key frame.
            start: Index of the first frame of its video.
            stop: Index after its last frame.

        Returns:
            The key and ``num_refs`` references; in a video of one frame, that
            frame is its own reference.
        """
        others = [frame for frame in _near(key, start, stop, self.scope) if frame != key]
        references = _draw(others or [key], self.num_refs)
        # Where the key is its own reference it comes first: False sorts before True.
        frames = sorted([(key, False), *((reference, True) for reference in references)])
        return ClipFrames([frame for frame, _ in frames], [not is_ref for _, is_ref in frames])


@TASK_UTILS.register_module()
class NearbyFramesSampler:
    """A key frame and frames near it, all of which are key frames (Mask2Former-VIS, VITA).

    GenVIS and A2VIS: 15 frames within +-12 (clips of 3), or 5 within +-6. The
    code of GenVIS draws with replacement; here frames are repeated only where
    a video has too few within ``scope``, and then as evenly as can be.

    Args:
        num_frames: Frames of a clip.
        scope: Largest distance to the key frame, in frames.
    """

    def __init__(self, num_frames: int, scope: int) -> None:
        if scope < 1 or num_frames < 1:
            raise ValueError(f'num_frames and scope must be positive, got {num_frames} and {scope}')
        self.num_frames = num_frames
        self.scope = scope

    def sample(self, key: int, start: int, stop: int) -> ClipFrames:
        """Draw ``num_frames`` frames with the key among them; arguments as always."""
        near = _near(key, start, stop, self.scope)
        if len(near) < self.num_frames:
            frames = _draw(near, self.num_frames)
        else:
            frames = [key, *_draw([i for i in near if i != key], self.num_frames - 1)]
        return ClipFrames(sorted(frames), [True] * self.num_frames)


@TASK_UTILS.register_module()
class ConsecutiveFramesSampler:
    """A run of frames that contains the key frame, all key frames (RGNNVIS: 10; SaVos: 40, 30).

    The run lies within the video, and each place that the key frame may have in
    it is equally likely. A video that is shorter than a run around this key is
    taken from its beginning, and the last frame repeated: the video stands
    still, as SaVos pads its tracks.

    Args:
        length: Frames of a run.
        stride: Distance between its frames; 2 takes every other frame.
    """

    def __init__(self, length: int, stride: int = 1) -> None:
        if length < 1 or stride < 1:
            raise ValueError(f'length and stride must be positive, got {length} and {stride}')
        self.length = length
        self.stride = stride

    def sample(self, key: int, start: int, stop: int) -> ClipFrames:
        """Draw where the run begins; arguments as always."""
        # Frames that are whole strides from the key, and the first of them.
        grid = range(start + (key - start) % self.stride, stop, self.stride)
        place = grid.index(key)
        earliest = max(0, place - self.length + 1)
        latest = min(place, len(grid) - self.length)
        first = np.random.randint(earliest, latest + 1) if latest > earliest else earliest
        frames = [grid[min(first + i, len(grid) - 1)] for i in range(self.length)]
        return ClipFrames(frames, [True] * self.length)


def _near(key: int, start: int, stop: int, scope: int) -> list[int]:
    """Frames of the video at most ``scope`` from the key, with the key itself."""
    return list(range(max(start, key - scope), min(stop, key + scope + 1)))


def _draw(frames: list[int], count: int) -> list[int]:
    """Draw ``count`` of some frames; none is drawn again before all were."""
    rounds, rest = divmod(count, max(len(frames), 1))
    return frames * rounds + np.random.choice(frames, rest, replace=False).tolist()
