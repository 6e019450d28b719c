"""Training, testing and inference as functions; the tools are thin shells over these."""
from mmengine.dist import is_main_process

from .config import ConfigError, load_config, parse_options
from .inferencer import VideoInferencer
from .runs import RunError, default_work_dir, find_run, last_checkpoint
from .test import score_results, score_visible_as_amodal, show_results, test
from .train import set_amp, train
from .video_result import FrameResult, TrackedInstance, VideoResult
from .video_stream import VideoStream
from .weights import WeightsError

__all__ = [
    'ConfigError', 'FrameResult', 'RunError', 'TrackedInstance', 'VideoInferencer', 'VideoResult',
    'VideoStream', 'WeightsError', 'default_work_dir', 'find_run', 'is_main_process',
    'last_checkpoint', 'load_config', 'parse_options', 'score_results', 'score_visible_as_amodal',
    'set_amp', 'show_results', 'test', 'train'
]
