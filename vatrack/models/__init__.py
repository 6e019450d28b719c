"""Clips -> per-frame instances."""
from .losses import CosineMarginLoss, MultiPositiveCELoss
from .qd_head import QDEmbedHead, QDTrackHead
from .roi_head import AmodalRoIHead
from .tracked_rcnn import TrackedRCNN

__all__ = [
    'AmodalRoIHead', 'CosineMarginLoss', 'MultiPositiveCELoss', 'QDEmbedHead', 'QDTrackHead',
    'TrackedRCNN'
]
