"""Visible masks of one object over time -> its amodal masks: networks, rules, objectives."""
from .base import Completed, Completer, DirectedPass

__all__ = ['Completed', 'Completer', 'DirectedPass']
