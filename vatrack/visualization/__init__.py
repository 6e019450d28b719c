"""Tracks -> pictures: films, contact sheets, frames with masks drawn on them."""
from .contact_sheet import contact_sheet, save_image, stack_sheets
from .draw import DrawnInstance, DrawStyle, draw_instances
from .overlay import render_results
from .palette import track_color
from .video_io import VideoError, VideoInfo, VideoWriter, read_video, video_info

__all__ = [
    'DrawStyle', 'DrawnInstance', 'VideoError', 'VideoInfo', 'VideoWriter', 'contact_sheet',
    'draw_instances', 'read_video', 'render_results', 'save_image', 'stack_sheets', 'track_color',
    'video_info'
]
