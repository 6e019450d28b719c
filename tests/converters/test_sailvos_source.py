from __future__ import annotations

import json

import pytest
from made_sailvos import HEIGHT, WIDTH, make_json, make_sailvos
from mmengine.config import Config
from scripts import REPO

from vatrack.converters import ConversionError
from vatrack.converters.sailvos.source import CLASSES, SourceFrame, read_source, stream_annotations
from vatrack.files import AnnotationError

VIDEOS = {'ah_1_ext': [4], 'bs_2a_ext': [2]}
LISTS = ('categories', 'models', 'videos', 'images', 'annotations')


def write(path, content) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def test_tables(tmp_path):
    source = read_source(write(tmp_path / 'train.json', make_json(VIDEOS)))
    assert source.categories == [{'id': 1, 'name': 'person', 'supercategory': 'person'},
                                 {'id': 2, 'name': 'stick', 'supercategory': 'thing'}]
    assert source.category_ids == {3: 1, 8: None, 40: 2}
    assert source.models == [{'id': 1, 'category_id': 2, 'name': 'branch'}]
    assert [(v.name, v.size, len(v.frames)) for v in source.videos] == [
        ('ah_1_ext', (WIDTH, HEIGHT), 4), ('bs_2a_ext', (WIDTH, HEIGHT), 2)]
    assert source.videos[1].frames[1] == SourceFrame(5, 1, 'bs_2a_ext/images/000004.bmp', '000004')


def test_all_classes(tmp_path):
    source = read_source(write(tmp_path / 'a.json', make_json(VIDEOS)), all_classes=True)
    assert [category['name'] for category in source.categories] == ['person', 'aquarium', 'stick']
    assert source.category_ids == {3: 1, 8: 2, 40: 3}
    assert [model['category_id'] for model in source.models] == [3, 2]


@pytest.mark.parametrize('order', [LISTS, LISTS[::-1], ('videos', 'annotations', 'models', 'images',
                                                       'categories')])
def test_order_of_the_lists_is_free(order, tmp_path):
    content = make_json(VIDEOS)
    expected = read_source(write(tmp_path / 'a.json', content))
    found = read_source(write(tmp_path / 'b.json', {key: content[key] for key in order}))
    assert found.videos == expected.videos and found.models == expected.models
    assert [entry for _, entry in stream_annotations(tmp_path / 'b.json')] == (
        content['annotations'])


def test_reading_stops_at_the_annotations(tmp_path):
    whole = json.dumps(make_json(VIDEOS))
    path = tmp_path / 'a.json'
    path.write_text(whole[:-3])
    assert len(read_source(path).videos) == 2
    with pytest.raises(AnnotationError, match=r'a\.json: not valid JSON .* cut off'):
        list(stream_annotations(path))


def test_models_may_be_absent_and_videos_named_otherwise(tmp_path):
    content = make_json(VIDEOS)
    del content['models']
    content['videos'] = [{'id': 0, 'name': 'bs_2a_ext'}, {'id': 1, 'name': 'of_the_other_split'},
                         {'id': 2, 'name': 'ah_1_ext'}]
    source = read_source(write(tmp_path / 'a.json', content))
    assert not source.models
    assert [video.name for video in source.videos] == ['bs_2a_ext', 'ah_1_ext']


def test_frames_are_put_in_order_of_time(tmp_path):
    content = make_json(VIDEOS)
    content['images'].reverse()
    source = read_source(write(tmp_path / 'a.json', content))
    assert [frame.frame_id for frame in source.videos[0].frames] == [0, 1, 2, 3]
    assert [video.name for video in source.videos] == list(VIDEOS)


def test_classes_are_those_of_the_config():
    config = Config.fromfile(REPO / 'configs/_base_/datasets/sailvos-cut.py')
    assert config.train_dataloader.dataset.metainfo.classes == CLASSES


FAULTS = {
    'no list': (lambda c: c.pop('images'), r"has no list \['images'\]"),
    'id': (lambda c: c['images'][2].update(id='2'), r"images\[2\] \(id 2\): 'id' must be an int"),
    'no name': (lambda c: c['videos'][1].pop('vid_name'), r"videos\[1\] .*has no key 'name'"),
    'no object': (lambda c: c['categories'].append(3), r'categories\[3\]: must be an object'),
    'flat name': (lambda c: c['images'][1].update(file_name='000004.bmp'),
                  r"images\[1\] .*'file_name' must be <video>/images/<frame>.bmp, got '0+4.bmp'"),
    'two images': (lambda c: c['images'][1].update(id=0), 'two images have the same id'),
    'two frames': (lambda c: c['images'][1].update(frame_id=0),
                   "video 'ah_1_ext': two frames have the same frame_id"),
    'two files': (lambda c: c['images'][1].update(file_name='ah_1_ext/images/000003.png'),
                  "video 'ah_1_ext': two frames have the same base_name"),
    'two categories': (lambda c: c['categories'][1].update(id=3), 'two categories'),
    'one name': (lambda c: [each.update(name='person') for each in c['categories'][:2]],
                 'two categories have the same name'),
    'size': (lambda c: c['images'][5].update(width=7),
             r"'bs_2a_ext', frame .*000004.bmp': has \(width, height\) \(7, 32\), but its video"),
    'folder': (lambda c: c['videos'].pop(), "has frames of 'bs_2a_ext', but 'videos' does not"),
    'classes': (lambda c: c.update(categories=[{'id': 1, 'name': 'fish'}]),
                r"none of its categories \['fish'\] .*--all-classes"),
}


@pytest.mark.parametrize('name', FAULTS)
def test_faults_are_named(name, tmp_path):
    spoil, message = FAULTS[name]
    content = json.loads(json.dumps(make_json(VIDEOS)))
    spoil(content)
    with pytest.raises(ConversionError, match=rf'a\.json: .*{message}'):
        read_source(write(tmp_path / 'a.json', content))


def test_a_missing_file(tmp_path):
    with pytest.raises(AnnotationError, match=r'nowhere\.json: no such annotation file'):
        read_source(tmp_path / 'nowhere.json')


def test_made_data_is_complete(tmp_path):
    made = make_sailvos(tmp_path, {'train': {'ah_1_ext': [3, 2]}})
    assert len(list((tmp_path / 'ah_1_ext/images').iterdir())) == 3 + 5 + 6
    assert len(made.json['train']['annotations']) == 20
