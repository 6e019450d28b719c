"""Optical flow: fields on disk, warping by them, estimating them.

A field is (H, W, 2) float32 in pixels per frame, channel 0 = u to the right, channel 1 = v
downwards. ``forward`` of frame t says where a pixel goes: ``I_{t+1}[x + u, y + v]`` shows what
``I_t[x, y]`` shows; ``backward`` of frame t says where it was, in frame t - 1. Pixel centres are at
integers.
"""
from .estimate import ESTIMATORS, DISFlow, FlowEstimator, RAFTFlow
from .files import DIRECTIONS, FORMATS, FlowError, FlowFiles, read_flow, write_flow
from .warp import backward_warp

__all__ = [
    'DIRECTIONS', 'ESTIMATORS', 'FORMATS', 'DISFlow', 'FlowError', 'FlowEstimator', 'FlowFiles',
    'RAFTFlow', 'backward_warp', 'read_flow', 'write_flow'
]
