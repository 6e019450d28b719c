from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_labels import MadeVideo, assert_same, assert_sound, box_mask, made_videos, write_frames

from vatrack.files import load_annotations
from vatrack.files.foreign.formats import FORMATS
from vatrack.structures import TrackRecord
from vatrack.structures.rle import decode, encode

NUMBERS = {1: 1001, 2: 2001, 3: 1001, 7: 2007}


def truth() -> list[MadeVideo]:
    """The made videos with the ids that MOTS gives."""
    return [MadeVideo(video.name.replace(' ', '-'), video.size,
                      [{NUMBERS[id_]: made for id_, made in frame.items()}
                       for frame in video.frames]) for video in made_videos()]


def visible(video, frame):
    return {number: masks['visible'] for number, masks in sorted(video.masks(frame).items())
            if masks['visible'].any()}


def write_png(root: Path, first: int = 0) -> Path:
    for video in truth():
        write_frames(video, root / 'images' / video.name)
        (root / 'labels' / video.name).mkdir(parents=True)
        for frame in range(len(video.frames)):
            image = np.zeros(video.size, np.uint16)
            for number, mask in visible(video, frame).items():
                image[mask] = number
            cv2.imwrite(str(root / f'labels/{video.name}/{frame + first:06d}.png'), image)
    return root


def mots_line(frame, number, mask):
    rle, = encode(mask[None])
    return f'{frame} {number} {number // 1000} {mask.shape[0]} {mask.shape[1]} {rle["counts"]}\n'


def write_txt(root: Path) -> Path:
    (root / 'labels').mkdir()
    for video in truth():
        write_frames(video, root / 'images' / video.name)
        (root / f'labels/{video.name}.txt').write_text(''.join(
            mots_line(frame, number, mask) for frame in range(len(video.frames))
            for number, mask in visible(video, frame).items()))
    return root


WRITERS = {'mots-png': write_png, 'mots-txt': write_txt}


def convert(run_tool, name, root, *more):
    return run_tool('convert', name, root / 'labels', '--images', root / 'images', '--out',
                    root / 'out', *more)


def only_visible():
    """The truth without objects that are hidden: MOTS does not know them."""
    return [MadeVideo(video.name, video.size, [
        {number: made for number, made in frame.items() if number in visible(video, index)}
        for index, frame in enumerate(video.frames)]) for video in truth()]


@pytest.mark.parametrize('name', WRITERS)
def test_round_trip(tmp_path, run_tool, name):
    root = WRITERS[name](tmp_path)
    assert convert(run_tool, name, root, '--classes', 'car', 'person') == 0
    assert_same(root / 'out/train.json', only_visible(), ('visible',))
    assert_sound(root / 'out/train.json', root / 'images')
    assert convert(run_tool, name, root) == 0
    assert load_annotations(root / 'out/train.json').categories == {1: 'car', 2: 'pedestrian'}


@pytest.mark.parametrize('name', WRITERS)
def test_and_back_with_the_exporters(tmp_path, run_tool, name):
    root = WRITERS[name](tmp_path)
    assert convert(run_tool, name, root, '--classes', 'car', 'person') == 0
    annotations = load_annotations(root / 'out/train.json')
    tracks: dict[tuple[int, int], TrackRecord] = {}
    for video in annotations.videos:
        for index, frame in enumerate(video.frames):
            for each in frame.instances:
                key = video.id, each.instance_id
                track = tracks.setdefault(key, TrackRecord(
                    video.id, len(tracks) + 1, each.category_id, 1., [], {'visible': []}))
                track.frames.append(index)
                track.masks['visible'].append(each.masks['visible'])
    FORMATS[name].export(list(tracks.values()), annotations, root / 'back')
    again = root / 'again'
    assert run_tool('convert', name, root / 'back', '--images', root / 'images', '--out', again,
                    '--classes', 'car', 'person') == 0
    assert_same(again / 'train.json', only_visible(), ('visible',), same_ids=False)
    if name == 'mots-png':
        for video in truth():
            for path in sorted((root / 'labels' / video.name).iterdir()):
                first, second = (cv2.imread(str(root / folder / video.name / path.name), -1)
                                 for folder in ('labels', 'back'))
                assert ((first == 0) == (second == 0)).all()


