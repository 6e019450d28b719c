from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_labels import CLASSES, assert_same, assert_sound, made_videos, write_frames
from PIL import Image

from vatrack.converters.labelling.label_images import palette
from vatrack.files import load_annotations

BOTH = ('amodal', 'visible')


def labels(video, frame):
    """The id of the visible object at every pixel."""
    image = np.zeros(video.size, np.uint16)
    for id_, masks in video.masks(frame).items():
        image[masks['visible']] = id_
    return image


def save_16_bit(path, image):
    assert cv2.imwrite(str(path), image)


def save_8_bit(path, image):
    Image.fromarray(image.astype(np.uint8)).save(path)


def save_palette(path, image):
    picture = Image.fromarray(image.astype(np.uint8), 'P')
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    picture.save(path)


def save_transparent(path, image):
    grey = image.astype(np.uint8)
    Image.fromarray(np.stack([grey, np.full_like(grey, 9)], -1), 'LA').save(path)


def save_davis(path, image):
    """The first colours of DAVIS, as its paper prints them."""
    colours = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128),
                        (128, 0, 128), (0, 128, 128), (128, 128, 128)], np.uint8)
    Image.fromarray(colours[image]).save(path)


def save_number(path, image):
    large = 300 * image.astype(int)
    Image.fromarray(np.stack([large & 255, large >> 8, 0 * large], -1).astype(np.uint8)).save(path)


def write_dataset(root: Path, save=save_16_bit, amodal: bool = True) -> Path:
    classes = {}
    for video in made_videos():
        folder = root / video.name
        write_frames(video, folder / 'frames', '{:05d}.jpg')
        (folder / 'visible').mkdir()
        for index, objects in enumerate(video.frames):
            save(folder / 'visible' / f'{index:05d}.png', labels(video, index))
            for id_, masks in video.masks(index).items() if amodal else ():
                (folder / 'amodal' / str(id_)).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / 'amodal' / str(id_) / f'{index:05d}.png'),
                            255 * masks['amodal'].astype(np.uint8))
            classes.setdefault(video.name, {}).update(
                {str(id_): made.label for id_, made in objects.items()})
    (root / 'classes.json').write_text(json.dumps({'classes': CLASSES, 'videos': classes}))
    return root


@pytest.fixture
def root(tmp_path):
    return write_dataset(tmp_path / 'raw')


@pytest.mark.parametrize('workers', [1, 2])
def test_round_trip(root, tmp_path, run_tool, capsys, workers):
    out = tmp_path / 'out'
    assert run_tool('convert', 'png-masks', root, '--out', out, '--workers', workers) == 0
    assert_same(out / 'train.json', made_videos(), BOTH)
    assert_sound(out / 'train.json', root)
    assert list(load_annotations(out / 'train.json').categories.items()) == [(1, 'car'),
                                                                           (2, 'person')]
    assert f'the frames stay in {root}' in capsys.readouterr().err
    hidden = load_annotations(out / 'train.json').videos[0].frames[2].instances[1]
    assert hidden.occlusion == 1 and set(hidden.masks) == set(BOTH)


@pytest.mark.parametrize('mode', ['link', 'copy'])
def test_frames_are_linked_or_copied(root, tmp_path, run_tool, mode):
    out = tmp_path / 'out'
    assert run_tool('convert', 'png-masks', root, '--out', out, '--split', 'val', '--frames',
                    mode) == 0
    assert_sound(out / 'val.json', out / 'val')
    assert (out / 'val').is_symlink() == (mode == 'link')
    assert (out / 'val/yard/frames/00000.jpg').read_bytes() == (
        root / 'yard/frames/00000.jpg').read_bytes()


