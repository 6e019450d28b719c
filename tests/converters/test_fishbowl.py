from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from vatrack.converters import ConversionError
from vatrack.converters.fishbowl import CLASSES, FishbowlOptions, convert_fishbowl
from vatrack.files import check_annotations, load_annotations
from vatrack.structures import rle as rle_ops
from vatrack.video import read_video

MINI = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'fishbowl_mini'
HEIGHT, WIDTH, LENGTH = 32, 48, 6
OPTIONS = FishbowlOptions(num_frames=LENGTH)


def mask(left: int, right: int) -> dict:
    pixels = np.zeros((1, HEIGHT, WIDTH), bool)
    pixels[0, 8:16, max(left, 0):max(right, 0)] = True
    return rle_ops.encode(pixels)[0]


def fish(id_: int, type_id: int, masks: list[dict]) -> dict:
    return dict(id=id_, type_id=type_id, type_name=CLASSES[type_id], speed=1.0, scale=1.0,
                masks=masks)


def fishes() -> list[tuple[dict, dict]]:
    """(visible, full): one swims out on the left; one is half hidden, then fully."""
    leaving = [mask(12 - 8 * t, 20 - 8 * t) for t in range(LENGTH)]
    full = [mask(30, 38)] * LENGTH
    seen = [mask(30, 34)] * 3 + [mask(0, 0)] * 3
    return [(fish(4, 0, leaving), fish(4, 0, leaving)), (fish(9, 3, seen), fish(9, 3, full))]


def write_video(path: Path, length: int = LENGTH) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for index in range(length):
        writer.write(np.full((HEIGHT, WIDTH, 3), 40 * index, np.uint8))
    writer.release()


def make_sample(folder: Path, objects: list[tuple[dict, dict]]) -> Path:
    folder.mkdir(parents=True)
    write_video(folder / 'video.mp4')
    (folder / 'objects.json').write_text(json.dumps([visible for visible, _ in objects]))
    for index, (_, full) in enumerate(objects):
        (folder / f'object{index:03d}').mkdir()
        (folder / f'object{index:03d}' / 'objects.json').write_text(json.dumps([full]))
    return folder


@pytest.fixture
def raw(tmp_path) -> Path:
    make_sample(tmp_path / 'raw' / 'train' / '00000', fishes())
    make_sample(tmp_path / 'raw' / 'train' / '00001', [])
    make_sample(tmp_path / 'raw' / 'test' / '00000', fishes()[:1])
    return tmp_path / 'raw'


def test_made_dataset(raw, tmp_path):
    out = tmp_path / 'out'
    written = convert_fishbowl(raw, out, OPTIONS)
    assert [(each.path, each.images) for each in written] == [
        (out / f'{split}.json', out / split) for split in ('test', 'train')]
    report = check_annotations(out / 'train.json', out / 'train')
    assert report.ok and not report.warnings, report
    annotations = load_annotations(out / 'train.json')
    assert annotations.categories == dict(enumerate(CLASSES, start=1))
    first, empty = annotations.videos
    assert (first.name, first.width, first.height) == ('00000', WIDTH, HEIGHT)
    assert [frame.file_name for frame in first.frames][::5] == ['00000/images/000000.jpg',
                                                                '00000/images/000005.jpg']
    assert [len(frame.instances) for frame in empty.frames] == [0] * LENGTH
    # Fish 4 is out of the picture from frame 3 on: no entry. Fish 9 is hidden then: an entry.
    assert [[i.instance_id for i in frame.instances] for frame in first.frames] == \
        [[4, 9]] * 3 + [[9]] * 3
    hidden = first.frames[4].instances[0]
    assert hidden.category_id == 4 and hidden.occlusion == 1
    assert rle_ops.areas([hidden.masks['amodal'], hidden.masks['visible']]).tolist() == [64, 0]
    assert hidden.bboxes == {'amodal': (30, 8, 38, 16)}
    leaving, half = first.frames[2].instances
    assert leaving.bboxes['amodal'] == (0, 8, 4, 16) and leaving.occlusion == 0
    assert half.bboxes['visible'] == (30, 8, 34, 16) and half.occlusion == 0.5


