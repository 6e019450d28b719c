"""Reading checkpoints without running code; released ones -> vatrack's names."""
from .convert import Conversion, Move, convert_state_dict, load_strictly
from .errors import CheckpointError, UntrustedCheckpointError
from .files import ReleasedCheckpoint, check_output, read_checkpoint, write_checkpoint
from .layout import BOX_HEADS, KINDS
from .safe_load import install, load, trust_checkpoints

__all__ = [
    'BOX_HEADS', 'KINDS', 'CheckpointError', 'Conversion', 'Move', 'ReleasedCheckpoint',
    'UntrustedCheckpointError', 'check_output', 'convert_state_dict', 'install', 'load',
    'load_strictly', 'read_checkpoint', 'trust_checkpoints', 'write_checkpoint'
]
