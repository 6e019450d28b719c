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
    expected_masks,
    file_names,
    found_masks,
    made_tracks,
    make_frames,
    ovis,
    written,
    ytvis,
)
from pycocotools import mask as coco_mask

from vatrack.converters import ConversionError
from vatrack.converters.parts.json_video import JsonOptions
from vatrack.converters.ytvis import convert_ytvis
from vatrack.files import AnnotationError, check_annotations, load_annotations
from vatrack.files.foreign.ytvis import export_ytvis
from vatrack.structures import TrackRecord


def convert(tmp_path: Path, content: dict, amodal: dict | None = None, **options) -> Path:
    source = written(tmp_path, content, 'source.json')
    second = None if amodal is None else written(tmp_path, amodal, 'amodal.json')
    return convert_ytvis(source, JsonOptions(tmp_path / 'out' / 'train.json', **options), second,
                         lambda message: None).path


def truth_as_results(path: Path, kind: str) -> list[TrackRecord]:
    annotations, tracks = load_annotations(path), {}
    for video, frame in annotations.frames:
        for instance in frame.instances:
            track = tracks.setdefault(instance.instance_id, TrackRecord(
                video.id, instance.instance_id, instance.category_id, 1., [], {kind: []}))
            track.frames.append(frame.frame_id)
            track.masks[kind].append(instance.masks[kind])
    return list(tracks.values())


@pytest.mark.parametrize('style', ['string', 'list'])
@pytest.mark.parametrize('kind', ['visible', 'amodal'])
def test_round_trip(tmp_path, kind, style):
    """Ids, classes, file names and every mask come back; the exporter of results writes them."""
    content = ytvis(kind, style)
    path = convert(tmp_path, content, kind=kind)
    assert_same_masks(path, kind)
    report = check_annotations(path)
    assert report.ok and not any('box' in warning for warning in report.warnings)
    annotations = load_annotations(path)
    assert annotations.categories == CATEGORIES
    assert [(video.id, video.name, (video.height, video.width)) for video in annotations.videos
            ] == [(id_, f'v{id_}', size) for id_, (size, _) in VIDEOS.items()]
    assert [[frame.file_name for frame in video.frames] for video in annotations.videos] == [
        file_names(id_) for id_ in VIDEOS]
    export_ytvis(truth_as_results(path, kind), annotations, tmp_path / 'back.json', kind, style)
    back = {(r['video_id'], r['category_id'], json.dumps(r['segmentations']))
            for r in json.loads((tmp_path / 'back.json').read_text())}
    assert back == {(e['video_id'], e['category_id'], json.dumps(e['segmentations']))
                    for e in content['annotations']}


def test_order_of_the_file_does_not_matter(tmp_path):
    content = ytvis()
    path = convert(tmp_path, content)
    expected = path.read_text()
    shuffled = {key: content[key] for key in ('annotations', 'videos', 'categories')}
    assert convert(tmp_path, shuffled).read_text() == expected


def test_polygons(tmp_path):
    content = ytvis()
    parts = [[2, 3, 9, 3, 9, 8.5, 2, 8], [15.5, 1, 20, 1, 20, 6]]
    content['annotations'][1]['segmentations'][0] = [*parts, [5, 5, 6, 6]]  # the last: no area
    found = found_masks(convert(tmp_path, content))[11, 0, 7]['visible']
    height, width = found.shape
    pixels = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(parts, height, width)))
    assert found.any() and (found == pixels).all()


def test_amodal_masks_of_a_second_file(tmp_path):
    path = convert(tmp_path, ytvis('visible'), ytvis('amodal'))
    assert_same_masks(path, 'amodal', 'visible')
    assert check_annotations(path).ok
    hidden = [key for key, masks in expected_masks('amodal', 'visible').items()
              if not masks['visible'].any()]
    assert hidden == [(11, 3, 7)]


@pytest.mark.parametrize(('kind', 'lists'), [
    ('visible', {'amodal_segmentations': 'amodal'}),
    ('amodal', {'visible_segmentations': 'visible'})])
def test_both_kinds_in_one_file(tmp_path, kind, lists):
    """The key that names its kind tells that of the other, whatever --kind says."""
    for stated in ('visible', 'amodal'):
        assert_same_masks(convert(tmp_path, ytvis(kind, **lists), kind=stated),
                          'amodal', 'visible')