def test_data_in_place_need_no_link(tmp_path, run_tool, capsys):
    root = write_dataset(tmp_path / 'own/train')
    for mode in ('reference', 'link', 'copy'):
        assert run_tool('convert', 'png-masks', root, '--out', tmp_path / 'own', '--frames',
                        mode) == 0
        assert_sound(tmp_path / 'own/train.json', root)
        assert 'frames stay' not in capsys.readouterr().err
    assert not root.is_symlink()


def test_a_folder_in_the_way_of_the_link_stays(root, tmp_path, run_tool, capsys):
    (tmp_path / 'out/train').mkdir(parents=True)
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path / 'out', '--frames',
                    'link') == 1
    assert 'out/train: is another file than' in capsys.readouterr().err
    assert not (tmp_path / 'out/train.json').exists()


@pytest.mark.parametrize('save', [save_8_bit, save_palette, save_davis, save_transparent])
def test_every_way_to_save_labels(tmp_path, run_tool, save):
    root = write_dataset(tmp_path / 'raw', save)
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path) == 0
    assert_same(tmp_path / 'train.json', made_videos(), BOTH)


def test_colours_as_numbers(tmp_path, run_tool, capsys):
    root = write_dataset(tmp_path / 'raw', save_number, amodal=False)
    content = json.loads((root / 'classes.json').read_text())
    content['videos'] = {video: {str(300 * int(id_)): label for id_, label in objects.items()}
                         for video, objects in content['videos'].items()}
    (root / 'classes.json').write_text(json.dumps(content))
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path) == 1
    assert 'the colour (44, 1, 0) is none of the palette' in capsys.readouterr().err
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path, '--colours', 'number') == 0
    assert_same(tmp_path / 'train.json', made_videos(), ('visible',), same_ids=False)
    ids = {each.instance_id for _, frame in load_annotations(tmp_path / 'train.json').frames
           for each in frame.instances}
    assert ids == {300, 600, 900, 2100}


def test_the_palette_is_that_of_davis():
    assert len(palette()) == 256
    colours = {0: (0, 0, 0), 1: (128, 0, 0), 7: (128, 128, 128), 8: (64, 0, 0),
               21: (128, 64, 128), 255: (224, 224, 192)}
    for place, (red, green, blue) in colours.items():
        assert palette()[red + 256 * green + 65536 * blue] == place


def test_one_kind_and_one_class(root, tmp_path, run_tool):
    for video in made_videos():
        (root / video.name / 'amodal').rename(root / video.name / 'full')
        (root / video.name / 'frames').rename(root / video.name / 'JPEGImages')
        (root / video.name / 'visible').rename(root / video.name / 'Annotations')
    (root / 'classes.json').unlink()
    names = ['--frames-folder', 'JPEGImages', '--class', 'thing']
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path, *names, '--visible-folder',
                    'Annotations') == 0
    annotations = load_annotations(tmp_path / 'train.json')
    assert annotations.categories == {1: 'thing'}
    assert {kind for _, frame in annotations.frames for each in frame.instances
            for kind in each.masks} == {'visible'}
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path, *names, '--amodal-folder',
                    'full') == 0
    hidden = load_annotations(tmp_path / 'train.json').videos[0].frames[2].instances[1]
    assert set(hidden.masks) == {'amodal'}


def test_void_pixels(root, tmp_path, run_tool, capsys):
    path = root / 'yard/visible/00000.png'
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    image[10:] = 255
    cv2.imwrite(str(path), image)
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path) == 1
    assert f'{path}: object 255 has no class in' in capsys.readouterr().err
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path, '--class', 'x') == 1
    assert 'means "no label" in many datasets' in capsys.readouterr().err
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path, '--void', 255) == 0
    assert_same(tmp_path / 'train.json', made_videos(), BOTH)


