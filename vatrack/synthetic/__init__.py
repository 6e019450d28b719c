"""Synthetic amodal videos: small underwater scenes with exact masks."""
from .render import DrawnFrame, draw_frame
from .scene import OCCLUSION_LEVELS, Identity, Scene, SceneConfig, build_scene
from .shapes import CREATURES
from .writer import OutputExistsError, SplitReport, generate

__all__ = [
    'CREATURES', 'OCCLUSION_LEVELS', 'DrawnFrame', 'Identity', 'OutputExistsError', 'Scene',
    'SceneConfig', 'SplitReport', 'build_scene', 'draw_frame', 'generate'
]
