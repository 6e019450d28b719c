"""Numbers of charts from files of metrics, result files and rows of tables."""
from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from vatrack.apis.chart_sources import (
    SourceOptions,
    default_metrics,
    read_numbers,
    read_systems,
    split_name,
)
from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.report import save_metrics
from vatrack.evaluation.truth import truth_tracks
from vatrack.files import ResultError, load_annotations, read_results, write_results
from vatrack.leaderboard import ResultRow, write_rows
from vatrack.structures import TrackRecord

REFUSED = SourceOptions()


def saved(path: Path, protocol: str = 'sailvos', **metrics: float) -> str:
    """A file of metrics of amodal masks at video level."""
    save_metrics(path, {f'amodal/video/{name}': value for name, value in metrics.items()},
                 protocol, 'val.json')
    return str(path)


def row(name: str = 'VATrack (QD)', **changes) -> ResultRow:
    return ResultRow(**{
        'source': 'paper', 'system': 'vatrack_qd', 'name': name, 'dataset': 'sailvos-cut',
        'level': 'video', 'kind': 'amodal', 'protocol': 'ytvis',
        'values': {'AP': 14.1, '50': 22.3, 'P': None, 'IDSW': 3}, 'table': 'README',
        'reference': 'README', **changes})


@pytest.fixture
def rows(tmp_path) -> str:
    write_rows(tmp_path / 'rows.jsonl', [
        row(), row(level='image'), row(dataset='synthetic', protocol='sailvos'),
        row('two boxes', system='2box', spread={'AP': .5, 'P': None}),
        row('twice', system='x'), row('twice', system='x', variant='other')])
    return str(tmp_path / 'rows.jsonl')


@pytest.fixture(scope='module')
def results(tiny_data, tmp_path_factory) -> Path:
    """A result file of the truth without its first object."""
    annotations = load_annotations(tiny_data / 'val.json')
    tracks = []
    for video in annotations.videos:
        for truth in truth_tracks(video, None, annotations.path)[1:]:
            tracks.append(TrackRecord.from_dense(
                video.id, len(tracks) + 1, truth.category_id, .9,
                {kind: truth.masks(kind) for kind in ('amodal', 'visible')}))
    path = tmp_path_factory.mktemp('results') / 'model.json'
    write_results(path, tracks, annotations)
    return path


def test_files_of_metrics_become_percent_and_counts(tmp_path):
    path = saved(tmp_path / 'a.metrics.json', vAP=.25, vAP50=-1, IDSW=3, MOTA=-.5, TP=1, FN=2)
    numbers = read_numbers(path, REFUSED)
    assert (numbers.protocol, numbers.spread) == ('sailvos', {})
    assert numbers.values == {'amodal/video/vAP': 25, 'amodal/video/vAP50': None,
                              'amodal/video/IDSW': 3, 'amodal/video/MOTA': -50,
                              'amodal/video/TP': 1, 'amodal/video/FN': 2}


def test_result_files_are_scored(results, tiny_data):
    annotations = load_annotations(tiny_data / 'val.json')
    numbers = read_numbers(str(results), SourceOptions(annotations.path, 'ytvis'))
    system, = read_systems([str(results)], SourceOptions(annotations.path, 'ytvis'))[0]
    expected = evaluate(annotations, read_results(results, annotations), ('AP', 'vAP'), 'ytvis')
    assert 0 < expected['amodal/video/vAP'] < 1
    assert numbers.values['amodal/video/vAP'] == 100 * expected['amodal/video/vAP']
    assert (system.name, system.numbers) == ('model', numbers.values)
    assert set(numbers.values) == set(expected)
    everything = read_numbers(str(results), SourceOptions(annotations.path, all_metrics=True))
    assert 'amodal/video/HOTA' in everything.values


def test_archives_are_result_files(results, tiny_data, tmp_path):
    with zipfile.ZipFile(tmp_path / 'packed.zip', 'w') as archive:
        archive.write(results, 'results.json')
    options = SourceOptions(tiny_data / 'val.json')
    assert read_numbers(str(tmp_path / 'packed.zip'), options) == read_numbers(str(results),
                                                                               options)


def test_rows_are_found_by_name(rows):
    numbers = read_numbers(f'{rows}:VATrack (QD)', SourceOptions(dataset='sailvos-cut'))
    # Of this protocol strata are over all thresholds.
    assert numbers.values == {
        'amodal/video/vAP': 14.1, 'amodal/video/vAP50': 22.3, 'amodal/video/vAP_P': None,
        'amodal/video/IDSW': 3, 'amodal/image/AP': 14.1, 'amodal/image/AP50': 22.3,
        'amodal/image/AP_P': None, 'amodal/image/IDSW': 3}
    assert read_numbers(f'{rows}:two boxes', REFUSED).spread == {'amodal/video/vAP': .5}


