"""Tracks + truth -> numbers."""
from .mean_loss import MeanLoss
from .metric import VideoInstanceMetric

__all__ = ['MeanLoss', 'VideoInstanceMetric']
