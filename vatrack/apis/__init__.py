"""Training and testing as functions; the tools are thin shells over these."""
from .config import ConfigError, load_config, parse_options
from .runs import RunError, default_work_dir, find_run, last_checkpoint
from .test import score_results, show_results, test
from .train import set_amp, train
from .weights import WeightsError

__all__ = [
    'ConfigError', 'RunError', 'WeightsError', 'default_work_dir', 'find_run', 'last_checkpoint',
    'load_config', 'parse_options', 'score_results', 'set_amp', 'show_results', 'test', 'train'
]
