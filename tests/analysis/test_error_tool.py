"""Tables, JSON and the command ``tools/analyze.py errors``."""
from __future__ import annotations

import json

import pytest
from error_scenes import Scene, box, during

from vatrack.analysis.causes import CAUSES
from vatrack.analysis.errors import analyze_errors
from vatrack.analysis.tables import format_errors, markdown, percent
from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.truth import truth_tracks
from vatrack.files import ResultError, load_annotations, read_results, write_results
from vatrack.structures import TrackRecord


@pytest.fixture(scope='module')
def results(tiny_data, tmp_path_factory):
    """Tracks of the true masks, the first of each video cut in halves."""
    annotations = load_annotations(tiny_data / 'val.json')
    tracks = []
    for video in annotations.videos:
        for number, truth in enumerate(truth_tracks(video, None, annotations.path)):
            dense = {kind: truth.masks(kind) for kind in ('amodal', 'visible')}
            middle, length = len(video.frames) // 2, len(video.frames)
            parts = [range(length)] if number else [range(middle), range(middle, length)]
            tracks += [TrackRecord.from_dense(
                video.id, len(tracks) + k + 1, truth.category_id, .9 - .1 * number,
                {kind: [mask if t in part else None for t, mask in enumerate(masks)]
                 for kind, masks in dense.items()}) for k, part in enumerate(parts)]
    path = tmp_path_factory.mktemp('errors') / 'results.json'
    write_results(path, tracks, annotations)
    return path


def test_the_tool_writes_tables_numbers_and_a_page(run_tool, tiny_data, results, tmp_path, capsys):
    page, numbers = tmp_path / 'deep/page.html', tmp_path / 'numbers.json'
    assert run_tool('analyze', 'errors', results, '--ann', tiny_data / 'val.json', '--images',
                    tiny_data / 'val', '--html', page, '--json', numbers) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[4:])) <= 100
    assert f'page: {page}' in printed and f'numbers: {numbers}' in printed
    found = json.loads(numbers.read_text())
    assert list(found['kinds']) == ['amodal', 'visible']
    assert set(found['repairs']) == set(CAUSES)
    annotations = load_annotations(tiny_data / 'val.json')
    expected = evaluate(annotations, read_results(results, annotations), ['vAP'], 'sailvos-full')
    for kind, errors in found['kinds'].items():
        assert errors['vAP50'] == pytest.approx(expected[f'{kind}/video/vAP50'])
        gains = {loss['cause']: loss['dvAP50'] for loss in errors['causes']}
        assert gains['fragmentation'] == pytest.approx(1 - errors['vAP50']) != 0
        assert {cause for cause, gain in gains.items()
                if gain and not CAUSES[cause].is_total} == {'fragmentation'}
    assert page.read_text(encoding='utf-8').startswith('<!DOCTYPE html>')


def test_one_kind_without_a_page(run_tool, tiny_data, results, capsys):
    assert run_tool('analyze', 'errors', results, '--ann', tiny_data / 'val.json', '--kind',
                    'visible', '--protocol', 'ytvis', '--lengths', '2', '4', '--worst', '0') == 0
    printed = capsys.readouterr().out
    assert '## visible' in printed and '## amodal' not in printed
    assert '| 1-2 |' in printed and '25-50' in printed


def test_errors_of_the_user_are_one_line(run_tool, tiny_data, results, tmp_path, capsys):
    annotations = tiny_data / 'val.json'
    for arguments, message in (
            ([tmp_path / 'none.json', '--ann', annotations], 'none.json'),
            ([results, '--ann', annotations, '--lengths', '5', '5'], 'ascending'),
            ([results, '--ann', annotations, '--html', tmp_path / 'x.html', '--images', tmp_path],
             'no frame')):
        assert run_tool('analyze', 'errors', *arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ') and message in error and error.count('\n') == 1
    assert not (tmp_path / 'x.html').exists()


def test_tracks_that_do_not_fit_are_refused():
    scene = Scene()
    scene.object(0, box(5))
    scene.track(.9, box(5))
    scene.tracks[0].category_id = 77
    with pytest.raises(ResultError, match=r'mine\.json: record 0 .*unknown category_id 77'):
        analyze_errors(scene.annotations(), scene.tracks, results='mine.json')


def test_the_table_of_a_scene():
    scene = Scene()
    scene.object(0, box(5))
    scene.track(.9, box(5, top=28))
    scene.track(.8, during(box(5), range(4)))
    lines = format_errors(analyze_errors(scene.annotations(), scene.tracks, kinds=['amodal'],
                                         results='r.json')).splitlines()
    assert '## amodal: vAP 0.0, vAP50 0.0' in lines
    assert '2 tracks, 0 of them find one of 1 objects.' in lines
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert ['wrong frames', '1', '+50.0', '+50.0'] in cells
    assert ['background', '1', '0.0', '0.0'] in cells


@pytest.mark.parametrize(('value', 'plain', 'change'), [
    (.1234, '12.3', '+12.3'), (-.05, '-5.0', '-5.0'), (-.0001, '0.0', '0.0'), (None, 'n/a', 'n/a')])
def test_percent(value, plain, change):
    assert (percent(value), percent(value, sign=True)) == (plain, change)


def test_markdown():
    assert markdown([['', 'n'], ['a', '12']]) == ['|   |  n |', '| - | -: |', '| a | 12 |']
