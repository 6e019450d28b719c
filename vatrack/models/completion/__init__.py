"""Visible masks of one object over time -> its amodal masks: networks, rules, objectives."""
from .base import Completed, Completer, DirectedPass
from .objectives import SelfSupervised, Supervised
from .savos import SaVos

__all__ = ['Completed', 'Completer', 'DirectedPass', 'SaVos', 'SelfSupervised', 'Supervised']
