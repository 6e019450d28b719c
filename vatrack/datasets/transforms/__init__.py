"""Transforms of a clip; geometry is mmdet's own (see ``structures/masks.py``)."""
from .loading import LoadAmodalAnnotations, LoadFrame
from .packing import PackClip

__all__ = ['LoadAmodalAnnotations', 'LoadFrame', 'PackClip']
