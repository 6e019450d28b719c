from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_foreign import (
    CATEGORIES,
    VIDEOS,
    assert_same_masks,
    coco_video,
    decoded,
    encoded,
    expected_masks,
    file_names,
    found_masks,
    make_frames,
    written,
)
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from vatrack.converters import ConversionError
from vatrack.converters.coco.convert import convert_coco
from vatrack.converters.coco.source import ByPattern, Grouping, Image, one_by_one
from vatrack.converters.parts.json_video import JsonOptions
from vatrack.files import check_annotations, load_annotations
from vatrack.files.foreign.coco import export_coco
from vatrack.structures import TrackRecord

BOTH = {'segmentation': 'amodal', 'inmodal_seg': 'visible'}


def convert(tmp_path: Path, content: dict, grouping: Grouping | None = None, stuff: bool = False,
            notes: list[str] | None = None, **options) -> Path:
    source = written(tmp_path, content, 'source.json')
    out = tmp_path / 'out' / 'train.json'
    return convert_coco(source, JsonOptions(out, **options), grouping, stuff,
                        ([] if notes is None else notes).append).path


def names_of(path: Path) -> dict[str, list[str]]:
    return {video.name: [frame.file_name for frame in video.frames]
            for video in load_annotations(path).videos}


def test_a_file_name_that_is_a_folder_makes_a_name():
    assert one_by_one(Image(1, '/', [4, 4], None, None)) == (1, '/')


def test_round_trip(tmp_path):
    """Masks and ids of images, videos, objects and classes, back through COCO's own reader."""
    content = coco_video()
    path = convert(tmp_path, content)
    assert_same_masks(path, 'visible')
    report = check_annotations(path)
    assert report.ok and not any('box' in warning for warning in report.warnings)
    annotations = load_annotations(path)
    assert annotations.categories == CATEGORIES
    assert [(video.id, video.name) for video in annotations.videos] == [
        (id_, f'clip {id_}') for id_ in VIDEOS]
    tracks = [TrackRecord(video.id, instance.instance_id, instance.category_id, 1.,
                          [frame.frame_id], {'visible': [instance.masks['visible']]})
              for video, frame in annotations.frames for instance in frame.instances]
    export_coco(tracks, annotations, tmp_path / 'back.json', 'visible')
    truth = COCO(str(written(tmp_path, content)))
    back = truth.loadRes(str(tmp_path / 'back.json'))
    expected = {(e['image_id'], e['instance_id'], e['category_id']): truth.annToMask(e)
                for e in truth.anns.values()}
    found = {(e['image_id'], e['track_id'], e['category_id']): back.annToMask(e)
             for e in back.anns.values()}
    assert found.keys() == expected.keys()
    assert all((found[key] == mask).all() for key, mask in expected.items())


def test_keys_of_tao(tmp_path):
    content = coco_video()
    for image in content['images']:
        image['frame_index'] = 30 * image.pop('frame_id') + 12
    for entry in content['annotations']:
        entry['track_id'] = entry.pop('instance_id')
    content['images'].reverse()
    path = convert(tmp_path, content)
    assert_same_masks(path, 'visible')
    assert names_of(path) == {f'clip {id_}': file_names(id_) for id_ in VIDEOS}


def test_images_without_videos_are_grouped_by_folder_and_number(tmp_path):
    content = coco_video()
    del content['videos']
    for image in content['images']:
        video, _, number = image['file_name'].partition('/')
        image['file_name'] = f'set/{video}/frame{int(number[:-4])}.jpg'  # frame5 before frame10
        for key in ('video_id', 'frame_id'):
            del image[key]
    path = convert(tmp_path, content)
    assert names_of(path) == {f'set/v{id_}': [f'set/v{id_}/frame{5 * t}.jpg'
                                              for t in range(length)]
                              for id_, (_, length) in VIDEOS.items()}
    assert {key[1:] for key in found_masks(path)} == {key[1:] for key in expected_masks('visible')}


