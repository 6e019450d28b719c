"""Per-frame instances -> tracks: pure functions, a small memory, policies."""
from .iou import IoUTracker
from .mask_track import MTTracker
from .none import NoAssociation
from .quasi_dense import QDTracker

__all__ = ['IoUTracker', 'MTTracker', 'NoAssociation', 'QDTracker']
