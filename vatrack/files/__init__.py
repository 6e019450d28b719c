"""The two files of the project, annotations and results: reading, writing, indexing, checking.

Each can be had in two ways, by one parser: as objects (:func:`load_annotations`,
:func:`read_results`), for scoring, which needs all of them once; or as arrays
on disk (:class:`AnnotationIndex`, :class:`ResultIndex`), for training and
browsing, which need a few of millions at a time, in many processes.
``foreign`` reads and writes the result files of other projects, ``track_selection`` the lists
of tracks that are trained on or scored.
"""
from .annotation_check import CheckReport, check_annotations
from .annotation_file import class_names, load_annotations, resolve_image
from .annotation_index import AnnotationIndex
from .annotation_writer import AnnotationWriter
from .errors import AnnotationError, ResultError
from .image_writer import write_image
from .result_file import iter_results, read_results, write_results
from .result_index import ResultIndex
from .track_selection import SelectedTrack, TrackSelection, read_selection, write_selection
from .whole_file import OutputError

__all__ = [
    'AnnotationError', 'AnnotationIndex', 'AnnotationWriter', 'CheckReport', 'OutputError',
    'ResultError', 'ResultIndex', 'SelectedTrack', 'TrackSelection', 'check_annotations',
    'class_names', 'iter_results', 'load_annotations', 'read_results', 'read_selection',
    'resolve_image', 'write_image', 'write_results', 'write_selection'
]
