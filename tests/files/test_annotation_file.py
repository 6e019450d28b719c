from __future__ import annotations

import copy
import gc
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vatrack.files import AnnotationError, class_names, load_annotations, resolve_image
from vatrack.structures import Instance
from vatrack.structures import rle as rle_ops

HEIGHT, WIDTH = 4, 8


def mask(x1: int, y1: int, x2: int, y2: int) -> dict:
    pixels = np.zeros((1, HEIGHT, WIDTH), bool)
    pixels[0, y1:y2, x1:x2] = True
    return rle_ops.encode(pixels)[0]


AMODAL, VISIBLE, EMPTY = mask(1, 1, 5, 3), mask(1, 1, 3, 3), mask(0, 0, 0, 0)
AMODAL_XYWH, VISIBLE_XYWH = [1.0, 1.0, 4.0, 2.0], [1.0, 1.0, 2.0, 2.0]
BOXES = {'amodal': (1, 1, 5, 3), 'visible': (1, 1, 3, 3)}


def entry(**changes) -> dict:
    """An entry with both masks; a change to None removes the key."""
    base = dict(id=0, image_id=10, category_id=3, instance_id=0, bbox=AMODAL_XYWH,
                bbox_visible=VISIBLE_XYWH, amodal_mask=AMODAL, visible_mask=VISIBLE,
                occlude_rate=0.5, iscrowd=0)
    return {key: value for key, value in (base | changes).items() if value is not None}


def tiny(*entries: dict) -> dict:
    return copy.deepcopy(dict(
        categories=[dict(id=3, name='fish')],
        videos=[dict(id=0, name='toy', width=WIDTH, height=HEIGHT)],
        images=[dict(id=11, video_id=0, file_name='toy/b.png', frame_id=1),
                dict(id=10, video_id=0, file_name='toy/a.bmp', frame_id=0, width=WIDTH,
                     height=HEIGHT)],
        annotations=list(entries)))


def load(tmp_path: Path, raw: dict):
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(raw))
    return load_annotations(path)


def only_instance(tmp_path: Path, **changes) -> Instance:
    frame = load(tmp_path, tiny(entry(**changes))).videos[0].frames[0]
    return frame.instances[0]


@pytest.fixture(scope='module')
def sample(sailvos_sample) -> dict:
    return json.loads(sailvos_sample.read_text())


def instances_of(annotations) -> list[Instance]:
    return [instance for _, frame in annotations.frames for instance in frame.instances]


def test_published_joint_file_loads_unchanged(sample, sailvos_sample):
    annotations = load_annotations(sailvos_sample)
    instances = instances_of(annotations)
    assert annotations.path == str(sailvos_sample)
    assert (len(annotations.videos), len(list(annotations.frames)), len(instances)) == (1, 53, 163)
    assert len({instance.instance_id for instance in instances}) == 4
    assert list(annotations.categories)[:2] == [1, 2] and annotations.categories[24] == 'stick'
    for raw, instance in zip(sample['annotations'], instances, strict=True):
        assert instance.masks == {'amodal': raw['amodal_mask'], 'visible': raw['visible_mask']}
        assert instance.occlusion == raw['occlude_rate']
        x, y, w, h = raw['bbox']
        assert instance.bboxes['amodal'] == (x, y, x + w, y + h)
        x, y, w, h = raw['bbox_visible']
        assert instance.bboxes['visible'] == (x, y, x + w, y + h)


def both_bbox(raw: dict) -> dict:
    boxes = [raw['bbox'], raw['bbox_visible']]
    return raw | {'bbox': boxes, 'bbox_amodal': raw['bbox']}


def visb_bbox(raw: dict) -> dict:
    return raw | {'bbox': raw['bbox_visible'], 'bbox_amodal': raw['bbox']}


def amodal_only(raw: dict) -> dict:
    new = raw | {'segmentation': raw['amodal_mask'], 'area': raw['area_amodal']}
    del new['amodal_mask'], new['area_amodal']
    return new


