from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from made_labels import (
    Made,
    MadeVideo,
    assert_same,
    assert_sound,
    box_mask,
    made_videos,
    write_frames,
)
from PIL import Image

from vatrack.converters.labelling.labelme.shapes import shape_mask
from vatrack.files import load_annotations
from vatrack.structures.rle import decode

BOTH = ('amodal', 'visible')


def polygon(label, box, group, **more):
    x1, y1, x2, y2 = box
    return dict(label=label, points=[[x1, y1], [x2, y1], [x2, y2], [x1, y2]], group_id=group,
                description='', shape_type='polygon', flags={}, mask=None) | more


def mask_shape(label, mask, group, **more):
    """A mask as labelme 5 stores it: pixels of the box, which ends at its last pixel."""
    ys, xs = np.nonzero(mask)
    patch = mask[ys.min():ys.max() + 1, xs.min():xs.max() + 1]
    stream = BytesIO()
    Image.fromarray(patch).save(stream, 'PNG')
    return dict(label=label, group_id=group, description='', shape_type='mask', flags={},
                points=[[float(xs.min()), float(ys.min())], [float(xs.max()), float(ys.max())]],
                mask=base64.b64encode(stream.getvalue()).decode()) | more


def shapes_of(video, frame, told_by):
    """Amodal shapes are polygons or rectangles, visible ones masks."""
    shapes = []
    for id_, masks in video.masks(frame).items():
        made = video.frames[frame][id_]
        full = polygon(made.label, made.amodal, id_)
        if id_ == 1:
            full |= dict(shape_type='rectangle', points=[[*made.amodal[:2]], [*made.amodal[2:]]])
        shapes.append(full | ({'label': f'{made.label}_amodal'} if told_by == 'suffix'
                              else {'flags': {'amodal': True}}))
        if masks['visible'].any():
            shapes.append(mask_shape(made.label, masks['visible'], id_, flags={'amodal': False}))
    return shapes


def write_file(path, size, image, shapes):
    path.write_text(json.dumps(dict(
        version='5.5.0', flags={}, shapes=shapes, imagePath=image, imageData=None,
        imageHeight=size[0], imageWidth=size[1])))


def write_dataset(root: Path, told_by: str = 'suffix') -> Path:
    for video in made_videos():
        frames = write_frames(video, root / video.name, 'frame_{}.jpg')
        for index, frame in enumerate(frames):
            write_file(frame.with_suffix('.json'), video.size, frame.name,
                       shapes_of(video, index, told_by))
    return root


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path / 'raw')


def convert(run_tool, root, *more):
    return run_tool('convert', 'labelme', root, '--out', root.parent / 'out', *more)


SUFFIX = ('--amodal-suffix', '_amodal')


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize(('told_by', 'options'), [('suffix', SUFFIX),
                                                  ('flag', ('--amodal-flag', 'amodal'))])
def test_round_trip(tmp_path, run_tool, told_by, options, workers):
    root = write_dataset(tmp_path / 'raw', told_by)
    assert convert(run_tool, root, *options, '--workers', workers) == 0
    assert_same(tmp_path / 'out/train.json', made_videos(), BOTH)
    assert_sound(tmp_path / 'out/train.json', root)
    assert load_annotations(tmp_path / 'out/train.json').categories == {1: 'car', 2: 'person'}


def test_frames_are_in_the_order_of_their_numbers(tmp_path, run_tool):
    video = MadeVideo('long', (8, 8), [{1: Made('car', (0, 0, 4, 4))}] * 11)
    for index, frame in enumerate(write_frames(video, tmp_path / 'raw/long', 'f{}.png')):
        write_file(frame.with_suffix('.json'), video.size, frame.name,
                   shapes_of(video, index, 'flag'))
    assert convert(run_tool, tmp_path / 'raw', '--amodal-flag', 'amodal') == 0
    frames = load_annotations(tmp_path / 'out/train.json').videos[0].frames
    assert [frame.file_name for frame in frames] == [f'long/f{n}.png' for n in range(11)]


