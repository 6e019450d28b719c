"""Transforms of a clip; geometry is mmdet's own (see ``structures/masks.py``)."""
# Without this a config's Resize and RandomFlip would be mmcv's, which leave masks as they are:
# a registry imports its own modules when it is asked, but not those of its parents.
import mmdet.datasets.transforms  # noqa: F401

from .loading import LoadAmodalAnnotations, LoadFrame
from .packing import PackClip

__all__ = ['LoadAmodalAnnotations', 'LoadFrame', 'PackClip']
