"""Clips -> instances: classes that wire parts together, and folders of parts."""
from . import association, completion, detectors
from .track_completer import TrackCompleter
from .tracked_detector import TrackedDetector
from .video_model import Ending, VideoModel, VideoSession

__all__ = ['Ending', 'TrackCompleter', 'TrackedDetector', 'VideoModel', 'VideoSession',
           'association', 'completion', 'detectors']
