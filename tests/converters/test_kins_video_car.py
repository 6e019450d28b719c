"""KINS-Video-Car from a made tree in the published layout, whole and broken."""
from __future__ import annotations

import json
import pickle
import shutil
from collections import OrderedDict

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from vatrack.converters import ConversionError
from vatrack.converters.kins_video_car.convert import KinsVideoCarOptions, convert_kins_video_car
from vatrack.evaluation.evaluate import evaluate
from vatrack.files import check_annotations, load_annotations
from vatrack.structures import TrackRecord, rle

SIZE = 24, 40
DRIVE = '2011_09_26_drive_0001_sync'


def box(y1, x1, y2, x2):
    mask = np.zeros(SIZE, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def raw(mask):
    """An RLE as pycocotools returns it, with counts as bytes."""
    return coco_mask.encode(np.asfortranarray(mask))


def text(mask):
    return rle.encode(mask[None])[0]


#: Two cars; from frame 1 on, the near one covers part of the far one.
FAR, NEAR = box(4, 4, 12, 20), box(6, 14, 16, 30)
VISIBLE = FAR & ~NEAR & 1
EMPTY = np.zeros(SIZE, np.uint8)


def entry(visible, others):
    return {'VM': raw(visible), 'VM_bbox': np.array([0, 1, 2, 3]), 'loss_mask': raw(others)}


@pytest.fixture
def tree(tmp_path):
    """Five frames, of which 1 and 3 are images of KINS; KINS also knows a pedestrian."""
    root, rng = tmp_path / 'raw', np.random.default_rng(0)
    folder = root / 'Kitti/raw_video/2011_09_26' / DRIVE
    images = root / 'Kins/training/image_2'
    for each in (folder, images, root / 'car_data'):
        each.mkdir(parents=True)
    for t in range(5):
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(
            folder / f'{t:010d}.png')
    for name, t in (('000007.png', 1), ('000003.png', 3)):
        shutil.copy(folder / f'{t:010d}.png', images / name)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(images / '000001.png')
    far = [[4, 4, 20, 4, 20, 12, 4, 12], [30, 20, 34, 20, 34, 23]]
    (root / 'Kins/instances_train.json').write_text(json.dumps({
        'categories': [{'id': 2, 'name': 'pedestrian'}, {'id': 4, 'name': 'car'}],
        'images': [{'id': 70, 'file_name': '000007.png'}, {'id': 30, 'file_name': '000003.png'},
                   {'id': 10, 'file_name': '000001.png'}],
        'annotations': [
            {'id': 1, 'image_id': 70, 'category_id': 4, 'segmentation': far,
             'inmodal_seg': text(VISIBLE)},
            {'id': 2, 'image_id': 70, 'category_id': 2, 'segmentation': text(box(0, 34, 8, 38)),
             'inmodal_seg': text(box(0, 34, 8, 38))},
            {'id': 3, 'image_id': 10, 'category_id': 4, 'segmentation': far,
             'inmodal_seg': text(VISIBLE)}]}))
    seen = {1: {0: entry(FAR, EMPTY), 1: entry(VISIBLE, NEAR), 2: entry(VISIBLE, NEAR),
                3: entry(VISIBLE, NEAR), 4: entry(EMPTY, NEAR)},
            5: {t: entry(NEAR, VISIBLE if t < 4 else EMPTY) for t in range(1, 5)}}
    save(root, 'test', seen)
    full = {1: {t: {'FM': raw(FAR) if t == 1 else []} for t in range(5)},
            5: {1: {'FM': raw(EMPTY)}, 2: {'FM': [raw(NEAR)]}}}
    save(root, 'test', full, '_full_mask')
    return root


def save(root, split, objects, layout='', drive=DRIVE, protocol=4):
    path = root / 'car_data' / f'{split}_data{layout}.pkl'
    path.write_bytes(pickle.dumps({drive: objects}, protocol=protocol))


def convert(tree, **options):
    notes = []
    written = convert_kins_video_car(tree, tree.parent / 'out', KinsVideoCarOptions(**options),
                                     notes.append)
    for each in written:
        report = check_annotations(each.path, each.images)
        assert report.ok, report.errors
    return [load_annotations(each.path) for each in written], notes


def masks(annotations, kind):
    """Decoded masks by (frame, instance)."""
    return {(frame.frame_id, each.instance_id): rle.decode([each.masks[kind]], SIZE)[0]
            for _, frame in annotations.frames for each in frame.instances if kind in each.masks}


def test_tracks_and_what_kins_annotates(tree):
    (tracks, kins), notes = convert(tree)
    video, = tracks.videos
    assert (video.name, video.width, video.height, len(video.frames)) == (DRIVE, 40, 24, 5)
    assert video.frames[3].file_name == f'2011_09_26/{DRIVE}/0000000003.png'
    assert tracks.categories == kins.categories == {2: 'pedestrian', 4: 'car'}
    visible = masks(tracks, 'visible')
    assert sorted(visible) == [(0, 1), (1, 1), (1, 5), (2, 1), (2, 5), (3, 1), (3, 5), (4, 5)]
    assert (visible[1, 1] == VISIBLE).all() and (visible[0, 1] == FAR).all()
    amodal = masks(tracks, 'amodal')  # in a frame that KINS has, of the car that it has
    assert list(amodal) == [(1, 1)] and (amodal[1, 1] == FAR).all()
    assert {each.category_id for _, frame in tracks.frames for each in frame.instances} == {4}
    # KINS' own objects of all categories; its image of frame 3 has none, 000001 is no frame.
    found = masks(kins, 'amodal')
    assert sorted(found) == [(1, 1), (1, 2)] and (found[1, 1] == FAR).all()
    assert [len(frame.instances) for _, frame in kins.frames] == [0, 2, 0, 0, 0]
    assert any('2 frames are images of KINS' in note for note in notes)
    assert any('1 amodal masks of objects that are no track' in note for note in notes)
    assert any('the frames stay in' in note for note in notes)
    assert not any('loss masks' in note for note in notes)


def test_all_polygons_and_masks_that_do_not_fit(tree):
    (tracks, kins), notes = convert(tree, polygons='all')
    assert masks(kins, 'amodal')[1, 1][20:23, 30:34].any()
    content = json.loads((tree / 'Kins/instances_train.json').read_text())
    # Visible pixels beyond the amodal mask: tracks keep theirs, of KINS the amodal mask stays.
    content['annotations'][0]['segmentation'] = [[6, 4, 20, 4, 20, 12, 6, 12]]
    (tree / 'Kins/instances_train.json').write_text(json.dumps(content))
    (tracks, kins), notes = convert(tree)
    assert (masks(tracks, 'visible')[1, 1] == VISIBLE).all()
    assert (masks(tracks, 'amodal')[1, 1] == FAR).all()
    assert (masks(kins, 'amodal')[1, 1] == box(4, 6, 12, 20)).all()
    assert any('1 amodal masks of tracks were extended' in note for note in notes)
    assert any('1 visible masks of KINS were clipped' in note for note in notes)


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_full_masks_of_eoras(tree, protocol):
    path = tree / 'car_data/test_data_full_mask.pkl'
    objects = pickle.loads(path.read_bytes())[DRIVE]
    save(tree, 'test', {np.int64(k): OrderedDict(frames) for k, frames in objects.items()},
         '_full_mask', protocol=protocol)
    shutil.rmtree(tree / 'Kins')
    (tracks,), _ = convert(tree, amodal='full-mask', frames='link')
    amodal = masks(tracks, 'amodal')
    assert sorted(amodal) == [(1, 1), (2, 5)] and (amodal[2, 5] == NEAR).all()
    assert tracks.categories == {1: 'car'}
    assert (tree.parent / 'out/test').is_symlink()


def test_completed_tracks_are_scored_against_kins(tree):
    """Every object of KINS, of any category, with the track that is most similar there."""
    (tracks, kins), _ = convert(tree)
    video = kins.videos[0]
    leaky = FAR | box(4, 30, 12, 34)  # spills where no other track is
    records = [TrackRecord(video.id, 1, 4, 1., [0, 1], {
        'visible': [text(FAR), text(VISIBLE)], 'amodal': [text(FAR), text(leaky)]})]
    records.append(TrackRecord(video.id, 2, 4, 1., [1], {'visible': [text(NEAR)],
                                                         'amodal': [text(NEAR)]}))
    found = evaluate(kins, records, 'mIoU', 'savos-kins', ['amodal'])
    assert found['amodal/image/mIoU_objects'] == 2
    assert found['amodal/image/mIoU_found'] == .5  # nobody tracks the pedestrian
    assert found['amodal/image/mIoU_full_object'] == -1  # exactly 1, which KINS' rule drops
    assert found['amodal/image/mIoU_occluded_strict_object'] == 1
    assert found['amodal/image/mIoU_full_unrestricted_object'] == pytest.approx(128 / 160)
    # Against the tracks only the frames count that have amodal masks.
    found = evaluate(tracks, records, 'mIoU', 'savos-kins', ['amodal'])
    assert found['amodal/image/mIoU_objects'] == 1


def test_loss_masks_of_objects_that_are_no_tracks_are_told(tree):
    save(tree, 'test', {1: {0: entry(FAR, EMPTY), 2: entry(VISIBLE, NEAR)}})
    _, notes = convert(tree, amodal='none')
    assert any('1 frames with loss masks beyond the tracks' in note for note in notes)


class Payload:
    def __reduce__(self):
        return print, ('this must not run',)


@pytest.mark.parametrize(('objects', 'message'), [
    ({1: {9: entry(FAR, EMPTY)}}, r"object 1, frame 9: there are only 5 frames in"),
    ({1: {0: {'VM': raw(FAR[:20])}}}, r'frame 0: the mask has size \[20, 40\], but the frames'),
    ({1: {0: {'FM': raw(FAR)}}}, r"frame 0: has no 'VM', only \['FM'\]"),
    ({1: {0: {'VM': 'nonsense'}}}, r"object 1, frame 0: 'VM' is no RLE"),
    ({1: {0: {'VM': {'size': list(SIZE), 'counts': b'0'}}}}, r"'VM' 'VM': counts describes 0"),
    ({1: [entry(FAR, EMPTY)]}, r'object 1: expected a dict, got a list'),
    ({'car': {}}, r"has the key 'car', but keys are numbers from 0"),
    ({-1: {}}, r'has the key -1'),
    ({1: Payload()}, r'refused, because it holds (builtins|__builtin__)\.print'),
    ({1: {0: {'VM': np.array([{}], object)}}}, r'no readable pickle|refused')])
def test_broken_pickles_are_named(tree, capsys, objects, message):
    save(tree, 'test', objects)
    with pytest.raises(ConversionError, match=message) as error:
        convert(tree)
    assert 'test_data.pkl' in str(error.value) and '\n' not in str(error.value)
    assert 'must not run' not in capsys.readouterr().out
    assert not (tree.parent / 'out/test.json').exists()


def test_other_faults_are_named(tree):
    pickled = tree / 'car_data/test_data.pkl'
    content = pickled.read_bytes()
    pickled.write_bytes(content[:-40])
    with pytest.raises(ConversionError, match=r'test_data.pkl: no readable pickle'):
        convert(tree)
    pickled.write_bytes(content)
    (tree / 'Kitti/raw_video/2011_09_26' / DRIVE / '0000000002.png').unlink()
    with pytest.raises(ConversionError, match=rf'{DRIVE}: frames must be numbered from 0 without'):
        convert(tree)
    with pytest.raises(ConversionError, match=r'train_data.pkl: no such file'):
        convert(tree, splits=['train'])
    (tree / 'Kins/instances_train.json').unlink()
    with pytest.raises(ConversionError, match=r'instances_train.json: no such file'):
        convert(tree)
    pickled.unlink()
    with pytest.raises(ConversionError, match=r'holds none of car_data/\{train,val,test\}_data'):
        convert(tree)


def test_tool(tree, run_tool, capsys):
    out = tree.parent / 'data'
    assert run_tool('convert', 'kins-video-car', tree, '--out', out, '--frames', 'copy') == 0
    assert (out / f'test/2011_09_26/{DRIVE}/0000000004.png').is_file()
    assert 'test_kins.json: ok, 0 errors' in capsys.readouterr().out