@pytest.mark.parametrize('pattern', [r'(v\d+)_', r'(x|)(?P<video>v\d+)_'])
def test_images_are_grouped_by_a_pattern(tmp_path, pattern):
    content = coco_video()
    for image in content['images']:
        image['file_name'] = f"{image['file_name'].replace('/', '_')}"
    path = convert(tmp_path, content, ByPattern(pattern))
    assert names_of(path) == {f'v{id_}': [name.replace('/', '_') for name in file_names(id_)]
                              for id_ in VIDEOS}
    with pytest.raises(ConversionError, match=r'images\[0\] \(id 1100\): .*finds no video in'):
        convert(tmp_path, content, ByPattern('w(.)'))
    for wrong, message in (('v(', 'no regular expression'), ('v', 'has no group')):
        with pytest.raises(ConversionError, match=message):
            ByPattern(wrong)


@pytest.mark.parametrize('masks', [
    BOTH, {'a_segm': 'amodal', 'i_segm': 'visible'},
    {'a_segm': 'amodal', 'i_segm': 'visible', 'segmentation': 'visible'},
    {'segmentation': 'amodal', 'visible_mask': 'visible'},
    {'amodal_mask': 'amodal', 'segmentation': 'visible'}])
def test_keys_of_amodal_datasets(tmp_path, masks):
    """Names win; ``segmentation`` is of the kind that has no name, whatever --kind says."""
    for kind in ('amodal', 'visible'):
        path = convert(tmp_path, coco_video(**masks), kind=kind)
        assert_same_masks(path, 'amodal', 'visible')
        assert check_annotations(path).ok


def test_backslashes_of_windows_part_folders(tmp_path):
    content = coco_video()
    del content['videos']
    expected = names_of(convert(tmp_path, content))
    assert len(expected) > 1
    for image in content['images']:
        image['file_name'] = image['file_name'].replace('/', '\\')
    assert names_of(convert(tmp_path, content)) == expected


def test_every_image_is_a_video(tmp_path):
    content = coco_video(**BOTH)
    for entry in content['annotations']:
        del entry['instance_id']
    path = convert(tmp_path, content, one_by_one, kind='amodal')
    annotations = load_annotations(path)
    assert [len(video.frames) for video in annotations.videos] == [1] * 7
    assert annotations.videos[1].name == 'v11/00005'
    masks = {instance.instance_id: instance.masks
             for _, frame in annotations.frames for instance in frame.instances}
    assert masks.keys() == {entry['id'] for entry in content['annotations']}
    for entry in content['annotations']:
        for key, kind in BOTH.items():
            if entry[key]:
                assert (decoded(masks[entry['id']][kind]) == decoded(entry[key])).all()
    with pytest.raises(ConversionError, match=r"has none of .*'instance_id'.*objects of a video"):
        convert(tmp_path, content)


def test_invisible_masks_and_uncovered_objects(tmp_path):
    content = coco_video(segmentation='amodal', visible_mask='visible')
    for entry in content['annotations']:
        visible, pixels = entry.pop('visible_mask'), decoded(entry['segmentation'])
        entry['invisible_mask'] = encoded(pixels & ~decoded(visible) if visible else pixels)
    assert_same_masks(convert(tmp_path, content), 'amodal', 'visible')
    for entry in content['annotations']:
        del entry['invisible_mask']
        entry['occlude_rate'] = 0
    for masks in found_masks(convert(tmp_path, content)).values():
        assert (masks['amodal'] == masks['visible']).all()


def cocoa() -> dict:
    """Two images as COCOA has them: an entry per image, flat polygons, no categories."""
    box = [2, 2, 12, 2, 12, 12, 2, 12]
    shown = np.zeros((20, 30), bool)
    shown[2:12, 2:7] = True
    hidden = np.zeros((20, 30), bool)
    hidden[2:12, 7:12] = True
    regions = [
        dict(segmentation=box, name='dog', area=100., isStuff=0, occlude_rate=.5, order=2,
             visible_mask=encoded(shown), invisible_mask=encoded(hidden)),
        dict(segmentation=[7, 1, 20, 1, 20, 15, 7, 15], name='sofa', area=182., isStuff=False,
             occlude_rate=0.0, order=1),
        dict(segmentation=[0, 15, 30, 15, 30, 20, 0, 20], name='floor', area=150., isStuff=1,
             occlude_rate=0, order=3)]
    return dict(
        images=[dict(id=id_, file_name=f'COCO_{id_:012d}.jpg', height=20, width=30)
                for id_ in (9, 5)],
        annotations=[dict(id=1, image_id=5, author='A', depth_constraint='1-2', size=3, url='',
                          regions=regions),
                     dict(id=2, image_id=9, author='A', size=0, regions=[])])


