"""Between windows of whole pixels and the patches of networks, and from frame to frame.

Windows and boxes are those of :class:`~vatrack.structures.object_clips.ObjectClips`: the centre
of the first pixel of a frame is (0.5, 0.5), positions and motion are x before y in pixels.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.ops import roi_align

from vatrack.flow import backward_warp
from vatrack.structures.object_clips import ObjectClips


def crop(windows: Tensor, boxes: Tensor, origins: Tensor, size: tuple[int, int]) -> Tensor:
    """Sample the region of a box from every window.

    Where the region shrinks, all pixels count: each pixel of the patch is the mean of
    bilinear samples at most a pixel apart. A region of the size of the patch on whole
    pixels is cut out as it is.

    Args:
        windows: (N, C, h, w) float.
        boxes: (N, 4) xyxy in the frame. It may reach beyond the window, where all is 0.
        origins: (N, 2), top left pixel of the windows in the frame.
        size: Height and width of the patches.

    Returns:
        (N, C, height, width) patches.
    """
    # One more pixel all around: roi_align repeats the border for a pixel before it gives zeros.
    regions = boxes.to(windows) - (origins - 1).to(windows).repeat(1, 2)
    rows = torch.arange(len(windows), device=windows.device, dtype=windows.dtype)
    return roi_align(pad(windows, (1, 1, 1, 1)), torch.cat([rows[:, None], regions], dim=1), size,
                     aligned=True)


def paste(patches: Tensor, boxes: Tensor, origins: Tensor, size: tuple[int, int]) -> Tensor:
    """Put patches back to where they are from: the inverse of :func:`crop`.

    Args:
        patches: (N, C, height, width) float.
        boxes: (N, 4) xyxy, the region of each patch in its frame.
        origins: (N, 2), top left pixel of the windows in the frame.
        size: Height and width of the windows.

    Returns:
        (N, C, *size), bilinear, 0 outside the boxes.
    """
    height, width = patches.shape[-2:]
    columns = _interpolation(boxes[:, 0::2], origins[:, 0], width, size[1]).to(patches)
    rows = _interpolation(boxes[:, 1::2], origins[:, 1], height, size[0]).to(patches)
    return rows[:, None] @ patches @ columns[:, None].transpose(-1, -2)


def visible_motion(visible: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Motion of whole objects, as far as flow tells it.

    Args:
        visible: (B, T, h, w) bool, visible masks.
        flow: (B, T, 2, h, w) float, to the frame that comes next.

    Returns:
        The motion, (B, T, 2, h, w): flow where the object is visible, elsewhere its mean
        there; and that mean, (B, T, 2). Of a hidden object it is the last one known, 0
        before it was seen first.
    """
    mask = visible[:, :, None]
    count = mask.sum(dim=(-2, -1))
    mean = torch.where(mask, flow, 0).sum(dim=(-2, -1)) / count.clamp(min=1)
    steps = torch.arange(visible.shape[1], device=visible.device)
    # Before the first sighting this is frame 0, whose sum over no pixels is 0.
    last_seen = torch.where(count[..., 0] > 0, steps, 0).cummax(dim=1).values
    mean = mean.gather(1, last_seen[..., None].expand_as(mean))
    return torch.where(mask, flow, mean[..., None, None]), mean


def carry(source: Tensor, motion: Tensor, shift: Tensor) -> Tensor:
    """Move the content of windows into windows of another frame (Warp of SaVos).

    Args:
        source: (N, C, h, w) float, at some frame.
        motion: (N, 2, h, w) from there to the target frame, given in the windows of the
            target: pixel x of it shows what was at x - motion[x].
        shift: (N, 2), origin of the target's window minus origin of the source's.

    Returns:
        (N, C, h, w) in the windows of the target; 0 where nothing of the source comes from.
    """
    return backward_warp(source, motion - shift.to(motion)[..., None, None])


