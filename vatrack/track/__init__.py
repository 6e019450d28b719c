"""Per-frame instances -> tracks: pure functions, a small memory, policies."""
from .none import NoAssociation
from .quasi_dense import QDTracker

__all__ = ['NoAssociation', 'QDTracker']
