"""Errors that are the user's to mend: tools print them without a traceback."""
from vatrack.engine import NonFiniteError
from vatrack.structures import AnnotationError
from vatrack.structures.results import ResultError

from .config import ConfigError
from .runs import RunError
from .weights import WeightsError

USER_ERRORS = (AnnotationError, ConfigError, NonFiniteError, ResultError, RunError, WeightsError)
