"""What goes wrong with checkpoints."""
from ..common import ConversionError


class CheckpointError(ConversionError):
    """A checkpoint cannot be read or is not as released; says what and how to go on."""
