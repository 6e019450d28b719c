"""Which frames make a training clip."""
from __future__ import annotations

import numpy as np

from vatrack.registry import TASK_UTILS


@TASK_UTILS.register_module()
class KeyReferenceSampler:
    """Draws reference frames near a key frame (QDTrack; VATrack: 1 within +-3).

    Args:
        scope: Largest distance to the key frame, in frames.
        num_refs: Reference frames per key frame.
    """

    def __init__(self, scope: int = 3, num_refs: int = 1) -> None:
        if scope < 1 or num_refs < 1:
            raise ValueError(f'scope and num_refs must be positive, got {scope} and {num_refs}')
        self.scope = scope
        self.num_refs = num_refs

    def sample(self, key: int, start: int, stop: int) -> list[int]:
        """Draw reference frames, uniformly and where possible without repetition.

        Args:
            key: Index of the key frame.
            start: Index of the first frame of its video.
            stop: Index after its last frame.

        Returns:
            ``num_refs`` frame indices; the key itself for a video of one frame.
        """
        near = [i for i in range(max(start, key - self.scope), min(stop, key + self.scope + 1))
                if i != key] or [key]
        drawn = np.random.choice(near, self.num_refs, replace=len(near) < self.num_refs)
        return drawn.tolist()
