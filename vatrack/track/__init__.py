"""Per-frame instances -> tracks: pure functions, and policies that hold no state."""
from .base import Memory, Tracker, TrackTable
from .iou import IoUTracker
from .mask_track import MTTracker
from .none import NoAssociation
from .quasi_dense import QDTracker

__all__ = ['IoUTracker', 'MTTracker', 'Memory', 'NoAssociation', 'QDTracker', 'TrackTable',
           'Tracker']
