"""Completing tracks as a function: visible masks of any tracker in, amodal masks out."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from vatrack.engine import bare_model

from .config import ConfigError, build_runner, config_errors
from .weights import WeightsError, check_checkpoint_file, drop_pretrained, load_weights

#: In place of a result file: the objects of the annotations, with their visible masks.
TRUTH = 'truth'


@dataclass(frozen=True, slots=True)
class CompletionFiles:
    """What is completed, and what a completer looks at.

    Attributes:
        results: Result file with visible masks, or ``TRUTH``.
        annotations: Annotation file that says which videos there are.
        images: Folder that the ``file_name`` of frames is relative to.
        flow: Folder of optical flow; None if there is none.
    """

    results: str | Path
    annotations: str | Path
    images: str | Path
    flow: str | Path | None = None


def complete(config: Config, checkpoint: str | Path | None, files: CompletionFiles,
             out: str | Path) -> None:
    """Write a result file with amodal masks beside the visible ones of another.

    Scores, classes, identities and visible masks stay as they are.

    Args:
        config: Config of a :class:`~vatrack.models.TrackCompleter`, with ``work_dir``.
        checkpoint: Its weights; None for rules, which have none.
        files: What is completed.
        out: Result file to write; it appears when it is complete.

    Raises:
        ConfigError: The config is of another model, or needs flow and has none.
        WeightsError: There is no checkpoint for a network, or one of another
            architecture, or one for a rule.
        ResultError: The results are damaged, or have no visible masks.
        AnnotationError: A frame is missing or damaged.
        FlowError: A field of flow is missing or damaged.
    """
    if config.model.get('type') != 'TrackCompleter':
        raise ConfigError(f'{config.filename}: is no config of a completion model, which has '
                          "model.type='TrackCompleter'; take one of configs/*_given_*.py")
    if checkpoint is not None:
        check_checkpoint_file(checkpoint)
    drop_pretrained(config)
    config.load_from, config.resume = None, False
    dataset = config.test_dataloader.dataset
    prefix = dict(img_path=str(files.images))
    if files.flow is not None:
        prefix['flow'] = str(files.flow)
    dataset.update(ann_file=str(files.annotations), data_root='', data_prefix=prefix,
                   selection=None,
                   results=None if str(files.results) == TRUTH else str(files.results))
    config.test_evaluator = dict(type='VideoInstanceMetric', ann_file=str(files.annotations),
                                 metric=[], out=str(out))
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler',
                 'val_dataloader', 'val_cfg', 'val_evaluator'):
        config[name] = None
    with config_errors(config):
        runner = build_runner(config)
        _load(bare_model(runner), checkpoint, config)
        runner._has_loaded = True
        runner.test()


def _load(model, checkpoint: str | Path | None, config: Config) -> None:
    learned = any(True for _ in model.parameters())
    if learned and checkpoint is None:
        raise WeightsError(f'{config.filename}: its completer is a network; name a checkpoint of '
                           f'it, or train one: python tools/train.py {config.filename}')
    if not learned and checkpoint is not None:
        raise WeightsError(f'{config.filename}: its completer is a rule without weights; leave '
                           f'{checkpoint} out')
    if learned:
        load_weights(model, checkpoint)