def test_occlusion_levels_of_ovis(tmp_path):
    frames = load_annotations(convert(tmp_path, ovis())).videos[0].frames
    rates = [instance.occlusion for frame in frames for instance in frame.instances
             if instance.instance_id == 8]
    assert rates == [0., .75, None]  # it is absent from frame 1


def test_rates_of_two_kinds_are_those_of_the_masks(tmp_path):
    path = convert(tmp_path, ovis(), ytvis('amodal'))
    assert check_annotations(path).ok  # compares every rate with the areas


def test_crowd_is_kept(tmp_path):
    content = ytvis()
    content['annotations'][0]['iscrowd'] = 1
    video = load_annotations(convert(tmp_path, content)).videos[1]
    assert all(instance.iscrowd for frame in video.frames for instance in frame.instances)


def test_masks_without_a_pixel_are_left_out_and_counted(tmp_path):
    content = ytvis()
    blank = {'size': [24, 32], 'counts': [24 * 32]}
    content['annotations'][1]['segmentations'][2] = blank
    source = written(tmp_path, content)
    converted = convert_ytvis(source, JsonOptions(tmp_path / 'o.json'), note=lambda message: None)
    assert converted.left_out == {'without a pixel': 1}
    assert found_masks(converted.path).keys() == expected_masks('visible').keys() - {(11, 2, 7)}


@pytest.mark.parametrize('outside', ['extend', 'clip'])
def test_visible_pixels_outside_the_amodal_mask(tmp_path, outside):
    swapped = ytvis('amodal'), ytvis('visible')
    with pytest.raises(ConversionError, match=r"annotations\[1\] \(id 7\), video 'v11': frame 0 "
                       r"\('v11/00000.jpg'\): \d+ of \d+ pixels of the visible .* swapped"):
        convert(tmp_path, *swapped)
    assert not (tmp_path / 'out/train.json').exists()
    path = convert(tmp_path, *swapped, outside=outside)
    assert check_annotations(path).ok
    kind = 'amodal' if outside == 'extend' else 'visible'
    expected = {key: masks[kind] for key, masks in expected_masks('amodal', 'visible').items()
                if masks[kind].any()}
    found = found_masks(path)
    assert found.keys() == expected.keys()
    for key, pixels in expected.items():
        assert all((mask == pixels).all() for mask in found[key].values())


def test_a_file_without_annotations(tmp_path):
    content = ytvis()
    nothing = [entry | {'segmentations': [None] * len(entry['segmentations'])}
               for entry in content['annotations']]
    for change in ({'annotations': []}, {'annotations': None}, {'annotations': nothing}):
        annotations = load_annotations(convert(tmp_path, content | change))
        assert [len(video.frames) for video in annotations.videos] == [4, 3]
        notes = []
        convert_ytvis(written(tmp_path, content | change), JsonOptions(tmp_path / 'o.json'),
                      note=notes.append)
        assert len(notes) == 1 and 'has no annotations' in notes[0]


def test_backslashes_of_windows(tmp_path):
    content = ytvis()
    for video in content['videos']:
        video['file_names'] = [name.replace('/', '\\') for name in video['file_names']]
    read = [[(video.name, [frame.file_name for frame in video.frames])
             for video in load_annotations(convert(tmp_path, each)).videos]
            for each in (ytvis(), content)]
    assert read[0] == read[1]


def test_videos_of_one_folder_are_named_after_their_ids(tmp_path):
    content = ytvis()
    for video in content['videos']:
        video['file_names'] = [name.replace('/', '_') for name in video['file_names']]
    annotations = load_annotations(convert(tmp_path, content))
    assert [video.name for video in annotations.videos] == ['000011', '000004']


def test_frames_stay_are_linked_or_copied(tmp_path):
    images = make_frames(tmp_path / 'raw')
    copied = tmp_path / 'out' / 'train' / 'v11' / '00005.jpg'
    converted = convert_ytvis(
        written(tmp_path, ytvis()), JsonOptions(tmp_path / 'out' / 'train.json', images, 'copy'))
    assert converted.images == tmp_path / 'out' / 'train'
    assert copied.read_bytes() == (images / 'v11/00005.jpg').read_bytes()
    assert not copied.is_symlink() and check_annotations(converted.path, converted.images).ok
    for mode, folder in (('reference', images), ('link', tmp_path / 'linked' / 'train')):
        converted = convert_ytvis(
            written(tmp_path, ytvis()), JsonOptions(tmp_path / 'linked' / 'train.json', images,
                                                    mode), note=lambda message: None)
        assert converted.images == folder
        assert check_annotations(converted.path, converted.images).ok
    assert (tmp_path / 'linked' / 'train').readlink() == Path('../raw')
    with pytest.raises(ConversionError, match=r'out/train: is another file than .*raw'):
        convert_ytvis(written(tmp_path, ytvis()),
                      JsonOptions(tmp_path / 'out' / 'train.json', images, 'link'))


