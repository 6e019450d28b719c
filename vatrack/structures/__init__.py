"""The nouns that travel between stages; imports nothing else of vatrack."""
from .annotations import AnnotationFile, Frame, Instance, Video
from .fields import MASK_KINDS, Box, MaskKind, bboxes_field, masks_field
from .tracks import TrackCollector, TrackRecord

__all__ = [
    'MASK_KINDS', 'AnnotationFile', 'Box', 'Frame', 'Instance', 'MaskKind', 'TrackCollector',
    'TrackRecord', 'Video', 'bboxes_field', 'masks_field'
]
