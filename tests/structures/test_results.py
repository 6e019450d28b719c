from __future__ import annotations

import json
import math

import numpy as np
import pytest

from vatrack.structures import AnnotationFile, Frame, Video, rle
from vatrack.structures.results import ResultError, TrackRecord, read_results, write_results

SIZE = (4, 6)
ANNOTATIONS = AnnotationFile('truth.json', {1: 'fish', 7: 'crab'}, [
    Video(video_id, f'v{video_id}', SIZE[1], SIZE[0], [Frame(t, t, f'{t}.png') for t in range(3)])
    for video_id in (2, 5)])


def mask(seed, size=SIZE):
    return rle.encode(np.random.default_rng(seed).random((1, *size)) < .5)[0]


def track(number=1, video_id=2, **changes):
    masks = {kind: [mask(number), None, mask(number + 50)] for kind in ('amodal', 'visible')}
    return TrackRecord(video_id, number, 7, .3 + .1 * number, masks, [.1, None, 1 / 3],
                       [(.5, -2., 9.25, 4.), None, (0., 0., 1.1, 1.)], **changes)


def only(kind, number=1):
    record = track(number)
    record.masks = {kind: record.masks[kind]}
    return record


@pytest.mark.parametrize('make', [
    lambda n: track(n, 5), lambda n: track(n, category_ids=[1, None, 7]),
    lambda n: only('amodal', n), lambda n: only('visible', n),
    lambda n: TrackRecord(2, n, 1, .5, {'amodal': [None] * 3})])
def test_round_trip_is_exact(tmp_path, make):
    tracks = [make(1), make(2)]
    path = tmp_path / 'deep' / 'results.json'
    assert write_results(path, iter(tracks)) == 2
    assert read_results(path, ANNOTATIONS) == tracks
    assert list(path.parent.iterdir()) == [path]


def test_one_record_per_line(tmp_path):
    write_results(tmp_path / 'r.json', [track(1), track(2)])
    lines = (tmp_path / 'r.json').read_text().splitlines()
    assert [lines[0], lines[-1]] == ['[', ']']
    assert json.loads(lines[1].rstrip(','))['track_id'] == 1
    assert len(lines) == 4


def test_no_tracks(tmp_path):
    assert write_results(tmp_path / 'r.json', []) == 0
    assert read_results(tmp_path / 'r.json', ANNOTATIONS) == []


def test_keys_of_a_record():
    record = track().to_json()
    assert record['mask_kind'] == 'amodal'
    assert record['segmentations'] == track().masks['amodal']
    assert record['visible_segmentations'] == track().masks['visible']
    assert record['bboxes'] == [[.5, -2., 8.75, 6.], None, [0., 0., 1.1, 1.]]
    assert 'category_ids' not in record
    visible = only('visible').to_json()
    assert visible['mask_kind'] == 'visible'
    assert not {'visible_segmentations', 'amodal_segmentations'} & set(visible)


def test_numpy_numbers_are_written(tmp_path):
    record = track()
    record.score, record.track_id = np.float32(.5), np.int64(3)
    record.scores = [np.float32(.25), None, None]
    record.bboxes = [tuple(np.float32([1, 2, 3, 4])), None, None]
    write_results(tmp_path / 'r.json', [record])
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
    assert read.masks['visible'][0] == mask(0)
    assert read.masks['amodal'][1] == mask(1)


def test_score_and_class_of_a_frame():
    record = track(category_ids=[1, None, 7])
    assert [record.frame_score(t) for t in range(3)] == [.1, record.score, 1 / 3]
    assert [record.frame_category(t) for t in range(3)] == [1, 7, 7]
    assert TrackRecord(2, 1, 7, .5, {}).frame_score(2) == .5


BROKEN = {
    'video': ({'video_id': 3}, 'truth.json has no such video'),
    'video type': ({'video_id': [2]}, 'no such video'),
    'category': ({'category_id': 2}, r'unknown category_id 2; truth.json has \[1, 7\]'),
    'category null': ({'category_id': None}, 'unknown category_id None'),
    'frame category': ({'category_ids': [1, 3, None]}, 'unknown category_id 3'),
    'length': ({'segmentations': [None] * 2}, '2 amodal masks for a video of 3 frames'),
    'other length': ({'visible_segmentations': [None] * 4}, '4 visible masks'),
    'scores length': ({'scores': [.5]}, '1 scores for a video of 3 frames'),
    'boxes length': ({'bboxes': []}, '0 bboxes for a video of 3 frames'),
    'size': ({'segmentations': [None, mask(0, (6, 4)), None]},
             r'frame 1: amodal mask has size \[6, 4\], the video \[4, 6\]'),
    'uncompressed': ({'segmentations': [{'size': [4, 6], 'counts': [24]}, None, None]},
                     'frame 0: amodal mask is no compressed RLE'),
    'nan': ({'score': math.nan}, 'score must be a finite number, got nan'),
    'infinite': ({'scores': [None, math.inf, None]}, 'score must be a finite number, got inf'),
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
    path.write_text(json.dumps([track(1).to_json(), track(2).to_json() | change]))
    with pytest.raises(ResultError, match=message) as error:
        read_results(path, ANNOTATIONS)
    video = change.get('video_id', 2)
    assert f'{path}: record 1 (video {video}' in str(error.value)


@pytest.mark.parametrize('key', ['video_id', 'category_id', 'score', 'segmentations'])
def test_missing_keys_are_named(tmp_path, key):
    record = track().to_json()
    del record[key]
    (tmp_path / 'r.json').write_text(json.dumps([record]))
    with pytest.raises(ResultError, match=rf"r\.json: record 0 .* lacks \['{key}'\]"):
        read_results(tmp_path / 'r.json', ANNOTATIONS)


@pytest.mark.parametrize(('content', 'message'), [
    (None, r'r\.json: cannot read this result file: No such file'),
    ('[{"video_id": 2, "cat', r'r\.json: not a complete JSON file'),
    ('', 'not a complete JSON file'),
    ('\x80\udc81', 'not a complete JSON file'),
    ('{"annotations": []}', 'must hold one JSON list of track records, got dict'),
    ('[3]', r'record 0 \(video None\) must be an object, got int')])
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
    (lambda: [track(1), track(1, 5)], ResultError, 'record 1: track_id 1 is taken'),
    (lambda: [track(0)], ResultError, 'integer >= 1, got 0'),
    (lambda: [TrackRecord(2, 1, 1, math.nan, {'amodal': []})], ResultError,
     r'record 0 \(video 2, track 1\) holds NaN')])
def test_failed_writing_leaves_the_old_file(tmp_path, tracks, error, message):
    path = tmp_path / 'r.json'
    write_results(path, [track(9)])
    with pytest.raises(error, match=message):
        write_results(path, tracks())
    assert [t.track_id for t in read_results(path, ANNOTATIONS)] == [9]
    assert list(tmp_path.iterdir()) == [path]
