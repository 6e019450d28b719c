"""Raw datasets -> one annotation file (``docs/annotations.md``) and its frames."""
from .common import ConversionError

__all__ = ['ConversionError']
