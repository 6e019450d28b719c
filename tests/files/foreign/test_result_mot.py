from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_results import LENGTHS, SIZES, annotations, random_tracks

from vatrack.files import ResultError, read_results, write_results
from vatrack.files.foreign.mot import export_mot, fill_boxes, import_mot
from vatrack.structures import TrackRecord, rle

KINDS = ('amodal', 'visible')
FILES = ['city-v-2.txt', 'city-v-5.txt', 'city-v-7.txt']


def boxes_only(tracks, kind):
    """Tracks as the format keeps them: boxes of one kind in the frames where it has a pixel."""
    name = 'bboxes' if kind == 'amodal' else 'visible_bboxes'
    kept = []
    for track in tracks:
        keep = [i for i, mask in enumerate(track.masks[kind]) if mask is not None]
        at = {field: values and [values[i] for i in keep] for field in
              ('scores', name, 'category_ids') if (values := getattr(track, field)) is not None}
        kept.append(TrackRecord(track.video_id, track.track_id, track.category_id, track.score,
                                [track.frames[i] for i in keep], {}, **at))
    return kept


def by_id(tracks):
    return sorted(tracks, key=lambda track: track.track_id)


@pytest.mark.parametrize('name', ['boxes', 'boxes.zip'])
def test_round_trip_of_amodal_boxes(tmp_path, name):
    export_mot(random_tracks(0), annotations(), tmp_path / name, 'amodal')
    read = import_mot({'amodal': tmp_path / name}, annotations())
    assert by_id(read) == boxes_only(random_tracks(0), 'amodal')
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [track.video_id for track in read] == sorted(track.video_id for track in read)


def test_round_trip_of_visible_boxes(tmp_path):
    export_mot(random_tracks(1, classes=False), annotations(), tmp_path / 'boxes', 'visible')
    read = by_id(import_mot({'visible': tmp_path / 'boxes'}, annotations()))
    for track, expected in zip(read, boxes_only(random_tracks(1, classes=False), 'visible'),
                               strict=True):
        expected.score = pytest.approx(np.mean(expected.scores), abs=1e-12)
        assert (track.frames, track.scores, track.visible_bboxes, track.category_id, track.bboxes
                ) == (expected.frames, expected.scores, expected.visible_bboxes,
                      expected.category_id, None)
        assert track.score == expected.score


def test_both_kinds_are_joined(tmp_path):
    for kind in KINDS:
        export_mot(random_tracks(2), annotations(), tmp_path / kind, kind)
    read = by_id(import_mot({kind: tmp_path / kind for kind in KINDS}, annotations()))
    expected = boxes_only(random_tracks(2), 'amodal')
    for track, whole in zip(expected, random_tracks(2), strict=True):
        track.visible_bboxes = whole.visible_bboxes
    assert read == expected
    write_results(tmp_path / 'results.json', read, annotations())
    assert read_results(tmp_path / 'results.json', annotations()) == read


def test_lines(tmp_path):
    """Frames from 1, xywh, score and class of the frame, in order of frame and track."""
    square = rle.encode(np.pad(np.ones((1, 4, 3), bool), ((0, 0), (2, 6), (5, 9))))[0]
    tracks = [TrackRecord(7, 4, 3, .5, [0, 5], {'amodal': [square, square]}, [.25, None],
                          bboxes=[(-1.5, 2., 3., 4.25), None], category_ids=[12, None]),
              TrackRecord(7, 2, 1, .1, [5], {'amodal': [square]})]
    export_mot(tracks, annotations(), tmp_path / 'boxes')
    assert sorted(path.name for path in (tmp_path / 'boxes').iterdir()) == FILES
    assert (tmp_path / 'boxes' / FILES[2]).read_text().splitlines() == [
        '1,4,-1.5,2,4.5,2.25,0.25,12,-1,-1', '6,2,5,2,3,4,0.1,1,-1,-1', '6,4,5,2,3,4,0.5,3,-1,-1']
    assert (tmp_path / 'boxes' / FILES[0]).read_text() == ''


