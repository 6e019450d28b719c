"""Clips -> per-frame instances."""
from .losses import CosineMarginLoss, MultiPositiveCELoss
from .mt_head import MTEmbedHead, MTTrackHead
from .qd_head import QDEmbedHead, QDTrackHead
from .roi_head import AmodalRoIHead
from .tracked_rcnn import TrackedRCNN

__all__ = [
    'AmodalRoIHead', 'CosineMarginLoss', 'MTEmbedHead', 'MTTrackHead', 'MultiPositiveCELoss',
    'QDEmbedHead', 'QDTrackHead', 'TrackedRCNN'
]