def test_every_keeps_names_and_renumbers_frames(raw, tmp_path):
    options = FishbowlOptions(every=4, image_format='png', num_frames=LENGTH)
    convert_fishbowl(raw, tmp_path / 'out', options)
    frames = load_annotations(tmp_path / 'out' / 'train.json').videos[0].frames
    assert [(f.frame_id, f.file_name) for f in frames] == [(0, '00000/images/000000.png'),
                                                           (1, '00000/images/000004.png')]
    assert [[i.instance_id for i in f.instances] for f in frames] == [[4, 9], [9]]
    images = sorted((tmp_path / 'out' / 'train' / '00000' / 'images').iterdir())
    assert [image.name for image in images] == ['000000.png', '000004.png']
    raw_frames = list(read_video(raw / 'train' / '00000' / 'video.mp4'))
    assert (cv2.imread(str(images[1])) == raw_frames[4][..., ::-1]).all()


def test_restart_skips_finished_videos(raw, tmp_path):
    out = tmp_path / 'out'
    convert_fishbowl(raw, out, OPTIONS, limit=1)
    before = (out / 'train.json').read_text()
    video = raw / 'train' / '00000' / 'video.mp4'
    video.rename(video.with_suffix('.away'))
    convert_fishbowl(raw, out, OPTIONS, limit=1)
    assert (out / 'train.json').read_text() == before
    convert_fishbowl(raw, out, OPTIONS)
    assert len(load_annotations(out / 'train.json').videos) == 2
    (out / 'train' / '00000' / 'images' / '000003.jpg').unlink()
    with pytest.raises(ConversionError, match=r'00000/video\.mp4: no such video'):
        convert_fishbowl(raw, out, OPTIONS)


def test_other_options_need_another_folder(raw, tmp_path):
    convert_fishbowl(raw, tmp_path / 'out', OPTIONS)
    with pytest.raises(ConversionError, match=r"test/00000: was converted with .*choose another"):
        convert_fishbowl(raw, tmp_path / 'out', FishbowlOptions(every=2, num_frames=LENGTH))


def test_limit_and_workers(raw, tmp_path):
    convert_fishbowl(raw, tmp_path / 'out', OPTIONS, limit=1, workers=2)
    assert [v.name for v in load_annotations(tmp_path / 'out' / 'train.json').videos] == ['00000']


def edit(path: str, change):
    def apply(sample: Path) -> None:
        objects = json.loads((sample / path).read_text())
        change(objects)
        (sample / path).write_text(json.dumps(objects))
    return apply


