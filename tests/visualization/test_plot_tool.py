"""The command ``tools/plot.py``."""
from __future__ import annotations

import re

import pytest
from PIL import Image
from test_overlay import dataset, track

from vatrack.evaluation.report import save_metrics
from vatrack.files import write_results


@pytest.fixture
def folder(tmp_path):
    """Two videos, results for the first and metrics, in a folder."""
    annotations = dataset(tmp_path)
    write_results(tmp_path / 'a.json', [track(1, 4, 4), track(2, 34, 18, .2)], annotations)
    write_results(tmp_path / 'b.json', [track(1, 34, 18), track(2, 4, 4, video_id=2)],
                  annotations)
    for name in 'xy':
        save_metrics(tmp_path / f'{name}.metrics.json',
                     {'amodal/video/vAP': .5, 'visible/video/vAP': -1.}, 'sailvos', 'val.json')
    return tmp_path


def test_bars(folder, run_tool, capsys):
    arguments = ['bars', f'one={folder}/x.metrics.json', f'{folder}/y.metrics.json',
                 f'scored={folder}/a.json', '--ann', folder / 'annotations.json', '--protocol',
                 'sailvos', '--metrics', 'vAP', '--values']
    files = [folder / 'deep/1.svg', folder / '2.svg']
    for path in files:
        assert run_tool('plot', *arguments, '--out', path) == 0
    assert capsys.readouterr().out.split() == [*map(str, files)]
    assert files[0].read_bytes() == files[1].read_bytes()
    texts = re.findall(r'<text[^>]*>([^<]+)</text>', files[0].read_text())
    assert {'one', 'y', 'scored', 'amodal', 'visible', 'vAP', 'video level (%)', '50.0',
            'n/a'} <= set(texts)


def test_strip(folder, run_tool, capsys):
    arguments = ['strip', f'one={folder}/a.json', folder / 'b.json', '--ann',
                 folder / 'annotations.json', '--images', folder, '--video', 'city/v 1', '--truth',
                 '--input', '--frames', 2, 0]
    assert run_tool('plot', *arguments, '--out', folder / 's.svg') == 0
    text = (folder / 's.svg').read_text()
    assert re.findall(r'<text[^>]*>([^<]+)</text>', text) == ['frame 2', 'frame 0', 'input',
                                                             'truth', 'one', 'b']
    assert text.count('<image') == 8
    assert run_tool('plot', *arguments, '--size', '2.5', '--dpi', 200, '--out',
                    folder / 's.png') == 0
    assert 490 < Image.open(folder / 's.png').width <= 500


def test_tracks_of_low_score_are_left_out(folder, run_tool):
    arguments = ['strip', folder / 'a.json', '--ann', folder / 'annotations.json', '--images',
                 folder, '--video', 'city/v 1', '--size', '2', '--out']
    pictures = []
    for name, threshold in (('a', '.1'), ('b', '.3'), ('c', '.95')):
        path = folder / f'{name}.png'
        assert run_tool('plot', *arguments, path, '--score-thr', threshold) == 0
        pictures.append(path.read_bytes())
    assert len(set(pictures)) == 3


@pytest.mark.parametrize(('arguments', 'message'), [
    (['bars', '{}/x.metrics.json', '--out', '{}/x.jpg'], 'x.jpg: figures are written as'),
    (['bars', '{}/x.metrics.json', '--metrics', 'HOTA', '--out', '{}/x.png'],
     "no metric 'HOTA' in x; there are vAP"),
    (['bars', '{}/none.json', '--out', '{}/x.png'], 'none.json: cannot be read'),
    (['strip', '{}/a.json', '--video', 'city/v1', '--out', '{}/x.png'], 'similar are city/v 1'),
    (['strip', '{}/a.json', '--video', 'city/v 1', '--frames', '3', '--out', '{}/x.png'],
     'has no frame 3; it has 3, from 0 to 2'),
    (['strip', '{}/a.json', '{}/a.json', '--video', 'city/v 1', '--out', '{}/x.png'],
     'two results have one name'),
    (['strip', '{}/x.metrics.json', '--video', 'city/v 1', '--out', '{}/x.png'],
     'x.metrics.json: must hold one JSON list'),
])
def test_errors_are_one_line_and_leave_no_file(folder, run_tool, capsys, arguments, message):
    arguments = [each.format(folder) for each in arguments]
    if arguments[0] == 'strip':
        arguments += ['--ann', folder / 'annotations.json', '--images', folder]
    assert run_tool('plot', *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error and error.count('\n') == 1
    assert not list(folder.glob('x.png*'))


@pytest.mark.parametrize('size', [['1', '2', '3'], ['0'], ['-1', '2']])
def test_sizes_that_make_no_sense_are_refused(run_tool, size, capsys):
    with pytest.raises(SystemExit):
        run_tool('plot', 'bars', 'x.json', '--out', 'x.png', '--size', *size)
    assert '--size' in capsys.readouterr().err