def visible_only(raw: dict) -> dict:
    return raw | {'segmentation': raw['visible_mask'], 'area': raw['area_visible'],
                  'bbox': raw['bbox_visible'], 'bbox_amodal': raw['bbox']}


def older_amodal(raw: dict) -> dict:
    new = amodal_only(raw)
    new['segm_visible'] = new.pop('visible_mask')
    return new


def without(*keys: str):
    return lambda raw: {key: value for key, value in raw.items() if key not in keys}


VARIANTS = {
    'both_bbox': [both_bbox],
    'visb_bbox': [visb_bbox],
    'amodal': [amodal_only],
    'visible': [visible_only],
    'older amodal': [older_amodal],
    'masks by segmentation only': [without('amodal_mask', 'visible_mask')],
    'amdl_bbox without bbox_visible': [without('bbox_visible')],
    'both_bbox without named boxes': [both_bbox, without('bbox_visible', 'bbox_amodal')],
    'visb_bbox without bbox_amodal': [visb_bbox, without('bbox_amodal')],
    'visb_bbox without named boxes': [visb_bbox, without('bbox_visible', 'bbox_amodal')],
    'visible without named boxes': [visible_only, without('bbox_visible', 'bbox_amodal')],
    'no boxes': [without('bbox', 'bbox_visible')],
}


@pytest.mark.parametrize('name', VARIANTS)
def test_variants_give_identical_instances(name, sample, sailvos_sample, tmp_path):
    entries = sample['annotations']
    for change in VARIANTS[name]:
        entries = [change(raw) for raw in entries]
    changed = load(tmp_path, sample | {'annotations': entries})
    assert instances_of(changed) == instances_of(load_annotations(sailvos_sample))


def test_occlusion_is_computed_from_areas_where_missing(sample, tmp_path):
    entries = [without('occlude_rate')(raw) for raw in sample['annotations']]
    rates = [i.occlusion for i in instances_of(load(tmp_path, sample | {'annotations': entries}))]
    assert rates == pytest.approx([raw['occlude_rate'] for raw in sample['annotations']], abs=1e-12)


def test_canonical_form(tmp_path):
    annotations = load(tmp_path, tiny(entry()))
    video = annotations.videos[0]
    assert annotations.categories == {3: 'fish'}
    assert (video.id, video.name, video.width, video.height) == (0, 'toy', WIDTH, HEIGHT)
    instance = video.frames[0].instances[0]
    assert instance == Instance(0, 0, 3, {'amodal': AMODAL, 'visible': VISIBLE}, BOXES, 0.5, False)


def test_frames_are_sorted_by_frame_id_and_keep_their_names(tmp_path):
    frames = load(tmp_path, tiny()).videos[0].frames
    assert [(f.frame_id, f.id, f.file_name) for f in frames] == [(0, 10, 'toy/a.bmp'),
                                                                 (1, 11, 'toy/b.png')]
    assert [f.instances for f in frames] == [[], []]


def test_fully_hidden_object_keeps_an_empty_visible_mask_and_has_no_visible_box(tmp_path):
    for box in (None, VISIBLE_XYWH, [0, 0, 0, 0]):
        instance = only_instance(tmp_path, visible_mask=EMPTY, bbox_visible=box, occlude_rate=None)
        assert instance.masks == {'amodal': AMODAL, 'visible': EMPTY}
        assert instance.bboxes == {'amodal': BOXES['amodal']}
        assert instance.occlusion == 1


def test_unusual_encoding_of_an_empty_mask_is_recognised(tmp_path):
    padded = {'size': [HEIGHT, WIDTH], 'counts': [HEIGHT * WIDTH, 0]}
    instance = only_instance(tmp_path, visible_mask=padded, bbox_visible=[0, 0, 0, 0])
    assert 'visible' in instance.masks and 'visible' not in instance.bboxes


@pytest.mark.parametrize('kind, missing', [('amodal', 'visible'), ('visible', 'amodal')])
def test_absent_kind_stays_absent(kind, missing, tmp_path):
    instance = only_instance(tmp_path, **{f'{missing}_mask': None}, bbox_visible=None, bbox=None,
                             occlude_rate=None)
    assert list(instance.masks) == [kind]
    assert instance.bboxes == {kind: BOXES[kind]}
    assert instance.occlusion is None


