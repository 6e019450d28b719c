"""Tracks -> pictures: films, contact sheets, frames with masks drawn on them."""
from .contact_sheet import contact_sheet, stack_sheets
from .draw import SHOWN, DrawnInstance, DrawStyle, draw_instances
from .overlay import render_results
from .style import track_color
from .visualizer import AmodalVisualizer

__all__ = [
    'SHOWN', 'AmodalVisualizer', 'DrawStyle', 'DrawnInstance', 'contact_sheet', 'draw_instances',
    'render_results', 'stack_sheets', 'track_color'
]
