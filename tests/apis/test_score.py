"""tools/evaluate.py and tools/check_results.py on made results of the tiny synthetic videos."""
from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from tiny_run import CONFIG, data_options, test_tool

from vatrack.files import load_annotations, write_results
from vatrack.files.track_entry import track_to_json
from vatrack.structures import TrackRecord, rle


def shifted(mask, rng):
    """A mask that is moved by up to two pixels; None without a pixel."""
    if mask is None or not rle.areas([mask])[0]:
        return None
    return rle.encode(np.roll(rle.decode([mask], tuple(mask['size'])), rng.integers(-2, 3, 2),
                              (1, 2)))[0]


def objects_of(video):
    """(frame, instance) pairs by instance id."""
    objects = {}
    for t, frame in enumerate(video.frames):
        for instance in frame.instances:
            objects.setdefault(instance.instance_id, []).append((t, instance))
    return objects


@pytest.fixture(scope='module')
def annotations(tiny_data):
    return load_annotations(tiny_data / 'val.json')


@pytest.fixture(scope='module')
def tracks(annotations):
    """The truth, moved a little, with scores that differ."""
    rng, tracks = np.random.default_rng(0), []
    for video in annotations.videos:
        for entries in objects_of(video).values():
            tracks.append(TrackRecord(
                video.id, len(tracks) + 1, entries[0][1].category_id, float(rng.random()),
                [t for t, _ in entries],
                {kind: [shifted(instance.masks.get(kind), rng) for _, instance in entries]
                 for kind in ('amodal', 'visible')},
                rng.random(len(entries)).tolist()))
    return tracks


@pytest.fixture
def results(tracks, annotations, tmp_path):
    write_results(tmp_path / 'results.json', tracks, annotations)
    return tmp_path / 'results.json'


@pytest.fixture
def numbers(run_tool, tiny_data):
    """Run tools/evaluate.py: its arguments -> numbers."""
    def run(results, *arguments, ann=tiny_data / 'val.json'):
        assert run_tool('evaluate', results, '--ann', ann, *arguments) == 0
        return json.loads(results.with_suffix('.metrics.json').read_text())['metrics']
    return run


def test_numbers_are_those_of_the_test_tool(results, numbers, tiny_data, capsys):
    ours = numbers(results, '--eval', 'AP', 'vAP', '--protocol', 'ytvis')
    printed = capsys.readouterr().out
    results.with_suffix('.metrics.json').unlink()
    assert test_tool(CONFIG, results, '--eval', 'AP', 'vAP', '--protocol', 'ytvis',
                     '--cfg-options', *data_options(tiny_data)) == 0
    theirs = json.loads(results.with_suffix('.metrics.json').read_text())['metrics']
    assert ours == theirs and 0 < ours['amodal/video/vAP'] < 1
    assert printed.splitlines()[:-1] == capsys.readouterr().out.splitlines()[:len(
        printed.splitlines()) - 1]


def test_order_and_processes_do_not_matter(results, numbers, tracks, annotations):
    expected = numbers(results)
    write_results(results, tracks[::-1], annotations)
    assert numbers(results, '--workers', 2) == expected


@pytest.mark.parametrize('kind', ['amodal', 'visible'])
def test_other_formats_give_the_numbers_of_their_kind(results, numbers, run_tool, tiny_data, kind):
    """YouTube-VIS keeps what vAP needs, COCO what AP needs."""
    expected = numbers(results, '--kind', kind)
    for name, target, level in (('ytvis', 'y.zip', 'video'), ('coco', 'c.json', 'image')):
        path = results.with_name(target)
        assert run_tool('convert_results', name, 'export', results, path, '--ann',
                        tiny_data / 'val.json', '--kind', kind) == 0
        found = numbers(path, '--format', name, '--kind', kind)
        assert found.keys() == expected.keys()
        assert {k: v for k, v in found.items() if level in k} == {
            k: v for k, v in expected.items() if level in k}


