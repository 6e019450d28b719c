"""What decides identity, with its losses."""
from .base import Association, EmbeddingAssociation, FeatureClip, FrameBatch, TrackerAssociation
from .mt_head import MTEmbedHead, MTTrackHead
from .qd_head import QDEmbedHead, QDTrackHead

__all__ = ['Association', 'EmbeddingAssociation', 'FeatureClip', 'FrameBatch', 'MTEmbedHead',
           'MTTrackHead', 'QDEmbedHead', 'QDTrackHead', 'TrackerAssociation']