def test_unlabelled_frames(root, tmp_path, run_tool, capsys):
    (root / 'street 1/visible/00004.png').unlink()
    call = ['convert', 'png-masks', root, '--out', tmp_path]
    assert run_tool(*call) == 1
    assert '00004.jpg has no labels (1 of 5 frames have none)' in capsys.readouterr().err
    assert run_tool(*call, '--unlabelled', 'empty') == 0
    assert_same(tmp_path / 'train.json', made_videos(), BOTH)
    assert '1 of 5 frames have no labels: they have no objects' in capsys.readouterr().err
    assert run_tool(*call, '--unlabelled', 'skip') == 0
    assert len(load_annotations(tmp_path / 'train.json').videos[0].frames) == 4
    (root / 'street 1/visible/00002.png').unlink()
    assert run_tool(*call, '--unlabelled', 'skip') == 1
    assert 'frame 00002: has amodal masks and no label image' in capsys.readouterr().err


def change_amodal(root, change):
    path = root / 'street 1/amodal/2/00001.png'
    cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))


def test_visible_pixels_outside_the_amodal_mask(root, tmp_path, run_tool, capsys):
    change_amodal(root, lambda mask: np.where(np.arange(len(mask))[:, None] < 6, 0, mask))
    call = ['convert', 'png-masks', root, '--out', tmp_path]
    assert run_tool(*call) == 1
    assert 'frame 00001.jpg, object 2: 12 of 26 pixels of the visible mask lie outside' in (
        capsys.readouterr().err)
    assert run_tool(*call, '--outside', 'extend') == 0
    assert_same(tmp_path / 'train.json', made_videos(), BOTH)
    assert run_tool(*call, '--outside', 'clip') == 0
    assert_sound(tmp_path / 'train.json', root)
    person = load_annotations(tmp_path / 'train.json').videos[0].frames[1].instances[1]
    assert person.bboxes['amodal'][1] == 6


def test_missing_amodal_masks(root, tmp_path, run_tool, capsys):
    (root / 'street 1/amodal/1/00001.png').unlink()  # the car, which nothing covers
    call = ['convert', 'png-masks', root, '--out', tmp_path]
    assert run_tool(*call) == 1
    assert 'frame 00001.jpg, object 1: has a visible mask and no amodal one' in (
        capsys.readouterr().err)
    assert run_tool(*call, '--missing-amodal', 'visible') == 0
    assert '1 amodal masks were missing' in capsys.readouterr().err
    assert_same(tmp_path / 'train.json', made_videos(), BOTH)


def test_an_empty_amodal_mask_is_no_object(root, tmp_path, run_tool, capsys):
    (root / 'yard/visible/00000.png').unlink()
    save_8_bit(root / 'yard/visible/00000.png', np.zeros((12, 9), int))
    save_8_bit(root / 'yard/amodal/3/00000.png', np.zeros((12, 9), int))
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path) == 0
    assert '(left out: 1 without a pixel)' in capsys.readouterr().out


def edit_classes(root, change):
    content = json.loads((root / 'classes.json').read_text())
    change(content)
    (root / 'classes.json').write_text(json.dumps(content))


