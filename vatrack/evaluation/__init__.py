"""Tracks + truth -> numbers."""
from .metric import VideoInstanceMetric

__all__ = ['VideoInstanceMetric']