def test_null_is_absent(tmp_path):
    raw = tiny(entry() | {'visible_mask': None, 'bbox_visible': None, 'occlude_rate': None})
    instance = instances_of(load(tmp_path, raw))[0]
    assert list(instance.masks) == ['amodal'] and list(instance.bboxes) == ['amodal']


def test_lone_segmentation_is_visible(tmp_path):
    instance = only_instance(tmp_path, amodal_mask=None, visible_mask=None, segmentation=VISIBLE,
                             bbox=VISIBLE_XYWH, bbox_visible=None)
    assert instance.masks == {'visible': VISIBLE}
    assert instance.bboxes == {'visible': BOXES['visible']}


def test_uncompressed_rle_is_compressed(tmp_path):
    runs = {'size': [HEIGHT, WIDTH], 'counts': [5, 2, 2, 2, 2, 2, 2, 2, 13]}
    assert only_instance(tmp_path, amodal_mask=runs).masks['amodal'] == AMODAL


@pytest.mark.parametrize('stated, read', [(0, 0.0), (1, 1.0), (-1e-9, 0.0), (1 + 1e-9, 1.0)])
def test_occlusion_is_clipped(stated, read, tmp_path):
    assert only_instance(tmp_path, occlude_rate=stated).occlusion == read


@pytest.mark.parametrize('value', [0, 1, True, False, None])
def test_iscrowd(value, tmp_path):
    assert only_instance(tmp_path, iscrowd=value).iscrowd is bool(value)


def test_instances_use_slots_and_share_nothing(tmp_path):
    twin = entry(id=1, instance_id=1)
    first, second = load(tmp_path, tiny(entry(), twin)).videos[0].frames[0].instances
    assert not hasattr(first, '__dict__')
    first.masks['amodal']['size'][0] = 99
    first.bboxes.clear()
    assert second.masks['amodal'] == AMODAL and second.bboxes == BOXES


def test_garbage_collector_is_left_as_it_was(tmp_path):
    load(tmp_path, tiny(entry()))
    assert gc.isenabled()
    with pytest.raises(AnnotationError):
        load(tmp_path, tiny(entry(bbox='x')))
    assert gc.isenabled()


def change(name: str, index: int, /, **values):
    """A fault: values of one entry, where None removes the key."""
    def apply(raw: dict) -> None:
        for key, value in values.items():
            if value is None:
                del raw[name][index][key]
            else:
                raw[name][index][key] = value
    return apply


def append(name: str, item) -> object:
    return lambda raw: raw[name].append(copy.deepcopy(item))


NAN = float('nan')
GAP = coco_mask.frPyObjects({'size': [HEIGHT, WIDTH], 'counts': [5, 2, 0, 25]}, HEIGHT,
                            WIDTH)['counts'].decode()
