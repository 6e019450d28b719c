"""What is wrong with a file of the project, for the user to mend."""
from __future__ import annotations


class AnnotationError(ValueError):
    """An annotation file is missing, broken or inconsistent; says where and how to mend it."""


class ResultError(ValueError):
    """A result file or a track is broken; says where and how to mend it."""
