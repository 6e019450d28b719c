"""Annotation file -> clips."""
from .amodal_video import AmodalVideoDataset
from .clip_samplers import (
    ClipFrames,
    ConsecutiveFramesSampler,
    KeyReferenceSampler,
    NearbyFramesSampler,
)
from .object_tracks import TrackChunk, TrackChunkDataset, TrackClipDataset, stack_clips
from .object_windows import LookRule
from .transforms import LoadAmodalAnnotations, LoadFrame, PackClip, with_scale
from .video_samplers import VideoBatchSampler, VideoSampler

__all__ = [
    'AmodalVideoDataset', 'ClipFrames', 'ConsecutiveFramesSampler', 'KeyReferenceSampler',
    'LoadAmodalAnnotations', 'LoadFrame', 'LookRule', 'NearbyFramesSampler', 'PackClip',
    'TrackChunk', 'TrackChunkDataset', 'TrackClipDataset', 'VideoBatchSampler', 'VideoSampler',
    'stack_clips', 'with_scale'
]