NEGATIVE = 'b0Kc0'  # runs of 18, -5 and 19 pixels, 32 in all
OF_LARGER_IMAGE = rle_ops.encode(np.ones((1, 20, 20), bool))[0]['counts']
WRONG_SIZE = {'size': [WIDTH, HEIGHT], 'counts': AMODAL['counts']}
FAULTS = [
    # fault, entry named, parts of the message
    (append('videos', 7), 'videos[1]:', ['must be an object, got a int']),
    (change('categories', 0, id=None), 'categories[0]:', ["no key 'id'", 'add it']),
    (change('categories', 0, name=5), 'categories[0] (id 3):', ["'name' must be a non-empty str"]),
    (append('categories', {'id': 3, 'name': 'x'}), 'categories[1] (id 3):', ['occurs twice']),
    (lambda raw: raw['categories'].append(raw['categories'][0] | {'id': 99}),
     'categories[1] (id 99):', ["'name' '", 'occurs twice', 'rename']),
    (change('videos', 0, width=None), 'videos[0] (id 0):', ["no key 'width'"]),
    (change('videos', 0, height=0), 'videos[0] (id 0):', ["'height' must be at least 1, got 0"]),
    (change('videos', 0, width=8.0), 'videos[0] (id 0):', ["'width' must be an integer, got 8.0"]),
    (change('videos', 0, width=10**5, height=10**5), 'videos[0] (id 0):', ['more than 2**31']),
    (change('videos', 0, id=[0]), 'videos[0] (id [0]):', ["'id' must be an integer, got [0]"]),
    (change('videos', 0, name='a\ud800'), 'videos[0] (id 0):', ['half a character', 'a\\ud800']),
    (change('images', 1, file_name='a\0b'), 'images[1] (id 10):', ['the character 0']),
    (append('videos', dict(id=0, name='y', width=8, height=4)), 'videos[1] (id 0):',
     ["'id' 0 occurs twice"]),
    (append('videos', dict(id=5, name='y', width=8, height=4)), 'videos[1] (id 5):',
     ['has no frame', 'remove the video']),
    (change('images', 1, file_name=''), 'images[1] (id 10):', ["'file_name' must be a non-empty"]),
    (change('images', 1, frame_id=True), 'images[1] (id 10):', ["'frame_id' must be an integer"]),
    (change('images', 1, frame_id=-1), 'images[1] (id 10):', ["'frame_id' must be at least 0"]),
    (change('images', 1, frame_id=1), 'images[1] (id 10):', ["'frame_id' 1 occurs twice"]),
    (change('images', 1, video_id=4), 'images[1] (id 10):', ["'video_id' 4 is unknown", 'videos']),
    (change('images', 1, id=11), 'images[1] (id 11):', ["'id' 11 occurs twice"]),
    (change('images', 1, width=9), 'images[1] (id 10):', ["'width' is 9, but 8 in its video"]),
    (append('annotations', entry(instance_id=1)), 'annotations[1] (id 0):', ["'id' 0 occurs"]),
    (append('annotations', entry(id=1)), 'annotations[1] (id 1):',
     ["'instance_id' 0 occurs twice in image 10", '(id 0)', 'remove one']),
]
FAULTS += [(change('annotations', 0, **values), 'annotations[0] (id 0):', parts)
           for values, parts in [
    (dict(image_id=None), ["no key 'image_id'"]),
    (dict(image_id=99), ["'image_id' 99 is unknown", "'images'"]),
    (dict(category_id=1), ["'category_id' 1 is unknown", "'categories'"]),
    (dict(instance_id='0'), ["'instance_id' must be an integer, got '0'"]),
    (dict(video_id=3), ["'video_id' is 3, but image 10 belongs to video 0"]),
    (dict(iscrowd=2), ["'iscrowd' must be 0 or 1, got 2"]),
    (dict(amodal_mask=None, visible_mask=None), ['none of', "'segmentation'"]),
    (dict(amodal_mask=WRONG_SIZE), ["'amodal_mask' has size [8, 4], but the image is [4, 8]"]),
    (dict(amodal_mask={'size': [4, 8]}), ["'amodal_mask' must be an RLE"]),
    (dict(visible_mask={}), ["'visible_mask' must be an RLE"]),
    (dict(visible_mask=[[1, 1, 5, 1, 5, 3]]), ["'visible_mask' holds polygons", 'frPyObjects']),
    (dict(amodal_mask=None, visible_mask=None, segmentation=[[1, 1, 5, 1, 5, 3]]),
     ["'segmentation' holds polygons"]),
    (dict(amodal_mask=None, visible_mask=None, segmentation=[[1, 1, 5, 1], [2, 2, 3, 3]]),
     ["'segmentation' holds polygons"]),
    (dict(amodal_mask={'size': [4, 8], 'counts': ''}), ["'amodal_mask' has counts ''"]),
    (dict(amodal_mask={'size': [4, 8], 'counts': 'é0'}), ["'amodal_mask' has counts"]),
    (dict(amodal_mask={'size': [4, 8], 'counts': '522P'}),
     ["'amodal_mask': counts is not a COCO RLE"]),
    (dict(amodal_mask={'size': [4, 8], 'counts': [5, 2]}), ['do not add up to 4 x 8 pixels']),
    (dict(amodal_mask={'size': [4, 8], 'counts': [33, -1]}), ['do not add up to 4 x 8 pixels']),
    (dict(amodal_mask={'size': [4, 8], 'counts': OF_LARGER_IMAGE}),
     ["'amodal_mask': counts describes 400 pixels", '4 x 8']),
    (dict(visible_mask={'size': [4, 8], 'counts': AMODAL['counts'][:-1]}),
     ["'visible_mask': counts describes"]),
    (dict(visible_mask={'size': [4, 8], 'counts': AMODAL['counts'] * 2}),
     ["'visible_mask': counts describes"]),
    (dict(amodal_mask={'size': [4, 8], 'counts': NEGATIVE}), ['shortest run -5']),
    (dict(visible_mask={'size': [4, 8], 'counts': GAP}), ["'visible_mask': counts holds a run of "
                                                          'no pixel']),
    (dict(amodal_mask={'size': [4, 8], 'counts': 'PPPPPPPP0'}), ['a run above 2**32 pixels']),
    (dict(amodal_mask={'size': [4., 8], 'counts': AMODAL['counts']}), ['size [4.0, 8]']),
    (dict(amodal_mask={'size': 4, 'counts': AMODAL['counts']}), ['size 4, but the image']),
    (dict(amodal_mask=EMPTY), ["'amodal_mask' has no pixel", 'remove the entry']),
    (dict(amodal_mask=None, visible_mask=EMPTY), ["'visible_mask' has no pixel"]),
    (dict(bbox=[1, 1, 4]), ["'bbox' must be four finite numbers", 'remove it']),
    (dict(bbox={'x': 1}), ["'bbox' must be four finite numbers"]),
    (dict(bbox=[1, 1, NAN, 2]), ["'bbox' must be four finite numbers", 'nan']),
    (dict(bbox=[1, 1, 0, 2]), ["'bbox' must have a positive width and height"]),
    (dict(bbox=[AMODAL_XYWH, [1, 1]], bbox_visible=None), ["'bbox' must be four finite numbers"]),
    (dict(bbox_visible=[1, 1, 0, 0]), ["'bbox_visible' must have a positive width"]),
    (dict(bbox_visible=[True, 1, 2, 3]), ["'bbox_visible' must be four finite"]),
    (dict(bbox=[2**63 - 1, 1, 2, 2]), ["'bbox' must have a positive width", 'within 2**53']),
    (dict(bbox=[1e15, 1, 1e-9, 2]), ["'bbox' must have a positive width"]),
    (dict(bbox_amodal=[1, 1, -4, 2]), ["'bbox_amodal' must have a positive width"]),
    (dict(occlude_rate=NAN), ["'occlude_rate' must be a number in [0, 1], got nan"]),
    (dict(occlude_rate=1.2), ["'occlude_rate' must be a number in [0, 1], got 1.2"]),
    (dict(occlude_rate='0.5'), ["'occlude_rate' must be a number"]),
    (dict(occlude_rate=10**400), ["'occlude_rate' must be a number"]),
    (dict(bbox=[10**400, 1, 2, 2]), ["'bbox' must be four finite numbers"]),
]]


