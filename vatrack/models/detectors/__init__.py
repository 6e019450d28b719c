"""Frames -> detections, detections -> masks."""
from .base import FrameDetector
from .region_masks import SeparateMaskHeads
from .roi_head import AmodalRoIHead
from .two_stage import AmodalMaskRCNN

__all__ = ['AmodalMaskRCNN', 'AmodalRoIHead', 'FrameDetector', 'SeparateMaskHeads']
