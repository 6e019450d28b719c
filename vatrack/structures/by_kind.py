"""Boxes and masks of several kinds that move as one through mmdet's transforms."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmdet.structures.mask.structures import BaseInstanceMasks
from torch import Tensor
from torch.nn import functional

from .fields import MASK_KINDS
from .rle import RLE, decode


class BoxesByKind(HorizontalBoxes):
    """The boxes of N instances, one per kind: tensor (N, K, 4) float32, xyxy.

    Mmdet's horizontal boxes take any number of leading axes, so ``Resize``,
    ``RandomFlip`` and their like move all kinds alike. Transforms that leave
    instances out ask :meth:`is_inside`, which answers per instance. Without
    instances the shape may become (0, 4).
    """

    @classmethod
    def from_kinds(cls, boxes: Mapping[str, np.ndarray]) -> BoxesByKind:
        """Stack boxes by kind, each (N, 4), in the order of the mapping.

        Raises:
            ValueError: No kind, or an unknown one.
        """
        unknown = set(boxes) - set(MASK_KINDS)
        if unknown or not boxes:
            raise ValueError(f'box kinds must be some of {MASK_KINDS}, got {sorted(boxes)}')
        return cls(np.stack([np.asarray(each, dtype=np.float32).reshape(-1, 4)
                             for each in boxes.values()], axis=1), clone=False)

    def by_kind(self, kinds: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """The boxes of each kind, (N, 4); ``kinds`` as they were given to :meth:`from_kinds`."""
        boxes = self.tensor.reshape(-1, len(kinds), 4)
        return {kind: boxes[:, index].contiguous() for index, kind in enumerate(kinds)}

    def is_inside(self, img_shape: tuple[int, int], all_inside: bool = False,
                  allowed_border: int = 0) -> torch.Tensor:
        """Whether the boxes of all kinds lie in the image, at least in part: (N,) bool."""
        flat = HorizontalBoxes(self.tensor.reshape(-1, 4), clone=False)
        inside = flat.is_inside(img_shape, all_inside, allowed_border)
        return inside.reshape(len(self), -1).all(dim=1) if len(self) else inside


class MasksByKind(BaseInstanceMasks):
    """The masks of N instances, one :class:`BitmapMasks` (N, H, W) per kind.

    It has the interface of mmdet's mask containers and hands every call to
    each kind. Mmdet's geometric transforms that move masks at all (``Resize``,
    ``RandomFlip``, ``Pad``, ``RandomCrop``, ``Rotate``, ``ShearX`` ...; not
    ``RandomAffine``) therefore move amodal and visible masks alike, without a
    transform of our own.

    Args:
        kinds: Masks by kind name, see :data:`vatrack.structures.MASK_KINDS`.
            All must have the same number of instances and size.

    Raises:
        ValueError: No kind, an unknown kind, or kinds of different shapes.
    """

    def __init__(self, kinds: Mapping[str, BitmapMasks]) -> None:
        unknown = set(kinds) - set(MASK_KINDS)
        if unknown or not kinds:
            raise ValueError(f'mask kinds must be some of {MASK_KINDS}, got {sorted(kinds)}')
        shapes = {(len(m), m.height, m.width) for m in kinds.values()}
        if len(shapes) > 1:
            raise ValueError(f'all mask kinds must share one (N, H, W), got {sorted(shapes)}')
        self._kinds = dict(kinds)

    @classmethod
    def from_rles(cls, rles: Mapping[str, list[RLE]], shape: tuple[int, int]) -> MasksByKind:
        """Decode lists of N RLEs of size ``shape`` (H, W), one list per kind."""
        return cls({kind: BitmapMasks(decode(masks, shape), *shape)
                    for kind, masks in rles.items()})

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds present."""
        return tuple(self._kinds)

    def kind(self, name: str) -> BitmapMasks:
        """Masks of one kind: BitmapMasks (N, H, W).

        Raises:
            KeyError: The kind was not loaded.
        """
        _check_loaded(name, self.kinds)
        return self._kinds[name]

    def _each(self, method: Callable[[BitmapMasks], BitmapMasks]) -> MasksByKind:
        return MasksByKind({kind: method(masks) for kind, masks in self._kinds.items()})

    @property
    def _any(self) -> BitmapMasks:
        return next(iter(self._kinds.values()))

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self._any.height

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self._any.width

    @property
    def areas(self) -> dict[str, np.ndarray]:
        """Pixel counts by kind: {kind: (N,)}."""
        return {kind: masks.areas for kind, masks in self._kinds.items()}

    def __len__(self) -> int:
        return len(self._any)

    def __getitem__(self, index: Any) -> MasksByKind:
        return self._each(lambda m: m[index])

    def __repr__(self) -> str:
        return (f'MasksByKind(kinds={list(self._kinds)}, num_masks={len(self)}, '
                f'height={self.height}, width={self.width})')

    def rescale(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Rescale every kind; arguments as :meth:`BitmapMasks.rescale`."""
        return self._each(lambda m: m.rescale(*args, **kwargs))

    def resize(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Resize every kind; arguments as :meth:`BitmapMasks.resize`."""
        return self._each(lambda m: m.resize(*args, **kwargs))

    def flip(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Flip every kind; arguments as :meth:`BitmapMasks.flip`."""
        return self._each(lambda m: m.flip(*args, **kwargs))

    def pad(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Pad every kind; arguments as :meth:`BitmapMasks.pad`."""
        return self._each(lambda m: m.pad(*args, **kwargs))

    def crop(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Crop every kind; arguments as :meth:`BitmapMasks.crop`."""
        return self._each(lambda m: m.crop(*args, **kwargs))

    def crop_and_resize(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Crop and resize every kind; arguments as :meth:`BitmapMasks.crop_and_resize`."""
        return self._each(lambda m: m.crop_and_resize(*args, **kwargs))

    def expand(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Expand every kind; arguments as :meth:`BitmapMasks.expand`."""
        return self._each(lambda m: m.expand(*args, **kwargs))

    def translate(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Translate every kind; arguments as :meth:`BitmapMasks.translate`."""
        return self._each(lambda m: m.translate(*args, **kwargs))

    def shear(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Shear every kind; arguments as :meth:`BitmapMasks.shear`."""
        return self._each(lambda m: m.shear(*args, **kwargs))

    def rotate(self, *args: Any, **kwargs: Any) -> MasksByKind:
        """Rotate every kind; arguments as :meth:`BitmapMasks.rotate`."""
        return self._each(lambda m: m.rotate(*args, **kwargs))

    def get_bboxes(self, dst_type: Any = 'hbox') -> Any:
        """Not defined for several kinds at once: take one with :meth:`kind`."""
        raise TypeError('take one kind first: masks.kind(name).get_bboxes(); for RandomCrop set '
                        'recompute_bbox=False')

    def to_ndarray(self) -> np.ndarray:
        """Not defined for several kinds at once: take one with :meth:`kind`."""
        raise TypeError('take one kind first: masks.kind(name).to_ndarray()')

    def to_tensor(self, dtype: Any, device: Any) -> Any:
        """Not defined for several kinds at once: take one with :meth:`kind`."""
        raise TypeError('take one kind first: masks.kind(name).to_tensor(dtype, device)')

    @classmethod
    def cat(cls, masks: list[MasksByKind]) -> MasksByKind:
        """Concatenate along the instances; all must have the same kinds."""
        return cls({kind: BitmapMasks.cat([m.kind(kind) for m in masks])
                    for kind in masks[0].kinds})


class PackedMasks:
    """Masks of several kinds with one bit per pixel: an eighth of what arrays take.

    In a clip of 15 frames with 30 objects at 480x720, the masks of two kinds
    are 311 MB as arrays and 39 MB packed: on the way from a data worker, on the
    device, and in a :class:`~vatrack.structures.clips.ClipTruth`. They are unpacked
    where they are needed, by kind and in parts: ``masks[:4].unpack('amodal')``.

    Args:
        bits: (..., K, H, ceil(W / 8)) uint8, packed along the rows as
            :func:`numpy.packbits` does: the first of eight pixels is the
            highest bit, and bits beyond W are 0. The leading axes are (N,) in a
            frame and (N, T) in a clip.
        kinds: Names of the K kinds.
        width: W, in pixels.
    """

    def __init__(self, bits: Tensor, kinds: Sequence[str], width: int) -> None:
        self.bits, self.kinds, self.width = bits, tuple(kinds), width

    @classmethod
    def pack(cls, masks: MasksByKind) -> PackedMasks:
        """Pack the masks of a frame, (N, H, W) of each kind."""
        arrays = np.stack([masks.kind(kind).masks for kind in masks.kinds], axis=1)
        return cls(torch.from_numpy(np.packbits(arrays, axis=-1)), masks.kinds, masks.width)

    @staticmethod
    def cat(masks: Sequence[PackedMasks]) -> PackedMasks:
        """Concatenate along the first axis.

        Raises:
            ValueError: Their kinds or sizes differ.
        """
        shapes = {(each.kinds, each.height, each.width) for each in masks}
        if len(shapes) > 1:
            raise ValueError(f'masks must share kinds, height and width, got {sorted(shapes)}; '
                             'TransformBroadcaster(share_random_params=True) gives the frames of '
                             'a clip one size')
        return PackedMasks(torch.cat([each.bits for each in masks]), masks[0].kinds,
                           masks[0].width)

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.bits.shape[-2]

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, index: Any) -> PackedMasks:
        """A part of the leading axes."""
        return PackedMasks(self.bits[index], self.kinds, self.width)

    def __repr__(self) -> str:
        return (f'PackedMasks(kinds={list(self.kinds)}, leading={tuple(self.bits.shape[:-3])}, '
                f'height={self.height}, width={self.width}, device={str(self.bits.device)!r})')

    def to(self, *args: Any, **kwargs: Any) -> PackedMasks:
        """On another device; arguments as :meth:`torch.Tensor.to`."""
        return PackedMasks(self.bits.to(*args, **kwargs), self.kinds, self.width)

    def pad(self, shape: tuple[int, int]) -> PackedMasks:
        """Pad with 0 to ``shape`` (H, W), below and at the right."""
        height, width = shape
        right, below = -(-width // 8) - self.bits.shape[-1], height - self.height
        return PackedMasks(functional.pad(self.bits, (0, right, 0, below)), self.kinds, width)

    def select(self, kinds: Sequence[str]) -> PackedMasks:
        """Some of the kinds, in the order asked for.

        Raises:
            KeyError: A kind was not loaded.
        """
        return PackedMasks(torch.stack([self._bits_of(kind) for kind in kinds], dim=-3), kinds,
                           self.width)

    def unpack(self, kind: str) -> Tensor:
        """Masks of one kind: (..., H, W) bool, on the device of the bits.

        Raises:
            KeyError: The kind was not loaded.
        """
        bits = self._bits_of(kind)
        of_byte = 1 << torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
        return ((bits[..., None] & of_byte) != 0).flatten(-2)[..., :self.width]

    def have_pixels(self) -> Tensor:
        """Which masks have a pixel: (..., K) bool."""
        return (self.bits != 0).flatten(-2).any(-1)

    def kind(self, name: str) -> NoReturn:
        """Not for packed masks: regions are cropped out of arrays."""
        raise TypeError(f'{name} masks are packed and cannot be cropped; leave bits=True out of '
                        'PackClip in the training pipeline')

    def _bits_of(self, kind: str) -> Tensor:
        _check_loaded(kind, self.kinds)
        return self.bits[..., self.kinds.index(kind), :, :]


def _check_loaded(kind: str, kinds: tuple[str, ...]) -> None:
    if kind not in kinds:
        raise KeyError(f'{kind!r} masks were not loaded (only {list(kinds)}); '
                       f"add '{kind}' to mask_kinds of the dataset in the config")
