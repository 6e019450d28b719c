"""The nouns that travel between stages; imports nothing else of vatrack."""
from .annotation_check import CheckReport, check_annotations
from .annotation_entry import AnnotationError
from .annotation_file import class_names, load_annotations, resolve_image
from .annotation_index import AnnotationIndex
from .annotation_types import AnnotationFile, Frame, Instance, Video
from .fields import MASK_KINDS, MaskKind, bboxes_field, masks_field

__all__ = [
    'MASK_KINDS', 'AnnotationError', 'AnnotationFile', 'AnnotationIndex', 'CheckReport', 'Frame',
    'Instance', 'MaskKind', 'Video', 'bboxes_field', 'check_annotations', 'class_names',
    'load_annotations', 'masks_field', 'resolve_image'
]
