"""Which checkpoints are kept, and which is the best."""
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import ConfigDict
from tiny_run import TWO_EPOCHS, tiny_config, train_tool

from vatrack.apis.config import build_runner
from vatrack.checkpoints import CheckpointError
from vatrack.engine import CheckpointHook, EpochBasedTrainLoop, PlainCheckpointHook
from vatrack.evaluation.metric import VideoInstanceMetric

KEYS = ['amodal/image/AP', 'amodal/video/vAP', 'visible/video/vAP', 'amodal/video/FP']


class FakeRunner(SimpleNamespace):
    """As much of a runner as the hook needs; a checkpoint is a file with its name in it."""

    def __init__(self, folder: Path) -> None:
        info: dict = {}
        super().__init__(
            work_dir=str(folder), epoch=0, iter=0, val_loop=True, saved=[],
            message_hub=SimpleNamespace(runtime_info=info, update_info=info.__setitem__,
                                        get_info=info.get),
            logger=SimpleNamespace(info=lambda *_: None),
            val_evaluator=SimpleNamespace(metrics=[SimpleNamespace(
                number_names=lambda: ['image/AP', 'video/vAP', 'video/FP'])]))

    def save_checkpoint(self, folder, name, **_):
        self.saved.append((name, {path.name for path in Path(folder).glob('*.pth')}))
        Path(folder, name).write_text(name)


def trained(folder: Path, scores: list[float], key: str = 'amodal/video/vAP',
            **options) -> tuple[set[str], dict[str, set[str]]]:
    """Checkpoints after some epochs with these numbers; those there when each was written."""
    hook, runner = CheckpointHook(interval=1, **options), FakeRunner(folder)
    runner.max_iters = runner.max_epochs = 100
    hook.before_train(runner)
    for score in scores:
        hook.after_train_epoch(runner)
        runner.epoch, runner.iter = runner.epoch + 1, runner.iter + 5
        hook.after_val_epoch(runner, {**dict.fromkeys(KEYS, 0.), key: score})
        assert Path(folder, 'last_checkpoint').read_text() == f'{folder}/epoch_{runner.epoch}.pth'
    return {path.name for path in folder.glob('*.pth')}, dict(reversed(runner.saved))


def test_the_best_and_the_last_two(tmp_path):
    kept, _ = trained(tmp_path, [.1, .4, .2, .3], save_best='auto', max_keep_ckpts=2)
    assert kept == {'epoch_3.pth', 'epoch_4.pth', 'best_amodal_video_vAP_epoch_2.pth'}


def test_an_old_checkpoint_goes_after_the_new_one_is_there(tmp_path):
    _, there = trained(tmp_path, [.1, .2], save_best='vAP', max_keep_ckpts=1)
    assert 'epoch_1.pth' in there['epoch_2.pth']
    assert 'best_amodal_video_vAP_epoch_1.pth' in there['best_amodal_video_vAP_epoch_2.pth']


@pytest.mark.parametrize(('wanted', 'key', 'scores', 'best'), [
    ('vAP', 'amodal/video/vAP', [.1, .3, .2], 'amodal_video_vAP_epoch_2'),
    ('visible/video/vAP', 'visible/video/vAP', [.3, .1], 'visible_video_vAP_epoch_1'),
    ('FP', 'amodal/video/FP', [30, 10, 20], 'amodal_video_FP_epoch_2')])
def test_short_names_and_full_ones(tmp_path, wanted, key, scores, best):
    names, _ = trained(tmp_path, scores, key, save_best=wanted)
    assert {name for name in names if name.startswith('best')} == {f'best_{best}.pth'}


def test_an_unknown_name_is_refused_before_training(tmp_path):
    hook = CheckpointHook(save_best='mAP')
    with pytest.raises(CheckpointError, match=r'save_best=mAP.* choose from AP, vAP, FP, or ask'):
        hook.before_train(FakeRunner(tmp_path))


def test_what_a_metric_will_compute_is_known(tiny_data):
    metric = VideoInstanceMetric(str(tiny_data / 'val.json'), ['AP', 'vAP'])
    names = metric.number_names()
    assert {'image/AP', 'image/AP50', 'video/vAP', 'video/vAP50_H'} <= set(names)
    assert 'video/MOTA' not in names
    everything = VideoInstanceMetric(str(tiny_data / 'val.json'), ['all']).number_names()
    assert {'image/AP', 'video/HOTA', 'video/box/MOTA'} < set(everything)


def test_save_best_on_the_command_line(tiny_data, tmp_path, capsys):
    options = (*TWO_EPOCHS, 'default_hooks.checkpoint.save_best=mAP')
    assert train_tool(tiny_data, tmp_path, options=options) == 1
    error, = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert 'save_best=mAP: the validation computes no such number; choose from AP, AP50' in error


def test_a_run_keeps_its_best(trained_run):
    assert len(list(trained_run.glob('best_amodal_video_vAP_epoch_*.pth'))) == 1


def test_hooks_and_loops_of_earlier_configs_are_ours(tiny_data, tmp_path):
    """Configs that were written by earlier runs name mmengine's, and lack some."""
    config = tiny_config(tiny_data, tmp_path)
    config.default_hooks = ConfigDict(checkpoint=dict(type='CheckpointHook', interval=1))
    runner = build_runner(config)
    kinds = [type(hook) for hook in runner.hooks]
    assert kinds.count(PlainCheckpointHook) == 1 and CheckpointHook in kinds
    assert isinstance(runner.build_train_loop(config.train_cfg), EpochBasedTrainLoop)
