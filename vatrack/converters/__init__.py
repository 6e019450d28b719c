"""Raw datasets -> one annotation file (``docs/annotations.md``) and its frames."""
from .common import AnnotationWriter, ConversionError

__all__ = ['AnnotationWriter', 'ConversionError']
