"""Completion of one image at a time with shapes of the training set at hand."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from vatrack.registry import MODELS
from vatrack.structures.object_clips import ObjectClips

from .base import Completed
from .unet import PatchInputs, UNet


@MODELS.register_module()
class ShapePriorNet(nn.Module):
    """Amodal mask of each frame, corrected by shapes that were seen in training.

    In the role of VRSP-Net (Xiao et al., *Amodal Segmentation Based on Visible Region
    Segmentation and Shape Prior*, AAAI 2021), the supervised oracle of the SaVos paper on
    KINS-Video-Car. Kept of it: a coarse amodal mask comes first; it asks a codebook, the
    k-means centres of the amodal masks of the training set, for the shapes next to it; with them as
    further input, the mask is refined. Left out: detection and visible segmentation (visible masks
    are given here, and are an input), the auto-encoder in whose space shapes are
    compared (here: pixels), codebooks per category and the use of shapes to rank detections.

    The codebook learns while the network trains: mini-batch k-means (Sculley,
    *Web-scale k-means clustering*, WWW 2010) on the true masks of each batch, in the boxes that the
    network looks at. It is a buffer, saved and loaded with the weights. In distributed
    training that of the first process counts.

    Args:
        inputs: See :class:`~vatrack.models.completion.unet.PatchInputs`.
        patch_size: Likewise.
        width: Of the :class:`~vatrack.models.completion.unet.UNet` that draws the coarse mask.
        depth: Likewise.
        codes: Shapes in the codebook.
        code_size: (h, w) of a shape.
        priors: Shapes that are retrieved for a mask.
        refine_channels: Channels of the two layers that refine.

    Raises:
        ValueError: More shapes are to be retrieved than there are.
    """

    def __init__(self, inputs: Sequence[str] = ('visible', 'others', 'image'),
                 patch_size: Sequence[int] = (256, 256), width: int = 32, depth: int = 4,
                 codes: int = 256, code_size: Sequence[int] = (28, 28), priors: int = 8,
                 refine_channels: int = 32):
        super().__init__()
        if not 1 <= priors <= codes:
            raise ValueError(f'priors={priors}: retrieve 1 to codes={codes} shapes')
        self.patches = PatchInputs(inputs, patch_size)
        channels = self.patches.num_channels
        self.coarse = UNet(channels, 1, width, depth)
        self.refine = nn.Sequential(
            nn.Conv2d(channels + 1 + priors, refine_channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(refine_channels), nn.ReLU(inplace=True),
            nn.Conv2d(refine_channels, refine_channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(refine_channels), nn.ReLU(inplace=True),
            nn.Conv2d(refine_channels, 1, kernel_size=1))
        # A correction that starts at nothing: the coarse mask is an answer in itself, and learns
        # to be one before shapes are looked up by it.
        nn.init.zeros_(self.refine[-1].weight)
        nn.init.zeros_(self.refine[-1].bias)
        self.priors = priors
        self.register_buffer('codes', torch.zeros(codes, *code_size))
        self.register_buffer('members', torch.zeros(codes))

    @property
    def needs(self) -> frozenset[str]:
        """What the clips must hold besides masks."""
        return frozenset(self.patches.inputs) & {'image'}

    def forward(self, clips: ObjectClips) -> Completed:
        """Complete every frame; in training, learn the shapes of ``clips.amodal`` too.

        Args:
            clips: B objects over T frames.

        Returns:
            Probabilities of the amodal masks; all frames are known. Beyond the
            box of an object they are 0.
        """
        if self.training and clips.amodal is not None:
            self.learn_shapes(self._true_patches(clips))
        patches = self.patches(clips)
        scores = self.coarse(patches)
        coarse = scores.sigmoid()
        shapes = interpolate(self.retrieve(coarse[:, 0]), patches.shape[-2:], mode='bilinear',
                             align_corners=False)
        scores = scores + self.refine(torch.cat([patches, coarse, shapes], dim=1))
        return Completed(probability=self.patches.paste(scores.sigmoid(), clips),
                         known=clips.valid)

    @torch.no_grad()
    def retrieve(self, masks: Tensor) -> Tensor:
        """Shapes of the codebook next to masks, the nearest first.

        Args:
            masks: (N, h, w) float in [0, 1].

        Returns:
            (N, priors, *code_size); 0 in place of shapes that are not learnt yet.
        """
        distances = self._distances(masks)
        distances[:, self.members == 0] = torch.inf
        return self.codes[distances.topk(self.priors, largest=False).indices]

    @torch.no_grad()
    def learn_shapes(self, masks: Tensor) -> None:
        """One step of mini-batch k-means.

        Args:
            masks: (N, h, w) float in [0, 1]. The first ones become centres, until there are
                enough; a later one moves the nearest centre, which stays the mean of its masks.
        """
        masks = self._shrunk(masks)[torch.randperm(len(masks), device=masks.device)]
        free = (self.members == 0).nonzero()[:len(masks), 0]
        self.codes[free] = masks[:len(free)]
        self.members[free] = 1
        masks = masks[len(free):]
        if not len(masks):
            return
        nearest = self._distances(masks).argmin(1)
        more = torch.bincount(nearest, minlength=len(self.codes)).to(self.members)
        sums = torch.zeros_like(self.codes).index_add_(0, nearest, masks)
        self.members += more
        self.codes += (sums - more[:, None, None] * self.codes) / self.members[:, None, None]

    def _distances(self, masks: Tensor) -> Tensor:
        """(N, codes) Euclidean distances."""
        return torch.cdist(self._shrunk(masks).flatten(1), self.codes.flatten(1))

    def _shrunk(self, masks: Tensor) -> Tensor:
        return adaptive_avg_pool2d(masks.float()[:, None], self.codes.shape[1:])[:, 0]

    def _true_patches(self, clips: ObjectClips) -> Tensor:
        """(N, *patch_size) amodal masks of frames that are there and have one."""
        chosen = clips.valid & clips.amodal.flatten(2).any(2)
        patches, _ = self.patches.geometry.cut(clips, {'amodal': clips.amodal[:, :, None].float()})
        return patches['amodal'][chosen][:, 0]
