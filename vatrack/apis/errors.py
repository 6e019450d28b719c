"""Errors that are the user's to mend: tools print them without a traceback."""
from vatrack.checkpoints import CheckpointError
from vatrack.engine import NonFiniteError
from vatrack.files import AnnotationError, OutputError, ResultError
from vatrack.flow import FlowError
from vatrack.video import VideoError

from .config import ConfigError
from .loader_errors import LoaderError
from .runs import RunError
from .weights import WeightsError

USER_ERRORS = (AnnotationError, CheckpointError, ConfigError, FlowError, LoaderError,
               NonFiniteError, OutputError, ResultError, RunError, VideoError, WeightsError)


def user_message(error: Exception) -> str:
    """Message of one of :data:`USER_ERRORS` for a command line.

    An error that was raised in a data worker arrives with the worker's
    traceback as its message; the message proper stands at the end of it.
    """
    text = str(error)
    kind = type(error)
    return text.rpartition(f'{kind.__module__}.{kind.__qualname__}: ')[2].strip()
