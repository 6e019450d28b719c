"""SaVos as released, written down a second time and plainly, to compare with.

One clip, one frame, one pixel row at a time; layers carry the names of released checkpoints.
"""
from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 64, 128


def conv(inputs: int, outputs: int, kernel, stride, padding) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding),
                         nn.GroupNorm(1, outputs), nn.LeakyReLU(0.01))


def down(inputs: int, first: int, last: int) -> list[nn.Module]:
    return [conv(inputs, first, 4, 2, 1), conv(first, 2 * first, 4, 2, 1),
            conv(2 * first, 4 * first, 4, 2, 1), conv(4 * first, 8 * first, 4, 2, 1),
            conv(8 * first, 256, (3, 4), (1, 2), 1), conv(256, last, 4, 1, 0)]


def up() -> list[nn.Module]:
    def deconv(inputs: int, outputs: int, kernel, stride, padding) -> nn.Sequential:
        return nn.Sequential(nn.GroupNorm(1, inputs), nn.LeakyReLU(0.01),
                             nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding))
    return [deconv(512, 256, 4, 1, 0), deconv(256, 256, (3, 4), (1, 2), 1),
            deconv(256, 128, 4, 2, 1), deconv(128, 64, 4, 2, 1), deconv(64, 32, 4, 2, 1),
            deconv(32, 2, 4, 2, 1)]


def linear(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs))


class ReleasedSaVos(nn.Module):
    """Patches of one clip, (T, 8, 64, 128) -> masks, alpha logits, residual flow."""

    def __init__(self) -> None:
        super().__init__()
        self.st_encoder = nn.Module()
        self.st_encoder.encoder = nn.Sequential(*down(6, 32, 512), linear(512, 256))
        self.st_encoder.lstm = nn.LSTM(256, 256)
        self.mask_decoder = nn.Module()
        self.mask_decoder.down_networks = nn.Sequential(*down(1, 32, 512))
        self.mask_decoder.last_vm_map = linear(512, 256)
        self.mask_decoder.fm_deconv_map = nn.Sequential(nn.Linear(512, 512))
        self.mask_decoder.up_networks = nn.Sequential(*up())
        self.flow_decoder = nn.Module()
        self.flow_decoder.last_flow_encoder = nn.Sequential(*down(2, 16, 256), linear(256, 256))
        self.flow_decoder.flow_decoder = nn.Sequential(nn.Sequential(nn.Linear(512, 512)), *up())

    def forward(self, patches: Tensor, mask_channel: int) -> tuple[list[Tensor], list[Tensor]]:
        state, masks, flows = None, [], []
        for patch in patches:
            patch = patch[None]
            code = self.st_encoder.encoder(patch)
            hidden, state = self.st_encoder.lstm(code[None], state)
            mask = self.mask_decoder
            code = mask.last_vm_map(mask.down_networks(patch[:, mask_channel:mask_channel + 1]))
            code = mask.fm_deconv_map(torch.cat([hidden[0], code], 1))
            out = mask.up_networks(code[:, :, None, None])
            masks.append(torch.stack([(1 - 1e-6) * out[0, 0].sigmoid() + 5e-7, out[0, 1]]))
            flow = self.flow_decoder
            code = torch.cat([hidden[0], flow.last_flow_encoder(patch[:, 4:6])], 1)
            code = flow.flow_decoder[0](code)[:, :, None, None]
            for block in flow.flow_decoder[1:]:
                code = block(code)
            flows.append(code[0])
        return masks, flows


def enlarged_box(visible: Tensor) -> tuple[int, int, int, int]:
    """Rows, then columns."""
    box = []
    for size, line in zip(visible.shape, (visible.any(1), visible.any(0)), strict=True):
        first, last = line.nonzero().min().item(), line.nonzero().max().item()
        half = int((last - first) * 1.5) // 2
        centre = (first + last) // 2
        box += [max(0, centre - half), min(size, centre + half)]
    return tuple(box)


def cut(image: np.ndarray, box, scale, order: int) -> np.ndarray:
    """One channel, scaled with scipy as scikit-image's rescale does, put top left."""
    part = image[box[0]:box[1] + 1, box[2]:box[3] + 1]
    shape = [max(int(np.round(s * n)), 1) for s, n in zip(scale, part.shape, strict=True)]
    factors = np.array(part.shape) / shape
    if order:
        part = ndimage.gaussian_filter(part, np.maximum(0, (factors - 1) / 2), mode='mirror')
    part = ndimage.zoom(part, 1 / factors, order=order, mode='mirror', grid_mode=True)
    patch = np.zeros(SIZE)
    part = part[:SIZE[0], :SIZE[1]]
    patch[:part.shape[0], :part.shape[1]] = part
    return patch


