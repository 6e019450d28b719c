from __future__ import annotations

import json

import pytest
from browse_data import CRAB, FISH, FRAMES, SCRIPT, H, W, make_results, mask

from vatrack.browse import Documents, Source
from vatrack.browse.documents import CHUNK
from vatrack.files import load_annotations, write_results
from vatrack.structures import TrackRecord
from vatrack.visualization import track_color


@pytest.fixture(scope='module')
def documents(source) -> Documents:
    return Documents(source, lambda video, frame, path: f'{video}/{frame}{path.suffix}')


def with_tracks(made, tmp_path, *tracks: TrackRecord) -> Documents:
    annotations = load_annotations(made / 'annotations.json')
    write_results(tmp_path / 'results.json', tracks, annotations)
    return Documents(Source(made / 'annotations.json', results=tmp_path / 'results.json'),
                     lambda *_: '')


def hex_color(rank: int) -> str:
    return '#' + bytes(track_color(rank)).hex()


def test_the_index_describes_dataset_and_videos(documents):
    index = documents.get('index')
    assert (index['classes'], index['hasTruth'], index['hasPrediction']) == (
        ['fish', SCRIPT], True, True)
    rows = [dict(zip(index['columns'], row, strict=True)) for row in index['videos']]
    assert rows[0] == {'id': 10, 'name': 'reef', 'frames': FRAMES, 'objects': 2, 'tracks': 3,
                       'labels': [0, 1], 'occlusion': 35}
    assert rows[2] == {'id': 12, 'name': 'empty', 'frames': FRAMES, 'objects': 0, 'tracks': 0,
                       'labels': [], 'occlusion': 0}
    json.dumps(index, allow_nan=False)


def test_the_summary_of_a_video(documents):
    summary = documents.get('video-0')
    assert (summary['width'], summary['height'], summary['frameIds']) == (W, H, [0, 2, 4, 6, 8])
    assert summary['comparedKind'] == 'amodal'
    truth, prediction = summary['layers']['truth'], summary['layers']['prediction']
    assert [(each['id'], each['label'], each['occlusion']) for each in truth] == [
        (7, 0, 50), (9, 1, 33)]
    assert truth[0]['spans'] == [[0, 5, 5]]
    assert truth[1]['spans'] == [[0, 2, 0], [2, 3, 10], [3, 5, 0]]
    assert [each['color'] for each in (*truth, *prediction)] == [hex_color(k) for k in range(5)]
    assert [(each['id'], each['score'], each['spans']) for each in prediction] == [
        (4, .9, [[0, 5, 5]]), (5, .5, [[0, 5, 5]]), (6, .2, [[0, 5, 5]])]
    json.dumps(summary, allow_nan=False)


def test_the_tracks_have_errors_at_every_threshold(documents):
    levels = {level['from']: level for level in documents.get('video-0')['levels']}
    assert list(levels) == [0, .25, .55, .95]
    assert [pair[:2] for pair in levels[0]['pairs']] == [[0, 0], [2, 1]]
    assert [pair[:2] for pair in levels[.25]['pairs']] == [[0, 0]]
    assert levels[0]['errors']['missed'] == []
    assert levels[.25]['errors']['missed'] == [[1, 0, 5]]
    assert levels[.25]['errors']['unmatched'] == [[1, 0, 5]]
    assert levels[.55]['errors']['unmatched'] == []


def test_pictures_have_addresses_unless_they_are_missing(documents):
    assert documents.get('video-0')['images'] == ['0/0.png', '0/1.png', '0/2.png', None, '0/4.png']
    assert documents.get('video-2')['images'][0] == '2/0.bmp'


