from __future__ import annotations

import json
import math
import zipfile

import numpy as np
import pytest

from vatrack.files import ResultError, iter_results, read_results, write_results
from vatrack.files.result_check import MAX_FAULTS, ResultFaults, check_results
from vatrack.files.result_file import check_tracks
from vatrack.files.track_entry import track_to_json
from vatrack.structures import AnnotationFile, Frame, TrackRecord, Video, rle

SIZE = (4, 6)
ANNOTATIONS = AnnotationFile('truth.json', {1: 'fish', 7: 'crab'}, [
    Video(video_id, f'v{video_id}', SIZE[1], SIZE[0], [Frame(t, t, f'{t}.png') for t in range(3)])
    for video_id in (2, 5)])


def mask(seed, size=SIZE):
    return rle.encode(np.random.default_rng(seed).random((1, *size)) < .5)[0]


def track(number=1, video_id=2, **changes):
    masks = {kind: [mask(number), None, mask(number + 50)] for kind in ('amodal', 'visible')}
    return TrackRecord.from_dense(
        video_id, number, 7, .3 + .1 * number, masks, scores=[.1, None, 1 / 3],
        bboxes=[(.5, -2., 9.25, 4.), None, (0., 0., 1.1, 1.)], **changes)


def only(kind, number=1):
    record = track(number)
    record.masks = {kind: record.masks[kind]}
    return record


@pytest.mark.parametrize('make', [
    lambda n: track(n, 5), lambda n: track(n, category_ids=[1, None, 7]),
    lambda n: only('amodal', n), lambda n: only('visible', n),
    lambda n: TrackRecord(2, n, 1, .5, [], {'amodal': []}),
    lambda n: TrackRecord(2, n, 1, .5, [1], {'amodal': [None]}, visible_bboxes=[(0., 1., 2., 3.)]),
    lambda n: TrackRecord(2, n, 1, .5, [0, 2], {'amodal': [mask(1), None]}, bboxes=[None, None],
                          category_ids=[1, 7])])
def test_round_trip_is_exact(tmp_path, make):
    tracks = [make(1), make(2)]
    path = tmp_path / 'deep' / 'results.json'
    assert write_results(path, iter(tracks), ANNOTATIONS) == 2
    assert read_results(path, ANNOTATIONS) == tracks
    assert list(path.parent.iterdir()) == [path]


def test_one_record_per_line(tmp_path):
    write_results(tmp_path / 'r.json', [track(1), track(2)], ANNOTATIONS)
    lines = (tmp_path / 'r.json').read_text().splitlines()
    assert [lines[0], lines[-1]] == ['[', ']']
    assert json.loads(lines[1].rstrip(','))['track_id'] == 1
    assert len(lines) == 4


@pytest.mark.parametrize('name', ['bboxes', 'visible_bboxes'])
def test_tracks_of_boxes_alone(tmp_path, name):
    record = TrackRecord(2, 1, 7, .5, [0, 2], {}, **{name: [(0., 1., 2., 3.), (1., 1., 4., 2.)]})
    assert not {'mask_kind', 'segmentations'} & track_to_json(record, 3).keys()
    write_results(tmp_path / 'r.json', [record], ANNOTATIONS)
    assert read_results(tmp_path / 'r.json', ANNOTATIONS) == [record]
    with pytest.raises(ResultError, match=r'record 1 .* all records need the same, or boxes alone'):
        check_tracks([record, only('amodal', 2)], ANNOTATIONS, 'mine')
    with pytest.raises(ResultError, match=r'holds the mask kinds \[\]'):
        check_tracks([TrackRecord(2, 1, 7, .5, [], {})], ANNOTATIONS, 'mine')


def test_an_archive_of_one_file_is_read(tmp_path):
    write_results(tmp_path / 'r.json', [track(1), track(2)], ANNOTATIONS)
    for name in ('r.zip', 'r.ZIP'):
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            archive.write(tmp_path / 'r.json', 'r.json')
            archive.writestr('README', 'of whoever made it')
            archive.writestr('__MACOSX/._r.json', b'\0\5\x16\7')
        assert read_results(tmp_path / name, ANNOTATIONS) == [track(1), track(2)]


def test_no_tracks(tmp_path):
    assert write_results(tmp_path / 'r.json', [], ANNOTATIONS) == 0
    assert read_results(tmp_path / 'r.json', ANNOTATIONS) == []


