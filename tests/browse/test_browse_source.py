from __future__ import annotations

import json
import shutil

import pytest
from browse_data import FRAMES, make_results

from vatrack.browse import Source
from vatrack.browse.source import thinned
from vatrack.files import AnnotationError, ResultError, load_annotations, read_results, result_index
from vatrack.structures import TrackRecord


def test_videos_are_those_of_the_annotation_file(source, made, tiny_data):
    for ann_file in (made / 'annotations.json', tiny_data / 'val.json'):
        browsed = Source(ann_file)
        expected = load_annotations(ann_file).videos
        assert [browsed.video(number) for number in range(len(expected))] == expected


def test_the_published_sample_is_read_alike(sailvos_sample):
    assert Source(sailvos_sample).video(0) == load_annotations(sailvos_sample).videos[0]


def test_tracks_are_those_of_the_result_file(source, made):
    annotations = load_annotations(made / 'annotations.json')
    assert source.tracks(0) == read_results(made / 'results.json', annotations)
    assert source.tracks(1) == []
    assert source.results.scores.tolist() == [.9, .5, .2]
    assert source.results.mask_kinds == ('amodal', 'visible')


def test_a_result_file_is_read_once(made, tmp_path, monkeypatch):
    results = shutil.copy(made / 'results.json', tmp_path)
    first = Source(made / 'annotations.json', results=results).tracks(0)
    monkeypatch.setattr(result_index, 'iter_results', None)
    assert Source(made / 'annotations.json', results=results).tracks(0) == first


def test_a_result_file_that_changed_is_read_anew(made, tmp_path):
    results = shutil.copy(made / 'results.json', tmp_path)
    assert len(Source(made / 'annotations.json', results=results).tracks(0)) == 3
    (tmp_path / 'results.json').write_text('[]')
    empty = Source(made / 'annotations.json', results=results)
    assert empty.tracks(0) == []
    assert empty.results.mask_kinds == ('amodal', 'visible')


def test_results_of_other_videos_are_refused(made, tiny_data):
    with pytest.raises(ResultError, match='no such video'):
        Source(tiny_data / 'val.json', results=made / 'results.json')
    with pytest.raises(ResultError, match=r'none\.json: cannot read'):
        Source(tiny_data / 'val.json', results=made / 'none.json')


def test_some_videos_and_every_other_frame(made):
    chosen = Source(made / 'annotations.json', made, made / 'results.json',
                    videos=['reef', 'empty'], every=2)
    assert [chosen.video(number).name for number in range(len(chosen.positions))] == [
        'reef', 'empty']
    assert [frame.frame_id for frame in chosen.video(0).frames] == [0, 4, 8]
    assert [track.frames for track in chosen.tracks(0)] == [[0, 1, 2]] * 3
    assert len(Source(made / 'annotations.json', max_videos=1).positions) == 1


def test_thinning_keeps_all_lists_together():
    track = TrackRecord(1, 2, 3, .5, [1, 2, 4], {'amodal': ['a', 'b', 'c']}, scores=[.1, .2, .3],
                        bboxes=[(1,), (2,), (3,)], category_ids=[7, 8, 9])
    assert thinned(track, 2) == TrackRecord(
        1, 2, 3, .5, [1, 2], {'amodal': ['b', 'c']}, scores=[.2, .3], bboxes=[(2,), (3,)],
        category_ids=[8, 9])
    assert thinned(track, 1) is track


@pytest.mark.parametrize('options, message', [
    ({'videos': ['nope']}, 'no video named'), ({'max_videos': 0}, 'no video to draw'),
    ({'every': 0}, 'at least 1'), ({'image_root': 'nowhere'}, 'nowhere: no such folder')])
def test_wrong_requests(made, options, message):
    with pytest.raises((ValueError, OSError), match=message):
        Source(made / 'annotations.json', **options)


@pytest.mark.parametrize('name', ['../secret.png', '/etc/secret.png', 'v0/../../secret.png'])
def test_pictures_outside_of_the_folder_are_refused(made, tmp_path, name):
    (made.parent / 'secret.png').write_bytes(b'secret')
    content = json.loads((made / 'annotations.json').read_text())
    content['images'][0]['file_name'] = name
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match='outside of the image folder'):
        Source(tmp_path / 'a.json', made).image_path(0, 0)


def test_pictures_are_found_and_missing_ones_named(source, made):
    assert source.image_path(2, 4) == made / 'v2/4.bmp'
    assert Source(made / 'annotations.json', made, every=2).image_path(0, 2) == made / 'v0/4.png'
    with pytest.raises(AnnotationError, match=r'reef.*3\.png'):
        source.image_path(0, 3)
    with pytest.raises(AnnotationError, match='no image folder was given'):
        Source(made / 'annotations.json').image_path(0, 0)
    for number, position in ((0, 5), (3, 0)):
        with pytest.raises(KeyError):
            source.image_path(number, position)


def test_tracks_of_boxes_alone(made, tmp_path):
    record = {'video_id': 10, 'category_id': 3, 'score': .8,
              'bboxes': [[1, 2, 3, 4], *[None] * (FRAMES - 1)]}
    (tmp_path / 'boxes.json').write_text(json.dumps([record]))
    boxes = Source(made / 'annotations.json', results=tmp_path / 'boxes.json')
    assert boxes.results.mask_kinds == ()
    assert boxes.tracks(0)[0].bboxes == [[1, 2, 4, 6]]


def test_an_index_serves_its_own_annotations_only(made, tmp_path):
    """The same results, checked against videos of another length."""
    content = json.loads((made / 'annotations.json').read_text())
    content['images'] = [image for image in content['images'] if image['frame_id'] < 8]
    content['annotations'] = []
    (tmp_path / 'shorter.json').write_text(json.dumps(content))
    results = make_results(tmp_path / 'results.json', load_annotations(made / 'annotations.json'))
    assert len(Source(made / 'annotations.json', results=results).tracks(0)) == 3
    with pytest.raises(ResultError, match='a video of 4 frames'):
        Source(tmp_path / 'shorter.json', results=results)
