"""The network of SaVos: patches of one object over time -> its amodal masks and motion."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

#: Keeps probabilities away from 0 and 1, where their logarithm is not finite.
EPSILON = 1e-6


class ConvEncoder(BaseModule):
    """Patch -> vector: convolutions that halve it down to 4 x 4, one over that, a linear layer.

    An axis that has come down to 4 waits for the other. Each convolution is followed by
    GroupNorm of one group and a leaky ReLU. For 64 x 128 these are the six layers of
    Table 6 of the paper, and those of its code.

    Args:
        channels: Of the patch.
        widths: Channels after each layer, see :func:`num_layers`.
        size: Height and width of the patch, each 4 times a power of 2.
        code: Length of the vector.
    """

    def __init__(self, channels: int, widths: Sequence[int], size: tuple[int, int],
                 code: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for width, kernel in zip(widths, _kernels(size, widths), strict=True):
            self.layers.append(nn.ModuleDict({
                'conv': nn.Conv2d(channels, width, **kernel),
                'norm': nn.GroupNorm(1, width),
            }))
            channels = width
        self.activation = nn.LeakyReLU(inplace=True)
        self.fc = nn.Linear(channels, code)

    def forward(self, patches: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(N, C, H, W) -> (N, code), and what all layers but the last give."""
        patches = patches.contiguous(memory_format=torch.channels_last)  # much faster on a CPU
        features = []
        for layer in self.layers:
            patches = self.activation(layer['norm'](layer['conv'](patches)))
            features.append(patches)
        return self.fc(patches.flatten(1)), features[:-1]


class ConvDecoder(BaseModule):
    """Vector -> patch: a :class:`ConvEncoder` turned round.

    Normalisation and activation come before each transposed convolution; nothing follows the
    last one.

    Args:
        inputs: Length of the vector.
        widths: Channels of an encoder of such patches; here they are gone through backwards.
        size: Height and width of the patch.
        channels: Of the patch.
        skips: Each layer but the first also sees what the layer of the encoder gave that
            has its size.
    """

    def __init__(self, inputs: int, widths: Sequence[int], size: tuple[int, int],
                 channels: int, skips: bool = False) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, widths[-1])
        self.layers = nn.ModuleList()
        outputs = [*widths[-2::-1], channels]
        kernels = reversed(_kernels(size, widths))
        seen = [widths[-1], *(width * (1 + skips) for width in widths[-2::-1])]
        for width, output, kernel in zip(seen, outputs, kernels, strict=True):
            self.layers.append(nn.ModuleDict({
                'norm': nn.GroupNorm(1, width),
                'conv': nn.ConvTranspose2d(width, output, **kernel),
            }))
        self.activation = nn.LeakyReLU(inplace=True)

    def forward(self, vectors: Tensor, features: Sequence[Tensor] = ()) -> Tensor:
        """(N, inputs), and with skips features of an encoder -> (N, channels, H, W)."""
        patches = self.fc(vectors)[..., None, None]
        for index, layer in enumerate(self.layers):
            if index and features:
                patches = torch.cat([patches, features[-index]], dim=1)
            patches = layer['conv'](self.activation(layer['norm'](patches)))
            patches = patches.contiguous(memory_format=torch.channels_last)
        return patches


class SaVosNetwork(BaseModule):
    """Encoder, recurrent state, mask branch and motion branch (Eqs. 9-11).

    Args:
        size: Height and width of the patches, each 4 times a power of 2.
        channels: Of what the encoder sees.
        flow: Whether the motion branch sees flow; without, it has the recurrent state alone.
        widths: Channels of the encoders and, backwards, of both decoders.
        motion_widths: Channels of the encoder of the motion branch.
        hidden: Length of the recurrent state and of the codes.
        temporal: False gives every frame a new state: no temporal embedding.
        skips: Whether the mask decoder sees all layers of the mask encoder, as in a U-Net:
            not so in the paper; a line of the released code that is commented out.
    """

    def __init__(self, size: tuple[int, int], channels: int, flow: bool, widths: Sequence[int],
                 motion_widths: Sequence[int], hidden: int, temporal: bool,
                 skips: bool = False) -> None:
        super().__init__()
        self.temporal, self.skips = temporal, skips
        self.encoder = ConvEncoder(channels, widths, size, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.mask_encoder = ConvEncoder(1, widths, size, hidden)
        self.mask_decoder = ConvDecoder(2 * hidden, widths, size, 2, skips)
        self.motion_encoder = ConvEncoder(2, motion_widths, size, hidden) if flow else None
        self.motion_decoder = ConvDecoder(2 * hidden if flow else hidden, widths, size, 2)

    def forward(self, seen: Tensor, mask: Tensor,
                flow: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Go through clips in their order.

        Args:
            seen: (B, T, channels, H, W), what the encoder sees.
            mask: (B, T, 1, H, W), what the mask branch sees.
            flow: (B, T, 2, H, W), what the motion branch sees; None without flow.

        Returns:
            Amodal masks (B, T, 1, H, W) in (0, 1); logits of their weight against those of the
            other direction, of the same shape; and motion beyond that of the visible part,
            (B, T, 2, H, W) in pixels.
        """
        batch = seen.shape[:2]
        codes, _ = self.encoder(seen.flatten(0, 1))
        clips = codes.view(*batch, -1) if self.temporal else codes[:, None]
        state = self.lstm(clips)[0].reshape(len(codes), -1)
        code, features = self.mask_encoder(mask.flatten(0, 1))
        masks = self.mask_decoder(torch.cat([state, code], dim=1),
                                  features if self.skips else ()).unflatten(0, batch)
        if self.motion_encoder is not None:
            code, _ = self.motion_encoder(flow.flatten(0, 1))
            state = torch.cat([state, code], dim=1)
        motion = self.motion_decoder(state).unflatten(0, batch)
        return squeeze(masks[:, :, :1].sigmoid()), masks[:, :, 1:], motion


def squeeze(probability: Tensor) -> Tensor:
    """Probabilities within [EPSILON / 2, 1 - EPSILON / 2]."""
    return (1 - EPSILON) * probability + EPSILON / 2


def num_layers(size: tuple[int, int]) -> int:
    """Convolutions that an encoder of patches of a size has: halvings to 4, and the last one.

    Raises:
        ValueError: A side is not 4 times a power of 2.
    """
    for side in size:
        if side < 4 or side & (side - 1):
            raise ValueError(f'a patch of {size[0]} x {size[1]} cannot be halved down to 4 x 4: '
                             'let the sides of patch_size be powers of 2, 4 or more')
    return max(size).bit_length() - 2


def _kernels(size: tuple[int, int], widths: Sequence[int]) -> list[dict[str, tuple[int, int]]]:
    """Kernel, stride and padding of an encoder's convolutions."""
    if len(widths) != num_layers(size):
        raise ValueError(f'a patch of {size[0]} x {size[1]} takes {num_layers(size)} layers, '
                         f'widths are {len(widths)}: {tuple(widths)}')
    kernels, sides = [], list(size)
    while sides != [4, 4]:
        halved = [side > 4 for side in sides]
        kernels.append({'kernel_size': tuple(4 if half else 3 for half in halved),
                        'stride': tuple(2 if half else 1 for half in halved),
                        'padding': (1, 1)})
        sides = [side // 2 if half else side for side, half in zip(sides, halved, strict=True)]
    return [*kernels, {'kernel_size': (4, 4), 'stride': (1, 1), 'padding': (0, 0)}]
