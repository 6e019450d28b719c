"""Transforms of a clip; geometry is mmdet's own (see ``structures/by_kind.py``)."""
from .loading import LoadAmodalAnnotations, LoadFrame
from .packing import PackClip

__all__ = ['LoadAmodalAnnotations', 'LoadFrame', 'PackClip']
