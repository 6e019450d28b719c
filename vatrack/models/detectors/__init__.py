"""Frames -> detections, detections -> masks."""
from .base import FrameDetector
from .roi_head import AmodalRoIHead, SeparateMaskHeads
from .two_stage import AmodalMaskRCNN

__all__ = ['AmodalMaskRCNN', 'AmodalRoIHead', 'FrameDetector', 'SeparateMaskHeads']
