from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vatrack.files import AnnotationError, check_annotations, load_annotations
from vatrack.structures import Video, rle
from vatrack.synthetic.paint_annotations import paint_backdrop, paint_skin, render_annotations

H, W = 60, 90


def mask(x: int, y: int, width: int, height: int) -> np.ndarray:
    image = np.zeros((H, W), np.uint8)
    image[y:y + height, x:x + width] = 1
    return image


def entry(number: int, image_id: int, instance_id: int, amodal: np.ndarray,
          visible: np.ndarray) -> dict:
    amodal_rle, visible_rle = rle.encode(np.stack([amodal, visible]))
    x0, y0, x1, y1 = rle.bboxes([amodal_rle])[0].tolist()
    return {'id': number, 'image_id': image_id, 'category_id': instance_id % 2 + 1,
            'instance_id': instance_id, 'bbox': [x0, y0, x1 - x0, y1 - y0], 'extra': 'kept',
            'amodal_mask': amodal_rle, 'visible_mask': visible_rle, 'area': int(amodal.sum()),
            'occlude_rate': 1 - visible.sum() / amodal.sum()}


def write(folder: Path, annotations: list[dict]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / 'truth.json'
    path.write_text(json.dumps({
        'categories': [{'id': 1, 'name': 'a'}, {'id': 2, 'name': 'b'}],
        'videos': [{'id': 4, 'name': 'film', 'width': W, 'height': H}],
        'images': [{'id': k, 'video_id': 4, 'frame_id': k, 'file_name': f'film/images/{k}.png',
                    'width': W, 'height': H} for k in range(2)],
        'annotations': annotations}))
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Object 0 moves by (20, 6) in front of object 1; object 2 is one pixel, object 3 hidden."""
    first, second = mask(10, 8, 24, 30), mask(30, 14, 24, 30)
    behind = mask(40, 20, 40, 30)
    speck, covered = mask(1, 1, 1, 1), mask(32, 16, 10, 10)
    return write(tmp_path, [
        entry(0, 0, 0, first, first), entry(1, 1, 0, second, second),
        entry(2, 0, 1, behind, behind), entry(3, 1, 1, behind, behind & (1 - second)),
        entry(4, 0, 2, speck, speck), entry(5, 1, 3, covered, np.zeros_like(covered))])


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


def test_frames_differ_from_the_backdrop_on_visible_masks_alone(truth, tmp_path):
    path = render_annotations(truth, tmp_path / 'out', seed=3)
    assert path == tmp_path / 'out' / 'annotations.json'
    assert json.loads(path.read_text()) == json.loads(truth.read_text())
    backdrop = paint_backdrop(Video(4, 'film', W, H), 3)
    for frame in load_annotations(path).videos[0].frames:
        image = read(tmp_path / 'out' / frame.file_name)
        assert image.shape == (H, W, 3)
        visible = rle.decode([i.masks['visible'] for i in frame.instances], (H, W)).any(axis=0)
        painted = (image != backdrop).any(axis=2)
        assert not painted[~visible].any()
        assert painted[visible].mean() > 0.98


def test_a_skin_moves_with_its_object(truth, tmp_path):
    render_annotations(truth, tmp_path / 'out')
    before, after = (read(tmp_path / 'out' / 'film' / 'images' / f'{k}.png') for k in range(2))
    assert (before[8:38, 10:34] == after[14:44, 30:54]).all()
    assert np.ptp(before[8:38, 10:34].reshape(-1, 3), axis=0).max() > 40
    assert (before[45:50, 60:80] == after[45:50, 60:80]).all()


def test_pictures_depend_on_the_seed_and_on_nothing_else(truth, tmp_path):
    images = []
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        render_annotations(truth, tmp_path / name, seed=seed)
        images.append(read(tmp_path / name / 'film' / 'images' / '1.png'))
    assert (images[0] == images[1]).all()
    assert (images[0] != images[2]).any(axis=2).mean() > 0.5


def test_skins_tell_objects_apart():
    skins = [paint_skin(1, instance_id, category_id, 0)
             for instance_id in range(4) for category_id in (1, 2)]
    for index, skin in enumerate(skins):
        assert skin.min() >= 0
        assert skin.max() <= 255
        assert all(np.abs(skin - other).mean() > 10 for other in skins[:index])


def test_rescaled_annotations_fit_the_frames(truth, tmp_path):
    path = render_annotations(truth, tmp_path / 'out', size=(45, 30))
    video = load_annotations(path).videos[0]
    assert (video.width, video.height) == (45, 30)
    assert read(tmp_path / 'out' / 'film' / 'images' / '0.png').shape == (30, 45, 3)
    entries = {entry['id']: entry for entry in json.loads(path.read_text())['annotations']}
    assert sorted(entries) == [0, 1, 2, 3, 5]
    assert entries[0]['bbox'] == entries[0]['bbox_visible'] == [5, 4, 12, 15]
    assert (entries[0]['area_amodal'], entries[0]['extra']) == (180, 'kept')
    assert 'bbox_visible' not in entries[5]
    occlusion = {e['id']: e['occlude_rate'] for e in json.loads(truth.read_text())['annotations']}
    for number, annotation in entries.items():
        masks = [annotation['amodal_mask'], annotation['visible_mask']]
        amodal, visible = rle.decode(masks, (30, 45))
        assert (visible <= amodal).all()
        assert annotation['occlude_rate'] == pytest.approx(1 - visible.sum() / amodal.sum())
        assert annotation['occlude_rate'] == pytest.approx(occlusion[number], abs=0.03)
    assert check_annotations(render_annotations(truth, tmp_path / 'tiny', size=(11, 7))).ok


def test_missing_visible_masks_are_refused_before_anything_is_written(truth, tmp_path):
    raw = json.loads(truth.read_text())
    del raw['annotations'][3]['visible_mask']
    truth.write_text(json.dumps(raw))
    with pytest.raises(AnnotationError, match=r'film/images/1\.png: annotation 3 has no visible'):
        render_annotations(truth, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_frames_outside_the_output_folder_are_refused(truth, tmp_path):
    raw = json.loads(truth.read_text())
    raw['images'][1]['file_name'] = '../../escape.png'
    truth.write_text(json.dumps(raw))
    with pytest.raises(AnnotationError, match='would lie outside'):
        render_annotations(truth, tmp_path / 'out')


def test_the_annotation_file_is_never_replaced(truth, tmp_path):
    path = render_annotations(truth, tmp_path / 'out')
    with pytest.raises(AnnotationError, match='choose another output folder'):
        render_annotations(path, tmp_path / 'out', size=(45, 30))


def test_command_line(truth, tmp_path, capsys, run_tool):
    arguments = ['--out', tmp_path / 'out']
    assert run_tool('render_annotations', truth, *arguments, '--size', '30x20') == 0
    assert str(tmp_path / 'out' / 'annotations.json') in capsys.readouterr().out
    assert run_tool('render_annotations', tmp_path / 'none.json', *arguments) == 2
    assert 'none.json' in capsys.readouterr().err
    for size in ('30', '0x20', 'axb', '30x-2'):
        with pytest.raises(SystemExit):
            run_tool('render_annotations', truth, *arguments, '--size', size)


def test_the_sail_vos_sample_can_be_painted(sailvos_sample, tmp_path):
    path = render_annotations(sailvos_sample, tmp_path, size=(160, 100))
    before, after = load_annotations(sailvos_sample), load_annotations(path)
    assert len(list(tmp_path.glob('ah_3a_ext__53/images/*.png'))) == 53
    for (_, old), (_, new) in zip(before.frames, after.frames, strict=True):
        assert old.file_name == new.file_name
        kept = {instance.instance_id: instance for instance in old.instances}
        for instance in new.instances:
            source = kept.pop(instance.instance_id)
            np.testing.assert_allclose(instance.bboxes['amodal'],
                                       np.array(source.bboxes['amodal']) / 8, atol=2)
        assert not kept
