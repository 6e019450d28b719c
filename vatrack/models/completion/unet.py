"""Completion of one image at a time by a U-Net: PCNet-M, and the supervised oracle."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completed
from .geometry import PerFrameGeometry, fit_aspect, paste

#: Channels of what a network of single images can be shown.
INPUT_CHANNELS = {'visible': 1, 'others': 1, 'image': 3}


class UNet(nn.Module):
    """U-Net with two convolutions per level (Ronneberger et al., MICCAI 2015).

    Of the form of PCNet-M (Zhan et al., CVPR 2020): the last level does not
    double the channels, so that concatenation with bilinear up-sampling does;
    each convolution is 3x3 with bias, batch normalisation and ReLU. Going up,
    a level leaves with the channels of the level above it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, raw.
        width: Channels of the first level.
        depth: Times the resolution is halved.
    """

    def __init__(self, in_channels: int, out_channels: int = 2, width: int = 32, depth: int = 4):
        super().__init__()
        widths = [width * 2 ** level for level in range(depth)]
        self.enter = _double_conv(in_channels, width)
        self.down = nn.ModuleList(_double_conv(before, after) for before, after in
                                  zip(widths, [*widths[1:], widths[-1]], strict=True))
        self.up = nn.ModuleList(_double_conv(2 * level, above) for level, above in
                                zip(widths[::-1], [*widths[-2::-1], width], strict=True))
        self.leave = nn.Conv2d(width, out_channels, kernel_size=1)

    def forward(self, patches: Tensor) -> Tensor:
        """(N, in_channels, h, w) -> (N, out_channels, h, w), of any size of 2 ** depth or more."""
        features = self.enter(patches)
        levels = []
        for layer in self.down:
            levels.append(features)
            features = layer(nn.functional.max_pool2d(features, 2))
        for layer in self.up:
            level = levels.pop()
            larger = interpolate(features, level.shape[-2:], mode='bilinear', align_corners=False)
            features = layer(torch.cat([level, larger], dim=1))
        return self.leave(features)


def _double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    layers = []
    for channels in (in_channels, out_channels):
        layers += [nn.Conv2d(channels, out_channels, kernel_size=3, padding=1),
                   nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class PatchInputs(nn.Module):
    """What a network of single images is shown: the box of an object, resampled to one size.

    A box of another aspect than the patch is seen with what lies beside it.

    Args:
        inputs: Some of 'visible' (the object's mask), 'others' (those of all
            other objects, or of those in front of it) and 'image', in the
            order of the channels.
        patch_size: (h, w) to which each box is resampled.

    Raises:
        ValueError: An input is of no known name.
    """

    def __init__(self, inputs: Sequence[str], patch_size: Sequence[int]):
        super().__init__()
        unknown = set(inputs) - INPUT_CHANNELS.keys()
        if unknown or not inputs:
            raise ValueError(f'inputs={list(inputs)}: some of {list(INPUT_CHANNELS)} are possible')
        self.inputs = tuple(inputs)
        self.geometry = PerFrameGeometry(tuple(patch_size))

    @property
    def num_channels(self) -> int:
        """Channels of a patch."""
        return sum(INPUT_CHANNELS[name] for name in self.inputs)

    def forward(self, clips: ObjectClips) -> Tensor:
        """(B * T, C, h, w) float: masks and colours in [0, 1].

        Raises:
            ValueError: The clips come without images, and those are asked for.
        """
        if 'image' in self.inputs and clips.image is None:
            raise ValueError('the network looks at images, the clips have none: load them with '
                             'the data, or leave image out of inputs')
        planes = {'visible': lambda: clips.visible[:, :, None].float(),
                  'others': lambda: clips.others[:, :, None].float(),
                  'image': lambda: clips.image.float() / 255}
        patches, _ = self.geometry.cut(clips, {name: planes[name]() for name in self.inputs})
        return torch.cat(list(patches.values()), dim=2).flatten(0, 1)

    def paste(self, patches: Tensor, clips: ObjectClips) -> Tensor:
        """(B * T, 1, h, w) patches back in the windows: (B, T, window height, window width)."""
        boxes = fit_aspect(clips.boxes.flatten(0, 1), self.geometry.patch_size)
        return paste(patches, boxes, clips.origins.flatten(0, 1),
                     clips.window_size).reshape(clips.visible.shape)


@MODELS.register_module()
class ImageUNet(nn.Module):
    """Amodal mask of each frame from that frame alone, by a :class:`UNet`.

    With masks as input and trained by :class:`SelfOcclusion` it is PCNet-M
    (Zhan et al., *Self-Supervised Scene De-occlusion*, CVPR 2020), the
    Self-Deocclusion of the SaVos paper; trained by :class:`Supervised` it has
    the role of that paper's supervised oracle on FISHBOWL and Chewing Gum,
    of which neither paper nor code say more than "U-Net".

    The network ends in two classes, as PCNet-M does; their softmax is the
    probability.

    Args:
        inputs: See :class:`PatchInputs`.
        patch_size: See :class:`PatchInputs`.
        width: See :class:`UNet`.
        depth: See :class:`UNet`.

    Raises:
        ValueError: A patch is too small to be halved ``depth`` times.
    """

    def __init__(self, inputs: Sequence[str] = ('visible', 'others', 'image'),
                 patch_size: Sequence[int] = (256, 256), width: int = 32, depth: int = 4):
        super().__init__()
        if min(patch_size) < 2 ** depth:
            raise ValueError(f'patch_size={tuple(patch_size)} cannot be halved {depth} times: '
                             f'take {2 ** depth} at least, or less depth')
        self.patches = PatchInputs(inputs, patch_size)
        self.unet = UNet(self.patches.num_channels, 2, width, depth)

    @property
    def needs(self) -> frozenset[str]:
        """What the clips must hold besides masks."""
        return frozenset(self.patches.inputs) & {'image'}

    def forward(self, clips: ObjectClips) -> Completed:
        """Complete every frame.

        Args:
            clips: B objects over T frames.

        Returns:
            Probabilities of the amodal masks; all frames are known. Beyond the
            box of an object they are 0.
        """
        scores = self.unet(self.patches(clips))
        probability = self.patches.paste(scores.softmax(dim=1)[:, 1:], clips)
        return Completed(probability=probability, known=clips.valid)
