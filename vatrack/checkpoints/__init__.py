"""Released checkpoints -> vatrack's names (``docs/checkpoints.md``)."""
from .convert import Conversion, Move, convert_state_dict, load_strictly
from .errors import CheckpointError
from .files import ReleasedCheckpoint, check_output, read_checkpoint, write_checkpoint
from .layout import BOX_HEADS, KINDS

__all__ = [
    'BOX_HEADS', 'KINDS', 'CheckpointError', 'Conversion', 'Move', 'ReleasedCheckpoint',
    'check_output', 'convert_state_dict', 'load_strictly', 'read_checkpoint', 'write_checkpoint'
]
