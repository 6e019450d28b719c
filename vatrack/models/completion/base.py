"""What every completer is given and gives, whether it is a network or a rule."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from vatrack.structures.object_clips import ObjectClips


@dataclass(frozen=True, slots=True)
class DirectedPass:
    """What SaVos predicts on its way through clips in one direction.

    Frame t is the t-th on the way: that of ``clips`` on the way forward, that of
    ``clips.reversed()`` on the way back.

    Attributes:
        mask: (B, T, h, w) float in [0, 1], the amodal mask as seen from frame t
            (M~ of the paper), in the window of frame t.
        carried: (B, T, h, w) float in [0, 1], ``mask`` carried on to the next frame
            (M^), in the window of that frame; of the last frame, which has no
            next one, in its own.
        alpha: (B, T, h, w) float, logit of the weight of ``carried`` against that
            of the other direction (Eq. 8).
        motion: (B, T, 2, h, w) float, the amodal motion that carries, in pixels, x
            before y, where it is read: in the window of ``carried``.
    """

    mask: Tensor
    carried: Tensor
    alpha: Tensor
    motion: Tensor


@dataclass(frozen=True, slots=True)
class Completed:
    """Amodal masks of B clips of T frames in windows (h, w).

    Attributes:
        probability: (B, T, h, w) float in [0, 1], of each pixel of a window to be
            of the object.
        known: (B, T) bool, frames that something was predicted for; the visible mask
            has to do for others.
        forward_pass: Of SaVos only: what lies behind ``probability``, for its losses.
        backward_pass: The same backward in time; None as well of SaVos online.
    """

    probability: Tensor
    known: Tensor
    forward_pass: DirectedPass | None = None
    backward_pass: DirectedPass | None = None


class Completer(Protocol):
    """A network or a rule that completes visible masks; an :class:`torch.nn.Module` of ``MODELS``.

    Attributes:
        needs: Which of ``'image'`` and ``'flow'`` must be loaded in the clips.
    """

    needs: frozenset[str]

    def __call__(self, clips: ObjectClips) -> Completed:
        """Complete the masks of some objects."""