def test_the_objects_of_a_frame(documents):
    frames = documents.get('frames-0-0')
    assert len(frames) == FRAMES
    truth, prediction = frames[2]['truth'], frames[2]['prediction']
    assert [(each['row'], each['occlusion'], each['areas']) for each in truth] == [
        (0, 50, {'amodal': 320, 'visible': 160}), (1, 100, {'amodal': 320, 'visible': 0})]
    assert truth[0]['boxes'] == {'amodal': [4, 4, 24, 20], 'visible': [4, 4, 14, 20]}
    assert truth[1]['paths']['shown'] == ''
    assert [(each['row'], each['score'], each['label']) for each in prediction] == [
        (0, .9, 0), (1, .5, 0), (2, .2, 1)]
    assert prediction[0]['ious'] == [[0, {'amodal': 1., 'visible': 1.}]]
    assert prediction[1]['ious'] == []
    json.dumps(frames, allow_nan=False)


def test_long_videos_come_in_chunks(tmp_path):
    length = 2 * CHUNK + 1
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({
        'categories': [{'id': FISH, 'name': 'fish'}],
        'videos': [{'id': 1, 'name': 'v', 'width': W, 'height': H}],
        'images': [{'id': t, 'video_id': 1, 'frame_id': t, 'file_name': f'{t}.png'}
                   for t in range(length)],
        'annotations': [{'id': t, 'image_id': t, 'category_id': FISH, 'instance_id': 1,
                         'visible_mask': mask(t % 30, 3)} for t in range(length)]}))
    documents = Documents(Source(path), lambda *_: '')
    assert [len(documents.get(f'frames-0-{chunk}')) for chunk in range(3)] == [CHUNK, CHUNK, 1]
    assert documents.get('frames-0-2')[0]['truth'][0]['boxes'] == {'visible': [16, 3, 36, 19]}
    assert documents.get('video-0')['images'] == [None] * length
    assert documents.get('video-0')['levels'] == []


@pytest.mark.parametrize('name', [
    'video-3', 'frames-3-0', 'frames-0-1', 'video', 'video-x', 'index-1', '', 'video--1',
    '../index'])
def test_there_are_no_other_documents(documents, name):
    with pytest.raises(KeyError):
        documents.get(name)


def test_a_video_without_predictions_has_missed_truth(documents):
    level, = documents.get('video-1')['levels']
    assert level['errors']['missed'] == [[0, 0, 5], [1, 0, 5]]
    assert documents.get('video-2')['levels'] == []


def test_boxes_and_classes_of_the_frame_are_those_of_the_track(made, tmp_path):
    boxes = TrackRecord(10, 1, FISH, .7, [1, 3], {}, scores=[None, .4],
                        bboxes=[(1, 2, 30, 20), (2, 2, 31, 20)], category_ids=[CRAB, None])
    documents = with_tracks(made, tmp_path, boxes)
    frames = [frame['prediction'] for frame in documents.get('frames-0-0')]
    assert [[(each['score'], each['label'], each['boxes']) for each in objects]
            for objects in frames] == [
        [], [(.7, 1, {'amodal': [1, 2, 30, 20]})], [], [(.4, 0, {'amodal': [2, 2, 31, 20]})], []]
    summary = documents.get('video-0')
    assert summary['layers']['prediction'][0]['spans'] == [[1, 2, -1], [3, 4, -1]]
    assert (summary['comparedKind'], summary['levels']) == (None, [])


def test_visible_masks_alone_are_compared_with_visible_ones(made, tmp_path):
    visible = TrackRecord(10, 1, FISH, .7, [0, 1], {'visible': [mask(4, 4, 10), None]},
                          bboxes=[(4, 4, 14, 20), (4, 4, 14, 20)])
    documents = with_tracks(made, tmp_path, visible)
    assert documents.get('video-0')['comparedKind'] == 'visible'
    found = [frame['prediction'] for frame in documents.get('frames-0-0')]
    assert [list(each['boxes']) for objects in found for each in objects] == [['visible']] * 2
    assert found[0][0]['ious'] == [[0, {'visible': 1.}]]


def test_an_export_has_no_thresholds_below_its_own(source, made, tmp_path):
    make_results(tmp_path / 'results.json', load_annotations(made / 'annotations.json'))
    documents = Documents(source, lambda *_: '', .4, only_from=.4)
    assert documents.get('index')['thresholds'][0] == .4
    assert [each['id'] for each in documents.get('video-0')['layers']['prediction']] == [4, 5]
