"""The nouns that travel between stages; imports nothing else of vatrack."""
from .annotation_check import CheckReport, check_annotations
from .annotation_file import (
    AnnotationError,
    AnnotationFile,
    Frame,
    Instance,
    Video,
    load_annotations,
    resolve_image,
)
from .fields import MASK_KINDS, MaskKind, masks_field

__all__ = [
    'MASK_KINDS', 'AnnotationError', 'AnnotationFile', 'CheckReport', 'Frame', 'Instance',
    'MaskKind', 'Video', 'check_annotations', 'load_annotations', 'masks_field', 'resolve_image'
]