def test_cocoa(tmp_path):
    notes: list[str] = []
    path = convert(tmp_path, cocoa(), one_by_one, notes=notes, kind='amodal')
    assert notes == [f"{tmp_path}/source.json has no 'categories': all objects are of one class, "
                     "'object'"]
    annotations = load_annotations(path)
    assert annotations.categories == {1: 'object'}
    assert [video.name for video in annotations.videos] == ['COCO_000000000009',
                                                            'COCO_000000000005']
    empty, full = (video.frames[0].instances for video in annotations.videos)
    assert not empty and [(i.instance_id, i.occlusion) for i in full] == [(1, .5), (2, 0.)]
    box, = coco_mask.frPyObjects([cocoa()['annotations'][0]['regions'][0]['segmentation']], 20, 30)
    assert (decoded(full[0].masks['amodal']) == decoded(box)).all()
    with_stuff = load_annotations(convert(tmp_path, cocoa(), one_by_one, True, kind='amodal'))
    assert [i.instance_id for i in with_stuff.videos[1].frames[0].instances] == [1, 2, 3]


def test_regions_of_stuff_are_counted(tmp_path):
    converted = convert_coco(written(tmp_path, cocoa()), JsonOptions(tmp_path / 'o.json'),
                             one_by_one, note=lambda message: None)
    assert converted.left_out == {'regions of stuff': 1}


def _entry(**changes) -> Callable[[dict], None]:
    return lambda content: content['annotations'][0].update(changes)


def _image(**changes) -> Callable[[dict], None]:
    return lambda content: content['images'][1].update(changes)


def _last(content: dict) -> dict:
    return content['annotations'][-1]


_NAN = float('nan')
WHERE = r"annotations\[0\] \(id \d+\), video 'clip 11', frame 'v11/00015.jpg': "
BROKEN = {
    'another size': (_entry(segmentation={'size': [9, 9], 'counts': [81]}),
                     WHERE + r"'segmentation' has size \[9, 9\], but the image is \[24, 32\]"),
    'NaN box': (_entry(bbox=[1, 2, 3, _NAN]), WHERE + "'bbox' must be four finite numbers"),
    'NaN second box': (_entry(i_bbox=[1, 2, 3, _NAN]), "'i_bbox' must be four finite numbers"),
    'no mask': (_entry(segmentation=[]), WHERE + 'has no mask, neither'),
    'text': (_entry(segmentation='none'), "'segmentation' must be an RLE"),
    'unknown category': (_entry(category_id=7), WHERE + "'category_id' 7 is unknown"),
    'unknown image': (_entry(image_id=7), r"annotations\[0\] .*'image_id' 7 is unknown"),
    'same id': (lambda content: _last(content).update(id=content['annotations'][0]['id']),
                'occurs twice; number the entries anew'),
    'same object': (lambda content: content['annotations'].append(_last(content) | {'id': 99}),
                    r'annotations\[\d+\] \(id 99\), .*object 21 has two entries in this frame'),
    'no identity': (lambda content: _last(content).pop('instance_id'),
                    r"has none of \['instance_id', 'track_id'\]"),
    'named identity': (_entry(instance_id='a'), "'instance_id' must be an integer"),
    'change of class': (_entry(category_id=40), "'category_id' is 40, but object 8 was 3 before"),
    'same image id': (_image(id=1100), r"images\[1\] \(id 1100\): this id occurs twice"),
    'same position': (_image(frame_id=0), "video 'clip 11': two of its images have the position 0"),
    'odd frame': (_image(height=9), r"'v11/00005.jpg' \(id 1101\) is \[9, 32\] \[H, W\], but"),
    'lost image': (_image(video_id=77), "'video_id' is 77, but no entry of 'videos'"),
    'no frame': (lambda content: content['videos'].append(dict(id=3, name='x')),
                 r"video 'x' \(id 3\) has no frame: .*remove the video \(1 of 3"),
    'same video': (lambda content: content['videos'].append(content['videos'][0]),
                   r"videos\[2\] \(id 11\): this id occurs twice"),
    'no images': (lambda content: content.pop('images'), "has no list 'images'"),
    'regions': (_entry(regions=[3]), "'regions' must be a list of objects"),
}


