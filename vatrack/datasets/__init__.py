"""Annotation file -> clips."""
from .amodal_video import AmodalVideoDataset
from .clip_samplers import KeyReferenceSampler
from .transforms import LoadAmodalAnnotations, LoadFrame, PackClip
from .video_samplers import VideoBatchSampler, VideoSampler

__all__ = [
    'AmodalVideoDataset', 'KeyReferenceSampler', 'LoadAmodalAnnotations', 'LoadFrame', 'PackClip',
    'VideoBatchSampler', 'VideoSampler'
]