def test_one_folder_is_one_video_and_parts_are_joined(tmp_path, run_tool):
    video = MadeVideo('raw', (20, 40), [{5: Made('car', (2, 2, 12, 8), (5, 0, 8, 20))}] * 2)
    for frame in write_frames(video, tmp_path / 'raw'):
        write_file(frame.with_suffix('.json'), video.size, frame.name,
                   [polygon('car', (2, 2, 5, 8), 5), polygon('car', (8, 2, 12, 8), 5)])
    assert convert(run_tool, tmp_path / 'raw') == 0
    assert_same(tmp_path / 'out/train.json', [video], ('visible',))


def test_frames_elsewhere_and_paths_of_windows(tmp_path, run_tool):
    root, video = tmp_path / 'raw', made_videos()[0]
    (root / 'labels').mkdir(parents=True)
    for index, frame in enumerate(write_frames(video, root / 'pictures')):
        write_file(root / 'labels' / f'{frame.stem}.json', video.size,
                   f'..\\pictures\\{frame.name}', shapes_of(video, index, 'suffix'))
    assert convert(run_tool, root, *SUFFIX, '--frames', 'copy') == 0
    assert_sound(tmp_path / 'out/train.json', tmp_path / 'out/train')
    names = [frame.file_name for _, frame in load_annotations(
        tmp_path / 'out/train.json').frames]
    assert names[0] == 'pictures/000000.png'
    (root / 'pictures/000000.png').unlink()
    assert convert(run_tool, root, *SUFFIX) == 1


def test_a_single_image_needs_no_groups(tmp_path, run_tool, capsys):
    video = MadeVideo('a', (8, 8), [{3: Made('car', (0, 0, 4, 4)), 4: Made('car', (4, 4, 8, 8)),
                                     5: Made('person', (5, 0, 8, 3))}])
    frame, = write_frames(video, tmp_path / 'raw/a')
    write_file(frame.with_suffix('.json'), video.size, frame.name, [
        polygon('car', (0, 0, 4, 4), 3), polygon('car', (4, 4, 8, 8), None),
        polygon('person', (5, 0, 8, 3), None)])
    assert convert(run_tool, tmp_path / 'raw') == 0
    assert_same(tmp_path / 'out/train.json', [video], ('visible',))


def test_classes_and_labels_to_leave_out(root, tmp_path, run_tool, capsys):
    assert convert(run_tool, root, *SUFFIX, '--classes', 'person', 'car', 'bus') == 0
    assert load_annotations(tmp_path / 'out/train.json').categories == {
        1: 'person', 2: 'car', 3: 'bus'}
    assert_same(tmp_path / 'out/train.json', made_videos(), BOTH)
    assert convert(run_tool, root, *SUFFIX, '--classes', 'car') == 1
    assert "frame frame_0.jpg: the label 'person' is none of the classes (car)" in (
        capsys.readouterr().err)
    assert convert(run_tool, root, *SUFFIX, '--leave-out', 'person', 'person_amodal') == 0
    cars = load_annotations(tmp_path / 'out/train.json')
    assert cars.categories == {1: 'car'}
    assert [len(frame.instances) for _, frame in cars.frames] == [1, 1, 1, 1, 0, 1]


def edit(root, change, name='street 1/frame_1.json'):
    content = json.loads((root / name).read_text())
    change(content)
    (root / name).write_text(json.dumps(content))


def test_overlap(root, tmp_path, run_tool, capsys):
    drawn_last = mask_shape('car', box_mask((8, 6, 21, 14), (20, 40)), 1)

    def change(content):
        content['shapes'] = [s for s in content['shapes'] if s['label'] != 'car'] + [drawn_last]

    edit(root, change)
    edit(root, lambda c: c['shapes'][0].update(points=[[8, 6], [21, 14]]))
    assert convert(run_tool, root, *SUFFIX) == 1
    assert 'frame frame_1.jpg: visible masks overlap in 7 pixels' in capsys.readouterr().err
    assert convert(run_tool, root, *SUFFIX, '--overlap', 'keep') == 0
    assert convert(run_tool, root, *SUFFIX, '--overlap', 'front') == 0
    assert '7 pixels of overlapping visible masks' in capsys.readouterr().err
    assert_sound(tmp_path / 'out/train.json', root)
    car, person = load_annotations(tmp_path / 'out/train.json').videos[0].frames[1].instances
    masks = decode([car.masks['visible'], person.masks['visible']], (20, 40)).astype(bool)
    assert (masks[0] == box_mask((8, 6, 21, 14), (20, 40))).all()
    whole = box_mask((16, 4, 22, 13), (20, 40))
    assert (masks[1] == whole & ~box_mask((8, 6, 21, 14), (20, 40))).all()