def test_keys_of_a_record():
    record = track_to_json(track(visible_bboxes=[None, None, (1., 2., 3., 4.)]), 3)
    assert record['mask_kind'] == 'amodal'
    assert record['segmentations'] == [mask(1), None, mask(51)]
    assert record['visible_segmentations'] == [mask(1), None, mask(51)]
    assert record['scores'] == [.1, None, 1 / 3]
    assert record['bboxes'] == [[.5, -2., 8.75, 6.], None, [0., 0., 1.1, 1.]]
    assert record['visible_bboxes'] == [None, None, [1., 2., 2., 2.]]
    assert 'category_ids' not in record
    visible = track_to_json(only('visible'), 3)
    assert visible['mask_kind'] == 'visible'
    assert not {'visible_segmentations', 'amodal_segmentations'} & set(visible)


def test_numpy_numbers_are_written(tmp_path):
    record = track()
    record.score, record.track_id = np.float32(.5), np.int64(3)
    record.scores = [np.float32(.25), None]
    record.bboxes = [tuple(np.float32([1, 2, 3, 4])), None]
    write_results(tmp_path / 'r.json', [record], ANNOTATIONS)
    read, = read_results(tmp_path / 'r.json', ANNOTATIONS)
    assert (read.score, read.track_id, read.scores[0], read.bboxes[0]) == (.5, 3, .25, (1, 2, 3, 4))


def test_files_of_others(tmp_path):
    """Plain YouTube-VIS results, and visible ones with the amodal kind beside."""
    plain = {'video_id': 2, 'category_id': 1, 'score': 1, 'segmentations': [mask(0), None, None]}
    (tmp_path / 'plain.json').write_text(json.dumps([plain, plain]))
    first, second = read_results(tmp_path / 'plain.json', ANNOTATIONS)
    assert list(first.masks) == ['amodal']
    assert (first.track_id, second.track_id) == (1, 2)
    both = plain | {'mask_kind': 'visible', 'amodal_segmentations': [None, mask(1), None]}
    (tmp_path / 'both.json').write_text(json.dumps([both]))
    read, = read_results(tmp_path / 'both.json', ANNOTATIONS)
    assert list(read.masks) == ['amodal', 'visible']
    assert read.frames == [0, 1]
    assert read.masks == {'amodal': [None, mask(1)], 'visible': [mask(0), None]}


def test_score_and_class_of_a_frame():
    record = TrackRecord(2, 4, 7, .5, [1, 4, 8], {'amodal': [None] * 3}, [.1, None, 1 / 3],
                         category_ids=[1, None, 7])
    assert [record.frame_score(t) for t in (1, 4, 8)] == [.1, .5, 1 / 3]
    assert [record.frame_category(t) for t in (1, 4, 8)] == [1, 7, 7]
    assert [record.position(t) for t in (0, 1, 2, 4, 7, 8, 9)] == [None, 0, None, 1, None, 2, None]
    for ask in (record.frame_score, record.frame_category):
        with pytest.raises(ValueError, match='track 4 of video 2 is absent from frame 2'):
            ask(2)
    assert TrackRecord(2, 1, 7, .5, [2], {}).frame_score(2) == .5


def test_dense_lists_give_the_frames_where_anything_is():
    record = TrackRecord.from_dense(2, 1, 7, .5, {'amodal': [None, mask(1), None, None],
                                                  'visible': [None, None, None, mask(2)]},
                                    scores=[None, .25, None, None])
    assert record.frames == [1, 3]
    assert record.masks == {'amodal': [mask(1), None], 'visible': [None, mask(2)]}
    assert (record.scores, record.bboxes) == ([.25, None], None)
    assert record.spread(record.scores, 5) == [None, .25, None, None, None]
    with pytest.raises(ValueError, match=r'lists of \[2, 3\] frames'):
        TrackRecord.from_dense(2, 1, 7, .5, {'amodal': [None] * 3}, scores=[None] * 2)


