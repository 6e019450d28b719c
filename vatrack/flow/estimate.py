"""Estimating optical flow: OpenCV's DIS without any weights, torchvision's RAFT with them."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .files import FlowError

_PRESETS = {'ultrafast': cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
            'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
            'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
#: Presets of :class:`DISFlow`, from fast to exact.
PRESETS = tuple(_PRESETS)

#: Frames whose shorter side is below are enlarged 4 times, unless a factor is given.
TINY = 100

# RAFT works on an 8th of the size, and halves that three times.
_STRIDE, _LEAST = 8, 128


class FlowEstimator(ABC):
    """Estimates the flow between pairs of images.

    Args:
        upsampling: Factor by which images are enlarged (bicubic) before, and fields
            reduced after; None: 4 if the shorter side is below :data:`TINY` pixels,
            else 1.

    Raises:
        ValueError: The factor is below 1.
    """

    #: Pairs that are best estimated together.
    batch_size = 1

    def __init__(self, upsampling: int | None = None) -> None:
        if upsampling is not None and upsampling < 1:
            raise ValueError(f'upsampling must be at least 1, got {upsampling}')
        self.upsampling = upsampling

    def __call__(self, sources: Sequence[np.ndarray],
                 targets: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Where the pixels of each source are in its target.

        Args:
            sources: N images (H, W, 3) uint8 RGB of one size.
            targets: N images of that size.

        Returns:
            N fields (H, W, 2) float32 in pixels.

        Raises:
            FlowError: The images differ in size.
        """
        if len(sources) != len(targets) or len({each.shape for each in (*sources, *targets)}) > 1:
            raise FlowError('flow leads from images to as many of the same size, got '
                            f'{[each.shape for each in sources]} and '
                            f'{[each.shape for each in targets]}')
        if not len(sources):
            return []
        height, width = sources[0].shape[:2]
        factor = self.upsampling or (4 if min(height, width) < TINY else 1)
        if factor == 1:
            return self._estimate(sources, targets)
        large = (width * factor, height * factor)
        fields = self._estimate(*([cv2.resize(each, large, interpolation=cv2.INTER_CUBIC)
                                   for each in images] for images in (sources, targets)))
        return [cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA) / factor
                for field in fields]

    @abstractmethod
    def _estimate(self, sources: Sequence[np.ndarray],
                  targets: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As :meth:`__call__`, at the size of the images, of which there is at least one."""


class DISFlow(FlowEstimator):
    """Dense inverse search, OpenCV's (Kroeger et al., *Fast Optical Flow using DIS*, ECCV 2016).

    Args:
        preset: One of :data:`PRESETS`.
        upsampling: As of :class:`FlowEstimator`.

    Raises:
        ValueError: An option is unknown or out of range.
    """

    def __init__(self, preset: str = 'medium', upsampling: int | None = None) -> None:
        super().__init__(upsampling)
        if preset not in _PRESETS:
            raise ValueError(f'preset must be one of {PRESETS}, got {preset!r}')
        self._search = cv2.DISOpticalFlow_create(_PRESETS[preset])

    def _estimate(self, sources: Sequence[np.ndarray],
                  targets: Sequence[np.ndarray]) -> list[np.ndarray]:
        # Without a field to start from: with one, an object would remember the pair before.
        return [self._search.calc(*(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in pair), None)
                for pair in zip(sources, targets, strict=True)]


class RAFTFlow(FlowEstimator):
    """RAFT, torchvision's (Teed and Deng, *RAFT*, ECCV 2020).

    Images are padded at the right and bottom to multiples of 8, at least 128, by
    repeating their edge; nothing is cut off.

    Args:
        weights: File with a state dict of ``torchvision.models.optical_flow.raft_large``
            or ``raft_small``; its entries say which.
        device: Where it runs.
        num_updates: How often the field is refined.
        batch_size: Pairs that are estimated together.
        upsampling: As of :class:`FlowEstimator`.

    Raises:
        FlowError: The file is missing or damaged, or holds other weights.
        ValueError: An option is out of range.
    """

    def __init__(self, weights: str | Path, device: str | torch.device = 'cpu',
                 num_updates: int = 12, batch_size: int = 4,
                 upsampling: int | None = None) -> None:
        super().__init__(upsampling)
        if min(num_updates, batch_size) < 1:
            raise ValueError('num_updates and batch_size must be at least 1, got '
                             f'{num_updates}, {batch_size}')
        self.device, self.num_updates, self.batch_size = device, num_updates, batch_size
        self._network = load_raft(weights).to(device).eval()

    @torch.inference_mode()
    def _estimate(self, sources: Sequence[np.ndarray],
                  targets: Sequence[np.ndarray]) -> list[np.ndarray]:
        height, width = sources[0].shape[:2]
        first, second = (self._prepare(images) for images in (sources, targets))
        flow = self._network(first, second, num_flow_updates=self.num_updates)[-1]
        return list(flow[..., :height, :width].permute(0, 2, 3, 1).contiguous().cpu().numpy())

    def _prepare(self, images: Sequence[np.ndarray]) -> Tensor:
        """Images as the network takes them: (N, 3, H', W') in [-1, 1]."""
        batch = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
        right, bottom = (max(_LEAST, -(-side // _STRIDE) * _STRIDE) - side
                         for side in (batch.shape[3], batch.shape[2]))
        return pad(batch.float() / 127.5 - 1, (0, right, 0, bottom), mode='replicate')


def load_raft(weights: str | Path) -> nn.Module:
    """Build the RAFT network that a file of weights belongs to, and load them."""
    # torchvision's models take a second to import, and only this one is needed.
    from torchvision.models.optical_flow import raft_large, raft_small
    try:
        state = torch.load(weights, map_location='cpu', weights_only=True)
    except FileNotFoundError as error:
        raise FlowError(f'{weights}: no such file; give a state dict of torchvision\'s '
                        'raft_large or raft_small') from error
    except Exception as error:  # whatever is in the file
        raise FlowError(f'{weights}: no file of weights ({str(error).splitlines()[0]}); give a '
                        'state dict of torchvision\'s raft_large or raft_small') from error
    # Only the large one learns how to enlarge its field.
    is_large = isinstance(state, dict) and any(str(name).startswith('mask_predictor.')
                                               for name in state)
    network = (raft_large if is_large else raft_small)(weights=None)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise FlowError(f'{weights}: holds other weights than torchvision\'s '
                        f'raft_{"large" if is_large else "small"}: '
                        f'{str(error).splitlines()[-1].strip()}') from error
    return network


#: Estimators by name.
ESTIMATORS: dict[str, type[FlowEstimator]] = {'dis': DISFlow, 'raft': RAFTFlow}
