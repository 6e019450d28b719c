"""Annotation file -> clips."""
from .amodal_video import AmodalVideoDataset
from .samplers import KeyReferenceSampler, VideoBatchSampler, VideoSampler
from .transforms import LoadAmodalAnnotations, LoadFrame, PackClip

__all__ = [
    'AmodalVideoDataset', 'KeyReferenceSampler', 'LoadAmodalAnnotations', 'LoadFrame', 'PackClip',
    'VideoBatchSampler', 'VideoSampler'
]