def test_a_missing_frame_is_named(tmp_path):
    images = make_frames(tmp_path / 'raw')
    (images / 'v4/00005.jpg').unlink()
    with pytest.raises(AnnotationError, match=r"video 'v4': no frame .*raw/v4/00005\.jpg"):
        convert(tmp_path, ytvis(), images=images)
    with pytest.raises(ConversionError, match=r'nowhere: no such folder'):
        convert(tmp_path, ytvis(), images=tmp_path / 'nowhere')
    images = make_frames(tmp_path / 'other')
    content = ytvis()
    content['videos'][0]['file_names'][0] = '../raw/v11/00000.jpg'
    with pytest.raises(ConversionError, match='leads out of'):
        convert(tmp_path, content, images=images, frames='copy')
    assert not list((tmp_path / 'out').glob('*.json'))


def _entry(index: int, **changes) -> Callable[[dict], None]:
    return lambda content: content['annotations'][index].update(changes)


def _video(index: int, **changes) -> Callable[[dict], None]:
    return lambda content: content['videos'][index].update(changes)


_NAN = float('nan')
_SMALL = {'size': [10, 10], 'counts': [100]}
BROKEN = {
    'another size': (_entry(1, segmentations=[None, _SMALL, None, None]),
                     r"annotations\[1\] \(id 7\), video 'v11': frame 1 \('v11/00005.jpg'\): "
                     r"'visible' has size \[10, 10\], but the image is \[24, 32\]"),
    'damaged runs': (_entry(1, segmentations=[{'size': [24, 32], 'counts': '52'}, *[None] * 3]),
                     r"frame 0 .*: 'visible': counts describes"),
    'odd polygon': (_entry(1, segmentations=[[[1, 2, 3, 4, 5, 6, 7]], None, None, None]),
                    'must be an RLE or polygons'),
    'NaN polygon': (_entry(1, segmentations=[[[1, 2, 3, 4, 5, _NAN]], None, None, None]),
                    'finite numbers; draw the object again'),
    'far polygon': (_entry(1, segmentations=[[[1, 2, 3, 4, 5, 1e9]], None, None, None]),
                    'far outside the frame'),
    'NaN box': (_entry(1, bboxes=[[1, 2, _NAN, 4], None, None, None]),
                r"frame 0 .*: 'bboxes' must be four finite numbers"),
    'short list': (_entry(1, segmentations=[None]),
                   r"annotations\[1\] \(id 7\), video 'v11': 'segmentations' has 1 values, but the "
                   'video has 4 frames; give one per frame'),
    'no list': (_entry(1, bboxes=5), "'bboxes' is no list"),
    'no masks': (lambda content: content['annotations'][1].pop('segmentations'),
                 "has no key 'segmentations'"),
    'unknown level': (_entry(1, occlusion=['half', None, None, None]),
                      r"frame 0 .*'occlusion' 'half' is none of"),
    'unhashable level': (_entry(1, occlusion=[[], None, None, None]), r"'occlusion' \[\] is none"),
    'long box': (_entry(1, bboxes=[[1, 2, 10**400, 4], None, None, None]), "'bboxes' must be four"),
    'large frames': (_video(1, height=10**5, width=10**5), r"videos\[1\] .*more than 2\*\*31"),
    'half a character': (_video(1, file_names=['a\ud800', 'b', 'c']), r'videos\[1\] .*half a char'),
    'unknown category': (_entry(1, category_id=99), r"'category_id' 99 is unknown: no entry of"),
    'unknown video': (_entry(1, video_id=99), r"annotations\[1\] \(id 7\): 'video_id' 99 is unkno"),
    'no video id': (lambda content: content['annotations'][1].pop('video_id'),
                    r"annotations\[1\] \(id 7\): has no key 'video_id'"),
    'same track id': (_entry(2, id=7), r"annotations\[2\] \(id 7\), video 'v11': 'id' 7 occurs tw"),
    'same video id': (_video(1, id=11), r"videos\[1\] \(id 11\): this id occurs twice in 'videos'"),
    'same category id': (lambda content: content['categories'][1].update(id=40),
                         r"categories\[1\] \(id 40\): this id occurs twice"),
    'same category name': (lambda content: content['categories'].append(
        content['categories'][0] | {'id': 99}), r"categories\[\d\] \(id 99\): 'name' .* twice"),
    'no frames': (_video(1, file_names=[]), r"videos\[1\] \(id 4\): 'file_names' must be a list"),
    'another length': (_video(1, length=9), r"'length' is 9, but 'file_names' has 3 names"),
    'no height': (_video(1, height=None), r"'height' must be an integer"),
    'no categories': (lambda content: content.pop('categories'), "has no list 'categories'"),
    'no object': (lambda content: content['videos'].append(3), r'videos\[2\]: must be an object'),
}


