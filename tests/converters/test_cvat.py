from __future__ import annotations

from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from made_labels import MadeVideo, assert_same, assert_sound, made_videos, write_frames
from PIL import Image

from vatrack.files import load_annotations
from vatrack.structures.rle import decode
from vatrack.video import VideoWriter

BOTH = ('amodal', 'visible')
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>street</name>
      <size>{count}</size>
      <mode>{mode}</mode>
      <overlap>5</overlap>
      <bugtracker></bugtracker>
      <start_frame>{start}</start_frame>
      <stop_frame>{stop}</stop_frame>
      <frame_filter>{filter}</frame_filter>
      <labels>{labels}</labels>
      {size}
    </task>
    <dumped>2026-01-01 00:00:00+00:00</dumped>
  </meta>
"""
LABEL = '<label><name>{}</name><color>#fa3253</color><type>any</type><attributes/></label>'


def head(video, labels=('car', 'person', 'car_amodal', 'person_amodal'), mode='interpolation',
         start=0, step=1):
    count = len(video.frames)
    size = (f'<original_size><width>{video.size[1]}</width><height>{video.size[0]}</height>'
            '</original_size>') if mode == 'interpolation' else ''
    return HEAD.format(count=count, mode=mode, start=start, stop=start + (count - 1) * step,
                       filter='' if step == 1 else f'step={step}', size=size,
                       labels=''.join(LABEL.format(label) for label in labels))


def element(tag, inner='', **attributes):
    text = ' '.join(f'{key}={quoteattr(str(value))}' for key, value in attributes.items())
    return f'<{tag} {text}>{inner}</{tag}>\n'


def polygon(box, **more):
    x1, y1, x2, y2 = box
    points = ';'.join(f'{x:.2f},{y:.2f}' for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2)))
    return element('polygon', source='manual', points=points, z_order=0, **more)


def box_element(box, **more):
    return element('box', source='manual', z_order=0,
                   **{key: f'{value:.2f}' for key, value in
                      zip(('xtl', 'ytl', 'xbr', 'ybr'), box, strict=True)}, **more)


def mask_element(mask, inner='', **more):
    """Runs over the rows of the box, background first, as CVAT writes them: '0, 3, 1'."""
    ys, xs = np.nonzero(mask)
    patch = mask[ys.min():ys.max() + 1, xs.min():xs.max() + 1]
    runs, value = [0], False
    for pixel in patch.ravel():
        if pixel != value:
            runs, value = [*runs, 0], pixel
        runs[-1] += 1
    return element('mask', inner, source='manual', rle=str(runs)[1:-1], left=xs.min(),
                   top=ys.min(), width=patch.shape[1], height=patch.shape[0], z_order=0, **more)


def video_xml(video: MadeVideo, start=0, step=1) -> str:
    """Amodal shapes are tracks of polygons or boxes; visible ones masks of a frame each."""
    tracks, ids = [], {id_: None for frame in video.frames for id_ in frame}
    number = {index: start + index * step for index in range(len(video.frames))}
    count = 0
    for id_ in ids:
        shapes, state = [], dict(occluded=0)
        for index, frame in enumerate(video.frames):
            if id_ not in frame:
                if index and id_ in video.frames[index - 1]:
                    shapes.append(polygon(video.frames[index - 1][id_].amodal, keyframe=1,
                                          outside=1, frame=number[index], **state))
                continue
            make = box_element if id_ == 1 else polygon
            shapes.append(make(frame[id_].amodal, keyframe=int(index % 2 == 0), outside=0,
                               frame=number[index], **state))
        label = next(frame[id_].label for frame in video.frames if id_ in frame)
        tracks.append(element('track', ''.join(shapes), id=count, label=f'{label}_amodal',
                              source='manual', group_id=10 + id_))
        count += 1
    for index in range(len(video.frames)):
        for id_, masks in video.masks(index).items():
            if not masks['visible'].any():
                continue
            state = dict(occluded=0, keyframe=1)
            inner = mask_element(masks['visible'], outside=0, frame=number[index], **state)
            inner += mask_element(masks['visible'], outside=1, frame=number[index] + step, **state)
            tracks.append(element('track', inner, id=count, label=video.frames[index][id_].label,
                                  source='manual', group_id=10 + id_))
            count += 1
    return head(video, start=start, step=step) + ''.join(tracks) + '</annotations>\n'


def images_xml(video: MadeVideo, names) -> str:
    """The same as "CVAT for images": kinds by a checkbox."""
    text = head(video, labels=('car', 'person'), mode='annotation')
    for index, name in enumerate(names):
        shapes = ''
        for id_, masks in video.masks(index).items():
            made = video.frames[index][id_]
            more = dict(label=made.label, occluded=0, group_id=id_)
            shapes += polygon(made.amodal, **more).replace(
                '></polygon>', '><attribute name="amodal">true</attribute></polygon>')
            if masks['visible'].any():
                shapes += mask_element(
                    masks['visible'], '<attribute name="amodal">false</attribute>', **more)
        text += element('image', shapes, id=index, name=name, width=video.size[1],
                        height=video.size[0])
    return text + '</annotations>\n'


@pytest.fixture
def root(tmp_path):
    """Unzipped exports: a folder with annotations.xml and images/ per task."""
    for video in made_videos():
        write_frames(video, tmp_path / 'raw' / video.name / 'images', 'frame_{:06d}.png')
        (tmp_path / 'raw' / video.name / 'annotations.xml').write_text(video_xml(video))
    return tmp_path / 'raw'


SUFFIX = ('--amodal-suffix', '_amodal')


def convert(run_tool, root, *more):
    return run_tool('convert', 'cvat', root, '--out', root.parent / 'out', *more)


def test_round_trip(root, tmp_path, run_tool, capsys):
    assert convert(run_tool, root, *SUFFIX) == 0
    assert_same(tmp_path / 'out/train.json', made_videos(), BOTH, same_ids=False)
    assert_sound(tmp_path / 'out/train.json', root)
    assert load_annotations(tmp_path / 'out/train.json').categories == {1: 'car', 2: 'person'}
    assert '1 of 4 objects are in one frame only' in capsys.readouterr().err


def test_one_file_and_frames_elsewhere(root, tmp_path, run_tool):
    street = made_videos()[0]
    (root / 'street 1/annotations.xml').rename(root / 'street 1.xml')
    (root / 'street 1/images').rename(tmp_path / 'pictures')
    assert run_tool('convert', 'cvat', root / 'street 1.xml', '--images', tmp_path / 'pictures',
                    *SUFFIX, '--out', tmp_path / 'out', '--frames', 'copy') == 0
    assert_same(tmp_path / 'out/train.json', [street], BOTH, same_ids=False)
    assert_sound(tmp_path / 'out/train.json', tmp_path / 'out/train')


def test_a_folder_of_xml_files(root, tmp_path, run_tool):
    for video in made_videos():
        (root / video.name / 'annotations.xml').rename(tmp_path / f'{video.name}.xml')
        (root / video.name / 'images').rename(tmp_path / video.name)
    root.rename(tmp_path / 'old')
    assert run_tool('convert', 'cvat', tmp_path, *SUFFIX, '--out', tmp_path / 'out') == 0
    assert_same(tmp_path / 'out/train.json', made_videos(), BOTH, same_ids=False)


@pytest.mark.parametrize('absolute', [True, False])
def test_frames_of_a_video_file(tmp_path, run_tool, absolute):
    """Every third frame from the second on: shapes count frames of the video, or of the task."""
    pytest.importorskip('av')
    video = made_videos()[0]
    with VideoWriter(tmp_path / 'film.mp4', 10) as writer:
        for index in range(15):
            writer.write(np.full((*video.size, 3), 16 * index, np.uint8))
    text = video_xml(video, start=1, step=3)
    if not absolute:
        head_end = text.index('</meta>')
        text = text[:head_end] + video_xml(video)[video_xml(video).index('</meta>'):]
    (tmp_path / 'street 1.xml').write_text(text)
    assert run_tool('convert', 'cvat', tmp_path / 'street 1.xml', '--images',
                    tmp_path / 'film.mp4', *SUFFIX, '--out', tmp_path / 'out') == 0
    assert_same(tmp_path / 'out/train.json', [video], BOTH, same_ids=False)
    assert_sound(tmp_path / 'out/train.json', tmp_path / 'out/train')
    frames = sorted((tmp_path / 'out/train/street 1/images').iterdir())
    assert [path.name for path in frames] == [f'{n:06d}.jpg' for n in (1, 4, 7, 10, 13)]
    means = [np.asarray(Image.open(path)).mean() for path in frames]
    assert means == pytest.approx([16, 64, 112, 160, 208], abs=6)


@pytest.fixture
def short_film(tmp_path):
    pytest.importorskip('av')
    (tmp_path / 'films').mkdir()
    with VideoWriter(tmp_path / 'films/street 1.mp4', 10) as writer:
        for _ in range(3):
            writer.write(np.zeros((20, 40, 3), np.uint8))
    return tmp_path / 'films/street 1.mp4'


def test_faults_of_video_files_are_named(root, short_film, run_tool, capsys):
    call = [root / 'street 1', *SUFFIX, '--images', short_film]
    assert convert(run_tool, *call) == 1
    assert f"{short_film}: ends before frame 3, which the task 'street 1' has" in (
        capsys.readouterr().err)
    short_film.write_bytes(b'x')
    assert convert(run_tool, *call) == 1
    assert f'error: {short_film}: ' in capsys.readouterr().err


def test_video_files_and_images_do_not_mix(root, short_film, run_tool, capsys):
    (root / 'yard/images').rename(short_film.parent / 'yard')
    assert convert(run_tool, root, *SUFFIX, '--images', short_film.parent) == 1
    assert 'street 1.mp4 is a video file, but the frames of yard are images' in (
        capsys.readouterr().err)


def test_frames_are_not_extracted_into_a_link(root, short_film, tmp_path, run_tool, capsys):
    (root / 'out').mkdir()
    (root / 'out/train').symlink_to(tmp_path)
    assert convert(run_tool, root / 'street 1', *SUFFIX, '--images', short_film) == 1
    assert 'out/train: is a link, so that frames would be written to' in capsys.readouterr().err


def test_for_images(tmp_path, run_tool):
    video = made_videos()[0]
    root = tmp_path / video.name
    frames = write_frames(video, root / 'images/day', '{}.png')
    (root / 'annotations.xml').write_text(images_xml(video, [f'day/{f.name}' for f in frames]))
    assert convert(run_tool, root, '--amodal-attribute', 'amodal') == 0
    assert_same(tmp_path / 'out/train.json', [video], BOTH, same_ids=False)
    assert_sound(tmp_path / 'out/train.json', root)


def one_frame(tmp_path, shapes, *more_frames, size=(20, 40)):
    video = MadeVideo('one', size, [{}, *more_frames])
    root = tmp_path / 'one'
    write_frames(video, root / 'images')
    (root / 'annotations.xml').write_text(
        head(video, labels=('car', 'person')) + shapes + '</annotations>')
    return root


def track(inner, **more):
    return element('track', inner, **dict(id=0, label='car') | more)


STATE = dict(frame=0, outside=0, occluded=0, keyframe=1)


def areas_of(path):
    return [decode([each.masks['visible']], (20, 40))[0].sum()
            for each in load_annotations(path).videos[0].frames[0].instances]


def test_ellipses_and_turned_boxes(tmp_path, run_tool):
    shapes = element('ellipse', cx='20.00', cy='10.00', rx='12.00', ry='3.00', z_order=0,
                     rotation='90.00', **STATE)
    root = one_frame(tmp_path, track(element('ellipse', cx='8.00', cy='10.00', rx='6.00',
                                             ry='9.00', z_order=0, **STATE))
                     + track(box_element((15, 8, 39, 12), rotation='90.00', **STATE), id=1))
    assert convert(run_tool, root) == 0
    ellipse, box = load_annotations(tmp_path / 'out/train.json').videos[0].frames[0].instances
    mask, = decode([ellipse.masks['visible']], (20, 40))
    assert mask.sum() == pytest.approx(np.pi * 54, rel=.05)
    assert ellipse.bboxes['visible'] == pytest.approx((2, 1, 14, 19), abs=1)
    assert box.bboxes['visible'] == pytest.approx((25, 0, 29, 20), abs=1)
    root = one_frame(tmp_path / 'turned', track(shapes))
    assert convert(run_tool, root) == 0
    turned, = load_annotations(
        tmp_path / 'turned/out/train.json').videos[0].frames[0].instances
    assert turned.bboxes['visible'] == pytest.approx((17, 0, 23, 20), abs=1)


def test_identity_by_attribute_and_parts(tmp_path, run_tool):
    named = '><attribute name="id">{}</attribute></polygon>'
    inner = [polygon(box, **STATE).replace('></polygon>', named.format(name))
             for box, name in (((0, 0, 4, 4), 'a'), ((10, 0, 14, 4), 'b'), ((20, 0, 24, 4), 'a'))]
    root = one_frame(tmp_path, ''.join(track(each, id=i) for i, each in enumerate(inner)))
    assert convert(run_tool, root, '--instance-attribute', 'id') == 0
    assert areas_of(tmp_path / 'out/train.json') == [32, 16]
    assert convert(run_tool, root) == 0
    assert areas_of(tmp_path / 'out/train.json') == [16, 16, 16]


def test_the_front_is_the_higher_z_order(tmp_path, run_tool):
    shapes = track(polygon((0, 0, 10, 10), **STATE).replace('z_order="0"', 'z_order="5"'), id=0)
    shapes += track(polygon((5, 0, 15, 10), **STATE), id=1)
    root = one_frame(tmp_path, shapes)
    assert convert(run_tool, root, '--overlap', 'front') == 0
    assert areas_of(tmp_path / 'out/train.json') == [100, 50]


def test_leave_out_and_classes(root, tmp_path, run_tool, capsys):
    assert convert(run_tool, root, *SUFFIX, '--leave-out', 'person', 'person_amodal') == 0
    assert load_annotations(tmp_path / 'out/train.json').categories == {1: 'car'}
    assert convert(run_tool, root, *SUFFIX, '--classes', 'person') == 1
    assert "the label 'car' is none of the classes (person)" in capsys.readouterr().err


def edit(root, old, new, name='street 1'):
    path = root / name / 'annotations.xml'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


POLYGON = '<track id="99" label="car">{}</track></annotations>'


def adds(element_):
    return lambda r: edit(r, '</annotations>', POLYGON.format(element_))


FAULTS = {
    'no file': (lambda r: [path.unlink() for path in r.glob('*/*.xml')],
                'raw: no such file, nor a folder with annotations.xml'),
    'cut off': (lambda r: edit(r, '</annotations>', ''), 'annotations.xml: no XML of CVAT'),
    'other XML': (lambda r: (r / 'yard/annotations.xml').write_text('<svg/>'),
                  'its root is <svg>, not <annotations>'),
    'document type': (lambda r: edit(r, '<annotations>',
                                     '<!DOCTYPE a [<!ENTITY b "c">]><annotations>'),
                      'it has a document type'),
    'no head': (lambda r: (r / 'yard/annotations.xml').write_text('<annotations/>'),
                'has no <meta>'),
    'project': (lambda r: edit(r, '<task>', '<project><x>') or edit(r, '</task>', '</x></project>'),
                'is not the export of one task'),
    'size': (lambda r: edit(r, '<size>5</size>', '<size>five</size>'), 'the head (<meta>) is bro'),
    'no frames': (lambda r: (r / 'street 1/images').rename(r / 'street 1/pictures'),
                  "no frames of the task 'street 1'"),
    'frames': (lambda r: (r / 'street 1/images/frame_000002.png').unlink(),
               "images: holds 4 images, but the task 'street 1' has 5 frames"),
    'frame size': (lambda r: edit(r, '<width>40<', '<width>41<'), 'is 40 x 20 pixels, but the'),
    'frame': (adds(polygon((0, 0, 4, 4), **STATE | {'frame': 5})), 'frame 5 has shapes, but the'),
    'no area': (adds(element('polyline', points='1,1;2,2;3,3', **STATE)),
                "track 99, frame 0, polyline ('car'): a <polyline> has no area"),
    'same id': (lambda r: edit(r, '</annotations>', 2 * track(polygon((0, 0, 4, 4), **STATE))
                               .replace('id="0"', 'id="77"') + '</annotations>'),
                "track 77, frame 0, polygon ('car'): another track of the same id"),
    'points': (adds(element('polygon', points='1,1;2', **STATE)), "'points' must be x,y;x,y"),
    'few': (adds(element('polygon', points='1,1;2,2', **STATE)), 'needs at least three corners'),
    'box': (adds(element('box', xtl='1', ytl='1', xbr='nan', ybr='2', **STATE)),
            "'xbr' must be a number, got 'nan'"),
    'runs': (adds(element('mask', rle='1, 2', left=0, top=0, width=2, height=2, **STATE)),
             "'rle' must be runs that add up to 2 x 2"),
    'huge runs': (adds(element('mask', rle='1, 99999999999', left=0, top=0, width=100000000000,
                               height=1, **STATE)), "'rle' must be runs that add up to"),
    'outside': (adds(element('mask', rle='0, 4', left=39, top=0, width=2, height=2, **STATE)),
                'does not lie within the frame'),
    'twice': (adds(polygon((0, 0, 1, 1), **STATE) * 2), 'the track has two shapes in this frame'),
    'unknown label': (lambda r: edit(r, 'label="person"', 'label="bus"'),
                      "frame frame_000000.png: the label 'bus' is none of the classes"),
    'two classes': (lambda r: edit(r, 'label="person"', 'label="car"'),
                    "object 2 is a 'car', but a 'person' in frame frame_000000.png"),
}


@pytest.mark.parametrize('name', FAULTS)
def test_faults_are_named(root, tmp_path, run_tool, capsys, name):
    fault, message = FAULTS[name]
    fault(root)
    assert convert(run_tool, root, *SUFFIX) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error, error
    assert not (tmp_path / 'out/train.json').exists()


def test_images_without_groups_are_refused(tmp_path, run_tool, capsys):
    video = made_videos()[0]
    root = tmp_path / 'raw'
    frames = write_frames(video, root / 'images')
    text = images_xml(video, [frame.name for frame in frames])
    (root / 'annotations.xml').write_text(text.replace('group_id="1"', ''))
    assert convert(run_tool, root, '--amodal-attribute', 'amodal') == 1
    assert "image 0, polygon ('car'): belongs to no group" in capsys.readouterr().err
    (root / 'annotations.xml').write_text(text.replace('>true<', '>perhaps<'))
    assert convert(run_tool, root, '--amodal-attribute', 'amodal') == 1
    assert "the attribute 'amodal' is 'perhaps', expected one of" in capsys.readouterr().err
    (root / 'annotations.xml').write_text(text.replace('width="40"', 'width="44"', 1))
    assert convert(run_tool, root, '--amodal-attribute', 'amodal') == 1
    assert 'was drawn on 44 x 20 pixels' in capsys.readouterr().err
