"""Synthetic amodal videos with exact masks and flow: small underwater scenes, Chewing Gum.

A stage of its own at the very front of the data flow, beside ``converters``: it makes frames and
an annotation file out of nothing instead of a raw dataset. Nothing else imports it.
``paint_annotations`` paints frames for annotation files whose images are not public, with the
brushes of ``textures``; ``made_tracks`` makes truth and predictions without frames, to time the
evaluation with.
"""
from .chewing_gum import ChewingGumConfig, ChewingGumVideo, make_chewing_gum
from .render import DrawnFrame, draw_frame
from .scene import OCCLUSION_LEVELS, Identity, Scene, SceneConfig, build_scene
from .shapes import CREATURES
from .writer import OutputExistsError, SplitReport, generate

__all__ = [
    'CREATURES', 'OCCLUSION_LEVELS', 'ChewingGumConfig', 'ChewingGumVideo', 'DrawnFrame',
    'Identity', 'OutputExistsError', 'Scene', 'SceneConfig', 'SplitReport', 'build_scene',
    'draw_frame', 'generate', 'make_chewing_gum'
]