BROKEN = {
    'video': ({'video_id': 3}, 'truth.json has no such video'),
    'video type': ({'video_id': [2]}, 'no such video'),
    'category': ({'category_id': 2}, r'unknown category_id 2; use the ids of truth.json: \[1, 7\]'),
    'category null': ({'category_id': None}, 'unknown category_id None'),
    'frame category': ({'category_ids': [1, 3, None]}, 'unknown category_id 3'),
    'length': ({'segmentations': [None] * 2}, '2 amodal masks for a video of 3 frames'),
    'other length': ({'visible_segmentations': [None] * 4}, '4 visible masks'),
    'scores length': ({'scores': [.5]}, '1 scores for a video of 3 frames'),
    'boxes length': ({'bboxes': []}, '0 bboxes for a video of 3 frames'),
    'size': ({'segmentations': [None, mask(0, (6, 4)), None]},
             r'frame 1: amodal mask has size \[6, 4\], the video \[4, 6\]'),
    'cut mask': ({'segmentations': [None, {'size': [4, 6], 'counts': 'h'}, None]},
                 'frame 1: amodal mask: counts is not a COCO RLE string'),
    'other total': ({'visible_segmentations': [None, {'size': [4, 6], 'counts': '53'}, None]},
                    r'frame 1: visible mask: counts describes 8 pixels .* has 4 x 6'),
    'negative run': ({'segmentations': [{'size': [4, 6], 'counts': ':Ma0'}, None, None]},
                     'frame 0: amodal mask: .*shortest run -3'),
    'mask size': ({'segmentations': [{'size': 4, 'counts': '53'}, None, None]},
                  'frame 0: amodal mask is no compressed RLE'),
    'not ASCII': ({'segmentations': [None, {'size': [4, 6], 'counts': 'é0'}, None]},
                  'frame 1: amodal mask is no compressed RLE'),
    'uncompressed': ({'segmentations': [{'size': [4, 6], 'counts': [24]}, None, None]},
                     'frame 0: amodal mask is no compressed RLE'),
    'nan': ({'score': math.nan}, 'score must be a finite number, got nan'),
    'infinite': ({'scores': [None, math.inf, None]},
                 'frame 1: score must be a finite number, got inf'),
    'long score': ({'score': 10**400}, 'score must be a finite number, got 1000'),
    'long id': ({'track_id': 10**400}, 'must be an integer >= 1'),
    'long box': ({'bboxes': [[10**400, 2, 3, 4], None, None]}, 'four finite numbers'),
    'score type': ({'score': '0.5'}, "finite number, got '0.5'"),
    'duplicate': ({'track_id': 1, 'video_id': 5}, 'track_id 1 is taken'),
    'id 0': ({'track_id': 0}, 'must be an integer >= 1, got 0'),
    'id type': ({'track_id': 1.5}, 'must be an integer >= 1'),
    'kind': ({'mask_kind': 'modal'}, "mask_kind 'modal'"),
    'kind missing': ({'visible_segmentations': None}, r"kinds \['amodal'\], the first record "
                     r"\['amodal', 'visible'\]"),
    'kind twice': ({'amodal_segmentations': [None] * 3}, 'gives amodal masks twice'),
    'no masks': ({'segmentations': None}, 'null for segmentations'),
    'no list': ({'scores': .5}, 'has float for scores'),
    'box': ({'bboxes': [[1, 2, 3], None, None]}, r'has box \[1, 2, 3\]'),
    'box nan': ({'bboxes': [[1, 2, 3, math.nan], None, None]}, 'four finite numbers'),
}


@pytest.mark.parametrize(('change', 'message'), BROKEN.values(), ids=BROKEN)
def test_broken_records_are_named(tmp_path, change, message):
    path = tmp_path / 'r.json'
    path.write_text(json.dumps([track_to_json(track(1), 3), track_to_json(track(2), 3) | change]))
    with pytest.raises(ResultError, match=message) as error:
        read_results(path, ANNOTATIONS)
    video = change.get('video_id', 2)
    assert f'{path}: record 1 (video {video}' in str(error.value)


@pytest.mark.parametrize('key', ['video_id', 'category_id', 'score', 'segmentations'])
def test_missing_keys_are_named(tmp_path, key):
    record = track_to_json(track(), 3)
    del record[key]
    (tmp_path / 'r.json').write_text(json.dumps([record]))
    with pytest.raises(ResultError, match=rf"r\.json: record 0 .* lacks \['{key}'\]"):
        read_results(tmp_path / 'r.json', ANNOTATIONS)


@pytest.mark.parametrize(('content', 'message'), [
    (None, r'r\.json: cannot read this result file: No such file .*; check the path'),
    ('[{"video_id": 2, "cat', r'r\.json: not valid JSON at line 1, column 18 .* cut off'),
    ('', 'not valid JSON'),
    ('[', 'not valid JSON'),
    ('[] []', 'Extra data'),
    ('\x80\udc81', 'not UTF-8 text'),
    ('{"annotations": []}', 'must hold one JSON list of records, got object'),
    ('3', 'must hold one JSON list of records, got int'),
    ('[3]', r'record 0 \(video None, track None\) must be an object, got int')])
