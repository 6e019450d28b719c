"""What goes wrong with checkpoints."""


class CheckpointError(ValueError):
    """A checkpoint cannot be read or is not as released; says what and how to go on."""


class UntrustedCheckpointError(CheckpointError):
    """A checkpoint would run code when it is read; names the class or function."""
