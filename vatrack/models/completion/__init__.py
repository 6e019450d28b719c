"""Visible masks of one object over time -> its amodal masks: networks, rules, objectives."""
from .base import Completed, Completer, DirectedPass
from .rules import ConvexHull, TemporalAggregation
from .unet import ImageUNet

__all__ = ['Completed', 'Completer', 'ConvexHull', 'DirectedPass', 'ImageUNet',
           'TemporalAggregation']