@pytest.mark.parametrize(('shape', 'area'), [
    (dict(shape_type='circle', points=[[20, 20], [20, 29]]), np.pi * 81),
    (dict(shape_type='rectangle', points=[[10, 12], [3, 4]]), 56),
    (dict(shape_type='polygon', points=[[0, 0], [20, 0], [0, 20]]), 200),
    (dict(shape_type='oriented_rectangle', points=[[20, 10], [30, 20], [20, 30], [10, 20]]), 200),
    (dict(points=[[-9, -9], [10, -9], [10, 10], [-9, 10]]), 100)])
def test_areas(shape, area):
    mask, = decode([shape_mask(shape, (40, 40))], (40, 40))
    assert mask.sum() == pytest.approx(area, rel=.05)


def test_a_circle_is_where_it_was_drawn():
    mask, = decode([shape_mask(dict(shape_type='circle', points=[[20, 10], [26, 10]]),
                               (40, 40))], (40, 40))
    y, x = np.mgrid[:40, :40] + .5
    distance = np.hypot(x - 20, y - 10)
    assert mask[distance < 5].all() and not mask[distance > 7].any()


BAD_SHAPES = {
    'no group': (dict(group_id=None), "'group_id' is None, but it says which object"),
    'line': (dict(shape_type='linestrip'), "a shape of type 'linestrip' has no area"),
    'few corners': (dict(shape_type='polygon', points=[[1, 1], [2, 2]]),
                    'needs at least three corners'),
    'far': (dict(shape_type='polygon', points=[[1, 1], [2, 2], [1e9, 3]]),
            'a corner lies far outside the frame of 40 x'),
    'numbers': (dict(points=[[1, 'x'], [2, 2], [3, 3]]), "'points' must be pairs"),
    'nan': (dict(points=[[1, float('nan')], [2, 2], [3, 3]]), "'points' must be pairs"),
    'rectangle': (dict(shape_type='rectangle', points=[[1, 1]]), 'a rectangle needs two points'),
    'base64': (dict(shape_type='mask', points=[[1, 1], [2, 2]], mask='%%'), 'no PNG in base64'),
    'no mask': (dict(shape_type='mask', points=[[1, 1], [2, 2]]), 'no PNG in base64'),
    'png': (dict(shape_type='mask', points=[[1, 1], [2, 2]], mask='QUJD'), 'no PNG in base64'),
    'mask size': (mask_shape('car', np.ones((2, 3), bool), 1, points=[[1, 1], [2, 2]]),
                  "'mask' has the shape (2, 3), but its points span 2 x 2"),
    'mask outside': (mask_shape('car', np.ones((2, 3), bool), 1, points=[[38, 1], [40, 2]]),
                     'does not lie within the frame'),
}


@pytest.mark.parametrize('name', BAD_SHAPES)
def test_bad_shapes_are_named(root, tmp_path, run_tool, capsys, name):
    change, message = BAD_SHAPES[name]
    edit(root, lambda content: content['shapes'][0].update(change))
    label = change.get('label', 'car_amodal')
    assert convert(run_tool, root, *SUFFIX) == 1
    error = capsys.readouterr().err
    assert f"street 1/frame_1.json: shapes[0] ('{label}')" in error and message in error, error
    assert not (tmp_path / 'out/train.json').exists()