def read_motion(motion: Tensor, elsewhere: Tensor, shift: Tensor, lookups: int = 1) -> Tensor:
    """Read motion of one frame in the windows of the frame that it leads to.

    Motion belongs to where things are before they move; :func:`carry` asks for it by where
    they are after. The paper, and its code, read it at the target position, which is right
    where neighbours move alike. Looking up again where the motion found leads back to (a
    fixed-point iteration) finds the one that truly arrives there.

    Args:
        motion: (N, 2, h, w) in the windows of the source.
        elsewhere: (N, 2), motion beyond them.
        shift: (N, 2), origin of the target's window minus origin of the source's.
        lookups: How often to look.

    Returns:
        (N, 2, h, w) in the windows of the target.
    """
    elsewhere = elsewhere[..., None, None]
    relative = motion - elsewhere  # what lies beyond a window is 0
    found = motion
    if shift.any():
        found = carry(relative, torch.zeros_like(motion), shift) + elsewhere
    for _ in range(lookups - 1):
        found = carry(relative, found, shift) + elsewhere
    return found


def fit_aspect(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Widen, or heighten, boxes about their centres until they have the aspect of a patch.

    Args:
        boxes: (N, 4) xyxy.
        size: Height and width of the patch.
    """
    extent = boxes[:, 2:] - boxes[:, :2]
    aspect = boxes.new_tensor([size[1], size[0]])
    grown = aspect * (extent / aspect).amax(dim=1, keepdim=True)
    more = (grown - extent) / 2
    return torch.cat([boxes[:, :2] - more, boxes[:, 2:] + more], dim=1)


class PerFrameGeometry:
    """Looks at the box of each frame, enlarged to the aspect of a patch, through one window.

    Input and output have one geometry, that of :func:`crop` and :func:`paste`.

    Args:
        patch_size: Height and width of the patches.
    """

    def __init__(self, patch_size: tuple[int, int]) -> None:
        self.patch_size = patch_size

    def cut(self, clips: ObjectClips, windows: dict[str, Tensor]) -> tuple[dict, Tensor]:
        """Patches of windows.

        Args:
            clips: Where the windows are from.
            windows: (B, T, C, h, w) each, by name.

        Returns:
            (B, T, C, *patch_size) each; and the boxes that they show, (B, T, 4) xyxy.
        """
        boxes = fit_aspect(clips.boxes.flatten(0, 1), self.patch_size)
        joint = torch.cat(list(windows.values()), dim=2)
        patches = crop(joint.flatten(0, 1), boxes, clips.origins.flatten(0, 1),
                                 self.patch_size).unflatten(0, joint.shape[:2])
        parts = patches.split([value.shape[2] for value in windows.values()], dim=2)
        return dict(zip(windows, parts, strict=True)), boxes.unflatten(0, joint.shape[:2])

    def paste(self, patches: Tensor, boxes: Tensor, clips: ObjectClips) -> Tensor:
        """(B, T, C, *patch_size) patches of boxes -> (B, T, C, h, w) windows."""
        return paste(patches.flatten(0, 1), boxes.flatten(0, 1),
                               clips.origins.flatten(0, 1), clips.window_size).unflatten(
                                   0, patches.shape[:2])

    def carry(self, source: Tensor, motion: Tensor, shift: Tensor) -> Tensor:
        """See :func:`carry`."""
        return carry(source, motion, shift)


def _interpolation(spans: Tensor, origins: Tensor, length: int, pixels: int) -> Tensor:
    """(N, pixels, length) weights of a patch's pixels in those of a window, along one axis."""
    start, stop = spans[:, :1], spans[:, 1:]
    centres = torch.arange(pixels, device=spans.device) + 0.5 + origins[:, None]
    positions = (centres - start) * (length / (stop - start)) - 0.5
    steps = torch.arange(length, device=spans.device)
    return (1 - (positions[..., None] - steps).abs()).clamp(min=0)
