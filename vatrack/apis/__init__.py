"""Training and testing as functions; the tools are thin shells over these."""
from .config import ConfigError, load_config, parse_options
from .runs import default_work_dir, last_checkpoint, newest_run
from .test import score_results, test
from .train import set_amp, train
from .weights import WeightsError

__all__ = [
    'ConfigError', 'WeightsError', 'default_work_dir', 'last_checkpoint', 'load_config',
    'newest_run', 'parse_options', 'score_results', 'set_amp', 'test', 'train'
]