def test_mots_challenge_layout(tmp_path, run_tool):
    root = write_txt(tmp_path)
    for video in truth():
        (root / 'set' / video.name / 'gt').mkdir(parents=True)
        lines = (root / f'labels/{video.name}.txt').read_text().splitlines()
        moved = [f'{int(line.split()[0]) + 1} {line.split(" ", 1)[1]}\n' for line in lines]
        (root / 'set' / video.name / 'gt/gt.txt').write_text(''.join(moved))
        frames = root / 'set' / video.name / 'img1'
        (root / 'images' / video.name).rename(frames)
        for index in reversed(range(len(video.frames))):
            (frames / f'{index:06d}.png').rename(frames / f'{index + 1:06d}.png')
    assert run_tool('convert', 'mots-txt', root / 'set', '--images', root / 'set', '--classes',
                    'car', 'person', '--out', root / 'out') == 0
    assert_same(root / 'out/train.json', only_visible(), ('visible',))


@pytest.mark.parametrize('name', WRITERS)
def test_ignored_regions_are_crowd_of_every_class(tmp_path, run_tool, name):
    root = WRITERS[name](tmp_path)
    region = box_mask((0, 0, 9, 2), (12, 9))
    if name == 'mots-png':
        path = root / 'labels/yard/000000.png'
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        image[region & (image == 0)] = 10000
        cv2.imwrite(str(path), image)
        region &= image == 10000
    else:
        path = root / 'labels/yard.txt'
        path.write_text(path.read_text() + mots_line(0, 10000, region))
    assert convert(run_tool, name, root, '--classes', 'car', 'person') == 0
    car, *crowd = load_annotations(root / 'out/train.json').videos[1].frames[0].instances
    assert not car.iscrowd and all(each.iscrowd for each in crowd)
    assert [each.category_id for each in crowd] == [1, 2]
    for each in crowd:
        assert (decode([each.masks['visible']], (12, 9))[0] == region).all()


def test_amodal_masks(tmp_path, run_tool):
    root = write_png(tmp_path)
    assert convert(run_tool, 'mots-png', root, '--kind', 'amodal', '--workers', 2, '--classes',
                   'car', 'person') == 0
    kinds = {kind for _, frame in load_annotations(root / 'out/train.json').frames
             for each in frame.instances for kind in each.masks}
    assert kinds == {'amodal'}


def test_frames_without_png(tmp_path, run_tool, capsys):
    root = write_png(tmp_path)
    (root / 'labels/street-1/000004.png').unlink()
    assert convert(run_tool, 'mots-png', root) == 1
    assert 'street-1/000004.png has no labels' in capsys.readouterr().err
    assert convert(run_tool, 'mots-png', root, '--unlabelled', 'empty', '--classes', 'car',
                   'person') == 0
    assert_same(root / 'out/train.json', only_visible(), ('visible',))


GOOD = mots_line(0, 1001, box_mask((1, 1, 8, 5), (12, 9)))
LINES = {
    'values': ('0 1001 1 12 9', 'line 2: is not "frame id class height width rle"'),
    'twice': (GOOD, 'line 2: object 1001 stands twice in frame 0'),
    'frame': (GOOD.replace('0 1001', '3 1001', 1), 'line 2: there is no frame 3, only 0 to 0'),
    'size': (GOOD.replace('12 9', '9 12'), "line 2: 'rle' has size [9, 12]"),
    'rle': ('0 1002 1 12 9 53', "line 2: 'rle': counts describes"),
    'class': (GOOD.replace('1001 1', '1002 2'), 'must be of class 1, not 2'),
    'unknown class': (GOOD.replace('1001 1', '3001 3'), 'object 3001 is of class 3, but there are '
                                                       'only 2 (car, pedestrian)'),
}