FAULTS = {
    'not JSON': (lambda r: (r / 'yard/frame_0.json').write_text('{'),
                 'yard/frame_0.json: no file of labelme'),
    'other JSON': (lambda r: (r / 'yard/frame_0.json').write_text('[]'),
                   'yard/frame_0.json: no file of labelme'),
    'no label': (lambda r: edit(r, lambda c: c['shapes'][0].pop('label')),
                 'frame_1.json: no file of labelme'),
    'nested': (lambda r: (r / 'yard/frame_1.json').write_text('[' * 100_000),
               'frame_1.json: no file of labelme (ValueError: nested too deeply)'),
    'long number': (lambda r: edit(r, lambda c: c['shapes'][0].update(points=[[10**400, 1]] * 3)),
                    'must be pairs of finite numbers'),
    'empty label': (lambda r: edit(r, lambda c: c['shapes'][0].update(label='')),
                    'every shape must have a label'),
    'no class': (lambda r: edit(r, lambda c: c['shapes'][0].update(label='_amodal')),
                 "the label '_amodal' has no class"),
    'size': (lambda r: edit(r, lambda c: c.update(imageHeight=21)),
             'frame_1.json: was drawn on 40 x 21 pixels, but'),
    'sizes': (lambda r: edit(r, lambda c: c.update(imageHeight='20')),
              "'imageHeight' and 'imageWidth' must be pixels"),
    'another frame': (lambda r: edit(r, lambda c: c.update(imagePath='other.jpg')),
                      "'imagePath' is 'other.jpg', but the frame beside it is frame_1.jpg"),
    'no frame': (lambda r: (r / 'yard/frame_0.jpg').unlink(), "'imagePath' leads to"),
    'one frame less': (lambda r: (r / 'street 1/frame_2.jpg').unlink(),
                       'frame_2.json belongs to no frame'),
    'one file less': (lambda r: (r / 'street 1/frame_2.json').unlink(),
                      'frame_2.jpg has no labels'),
    'class changes': (lambda r: edit(r, lambda c: [s.update(label='bus') for s in c['shapes']
                                                   if s['group_id'] == 1]),
                      "object 1 is a 'bus', but a 'car' in frame frame_0.jpg"),
    'no shapes': (lambda r: [edit(r, lambda c: c['shapes'].clear(), path.relative_to(r))
                             for path in r.glob('*/*.json')], 'no file has a shape'),
    'nothing': (lambda r: [path.unlink() for path in r.glob('*/*.json')],
                'holds no JSON file of labelme'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_faults_are_named(root, tmp_path, run_tool, capsys, name):
    fault, message = FAULTS[name]
    fault(root)
    assert convert(run_tool, root, *SUFFIX) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error, error
    assert not (tmp_path / 'out/train.json').exists()


def test_videos_without_labels_are_noted(root, tmp_path, run_tool, capsys):
    write_frames(made_videos()[0], root / 'new')
    assert convert(run_tool, root, *SUFFIX) == 0
    assert '1 folders of frames have no labels and are left out: new' in capsys.readouterr().err
    assert_same(tmp_path / 'out/train.json', made_videos(), BOTH)


def test_files_of_systems_and_byte_order_marks_do_no_harm(root, tmp_path, run_tool):
    (root / '__MACOSX').mkdir()
    for folder in (root, root / 'yard', root / '__MACOSX'):
        (folder / '._frame_0.json').write_bytes(b'\0\5\x16\7\xff')
    path = root / 'yard/frame_0.json'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert convert(run_tool, root, *SUFFIX) == 0
    assert_same(tmp_path / 'out/train.json', made_videos(), BOTH)


def test_files_beside_folders_are_refused(root, run_tool, capsys):
    (root / 'frame.json').write_text('{}')
    assert convert(run_tool, root, *SUFFIX) == 1
    assert 'holds JSON files (frame.json) and folders with such (street 1)' in (
        capsys.readouterr().err)


def test_shapes_without_a_pixel_are_counted(root, run_tool, capsys):
    edit(root, lambda c: c['shapes'].append(polygon('car_amodal', (-9, -9, -2, -2), 9)))
    assert convert(run_tool, root, *SUFFIX) == 0
    assert '(left out: 1 without a pixel)' in capsys.readouterr().out