def test_two_files_are_scored_as_one(results, numbers, run_tool, tiny_data):
    expected = numbers(results, '--eval', 'vAP')
    paths = {kind: results.with_name(f'{kind}.json') for kind in ('visible', 'amodal')}
    for kind, path in paths.items():
        assert run_tool('convert_results', 'ytvis', 'export', results, path, '--ann',
                        tiny_data / 'val.json', '--kind', kind, '--rle', 'list') == 0
    assert run_tool('evaluate', *paths.values(), '--format', 'ytvis', '--kind', *paths, '--ann',
                    tiny_data / 'val.json', '--out', results.with_name('m.json'),
                    '--eval', 'vAP') == 0
    assert json.loads(results.with_name('m.json').read_text())['metrics'] == expected


@pytest.mark.parametrize('first', ['0', '1'])
def test_formats_without_scores(results, run_tool, tiny_data, first):
    for name in ('mots-txt', 'mots-png'):
        folder, back = results.with_name(name), results.with_name(f'{name}.json')
        options = ['--ann', tiny_data / 'val.json', '--kind', 'visible', '--first-frame', first]
        assert run_tool('convert_results', name, 'export', results, folder, *options) == 0
        assert run_tool('convert_results', name, 'import', folder, back, *options) == 0
        assert run_tool('evaluate', folder, '--format', name, *options, '--out',
                        results.with_name('m.json')) == 0
        found = json.loads(results.with_name('m.json').read_text())['metrics']
        assert found['visible/video/vAP50'] > 0


def test_boxes_are_scored_as_boxes(results, run_tool, tiny_data, annotations, capsys):
    """The boxes of the truth score 1; nothing is said about masks that they do not have."""
    perfect = [TrackRecord(video.id, 10 * video.id + number, entries[0][1].category_id, .9,
                           [t for t, _ in entries],
                           {'amodal': [i.masks['amodal'] for _, i in entries]})
               for video in annotations.videos
               for number, entries in enumerate(objects_of(video).values())]
    write_results(results, perfect, annotations)
    folder, options = results.with_name('boxes'), ['--ann', tiny_data / 'val.json', '--kind',
                                                   'amodal']
    assert run_tool('convert_results', 'mot', 'export', results, folder, *options) == 0
    assert run_tool('evaluate', folder, '--format', 'mot', *options, '--out',
                    results.with_name('m.json')) == 0
    found = json.loads(results.with_name('m.json').read_text())['metrics']
    assert {found[f'amodal/video/box/{name}'] for name in ('HOTA', 'MOTA', 'IDF1')} == {1}
    assert all('/box/' in name for name in found)
    assert run_tool('evaluate', folder, '--format', 'mot', *options, '--eval', 'vAP') == 1
    assert 'vAP cannot be computed: results of format mot have no masks' in capsys.readouterr().err
    options[1] = without_truth(tiny_data, results.with_name('test.json'))
    assert run_tool('evaluate', folder, '--format', 'mot', *options) == 1
    assert 'boxes cannot become a submission of masks' in capsys.readouterr().err


def without_truth(tiny_data, path):
    content = json.loads((tiny_data / 'val.json').read_text())
    path.write_text(json.dumps(content | {'annotations': []}))
    return path


def test_without_truth_the_results_become_a_submission(results, tracks, run_tool, tiny_data,
                                                       tmp_path, capsys):
    ann = without_truth(tiny_data, tmp_path / 'test.json')
    assert run_tool('evaluate', results, '--ann', ann) == 0
    printed = capsys.readouterr()
    assert f'{ann} holds no truth, so nothing is scored' in printed.err
    assert not results.with_suffix('.metrics.json').exists()
    for kind in ('amodal', 'visible'):
        path = tmp_path / f'results.{kind}.zip'
        assert f'submission with the {kind} masks: {path}' in printed.out
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == ['results.json']
            records = json.loads(archive.read('results.json'))
        assert [[r for r in record['segmentations'] if r] for record in records] == [
            [mask for mask in track.masks[kind] if mask] for track in tracks]
    assert run_tool('evaluate', results, '--ann', ann, '--kind', 'amodal', '--submission',
                    tmp_path / 'new' / 'deep') == 0
    assert [p.name for p in (tmp_path / 'new/deep').iterdir()] == ['results.amodal.zip']


