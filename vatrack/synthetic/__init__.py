"""Synthetic amodal videos: small underwater scenes with exact masks.

A stage of its own at the very front of the data flow, beside ``converters``: it makes frames and
an annotation file out of nothing instead of a raw dataset. Nothing else imports it.
``paint_annotations`` paints frames for annotation files whose images are not public, with the
brushes of ``textures``; ``made_tracks`` makes truth and predictions without frames, to time the
evaluation with.
"""
from .render import DrawnFrame, draw_frame
from .scene import OCCLUSION_LEVELS, Identity, Scene, SceneConfig, build_scene
from .shapes import CREATURES
from .writer import OutputExistsError, SplitReport, generate

__all__ = [
    'CREATURES', 'OCCLUSION_LEVELS', 'DrawnFrame', 'Identity', 'OutputExistsError', 'Scene',
    'SceneConfig', 'SplitReport', 'build_scene', 'draw_frame', 'generate'
]
