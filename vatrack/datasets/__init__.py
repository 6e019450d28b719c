"""Annotation file -> clips."""
from .amodal_video import AmodalVideoDataset
from .clip_samplers import (
    ClipFrames,
    ConsecutiveFramesSampler,
    KeyReferenceSampler,
    NearbyFramesSampler,
)
from .transforms import LoadAmodalAnnotations, LoadFrame, PackClip, with_scale
from .video_samplers import VideoBatchSampler, VideoSampler

__all__ = [
    'AmodalVideoDataset', 'ClipFrames', 'ConsecutiveFramesSampler', 'KeyReferenceSampler',
    'LoadAmodalAnnotations', 'LoadFrame', 'NearbyFramesSampler', 'PackClip', 'VideoBatchSampler',
    'VideoSampler', 'with_scale'
]