def test_boxes_of_the_masks_where_none_are_predicted(tmp_path):
    tracks = random_tracks(3, boxes=False)
    export_mot(tracks, annotations(), tmp_path / 'boxes', 'visible')
    read = {track.track_id: track for track in
            import_mot({'visible': tmp_path / 'boxes'}, annotations())}
    for track in tracks:
        masks = [mask for mask in track.masks['visible'] if mask is not None]
        np.testing.assert_array_equal(read[track.track_id].visible_bboxes, rle.bboxes(masks))
        assert read[track.track_id].scores == [track.score] * len(masks)


def test_boxes_of_visible_tracks_are_visible(tmp_path):
    track, *_ = random_tracks(4)
    track.masks = {'visible': track.masks['amodal']}
    track.visible_bboxes = None
    export_mot([track], annotations(), tmp_path / 'boxes', 'visible')
    read, = import_mot({'visible': tmp_path / 'boxes'}, annotations())
    assert read.visible_bboxes == track.bboxes
    with pytest.raises(ResultError, match='track 1 of video 7 has no amodal masks or boxes'):
        export_mot([track], annotations(), tmp_path / 'more', 'amodal')
    assert not (tmp_path / 'more').exists()


def test_one_class_needs_no_column(tmp_path):
    one = annotations({3: 'fish'})
    tracks = [track for track in random_tracks(5, classes=False) if track.category_id == 3]
    export_mot(tracks, one, tmp_path / 'boxes')
    text = (tmp_path / 'boxes' / FILES[2]).read_text()
    assert all(line.endswith(',-1,-1,-1') for line in text.splitlines()) and text
    assert by_id(import_mot({'amodal': tmp_path / 'boxes'}, one)) == boxes_only(tracks, 'amodal')
    with pytest.raises(ResultError, match=r'city-v-\d\.txt: line 1: the eighth column gives no'):
        import_mot({'amodal': tmp_path / 'boxes'}, annotations())
    read = import_mot({'amodal': tmp_path / 'boxes'}, annotations(), category=12)
    assert {track.category_id for track in read} == {12}


def folder(tmp_path, text, video=2):
    for name in FILES:
        (tmp_path / name).write_text('')
    (tmp_path / f'city-v-{video}.txt').write_text(text)
    return {'amodal': tmp_path}


@pytest.mark.parametrize(('ids', 'numbers', 'said'), [
    (((5, 6), (7,)), [5, 6, 7], None), (((0, 6), (7,)), [1, 7, 8], 'one higher'),
    (((1, 2), (1,)), [1, 2, 3], 'numbered over all videos'),
    (((0, 2), (0,)), [1, 2, 3], 'numbered over all videos')])
def test_ids_become_unique_and_positive_with_a_message(tmp_path, ids, numbers, said):
    sources = folder(tmp_path, ''.join(f'1,{i},0,0,2,2,.5,1\n' for i in ids[0]))
    (tmp_path / 'city-v-7.txt').write_text(''.join(f'2,{i},0,0,2,2,.5,1\n' for i in ids[1]))
    notes = []
    read = import_mot(sources, annotations(), notes.append)
    assert [(track.video_id, track.track_id) for track in read] == list(
        zip([2, 2, 7], numbers, strict=True))
    assert [said in note for note in notes] == ([True] if said else [])


def test_filled_boxes_are_whole_pixels_within_the_frame():
    tracks = [TrackRecord(
        2, 1, 1, .5, [0, 1, 2], {}, bboxes=[(-2.2, 3.4, 5.6, 100.), (40., 1., 50., 2.), None],
        visible_bboxes=[None, None, (0, 0, 2, 1)])]
    fill_boxes(tracks, annotations())
    height, width = SIZES[2]
    first, outside, absent = tracks[0].masks['amodal']
    expected = np.zeros((height, width), np.uint8)
    expected[3:, :6] = 1
    np.testing.assert_array_equal(rle.decode([first], (height, width))[0], expected)
    assert outside is absent is None
    assert rle.areas([tracks[0].masks['visible'][2]]).tolist() == [2]


def test_import_may_fill(tmp_path):
    export_mot(random_tracks(6), annotations(), tmp_path / 'boxes')
    notes = []
    read = import_mot({'amodal': tmp_path / 'boxes'}, annotations(), notes.append, fill=True)
    assert all(set(track.masks) == {'amodal'} for track in read)
    assert 'only metrics of boxes make sense' in notes[0]


