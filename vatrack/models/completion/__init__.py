"""Visible masks of one object over time -> its amodal masks: networks, rules, objectives."""
from .adaptation import Adaptation
from .base import Completed, Completer, DirectedPass
from .objectives import SelfSupervised, Supervised
from .order_recovery import OrderRecovery
from .rules import ConvexHull, TemporalAggregation
from .savos import SaVos
from .self_occlusion import SelfOcclusion
from .shape_prior import ShapePriorNet
from .unet import ImageUNet

__all__ = ['Adaptation', 'Completed', 'Completer', 'ConvexHull', 'DirectedPass', 'ImageUNet',
           'OrderRecovery', 'SaVos', 'SelfOcclusion', 'SelfSupervised', 'ShapePriorNet',
           'Supervised', 'TemporalAggregation']