@pytest.mark.parametrize(('name', 'dataset', 'message'), [
    ('VATrack (Q)', None, r"no row named 'VATrack \(Q\)'; similar are 'VATrack \(QD\)'"),
    ('zzz', None, "no row named 'zzz'; it has 'VATrack"),
    ('VATrack (QD)', None, 'has rows of sailvos-cut, synthetic; choose one .* --dataset'),
    ('VATrack (QD)', 'ovis', 'has rows of sailvos-cut, synthetic'),
    ('twice', None, "'twice' has several rows of sailvos-cut, amodal masks, video level"),
])
def test_rows_that_are_not_one_are_refused(rows, name, dataset, message):
    with pytest.raises(ValueError, match=message):
        read_numbers(f'{rows}:{name}', SourceOptions(dataset=dataset))


@pytest.mark.parametrize(('text', 'message'), [
    (None, 'cannot be read: No such file'),
    ('{"metrics": {"amodal/vid', 'damaged, no JSON'),
    ('{"categories": []}', 'no file of metrics as .* write them, and no result file'),
    ('{"metrics": {"vAP": 0.1}, "protocol": {"name": "x"}}', 'no file of metrics'),
    ('{"metrics": {"amodal/video/vAP": "x"}, "protocol": {"name": "x"}}', 'no file of metrics'),
    ('{"metrics": [], "protocol": {"name": "x"}}', 'no file of metrics'),
    ('17', 'no file of metrics'),
    (' []', 'must be scored first: give its annotation file with --ann'),
])
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / 'a.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_numbers(str(path), REFUSED)


def test_damaged_results_are_named(results, tiny_data, tmp_path):
    path = tmp_path / 'cut.json'
    path.write_text(results.read_text()[:300])
    with pytest.raises(ResultError, match=r'cut\.json: not valid JSON'):
        read_numbers(str(path), SourceOptions(tiny_data / 'val.json'))


@pytest.mark.parametrize(('text', 'name', 'source'), [
    ('mine=a/x.json', 'mine', 'a/x.json'),
    ('A: b=a/x=y.json', 'A: b', 'a/x=y.json'),
    ('a/model.metrics.json', 'model', 'a/model.metrics.json'),
    ('a/model.json.zip', 'model', 'a/model.json.zip'),
    ('runs/qd/results.metrics.json', 'qd', 'runs/qd/results.metrics.json'),
    ('docs/results.jsonl:VATrack (QD)', 'VATrack (QD)', 'docs/results.jsonl:VATrack (QD)'),
    ('x=docs/results.jsonl:VATrack (QD)', 'x', 'docs/results.jsonl:VATrack (QD)')])
def test_names(text, name, source):
    assert split_name(text) == (name, source)


def test_a_file_may_have_an_equals_sign_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(Path('lr=1.metrics.json'), vAP=.5)
    assert split_name('lr=1.metrics.json') == ('lr=1', 'lr=1.metrics.json')


def test_sources_of_one_name_are_runs_of_one_system(tmp_path):
    paths = [saved(tmp_path / f'{k}.json', vAP=value, vAP50=-1 if k else .5, **more)
             for k, (value, more) in enumerate([(.2, {'vAP75': .1}), (.3, {}), (.4, {})])]
    (system, single), notes = read_systems([*(f'a={path}' for path in paths), f'b={paths[0]}'],
                                           REFUSED)
    assert notes == []
    assert system.numbers == {'amodal/video/vAP': pytest.approx(30), 'amodal/video/vAP50': None}
    assert system.spread == {'amodal/video/vAP': pytest.approx(10)}
    assert (single.name, single.spread) == ('b', {})


def test_sources_that_happen_to_have_one_name_are_refused(tmp_path):
    first = saved(tmp_path / 'a/x.metrics.json', vAP=.2)
    (tmp_path / 'b').mkdir()
    second = shutil.copy(first, tmp_path / 'b/x.metrics.json')
    with pytest.raises(ValueError, match=r"b/x\.metrics\.json: another source is called 'x' too"):
        read_systems([first, str(second)], REFUSED)


def test_different_protocols_are_noted(tmp_path):
    paths = saved(tmp_path / 'a.json', vAP=.2), saved(tmp_path / 'b.json', 'ytvis', vAP=.2)
    assert read_systems(paths, REFUSED)[1] == ['the protocols differ: a: sailvos, b: ytvis']


def test_the_default_are_the_columns_of_the_paper(tmp_path):
    path = tmp_path / 'a.json'
    names = ['video/vAP50_H', 'video/vAP', 'image/AP50', 'image/AP75', 'video/vAP/fish']
    save_metrics(path, {f'visible/{name}': .5 for name in names}, 'sailvos', 'val.json')
    systems, _ = read_systems([str(path)], REFUSED)
    assert default_metrics(systems) == ['image/AP50', 'video/vAP', 'video/vAP50_H']
    systems, _ = read_systems([saved(tmp_path / 'b.json', HOTA=.5)], REFUSED)
    with pytest.raises(ValueError, match='no AP or vAP in the files; choose metrics out of HOTA'):
        default_metrics(systems)
