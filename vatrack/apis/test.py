"""Testing as a function: a checkpoint or a result file, to numbers."""
from __future__ import annotations

import json
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import get_rank, is_main_process

from vatrack.engine import bare_model
from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import Protocol, get_protocol
from vatrack.evaluation.report import full_report, save_metrics
from vatrack.files import AnnotationError, load_annotations, read_results
from vatrack.files.whole_file import replace_when_done
from vatrack.visualization import render_results

from .config import build_runner, check_association, check_parts, config_errors, is_rule
from .launch import check_launcher, check_writable, launch_errors
from .loader_errors import loader_errors
from .weights import WeightsError, check_checkpoint_file, drop_pretrained, load_weights

_OF_TRAINING = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler',
                'val_dataloader', 'val_cfg', 'val_evaluator')


def test(config: Config, checkpoint: str | Path | None, out: str | Path) -> dict[str, float]:
    """Run a checkpoint over the test set, write its tracks, then score them.

    Args:
        config: Complete config with ``work_dir``; its ``test_evaluator`` says
            what is computed and under which protocol.
        checkpoint: Checkpoint of that config; None for a rule, which has no weights.
        out: Result file to write (evaluation starts after it is written).

    Returns:
        Metrics as :func:`vatrack.evaluation.evaluate.evaluate` gives them.

    Raises:
        ConfigError: The config names a class, key or value that cannot be, or a
            video-level metric for a model that does not track; or the machine
            cannot do what it asks for.
        WeightsError: The checkpoint is damaged or of another architecture.
        LoaderError: A process that loads data died.
        UntrustedCheckpointError: It would run code.
    """
    check_parts(config, 'test')
    check_association(config, 'test')
    check_launcher(config)
    check_writable(config.work_dir, '--work-dir')
    check_writable(Path(out).parent, '--out')
    config.test_evaluator.out = str(out)
    metrics = run_test(config, checkpoint)
    if is_main_process():
        _save(config, metrics, out)
    return metrics


def run_test(config: Config, checkpoint: str | Path | None) -> dict[str, float]:
    """The loop of :func:`test`, with what it raises of configs and weights."""
    if checkpoint is not None:
        if is_rule(config):
            raise WeightsError(f'{config.filename}: this model is a rule without weights; leave '
                               f'{checkpoint} out')
        check_checkpoint_file(checkpoint)
    drop_pretrained(config)
    config.load_from, config.resume = None, False
    if is_rule(config):  # mmengine wants all that belongs to training, or nothing of it
        for key in _OF_TRAINING:
            config[key] = None
    with config_errors(config), loader_errors():
        with launch_errors():
            runner = build_runner(config)
        model = bare_model(runner)
        if checkpoint is not None:
            load_weights(model, checkpoint)
        elif next(model.parameters(), None) is not None:
            raise WeightsError(f'{config.filename}: this model has weights; name a checkpoint of '
                               f'it, or train one: python tools/train.py {config.filename}')
        # Loaded, strictly; the runner would load again, without looking at what is missing.
        runner._has_loaded = True
        metrics = runner.test()
    if getattr(model, 'curves', None):
        _save_curves(model.curves, config.test_evaluator.out)
    return metrics


def score_results(config: Config, results: str | Path) -> dict[str, float]:
    """Score a result file under the ``test_evaluator`` of a config, without a model.

    Prints the table, and writes the numbers beside ``results``.

    Raises:
        ConfigError: A video-level metric for a model that does not track.
        ResultError: The file is damaged or does not fit the annotations.
    """
    check_association(config, 'test')
    check_writable(Path(results).parent, 'a copy of the results: the numbers go beside them')
    evaluator = config.test_evaluator
    annotations = load_annotations(evaluator.ann_file)
    protocol = _protocol(config)
    metrics = evaluate(annotations, read_results(results, annotations), evaluator.metric, protocol,
                       per_category=evaluator.get('per_category', False))
    print(full_report(annotations, metrics, protocol))
    _save(config, metrics, results)
    return metrics


def score_visible_as_amodal(config: Config, results: str | Path) -> dict[str, float]:
    """Hold the visible masks of a result file against the amodal truth, and print the table.

    What the amodal masks score above it is what amodal completion gains.

    Raises:
        ResultError: The results or the annotations lack a kind of mask.
    """
    evaluator = config.test_evaluator
    annotations = load_annotations(evaluator.ann_file)
    protocol = _protocol(config)
    metrics = evaluate(annotations, read_results(results, annotations), evaluator.metric, protocol,
                       kinds=['amodal'], predicted_kind={'amodal': 'visible'},
                       per_category=evaluator.get('per_category', False))
    print('\nvisible masks against amodal truth\n' + full_report(annotations, metrics, protocol))
    return metrics


def show_results(config: Config, results: str | Path, show_dir: str | Path,
                 score_thr: float) -> None:
    """Draw films and a contact sheet of a result file on the frames of the test set.

    Raises:
        AnnotationError: A frame is missing, damaged or of another size.
    """
    dataset = config.test_dataloader.dataset
    annotations = load_annotations(config.test_evaluator.ann_file)
    root = Path(dataset.get('data_root', '')) / dataset.get('data_prefix', {}).get('img_path', '')
    tracks = read_results(results, annotations)
    try:
        paths = render_results(annotations, tracks, root, show_dir, score_thr=score_thr)
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    for path in paths:
        print(path)


def _save_curves(curves: list[dict], out: str) -> None:
    """Write what adaptation did to each video beside the result file, one file per process."""
    path = Path(out).with_suffix(f'.adaptation{get_rank() or ""}.json')
    with replace_when_done(path) as file:
        json.dump(curves, file)
    print(f'adaptation: {path}')


def _save(config: Config, metrics: dict[str, float], results: str | Path) -> None:
    path = Path(results).with_suffix('.metrics.json')
    save_metrics(path, metrics, _protocol(config), config.test_evaluator.ann_file)
    print(f'numbers: {path}')


def _protocol(config: Config) -> Protocol:
    evaluator = config.test_evaluator
    return get_protocol(evaluator.protocol, evaluator.get('score_thr'),
                        evaluator.get('occlusion_bins'))
