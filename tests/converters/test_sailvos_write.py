from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_sailvos import make_json

from vatrack.converters import ConversionError
from vatrack.converters.sailvos.convert import SailvosOptions, convert_sailvos
from vatrack.converters.sailvos.write import Converted
from vatrack.files import check_annotations

SUFFIX = {'amodal': '', 'visible': '(bbox=visb_bbox)', 'both': '(bbox=both_bbox)'}
NUM_FRAMES = 7


@pytest.fixture
def content() -> dict:
    """Official JSON with four objects per frame, one of them of another class."""
    return json.loads(json.dumps(make_json({'ah_1_ext': [5], 'bs_2a_ext': [2]})))


def convert(content: dict, folder: Path, *boxes: str) -> list[Converted]:
    (folder / 'a.json').write_text(json.dumps(content))
    return convert_sailvos({'train': folder / 'a.json'}, folder, folder / 'data',
                           SailvosOptions(boxes=boxes or ('amodal',), frames='reference'))


def entry_of(content: dict, index: int = 9) -> dict:
    return content['annotations'][index]


FAULTS = {
    'image': (lambda c: entry_of(c).update(image_id=777), "'image_id' 777 is unknown"),
    'category': (lambda c: entry_of(c).update(category_id=4), "'category_id' 4 is unknown"),
    'identity': (lambda c: entry_of(c).pop('obj_id'), "has no key 'obj_id'"),
    'size': (lambda c: entry_of(c).update(visible_mask={'size': [3, 3], 'counts': '9'}),
             r"'visible_mask' has size \[3, 3\]"),
    'one mask': (lambda c: entry_of(c).pop('visible_mask'), "must have 'segmentation' .* and"),
    'box': (lambda c: entry_of(c).update(bbox=[1, 2, 3]), "'bbox' must be four finite numbers"),
    'visible box': (lambda c: entry_of(c).pop('bbox_visible'), "'bbox_visible' must be four"),
    'area': (lambda c: entry_of(c).update(area=-1), "'area' must be at least 0"),
    'rate': (lambda c: entry_of(c).update(occlude_rate=7), "'occlude_rate' must be a number in"),
}


@pytest.mark.parametrize('name', FAULTS)
def test_wrong_annotations_are_named_and_nothing_is_left(name, content, tmp_path):
    spoil, message = FAULTS[name]
    spoil(content)
    with pytest.raises(ConversionError, match=rf'a\.json: annotations\[9\] \(id 9\): .*{message}'):
        convert(content, tmp_path)
    assert not list((tmp_path / 'data').rglob('*.*'))


def test_an_object_is_in_a_frame_once(content, tmp_path):
    entry_of(content, 9)['obj_id'] = entry_of(content, 8)['obj_id']
    with pytest.raises(ConversionError, match=r'object \(obj_id 7\) has two .* in image 2; give'):
        convert(content, tmp_path)
    assert not list((tmp_path / 'data').rglob('*.*'))


def test_entries_without_a_pixel_are_left_out(content, tmp_path):
    entry_of(content).update(area=0, bbox=[])
    written, = convert(content, tmp_path)
    assert written.left_out == {'without a pixel': 1, 'of other classes': NUM_FRAMES}
    assert written.annotations == NUM_FRAMES * 3 - 1
    assert str(written) == (
        f'{tmp_path}/data/sailvos_complete_json/joint/train.json: 2 videos, 7 frames, 20 '
        'annotations (left out: 7 of other classes, 1 without a pixel)')


@pytest.mark.parametrize('box', [None, [], [0, 0, 0, 0]])
def test_fully_hidden_objects_have_no_visible_box_whatever_is_written(box, content, tmp_path):
    for entry in content['annotations']:
        if not entry['area_visible']:
            entry['bbox_visible'] = box
    for written in convert(content, tmp_path, *SUFFIX):
        report = check_annotations(written.path)
        assert report.ok and not report.warnings
        assert report.summary.empty_masks['visible'] == NUM_FRAMES


def test_annotations_may_come_in_any_order(content, tmp_path):
    content['annotations'].reverse()
    written, = convert(content, tmp_path)
    entries = json.loads(written.path.read_text())['annotations']
    assert [entry['id'] for entry in entries] == list(range(1, NUM_FRAMES * 3 + 1))
    assert list(dict.fromkeys(entry['instance_id'] for entry in entries)) == [1, 2, 3, 4, 5, 6]
    assert check_annotations(written.path).ok


def test_optional_keys_may_be_absent(content, tmp_path):
    for entry in content['annotations']:
        for key in ('model_id', 'occlu_depth', 'iscrowd', 'invisible_mask', 'occlude_rate'):
            del entry[key]
    first, second = convert(content, tmp_path, 'amodal', 'visible')
    entries = json.loads(first.path.read_text())['annotations']
    assert {entry['occlude_rate'] for entry in entries} == {each / 8 for each in (0, 1, 2, 3, 4, 8)}
    assert check_annotations(first.path).ok and check_annotations(second.path).ok
