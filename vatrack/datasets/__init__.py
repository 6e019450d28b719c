"""Annotation file -> clips."""
from .amodal_video import AmodalVideoDataset
from .clip_samplers import (
    ClipFrames,
    ConsecutiveFramesSampler,
    KeyReferenceSampler,
    NearbyFramesSampler,
)
from .object_tracks import TrackChunkDataset, TrackClipDataset, stack_clips
from .object_windows import LookRule
from .transforms import LoadAmodalAnnotations, LoadFrame, PackClip, with_scale
from .video_samplers import VideoBatchSampler, VideoSampler

__all__ = [
    'AmodalVideoDataset', 'ClipFrames', 'ConsecutiveFramesSampler', 'KeyReferenceSampler',
    'LoadAmodalAnnotations', 'LoadFrame', 'LookRule', 'NearbyFramesSampler', 'PackClip',
    'TrackChunkDataset', 'TrackClipDataset', 'VideoBatchSampler', 'VideoSampler', 'stack_clips',
    'with_scale'
]