@pytest.mark.parametrize('truth', [True, False])
def test_a_missing_kind_is_an_error_and_no_zero(results, tracks, annotations, run_tool, tiny_data,
                                                tmp_path, capsys, truth):
    ann = tiny_data / 'val.json' if truth else without_truth(tiny_data, tmp_path / 'test.json')
    visible = [TrackRecord(t.video_id, t.track_id, t.category_id, t.score, t.frames,
                           {'visible': t.masks['visible']}) for t in tracks]
    write_results(results, visible, annotations)
    assert run_tool('evaluate', results, '--ann', ann, '--kind', 'amodal', 'visible') == 1
    assert (f'error: {results}: the predictions have no amodal masks; predict them, or score what '
            'they hold with --kind visible') in capsys.readouterr().err
    assert run_tool('evaluate', results, '--ann', ann) == truth
    assert run_tool('evaluate', results, '--ann', ann, '--kind', 'visible') == 0


def test_annotation_ids_that_start_at_0(results, numbers, tiny_data, tmp_path):
    """Of evaluators that take id 0 for "no match", none of the first object would count."""
    content = json.loads((tiny_data / 'val.json').read_text())
    for entries in (content['annotations'], content['images']):
        entries.sort(key=lambda entry: entry['id'])
    found = []
    for first in (0, 1):
        ids = {image['id']: n for n, image in enumerate(content['images'], first)}
        images = [image | {'id': ids[image['id']]} for image in content['images']]
        objects = [entry | {'id': n, 'image_id': ids[entry['image_id']]}
                   for n, entry in enumerate(content['annotations'], first)]
        path = tmp_path / f'from{first}.json'
        path.write_text(json.dumps(content | {'images': images, 'annotations': objects}))
        found.append(numbers(results, ann=path))
    assert found[0] == found[1] == numbers(results)


def test_nothing_found_is_scored_0(results, numbers, annotations, capsys):
    write_results(results, [], annotations)
    found = numbers(results)
    assert found['amodal/video/vAP'] == found['visible/image/AP'] == 0
    assert f'note: {results} holds no track: all objects count as missed' in capsys.readouterr().err


def test_truth_without_a_kind_is_named(results, run_tool, tiny_data, tmp_path, capsys):
    content = json.loads((tiny_data / 'val.json').read_text())
    for entry in content['annotations']:
        entry['amodal_mask'] = entry['amodal_bbox'] = None
    ann = tmp_path / 'visible.json'
    ann.write_text(json.dumps(content))
    assert run_tool('evaluate', results, '--ann', ann, '--kind', 'amodal') == 1
    assert (f'error: {ann}: the truth has no amodal masks; score what it has with --kind visible'
            in capsys.readouterr().err)
    assert run_tool('evaluate', results, '--ann', ann) == 0


def test_check_lists_the_faults(results, run_tool, tiny_data, capsys):
    records = json.loads(results.read_text())
    records[1]['score'], records[3]['category_id'] = None, 88
    results.write_text(json.dumps(records))
    assert run_tool('check_results', results, '--ann', tiny_data / 'val.json') == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(' (')[0] for line in lines] == [f'error: {results}: record {n}'
                                                       for n in (1, 3)]
    results.write_text(json.dumps(records[1:2] * 25))
    assert run_tool('check_results', results, '--ann', tiny_data / 'val.json') == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21 and lines[-1] == f'{results}: 20 faults, not checked any further'


RECORD = {'video_id': 1, 'category_id': 1, 'score': .5, 'segmentations': [None] * 5}


@pytest.mark.parametrize(('text', 'message'), [
    (json.dumps([RECORD | {'video_id': 77}]), 'has no such video'),
    (json.dumps([RECORD | {'segmentations': [{'size': [3, 4], 'counts': '<'}] + [None] * 4}]),
     'amodal mask has size [3, 4], the video [64, 96]'),
    ('[' + json.dumps(RECORD).replace('0.5', 'NaN') + ']', 'score must be a finite number'),
    (json.dumps([RECORD | {'track_id': 3}] * 2), 'track_id 3 is taken'),
    (json.dumps([RECORD])[:-9], 'damaged or cut off'),
    (json.dumps([RECORD | {'visible_segmentations': [None] * 5}, RECORD]), 'holds the mask kinds')])