def test_broken_files(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'r.json').write_bytes(content.encode('utf-8', 'surrogateescape'))
    with pytest.raises(ResultError, match=message):
        read_results(tmp_path / 'r.json', ANNOTATIONS)


def interrupted():
    yield track(1)
    raise KeyboardInterrupt


@pytest.mark.parametrize(('tracks', 'error', 'message'), [
    (interrupted, KeyboardInterrupt, ''),
    (lambda: [track(1), track(1, 5)], ResultError,
     r'record 1 \(video 5, track 1\): track_id 1 is taken'),
    (lambda: [track(0)], ResultError, 'integer >= 1, got 0'),
    (lambda: [TrackRecord(2, 1, 1, math.nan, [], {'amodal': []})], ResultError,
     r'record 0 \(video 2, track 1\) holds NaN'),
    (lambda: [track(1, 3)], ResultError, r'record 0 \(video 3, track 1\): truth.json has no such'),
    (lambda: [TrackRecord(2, 1, 1, .5, [3], {'amodal': [None]})], ResultError,
     r'frames \[3\] must ascend within 0 to 2')])
def test_failed_writing_leaves_the_old_file(tmp_path, tracks, error, message):
    path = tmp_path / 'r.json'
    write_results(path, [track(9)], ANNOTATIONS)
    with pytest.raises(error, match=message):
        write_results(path, tracks(), ANNOTATIONS)
    assert [t.track_id for t in read_results(path, ANNOTATIONS)] == [9]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(('changes', 'message'), [
    ({'frames': [2, 0]}, r'frames \[2, 0\] must ascend'),
    ({'frames': [0, 0]}, 'must ascend'), ({'frames': [-1, 2]}, 'within 0 to 2'),
    ({'frames': [0, 1, 2]}, '2 amodal masks for 3 frames of the track'),
    ({'scores': [.5]}, '1 scores for 2 frames of the track')])
def test_tracks_that_contradict_themselves_are_named(changes, message):
    record = track(1)
    for name, value in changes.items():
        setattr(record, name, value)
    with pytest.raises(ResultError, match=rf'mine: record 1 \(video 2, track 1\): .*{message}'):
        check_tracks([track(2), record], ANNOTATIONS, 'mine')


def test_reading_is_one_record_at_a_time(tmp_path):
    """A fault in the last record does not keep the first from being handed out."""
    path = tmp_path / 'r.json'
    path.write_text(f'[{json.dumps(track_to_json(track(1), 3))}, {{"video_id": 2, ')
    records = iter_results(path, ANNOTATIONS)
    assert next(records) == track(1)
    with pytest.raises(ResultError, match='not valid JSON'):
        next(records)


def faults_of(path):
    with pytest.raises(ResultFaults) as error:
        check_results(path, ANNOTATIONS)
    assert str(error.value).splitlines() == error.value.faults
    return error.value.faults


def test_check_names_every_broken_record(tmp_path):
    path, changes = tmp_path / 'r.json', {2: {'score': math.nan}, 3: {'track_id': 2, 'video_id': 9},
                                          5: {'track_id': 1}}
    records = [track_to_json(track(n), 3) | changes.get(n, {}) for n in range(1, 6)]
    path.write_text(json.dumps(records))
    found = faults_of(path)
    assert [fault.split(': ')[:2] for fault in found] == [
        [str(path), f'record {at} (video {video}, track {number})']
        for at, video, number in ((1, 2, 2), (2, 9, 2), (4, 2, 1))]
    assert ['finite' in found[0], 'no such video' in found[1], 'is taken' in found[2]] == [True] * 3
    # The rest of a file that is cut off cannot be checked.
    path.write_text(json.dumps(records)[:-2])
    assert [*found[:2], True] == [*(cut := faults_of(path))[:2], 'cut off' in cut[2]]


def test_check_ends_after_many_faults(tmp_path):
    path = tmp_path / 'r.json'
    path.write_text(json.dumps([track_to_json(track(1), 3)] * (MAX_FAULTS + 9)))
    assert len(faults_of(path)) == MAX_FAULTS