FAULTS = {
    'no frames folder': (lambda r: (r / 'yard/frames').rename(r / 'yard/pictures'),
                         'yard/frames: no such folder'),
    'no frames': (lambda r: (r / 'yard/frames/00000.jpg').unlink(),
                  'yard/frames: holds no image'),
    'extra label': (lambda r: save_8_bit(r / 'yard/visible/00009.png', np.zeros((12, 9), int)),
                    '00009.png belongs to no frame (1 of 2 do not)'),
    'extra amodal': (lambda r: save_8_bit(r / 'yard/amodal/3/00009.png', np.zeros((12, 9), int)),
                     '00009.png: belongs to no frame'),
    'size': (lambda r: save_8_bit(r / 'yard/visible/00000.png', np.zeros((9, 12), int)),
             'yard/visible/00000.png: is 12 x 9 pixels, but the frames are 9 x 12'),
    'amodal size': (lambda r: save_8_bit(r / 'yard/amodal/3/00000.png', np.zeros((9, 12), int)),
                    'yard/amodal/3/00000.png: is 12 x 9 pixels'),
    'frame size': (lambda r: cv2.imwrite(str(r / 'street 1/frames/00003.jpg'),
                                         np.zeros((9, 12, 3), np.uint8)),
                   "video 'street 1': "),
    'broken label': (lambda r: (r / 'yard/visible/00000.png').write_bytes(b'\x89PNG\r\n'),
                     'yard/visible/00000.png: no readable image'),
    'cut off label': (lambda r: (r / 'street 1/visible/00001.png').write_bytes(
        (r / 'street 1/visible/00001.png').read_bytes()[:70]),
        'street 1/visible/00001.png: no readable image'),
    'broken frame': (lambda r: (r / 'yard/frames/00000.jpg').write_bytes(b''),
                     'yard/frames/00000.jpg: no readable image'),
    'two frames of a name': (lambda r: write_frames(made_videos()[1], r / 'yard/frames',
                                                    '{:05d}.bmp'), 'is a frame of the same name'),
    'amodal names': (lambda r: (r / 'yard/amodal/3').rename(r / 'yard/amodal/car'),
                     'yard/amodal/car: expected a folder per object'),
    'no amodal': (lambda r: (r / 'yard/amodal').rename(r / 'yard/full'),
                  'yard/amodal is missing, unlike in'),
    'neither': (lambda r: [(r / 'street 1' / kind).rename(r / f'street 1/_{kind}')
                           for kind in BOTH], 'street 1: has neither a folder visible nor amodal'),
    'float labels': (lambda r: Image.fromarray(np.zeros((12, 9), np.float32)).save(
        r / 'yard/visible/00000.png', 'TIFF'), 'has pixels of the kind F'),
    'no classes': (lambda r: (r / 'classes.json').unlink(), 'classes.json: missing; write it'),
    'broken classes': (lambda r: (r / 'classes.json').write_text('{'), 'classes.json: must be'),
    'classes of a video': (lambda r: edit_classes(r, lambda c: c['videos'].pop('yard')),
                           "'videos' has no 'yard'"),
    'class of an object': (lambda r: edit_classes(r, lambda c: c['videos']['yard'].clear()),
                           'yard/visible/00000.png: object 3 has no class in'),
    'unknown class': (lambda r: edit_classes(r, lambda c: c['classes'].pop()),
                      "video 'street 1', object 2: 'person' is none of the classes ['car']"),
    'same classes': (lambda r: edit_classes(r, lambda c: c['classes'].append('car')),
                     "'classes' must be different names"),
    'no videos': (lambda r: [path.rename(r.parent / path.name) for path in r.iterdir()],
                  'holds no folder; expected <video>/frames/'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_faults_are_named(root, tmp_path, run_tool, capsys, name):
    fault, message = FAULTS[name]
    fault(root)
    call = ['convert', 'png-masks', root, '--out', tmp_path / 'out']
    if name == 'no videos':
        call += ['--class', 'x']
    assert run_tool(*call) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error, error
    assert not (tmp_path / 'out/train.json').exists()


def test_files_of_systems_and_readmes_do_no_harm(root, tmp_path, run_tool):
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path / 'out') == 0
    expected = (tmp_path / 'out/train.json').read_text()
    (root / '__MACOSX').mkdir()
    amodal = next(root.glob('*/amodal'))
    (amodal / 'README.md').write_text('full shapes')
    (amodal / 'Thumbs.db').write_bytes(b'')
    assert run_tool('convert', 'png-masks', root, '--out', tmp_path / 'out') == 0
    assert (tmp_path / 'out/train.json').read_text() == expected


def test_no_root(tmp_path, run_tool, capsys):
    assert run_tool('convert', 'png-masks', tmp_path / 'gone', '--class', 'x', '--out',
                    tmp_path) == 1
    assert 'gone: no such folder; give the folder that holds <video>/frames/' in (
        capsys.readouterr().err)