@pytest.mark.parametrize('fault, where, parts', FAULTS)
def test_wrong_entries_are_named_with_remedy(fault, where, parts, tmp_path):
    raw = tiny(entry())
    fault(raw)
    with pytest.raises(AnnotationError) as caught:
        load(tmp_path, raw)
    message = str(caught.value)
    assert message.startswith(f'{tmp_path / "annotations.json"}: {where}')
    for part in parts:
        assert part in message


def test_class_names_need_the_head_of_a_file_only(tmp_path):
    path = tmp_path / 'a.json'
    head = '{"categories": [{"id": 9, "name": "fish"}, {"id": 2, "name": "crab"}], "videos": '
    path.write_text(head + '[{}, ')  # cut off
    assert class_names(path) == ('fish', 'crab')
    path.write_text('{"videos": [], "categories": [{"id": 1, "name": "x"}]}')
    assert class_names(path) == ('x',)
    twice = head.replace('9', '2') + '[]}'
    for text, message in ((twice, r"categories\[1\] \(id 2\): 'id' 2 occurs twice"),
                          ('{"videos": []}', "has no 'categories'"),
                          ('{"categories": []}', "has no 'categories'")):
        path.write_text(text)
        with pytest.raises(AnnotationError, match=rf'a\.json: {message}'):
            class_names(path)


