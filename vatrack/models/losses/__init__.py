"""Losses that mmdet lacks."""
from .quasi_dense import CosineMarginLoss, MultiPositiveCELoss

__all__ = ['CosineMarginLoss', 'MultiPositiveCELoss']
