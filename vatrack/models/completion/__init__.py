"""Visible masks of one object over time -> its amodal masks: networks, rules, objectives."""
from .base import Completed, Completer, DirectedPass
from .objectives import SelfSupervised, Supervised
from .rules import ConvexHull, TemporalAggregation
from .savos import SaVos
from .unet import ImageUNet

__all__ = ['Completed', 'Completer', 'ConvexHull', 'DirectedPass', 'ImageUNet', 'SaVos',
           'SelfSupervised', 'Supervised', 'TemporalAggregation']