FAULTS = {
    'object folder': (lambda sample: shutil.rmtree(sample / 'object001'),
                      'object001/objects.json: missing'),
    'objects': (lambda sample: (sample / 'objects.json').unlink(), 'objects.json: missing'),
    'video': (lambda sample: (sample / 'video.mp4').unlink(), 'video.mp4: no such video'),
    'no video': (lambda sample: (sample / 'video.mp4').write_bytes(b'?'), 'video.mp4: not a video'),
    'short video': (lambda sample: write_video(sample / 'video.mp4', 5),
                    'video.mp4 has 5 frames, expected 6'),
    'long video': (lambda sample: write_video(sample / 'video.mp4', 7),
                   'video.mp4 has 7 frames, expected 6'),
    'json': (lambda sample: (sample / 'objects.json').write_text('[{'),
             'objects.json: not valid JSON'),
    'no list': (lambda sample: (sample / 'objects.json').write_text('{}'),
                'objects.json: expected a list of objects'),
    'mask count': (edit('object001/objects.json', lambda o: o[0]['masks'].pop()),
                   r'object 1 \(fish id 9\), full: has 5 masks, expected 6'),
    'no masks': (edit('objects.json', lambda o: o[0].pop('masks')),
                 r'object 0 \(fish id 4\), visible: has no masks'),
    'id': (edit('object001/objects.json', lambda o: o[0].update(id=5)),
           r'object 1 \(fish id 9\): .*object001/objects.json should hold this fish only.*\[5\]'),
    'no id': (lambda sample: [edit(name, lambda o: o[0].pop('id'))(sample)
                              for name in ('objects.json', 'object000/objects.json')],
              'object 0 .*the id must be an integer'),
    'class': (edit('objects.json', lambda o: o[0].update(type_id=5)), r"type 5 \('SmallFishA'\)"),
    'class name': (edit('objects.json', lambda o: o[0].update(type_name='Shark')),
                   r"type 0 \('Shark'\) is none of the classes"),
    'mask size': (edit('objects.json', lambda o: o[0]['masks'][2].update(size=[48, 32])),
                  r"visible: 'masks\[2\]' has size \[48, 32\], but the image is \[32, 48\]"),
    'damaged mask': (edit('objects.json', lambda o: o[0]['masks'][2].update(counts='5')),
                     r'visible: .masks\[2\].: counts describes 5 pixels'),
    'not a subset': (edit('object001/objects.json',
                          lambda o: o[0]['masks'].__setitem__(1, mask(0, 0))),
                     r'object 1 \(fish id 9\), frame 1: more pixels are visible'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_wrong_samples_are_named(name, raw, tmp_path):
    fault, message = FAULTS[name]
    fault(raw / 'train' / '00000')
    with pytest.raises(ConversionError, match=f'raw/train/00000.*{message}'):
        convert_fishbowl(raw, tmp_path / 'out', OPTIONS)
    assert not (tmp_path / 'out' / 'train.json').exists()
    assert not (tmp_path / 'out' / 'train' / '00000' / 'annotations.json').exists()


def test_folder_without_samples(tmp_path):
    with pytest.raises(ConversionError, match='no samples'):
        convert_fishbowl(tmp_path, tmp_path / 'out')
    with pytest.raises(ConversionError, match='no such folder'):
        convert_fishbowl(tmp_path / 'gone', tmp_path / 'out')


def test_tool(raw, tmp_path, capsys, run_tool):
    out = tmp_path / 'out'
    assert run_tool('convert', 'fishbowl', raw, '--out', out) == 1
    assert 'expected 128' in capsys.readouterr().err
    assert run_tool('convert', 'fishbowl', raw, '--out', out, '--frames', LENGTH, '--every', 3,
                    '--format', 'png', '--limit', 1) == 0
    printed = capsys.readouterr().out
    assert f'{out}/test.json: 1 videos, 2 frames' in printed
    assert f'{out}/train.json: ok, 0 errors' in printed
    assert (out / 'train' / '00000' / 'images' / '000003.png').is_file()
    with pytest.raises(SystemExit):
        run_tool('convert', 'fishbowl', raw, '--out', out, '--every', 0)


def test_real_videos(tmp_path, run_tool):
    if not MINI.exists():
        pytest.skip(f'needs the FISHBOWL sample {MINI}')
    out = tmp_path / 'out'
    assert run_tool('convert', 'fishbowl', MINI, '--out', out, '--limit', 2, '--every', 16) == 0
    report = check_annotations(out / 'train.json', out / 'train')
    assert report.ok and not report.warnings, report
    assert (report.summary.videos, report.summary.frames) == (2, 16)
    frames = load_annotations(out / 'train.json').videos[0].frames
    sample = MINI / 'train' / '00000'
    objects = json.loads((sample / 'objects.json').read_text())
    for frame in frames:
        index, expected = 16 * frame.frame_id, {}
        for position, visible in enumerate(objects):
            full = json.loads((sample / f'object{position:03d}' / 'objects.json').read_text())[0]
            pair = rle_ops.decode([full['masks'][index], visible['masks'][index]], (320, 480))
            if pair[0].any():
                expected[visible['id']] = visible['type_id'], pair
        assert {i.instance_id for i in frame.instances} == set(expected)
        for instance in frame.instances:
            type_id, pair = expected[instance.instance_id]
            assert instance.category_id == type_id + 1
            masks = [instance.masks['amodal'], instance.masks['visible']]
            assert (rle_ops.decode(masks, (320, 480)) == pair).all()
            assert instance.occlusion == pytest.approx(1 - pair[1].sum() / pair[0].sum())
    stored = cv2.imread(str(out / 'train' / frames[3].file_name)).astype(float)
    true = next(f for i, f in enumerate(read_video(sample / 'video.mp4')) if i == 48)
    assert np.abs(stored - true[..., ::-1]).mean() < 3
