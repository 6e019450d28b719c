"""Masks of several kinds that move as one through mmdet's transforms."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mmdet.structures.mask import BitmapMasks
from mmdet.structures.mask.structures import BaseInstanceMasks

from .fields import MASK_KINDS
from .rle import RLE, decode


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
        if name not in self._kinds:
            raise KeyError(f'{name!r} masks were not loaded (only {list(self._kinds)}); '
                           f"add '{name}' to mask_kinds of the dataset in the config")
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