@pytest.mark.parametrize(('line', 'message'), [
    ('0,1,0,0,2,2,.5,1', 'frame 0 is not one of the 4 .* count from 1'),
    ('5,1,0,0,2,2,.5,1', 'frame 5'), ('1.5,1,0,0,2,2,.5,1', 'frame 1.5'),
    ('1,1.5,0,0,2,2,.5,1', 'id 1.5 must be whole'), ('1,1,0,0,0,2,.5,1', 'width 0 and height 2'),
    ('1,1,0,0,2,2,nan,1', 'finite numbers'), ('1,1,0,0,2', 'is not frame,id'),
    ('1 1 0 0 2 2 .5', 'is not frame,id'), ('1,-1,0,0,2,2,.5,1', 'track id -1 is negative'),
    ('2,3,0,0,2,2,.5,1', 'track 3 of video 2 .* stands twice in frame 1'),
    ('1,1,0,0,2,2,.5,-1', 'the eighth column'), ('1,1,0,0,2,2,.5,1.5', 'the eighth column')])
def test_broken_lines_are_named(tmp_path, line, message):
    sources = folder(tmp_path, f'2,3,0,0,2,2,.5,1\n\n{line}\n')
    with pytest.raises(ResultError, match=rf'city-v-2\.txt: line 3:? .*{message}'):
        import_mot(sources, annotations())


def test_score_minus_1_is_none(tmp_path):
    notes = []
    sources = folder(tmp_path, '1,3,0,0,2,2,-1,1\n2,4,0,0,2,2,.5,1\n')
    first, second = import_mot(sources, annotations(), notes.append)
    assert (first.score, first.scores, second.score, second.scores) == (1., None, .5, [.5])
    assert 'a score of -1 is none' in notes[0]


def test_unknown_classes_are_named(tmp_path):
    with pytest.raises(ResultError, match=r'track 3\): unknown category_id 2; use the ids of'):
        import_mot(folder(tmp_path, '2,3,0,0,2,2,.5,2\n'), annotations())


def test_files_of_systems_and_readmes_are_passed_over(tmp_path):
    export_mot(random_tracks(0), annotations(), tmp_path / 'boxes')
    expected = import_mot({'amodal': tmp_path / 'boxes'}, annotations())
    for name in ('README.txt', '._city-v-7.txt', 'Thumbs.db'):
        (tmp_path / 'boxes' / name).write_bytes(b'\0\5\x16\7')
    (tmp_path / 'boxes/__MACOSX').mkdir()
    first = tmp_path / 'boxes' / FILES[0]
    first.write_bytes(b'\xef\xbb\xbf' + first.read_bytes().replace(b'\n', b'\r\n'))
    assert import_mot({'amodal': tmp_path / 'boxes'}, annotations()) == expected
    archive = shutil.make_archive(str(tmp_path / 'a'), 'zip', tmp_path / 'boxes')
    Path(archive).rename(tmp_path / 'A.ZIP')
    assert import_mot({'amodal': tmp_path / 'A.ZIP'}, annotations()) == expected


def test_files_and_videos_must_correspond(tmp_path):
    sources = folder(tmp_path, '')
    (tmp_path / 'other.txt').write_text('')
    with pytest.raises(ResultError, match=r'other\.txt: truth\.json has no such video'):
        import_mot(sources, annotations())
    (tmp_path / 'other.txt').unlink()
    (tmp_path / FILES[0]).unlink()
    with pytest.raises(ResultError, match=r'city-v-2\.txt is missing: results of video 2'):
        import_mot(sources, annotations())
    with pytest.raises(ResultError, match='nowhere: no such folder or zip archive'):
        import_mot({'amodal': tmp_path / 'nowhere'}, annotations())
    with pytest.raises(ResultError, match='this folder is not empty'):
        export_mot(random_tracks(0), annotations(), tmp_path)


def test_videos_of_one_file_name_are_refused(tmp_path):
    same = annotations()
    same.videos[1].name = 'city-v-7'
    with pytest.raises(ResultError, match=r'file name city-v-7 of video 2 \(city-v-7\) is taken'):
        export_mot([], same, tmp_path / 'boxes')


def test_no_tracks(tmp_path):
    export_mot([], annotations(), tmp_path / 'boxes')
    assert sorted(path.name for path in (tmp_path / 'boxes').iterdir()) == FILES
    assert import_mot({'visible': tmp_path / 'boxes'}, annotations()) == []
    assert len(FILES) == len(LENGTHS)