@pytest.mark.parametrize('name', BROKEN)
def test_broken_input_is_named(tmp_path, name):
    change, message = BROKEN[name]
    content = coco_video()
    change(content)
    with pytest.raises(ConversionError, match=message) as error:
        convert(tmp_path, content)
    assert str(error.value).startswith(f'{tmp_path}/source.json: ')
    assert not list((tmp_path / 'out').iterdir())


def test_tool(tmp_path, run_tool, capsys):
    images = make_frames(tmp_path / 'raw')
    source = written(tmp_path, coco_video(**BOTH))
    for name, videos in (('coco-video', 2), ('kins', 7)):
        assert run_tool('convert', name, source, '--images', images, '--out', tmp_path / name) == 0
        out = capsys.readouterr().out
        objects = len(expected_masks('amodal'))
        assert f'{name}/train.json: {videos} videos, 7 frames, {objects} annotations\n' in out
        assert f'| tracks | {objects if name == "kins" else 3} |' in out
    assert run_tool('convert', 'kins', source, '--no-images', '--out', tmp_path / 'k', '--split',
                    'val', '--video-pattern', '^(v.+)/') == 0
    assert names_of(tmp_path / 'k' / 'val.json') == {f'v{id_}': file_names(id_) for id_ in VIDEOS}
    assert run_tool('convert', 'kins', source, '--no-images', '--out', tmp_path / 'k',
                    '--video-pattern', '(') == 1
    assert 'correct --video-pattern' in capsys.readouterr().err


def test_a_conversion_with_faults_is_reported(tmp_path, run_tool, capsys):
    """Frames of another size than the JSON says are found by the check afterwards."""
    images = make_frames(tmp_path / 'raw')
    content = coco_video()
    for image in content['images']:
        image.update(height=image['width'], width=image['height'])
    content['annotations'] = []
    source = written(tmp_path, content)
    arguments = ['convert', 'coco-video', source, '--images', images, '--out', tmp_path / 'data']
    assert run_tool(*arguments, '--max-errors', 2) == 1
    out = capsys.readouterr().out
    assert 'is 32 x 24 pixels, but its video is 24 x 32' in out and '... and 5 more errors' in out
    assert out.rstrip().endswith('data/train.json: NOT ok, 7 errors, 0 warnings')
    assert run_tool(*arguments, '--no-check') == 0


def test_files_are_read_in_any_order_of_their_lists(tmp_path):
    content = coco_video()
    expected = convert(tmp_path, content).read_text()
    shuffled = {key: content[key] for key in ('annotations', 'videos', 'images', 'categories')}
    assert convert(tmp_path, shuffled).read_text() == expected
    assert json.loads(expected)['images'][1]['id'] == 1101


def test_published_masks_come_through(sailvos_sample, tmp_path):
    """SAIL-VOS-cut is CocoVID too; its names of masks win over its list of two."""
    content = json.loads(sailvos_sample.read_text())
    path = convert_coco(sailvos_sample, JsonOptions(tmp_path / 'a.json')).path
    found = {(frame.id, instance.instance_id): instance.masks
             for _, frame in load_annotations(path).frames for instance in frame.instances}
    assert len(found) == len(content['annotations'])
    for entry in content['annotations']:
        masks = found[entry['image_id'], entry['instance_id']]
        assert masks == {kind: entry[f'{kind}_mask'] for kind in ('amodal', 'visible')}
