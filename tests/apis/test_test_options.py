"""Options of tools/test.py that say what is scored, on a result file: no model is built."""
from __future__ import annotations

import json

import pytest
from tiny_run import CONFIG

from vatrack.files import load_annotations, write_results
from vatrack.structures import TrackRecord


@pytest.fixture
def score(tiny_data, tmp_path, run_tool):
    """Score one track of the truth with options: exit code and what the JSON holds."""
    annotations = load_annotations(tiny_data / 'val.json')
    video = annotations.videos[0]
    number = video.frames[0].instances[0].instance_id
    instances = [next((each for each in frame.instances if each.instance_id == number), None)
                 for frame in video.frames]
    first = next(each for each in instances if each)
    track = TrackRecord.from_dense(
        video.id, 1, first.category_id, .25,
        {kind: [each and each.masks[kind] for each in instances]
         for kind in ('amodal', 'visible')})
    results = tmp_path / 'results.json'
    write_results(results, [track], annotations)

    def run(*options):
        code = run_tool('test', CONFIG, results, *options, '--cfg-options',
                        f'test_evaluator.ann_file={tiny_data / "val.json"}')
        return code, json.loads(results.with_suffix('.metrics.json').read_text())
    return run


def test_options_reach_the_evaluation(score, capsys):
    code, saved = score('--eval', 'all', '--protocol', 'ovis', '--score-thr', '0',
                        '--occlusion-bins', '0', '.5', '1', '--per-category')
    assert code == 0
    assert saved['protocol']['name'] == 'ovis' and saved['protocol']['score_thr'] == 0
    assert list(saved['protocol']['occlusions']) == ['0-50', '50-100']
    found = saved['metrics']
    assert found['amodal/video/TP'] > 0
    assert {'amodal/image/AR@10', 'visible/video/vAP_0-50', 'amodal/video/box/IDF1',
            'amodal/image/mIoU_full_frame'} < set(found)
    assert any(name.startswith('amodal/video/HOTA/') for name in found)
    printed = capsys.readouterr().out
    assert 'score >= 0 (of' in printed and '0-50' in printed


def test_the_threshold_of_the_protocol_is_the_default(score):
    code, saved = score('--eval', 'CLEAR')
    assert code == 0
    assert saved['protocol']['score_thr'] == .3
    assert saved['metrics']['amodal/video/TP'] == 0 < saved['metrics']['amodal/video/FN']
    assert not any('AP' in name or 'HOTA' in name for name in saved['metrics'])


def test_wrong_bins_are_refused(run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool('test', CONFIG, 'results.json', '--occlusion-bins', '.5')
    assert 'two or more ascending rates' in capsys.readouterr().err