@pytest.mark.parametrize('tool', ['evaluate', 'check_results'])
def test_broken_results_give_one_line(tmp_path, tiny_data, run_tool, capsys, tool, text, message):
    (tmp_path / 'results.json').write_text(text)
    assert run_tool(tool, tmp_path / 'results.json', '--ann', tiny_data / 'val.json') == 1
    error, = capsys.readouterr().err.splitlines()
    assert error.startswith(f'error: {tmp_path / "results.json"}: ') and message in error


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--format', 'ytvis'], 'hold one kind each: say which with --kind'),
    (['--format', 'ytvis', '--kind', 'amodal', 'visible'], 'got 1 files'),
    (['other.json'], 'holds both kinds: give one')])
def test_files_and_kinds_must_correspond(results, run_tool, tiny_data, capsys, arguments, message):
    assert run_tool('evaluate', results, *arguments, '--ann', tiny_data / 'val.json') == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('arguments', [
    ['evaluate', 'a.json', '--ann', 'b', '--category', '1'],
    ['evaluate', 'a.json', '--ann', 'b', '--format', 'coco', '--first-frame', '1'],
    ['convert_results', 'coco', 'export', 'a', 'b', '--ann', 'c', '--kind', 'amodal', '--fill'],
    ['convert_results', 'coco', 'export', 'a', 'b', '--ann', 'c', '--kind', 'amodal', '--other',
     'd'],
    ['convert_results', 'mot', 'import', 'a', 'b', '--ann', 'c', '--kind', 'amodal', '--rle',
     'list']])
def test_options_of_other_formats_are_refused(run_tool, capsys, arguments):
    with pytest.raises(SystemExit):
        run_tool(*arguments)
    assert 'takes no --' in capsys.readouterr().err


def test_both_kinds_are_imported_as_one_file(results, run_tool, tiny_data, tmp_path, tracks):
    for kind in ('amodal', 'visible'):
        assert run_tool('convert_results', 'coco', 'export', results, tmp_path / f'{kind}.json',
                        '--ann', tiny_data / 'val.json', '--kind', kind) == 0
    assert run_tool('convert_results', 'coco', 'import', tmp_path / 'visible.json',
                    tmp_path / 'back.json', '--ann', tiny_data / 'val.json', '--kind', 'visible',
                    '--other', tmp_path / 'amodal.json') == 0
    for record, track in zip(json.loads((tmp_path / 'back.json').read_text()),
                             sorted(tracks, key=lambda t: (t.video_id, t.track_id)), strict=True):
        expected = track_to_json(track, len(record['segmentations']))
        assert record == expected | {'score': pytest.approx(np.mean(track.scores))}


def test_check_says_what_a_file_holds(results, run_tool, tiny_data, tracks, capsys):
    assert run_tool('check_results', results, '--ann', tiny_data / 'val.json') == 0
    printed = capsys.readouterr().out
    objects = sum(len(track.frames) for track in tracks)
    assert f'{len(tracks)} tracks of 3 videos in {objects} frames' in printed
    assert 'further: scores\n' in printed and 'pixels outside the amodal one' in printed
    assert printed.endswith(f'{results}: ok\n')


def test_check_unpacks_every_mask(results, tracks, annotations, run_tool, tiny_data, capsys):
    records = json.loads(results.read_text())
    first = next(t for t, mask in enumerate(records[1]['segmentations']) if mask)
    records[1]['segmentations'][first]['counts'] = '14'
    results.write_text(json.dumps(records))
    assert run_tool('check_results', results, '--ann', tiny_data / 'val.json') == 1
    error = capsys.readouterr().err
    assert f'record 1 (video {tracks[1].video_id}, track 2), frame {first}: amodal mask' in error
    assert 'encode the mask again' in error