@pytest.mark.parametrize('key', ['categories', 'videos', 'images', 'annotations'])
def test_missing_and_mistyped_top_level_keys(key, tmp_path):
    raw = tiny(entry())
    with pytest.raises(AnnotationError, match=f"annotations.json: the top-level key '{key}' must"):
        load(tmp_path, raw | {key: {}})
    del raw[key]
    with pytest.raises(AnnotationError, match=f"'{key}' is missing; .*convert"):
        load(tmp_path, raw)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(AnnotationError, match=r'gone\.json: no such annotation file'):
        load_annotations(tmp_path / 'gone.json')
    with pytest.raises(AnnotationError, match='cannot be read'):
        load_annotations(tmp_path)
    packed = tmp_path / 'packed.json'
    packed.write_bytes(b'\x1f\x8b\x08\xff\xfe')
    with pytest.raises(AnnotationError, match=r'packed\.json: not UTF-8 text at byte 1'):
        load_annotations(packed)
    packed.write_text('[1, 2]')
    with pytest.raises(AnnotationError, match='top level must be an object'):
        load_annotations(packed)


def test_truncated_json_tells_the_position(tmp_path):
    path = tmp_path / 'cut.json'
    path.write_text(json.dumps(tiny(entry()), indent=1)[:200])
    with pytest.raises(AnnotationError, match=r'not valid JSON at line \d+, column \d+ \(character '
                                              r'\d+ of 200\).*copy, download or convert it again'):
        load_annotations(path)


@pytest.mark.parametrize('stored', ['f.png', 'f.bmp', 'f.jpg'])
@pytest.mark.parametrize('named', ['f.png', 'f.bmp', 'f.jpg', 'f.tif'])
def test_resolve_image_accepts_any_suffix(stored, named, tmp_path):
    (tmp_path / 'v').mkdir()
    (tmp_path / 'v' / stored).touch()
    assert resolve_image(tmp_path, f'v/{named}') == tmp_path / 'v' / stored


def test_resolve_image_prefers_the_name_given(tmp_path):
    for suffix in ('png', 'bmp', 'jpg'):
        (tmp_path / f'f.{suffix}').touch()
    assert resolve_image(tmp_path, 'f.bmp').name == 'f.bmp'


@pytest.mark.parametrize('name', ['/', '.', '..'])
def test_names_of_folders_are_no_frames(name, tmp_path):
    with pytest.raises(AnnotationError, match='no frame'):
        resolve_image(tmp_path, name)


def test_runs_of_no_pixel_in_a_list_are_joined(tmp_path):
    """pycocotools decodes such a mask, but compares and merges it wrongly, or never returns."""
    runs = [0, 0, 1, 2, 0, 3, 4, 0, 0, 22]
    mask = only_instance(tmp_path, amodal_mask={'size': [4, 8], 'counts': runs},
                         visible_mask=None, bbox_visible=None).masks['amodal']
    pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(8, 4).T
    assert (rle_ops.decode([mask], (4, 8))[0] == pixels).all()
    assert rle_ops.parse_counts(mask['counts']).tolist() == [1, 5, 4, 22]


def test_resolve_image_names_video_and_file(tmp_path):
    with pytest.raises(AnnotationError, match=r"video 'v/images'.*v/images/000003\.png.*\.bmp"):
        resolve_image(tmp_path, 'v/images/000003.png')
    with pytest.raises(AnnotationError, match="video 'the video'"):
        resolve_image(tmp_path, 'v/images/000003.png', 'the video')