def clip_patches(image, visible, forward, backward) -> tuple[Tensor, list]:
    boxes = [enlarged_box(mask) for mask in visible]
    best = max(range(len(visible)), key=lambda t: visible[t][
        boxes[t][0]:boxes[t][1] + 1, boxes[t][2]:boxes[t][3] + 1].sum().item())
    part = visible[best][boxes[best][0]:boxes[best][1] + 1, boxes[best][2]:boxes[best][3] + 1]
    scale = [SIZE[0] / part.shape[0], SIZE[1] / part.shape[1]]
    frames = []
    for t, box in enumerate(boxes):
        planes = [*(image[t].double() / 255), visible[t].double(), *forward[t].double(),
                  *backward[t].double()]
        frames.append(np.stack([cut(plane.numpy(), box, scale, int(i != 3))
                                for i, plane in enumerate(planes)]))
    return torch.from_numpy(np.stack(frames)).float(), boxes


def paste(patch: Tensor, box, frame: tuple[int, int]) -> Tensor:
    """Centre in the frame, then one affine sampling."""
    height, width = frame
    top, left = (height - SIZE[0]) // 2, (width - SIZE[1]) // 2
    canvas = F.pad(patch, (left, width - SIZE[1] - left, top, height - SIZE[0] - top))
    r0, r1, c0, c1 = box
    sy, sx = SIZE[0] / (r1 - r0), SIZE[1] / (c1 - c0)
    # In continuous pixels of the canvas: its middle stands for the middle of the box.
    theta = torch.tensor([[sx, 0, (width - (c0 + c1)) * sx / width],
                          [0, sy, (height - (r0 + r1)) * sy / height]], dtype=torch.float64)
    grid = F.affine_grid(theta[None], [1, 1, height, width], align_corners=False)
    return F.grid_sample(canvas[None].double(), grid, align_corners=False)[0].float()


def warp(image: Tensor, motion: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    x = torch.arange(width)[None, :] - motion[0]
    y = torch.arange(height)[:, None] - motion[1]
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], dim=-1)[None]
    return F.grid_sample(image[None], grid, padding_mode='border', align_corners=False)[0]


def one_way(network, patches, boxes, visible, flow, mask_channel):
    """F: warped mask and alpha of every frame; and the motion."""
    masks, residuals = network(patches, mask_channel)
    estimates, motions = [], []
    for t, box in enumerate(boxes):
        frame = tuple(visible[t].shape)
        motion = torch.empty(2, *frame)
        for axis in range(2):
            motion[axis] = flow[t][axis][visible[t]].mean()
            motion[axis][visible[t]] = flow[t][axis][visible[t]]
        motion = motion + paste(residuals[t], box, frame)
        estimates.append(warp(paste(masks[t], box, frame), motion))
        motions.append(motion)
    return estimates, motions


def merged(network: ReleasedSaVos, image, visible, forward, backward, mask_channel: int):
    """P of one clip, (T, H, W), and the motion of both directions, each in its order."""
    patches, boxes = clip_patches(image, visible, forward, backward)
    ahead, motions = one_way(network, patches[:, :6], boxes, visible, forward, mask_channel)
    turned = patches.flip(0)[:, [0, 1, 2, 3, 6, 7]]
    back, motions_back = one_way(network, turned, boxes[::-1], visible.flip(0), backward.flip(0),
                                 mask_channel)
    back = back[::-1]
    frames = len(visible)
    shifted = [back[t + 2] for t in range(frames - 2)] + [back[-2], back[-1]]
    result = []
    for mine, other in zip(ahead, shifted, strict=True):
        weight = torch.exp(mine[1]) / (torch.exp(mine[1]) + torch.exp(other[1]))
        result.append(weight * mine[0] + (1 - weight) * other[0])
    return torch.stack(result), motions, motions_back


def mask_loss(clips_of_p: list[Tensor], visible, others) -> float:
    total, count = 0.0, 0
    for p, seen, hidden in zip(clips_of_p, visible, others, strict=True):
        for t in range(len(p) - 2):
            squeezed = 5e-7 + (1 - 1e-6) * p[t]
            error = F.binary_cross_entropy(squeezed, seen[t + 1].float(), reduction='none')
            total += (error * (1 - hidden[t + 1].float())).sum().item()
            count += 1
    return total / count


def consistency_loss(clips_of_p, motions_ahead, motions_back) -> float:
    total = 0.0
    for p, ahead, back in zip(clips_of_p, motions_ahead, motions_back, strict=True):
        for masks, motions in ((p, ahead), (p.flip(0), back)):
            running = 0.0
            for t in range(len(masks) - 1):
                a, b = warp(masks[t][None], motions[t])[0], masks[t + 1]
                running += 1 - ((a * b).sum() / ((a + b - a * b).sum() + 1e-8)).item()
                total += running
    return total / len(clips_of_p)
