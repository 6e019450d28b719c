"""tools/complete.py, and testing of rules: from a result file or the truth to amodal masks."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scripts import REPO

from vatrack.files import load_annotations, read_results, write_results

CONVEX = REPO / 'configs/convex_given_synthetic.py'
AGGREGATION = REPO / 'configs/aggregation-k5_given_synthetic.py'
SAVOS = REPO / 'configs/savos_given_synthetic.py'


@pytest.fixture
def places(tiny_data: Path, tmp_path: Path) -> list[str]:
    return ['--ann', str(tiny_data / 'val.json'), '--images', str(tiny_data / 'val'),
            '--out', str(tmp_path / 'out.json')]


def test_results_of_a_tracker_get_amodal_masks_and_keep_all_else(tiny_data, tmp_path, places,
                                                                  run_tool):
    assert run_tool('complete', 'truth', CONVEX, *places) == 0
    annotations = load_annotations(tiny_data / 'val.json')
    truth = read_results(tmp_path / 'out.json', annotations)
    visible = [replace(track, score=.25, masks={'visible': track.masks['visible']})
               for track in truth]
    write_results(tmp_path / 'tracker.json', visible, annotations)
    assert run_tool('complete', tmp_path / 'tracker.json', CONVEX, *places) == 0
    completed = read_results(tmp_path / 'out.json', annotations)
    assert [track.score for track in completed] == [.25] * len(truth)
    assert [track.masks for track in completed] == [track.masks for track in truth]
    assert any(track.masks['amodal'] != track.masks['visible'] for track in completed)


@pytest.mark.parametrize(('config', 'more', 'message'), [
    (SAVOS, ('--flow', 'flow'), 'this model has weights; name a checkpoint'),
    (AGGREGATION, (), 'flow is needed: name its folder'),
    (REPO / 'configs/vatrack_qd_synthetic.py', (), 'is no config of a completion model'),
])
def test_what_is_missing_is_said(config, more, message, places, run_tool, capsys):
    assert run_tool('complete', 'truth', config, *places, *more) == 1
    assert message in capsys.readouterr().err


def test_a_rule_takes_no_checkpoint(trained_run, places, run_tool, capsys):
    checkpoint = next(trained_run.glob('epoch_*.pth'))
    assert run_tool('complete', 'truth', CONVEX, checkpoint, *places) == 1
    assert 'is a rule without weights' in capsys.readouterr().err


def test_a_rule_is_tested_without_a_checkpoint(tiny_data, tmp_path, run_tool, capfd):
    options = [f'test_dataloader.dataset.data_root={tiny_data}/',
               f'test_evaluator.ann_file={tiny_data}/val.json']
    assert run_tool('test', CONVEX, '--eval', 'mIoU', '--out', tmp_path / 'r.json', '--work-dir',
                    tmp_path, '--cfg-options', *options) == 0
    assert (tmp_path / 'r.metrics.json').is_file()
