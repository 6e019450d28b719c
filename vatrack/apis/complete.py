"""Completing tracks as a function: visible masks of any tracker in, amodal masks out."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from .config import ConfigError
from .launch import check_writable
from .test import run_test

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
    check_writable(Path(out).parent, '--out')
    dataset = config.test_dataloader.dataset
    prefix = dict(img_path=str(files.images))
    if files.flow is not None:
        prefix['flow'] = str(files.flow)
    dataset.data_prefix = prefix  # update() would merge it with the folders of the config
    dataset.update(ann_file=str(files.annotations), data_root='', selection=None,
                   results=None if str(files.results) == TRUTH else str(files.results))
    config.test_evaluator = dict(type='VideoInstanceMetric', ann_file=str(files.annotations),
                                 metric=[], out=str(out))
    run_test(config, checkpoint)