def test_what_does_no_harm_is_passed_over(tmp_path, run_tool):
    root = write_txt(tmp_path)
    assert convert(run_tool, 'mots-txt', root, '--classes', 'car', 'person') == 0
    expected = (root / 'out/train.json').read_text()
    for path in (root / 'labels').glob('*.txt'):
        path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes().replace(b'\n', b'\r\n') + b'\r\n')
    (root / 'labels/README.txt').write_text('frame id class height width rle')
    (root / 'labels/._yard.txt').write_bytes(b'\0\5\x16\7')
    (root / 'out/train.json').unlink()
    assert convert(run_tool, 'mots-txt', root, '--classes', 'car', 'person') == 0
    assert (root / 'out/train.json').read_text() == expected


@pytest.mark.parametrize('name', LINES)
def test_broken_lines_are_named(tmp_path, run_tool, capsys, name):
    root = write_txt(tmp_path)
    line, message = LINES[name]
    (root / 'labels/yard.txt').write_text(f'{GOOD}{line}\n')
    assert convert(run_tool, 'mots-txt', root) == 1
    error = capsys.readouterr().err
    assert 'labels/yard.txt: ' in error and message in error, error
    assert not (root / 'out/train.json').exists()


FAULTS = {
    'no labels': ('mots-txt', lambda r: (r / 'labels').rename(r / 'gone'),
                  'labels: holds neither <sequence>.txt nor'),
    'two layouts': ('mots-txt', lambda r: [(r / 'labels/yard/gt').mkdir(parents=True),
                                           (r / 'labels/yard/gt/gt.txt').write_text('')],
                    'labels: holds street-1.txt and, of the other layout, yard/gt/gt.txt'),
    'no label folders': ('mots-png', lambda r: (r / 'labels').rename(r / 'gone'),
                         'labels: no such folder'),
    'no images': ('mots-png', lambda r: (r / 'images/yard').rename(r / 'gone'),
                  'images/yard: no such folder'),
    'names': ('mots-txt', lambda r: (r / 'images/yard/000000.png').rename(
        r / 'images/yard/first.png'), 'first.png: frames must be named by their number'),
    '8 bit': ('mots-png', lambda r: cv2.imwrite(str(r / 'labels/yard/000000.png'),
                                                np.zeros((12, 9), np.uint8)),
              'labels/yard/000000.png: must be a 16 bit PNG of one channel, 12 x 9 pixels, got '
              'uint8'),
    'broken': ('mots-png', lambda r: (r / 'labels/yard/000000.png').write_bytes(b'x'),
               'labels/yard/000000.png: must be a 16 bit PNG of one channel, 12 x 9 pixels, got '
               'no image'),
    'unknown class': ('mots-png', lambda r: cv2.imwrite(str(r / 'labels/yard/000000.png'),
                                                        np.full((12, 9), 3001, np.uint16)),
                      'labels/yard/000000.png: object 3001 is of class 3'),
    'first frame': ('mots-png', lambda r: (r / 'labels/yard/000000.png').rename(
        r / 'labels/yard/000001.png'), 'labels/yard/000001.png belongs to no frame'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_faults_are_named(tmp_path, run_tool, capsys, name):
    command, fault, message = FAULTS[name]
    root = WRITERS[command](tmp_path)
    fault(root)
    assert convert(run_tool, command, root) == 1
    assert message in capsys.readouterr().err
    assert not (root / 'out/train.json').exists()


def test_overlapping_masks_are_refused(tmp_path, run_tool, capsys):
    root = write_txt(tmp_path)
    path = root / 'labels/yard.txt'
    path.write_text(path.read_text() + mots_line(0, 2002, box_mask((7, 4, 9, 9), (12, 9))))
    assert convert(run_tool, 'mots-txt', root) == 1
    assert 'frame 000000.png: visible masks overlap in 1 pixels' in capsys.readouterr().err
