"""Training and testing as functions; the tools are thin shells over these."""
from mmengine.dist import is_main_process

from .config import ConfigError, load_config, parse_options
from .runs import RunError, default_work_dir, find_run, last_checkpoint
from .test import score_results, score_visible_as_amodal, show_results, test
from .train import set_amp, train
from .weights import WeightsError

__all__ = [
    'ConfigError', 'RunError', 'WeightsError', 'default_work_dir', 'find_run', 'is_main_process',
    'last_checkpoint', 'load_config', 'parse_options', 'score_results', 'score_visible_as_amodal',
    'set_amp', 'show_results', 'test', 'train'
]