@pytest.mark.parametrize('name', BROKEN)
def test_broken_input_is_named(tmp_path, name):
    change, message = BROKEN[name]
    content = ytvis()
    change(content)
    with pytest.raises(ConversionError, match=message) as error:
        convert(tmp_path, content)
    assert str(error.value).startswith(f'{tmp_path}/source.json: ')
    assert not list((tmp_path / 'out').iterdir())


def test_files_that_are_not_of_the_same_tracks(tmp_path):
    amodal = ytvis('amodal')
    lost = amodal['annotations'].pop(1)
    with pytest.raises(ConversionError, match=r'amodal\.json has no track 7 in this video'):
        convert(tmp_path, ytvis(), amodal)
    amodal['annotations'] += [lost, lost | {'id': 99}]
    with pytest.raises(ConversionError, match=r'amodal\.json: annotations\[3\] \(id 99\).*source'):
        convert(tmp_path, ytvis(), amodal)
    amodal['annotations'].pop()
    for change, message in (({'category_id': 3}, r"'category_id' is 3, but 40 in .*source\.json"),
                            ({'segmentations': [None]}, "'segmentations' has 1 values, but the"),
                            ({'segmentations': None}, "has no key 'segmentations'"),
                            ({'video_id': 5}, r"'video_id' 5 is unknown")):
        amodal['annotations'][-1] = lost | change
        with pytest.raises(ConversionError, match=rf'amodal\.json: annotations\[2\] .*{message}'):
            convert(tmp_path, ytvis(), amodal)


def test_missing_and_cut_off_files(tmp_path):
    options = JsonOptions(tmp_path / 'out.json')
    with pytest.raises(ConversionError, match=r'gone\.json: no such file'):
        convert_ytvis(tmp_path / 'gone.json', options)
    path = written(tmp_path, ytvis())
    path.write_text(path.read_text()[:-300])
    with pytest.raises(AnnotationError, match=r'train\.json: not valid JSON .* cut off'):
        convert_ytvis(path, options)
    assert [each.name for each in tmp_path.iterdir()] == ['train.json']


def test_tool(tmp_path, run_tool, capsys):
    images = make_frames(tmp_path / 'raw')
    arguments = ['convert', 'ytvis', written(tmp_path, ovis(), 'annotations_train.json'), '--out',
                 tmp_path / 'data', '--amodal', written(tmp_path, ytvis('amodal'), 'a.json')]
    assert run_tool(*arguments, '--images', images, '--split', 'train', '--frames', 'link') == 0
    out = capsys.readouterr().out
    objects = len(expected_masks('amodal'))
    assert f'data/train.json: 2 videos, 7 frames, {objects} annotations\n' in out
    assert '| fish | 1 |' in out and 'data/train.json: ok, 0 errors' in out
    assert run_tool(*arguments, '--no-images', '--limit', 1, '--no-check') == 0
    out = capsys.readouterr().out
    assert out.startswith(f'{tmp_path}/data/annotations_train.json: 1 videos, 4 frames')
    assert len(out.splitlines()) == 1
    for wrong, message in ((['--no-images', '--frames', 'link'], '--frames link needs the frames'),
                           (['--no-images', '--kind', 'amodal'], 'leave out --kind amodal'),
                           (['--no-images', '--out', tmp_path], 'is the file to convert, which')):
        assert run_tool(*arguments, *wrong) == 1
        assert message in capsys.readouterr().err


def test_every_track_is_made_as_the_tests_assume():
    tracks = {track.id: track.masks for track in made_tracks()}
    assert not tracks[8]['amodal'][1].any()
    assert tracks[7]['amodal'][3].any() and not tracks[7]['visible'][3].any()
    assert all(np.all(masks['amodal'] | ~masks['visible']) for masks in tracks.values())
