from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from vatrack.files import AnnotationError, check_annotations, load_annotations
from vatrack.files.annotation_entry import check_runs
from vatrack.structures import rle as rle_ops
from vatrack.video.image_file import encode_image

ROOT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 8, 12


def mask(x1: int, y1: int, x2: int, y2: int) -> dict:
    pixels = np.zeros((1, HEIGHT, WIDTH), bool)
    pixels[0, y1:y2, x1:x2] = True
    return rle_ops.encode(pixels)[0]


def annotation(id_: int, image_id: int, instance_id: int, left: int, hidden: int = 0,
               **changes) -> dict:
    """A 4 x 4 square at x = left whose last columns are hidden."""
    shown = 4 - hidden
    return dict(id=id_, image_id=image_id, category_id=1, instance_id=instance_id,
                bbox=[left, 2, 4, 4], bbox_visible=[left, 2, shown, 4] if shown else None,
                amodal_mask=mask(left, 2, left + 4, 6),
                visible_mask=mask(left, 2, left + shown, 6),
                occlude_rate=hidden / 4, iscrowd=0) | changes


def clean() -> dict:
    """Two frames: two squares side by side, then one half hidden and one fully hidden."""
    images = [dict(id=i, video_id=1, file_name=f'v/{i}.png', frame_id=i, width=WIDTH,
                   height=HEIGHT) for i in range(2)]
    return dict(categories=[dict(id=1, name='square'), dict(id=2, name='disc')],
                videos=[dict(id=1, name='v', width=WIDTH, height=HEIGHT, num_frames=2)],
                images=images,
                annotations=[annotation(0, 0, 0, 1), annotation(1, 0, 1, 6),
                             annotation(2, 1, 0, 2, hidden=2), annotation(3, 1, 1, 6, hidden=4)])


@pytest.fixture
def write(tmp_path):
    def function(raw: dict) -> Path:
        path = tmp_path / 'a.json'
        path.write_text(json.dumps(raw))
        return path
    return function


@pytest.fixture
def frames(tmp_path) -> Path:
    (tmp_path / 'frames' / 'v').mkdir(parents=True)
    for index in range(2):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        cv2.imwrite(str(tmp_path / 'frames' / 'v' / f'{index}.png'), image)
    return tmp_path / 'frames'


def test_clean_file(write, frames):
    report = check_annotations(write(clean()), frames)
    assert report.ok and not report.errors and not report.warnings
    summary = report.summary
    assert (summary.videos, summary.frames, summary.objects, summary.tracks) == (1, 2, 4, 2)
    assert summary.masks == {'amodal': 4, 'visible': 4}
    assert summary.empty_masks == {'visible': 1}
    assert summary.occlusion == {'0': 2, '(0.4, 0.5]': 1, '1': 1}
    assert summary.objects_by_class == {'square': 4, 'disc': 0}
    assert summary.tracks_by_class == {'square': 2}


def test_sailvos_sample_is_clean(sailvos_sample):
    report = check_annotations(sailvos_sample)
    assert (report.num_errors, report.num_warnings) == (0, 0)
    assert (report.summary.objects, report.summary.tracks) == (163, 4)
    # The published sample is not filtered: 9 annotations are occluded by more than 0.75.
    occlusion = report.summary.occlusion
    assert occlusion['(0.8, 0.9]'] + occlusion['(0.9, 1)'] == 9
    assert sum(occlusion.values()) == 163
    assert report.summary.tracks_by_class['person'] == 3


def test_example_of_the_documentation_is_clean(tmp_path):
    text = (ROOT / 'docs' / 'annotations.md').read_text()
    (tmp_path / 'a.json').write_text(re.search('```json\n(.*?)```', text, re.DOTALL).group(1))
    report = check_annotations(tmp_path / 'a.json')
    assert (report.num_errors, report.num_warnings) == (0, 0), report
    assert report.summary.occlusion == {'(0.4, 0.5]': 1, '1': 1}


def test_all_problems_are_collected_in_the_words_of_the_loader(write):
    raw = clean()
    raw['annotations'][0]['category_id'] = 9
    raw['annotations'][1]['bbox'] = [0, 0, -1, 1]
    raw['annotations'][3]['occlude_rate'] = 7
    path = write(raw)
    report = check_annotations(path)
    assert report.num_errors == len(report.errors) == 3
    with pytest.raises(AnnotationError) as first:
        load_annotations(path)
    assert report.errors[0] == str(first.value)
    assert 'annotations[1] (id 1)' in report.errors[1]
    assert 'annotations[3] (id 3)' in report.errors[2]
    assert report.summary.objects == 1


def test_max_errors_limits_the_messages_not_the_count(write):
    raw = clean()
    for entry in raw['annotations']:
        entry['iscrowd'] = 5
    report = check_annotations(write(raw), max_errors=2)
    assert (len(report.errors), report.num_errors) == (2, 4)


def test_a_list_for_an_id_is_one_error_of_its_entry(write):
    raw = clean()
    raw['videos'].append(raw['videos'][0] | {'id': [1]})
    report = check_annotations(write(raw))
    assert report.num_errors == 1 and "videos[1] (id [1]): 'id' must be" in report.errors[0]


def test_unreadable_file_is_one_error(tmp_path):
    report = check_annotations(tmp_path / 'gone.json')
    assert not report.ok and report.summary is None
    assert 'no such annotation file' in report.errors[0]


def swap_masks(entry: dict) -> None:
    entry['amodal_mask'], entry['visible_mask'] = entry['visible_mask'], entry['amodal_mask']
    entry['bbox'], entry['bbox_visible'] = entry['bbox_visible'], entry['bbox']
    del entry['occlude_rate']


ERRORS = {
    'subset': (lambda raw: swap_masks(raw['annotations'][2]),
               ["frame 1 ('v/1.png')", '(id 2, instance_id 0)', '8 pixels of the visible mask lie',
                'outside the amodal']),
    'rate': (lambda raw: raw['annotations'][2].update(occlude_rate=0.52),
             ['(id 2', "'occlude_rate' is 0.5200", 'visible 8, amodal 16', 'give 0.5000']),
    'category': (lambda raw: raw['annotations'][2].update(category_id=2),
                 ["video 'v' (id 1)", '(id 2)', "'category_id' is 2, but instance_id 0 was 1"]),
    'runs': (lambda raw: raw['annotations'][2]['amodal_mask'].update(counts='5220c0'),
             ['(id 2', "'amodal_mask': counts describes", '8 x 12']),
}

WARNINGS = {
    'overlap': (lambda raw: raw['annotations'].__setitem__(1, annotation(1, 0, 1, 3)),
                ["frame 0 ('v/0.png')", 'visible masks overlap in 8 pixels']),
    'box': (lambda raw: raw['annotations'][0].update(bbox=[1, 2, 6, 4]),
            ['(id 0', 'the amodal box [1, 2, 7, 6]', 'box of its mask, [1.0, 2.0, 5.0, 6.0]']),
    'shared file': (lambda raw: raw['images'][1].update(file_name='v/0.png'),
                    ["video 'v' (id 1): 1 of its 2 frames show an image file", "of frame 0 of v"]),
    'frame ids': (lambda raw: raw['images'][1].update(frame_id=5),
                  ["video 'v'", 'without gaps, but 1 is missing']),
    'length': (lambda raw: raw['videos'][0].update(num_frames=3),
               ["videos[0] (id 1): 'num_frames' is 3, but 'images' has 2"]),
}


@pytest.mark.parametrize('name', ERRORS)
def test_errors(name, write):
    raw = clean()
    fault, parts = ERRORS[name]
    fault(raw)
    report = check_annotations(write(raw))
    assert not report.ok and (report.num_errors, report.num_warnings) == (1, 0), report
    assert all(part in report.errors[0] for part in parts), report.errors


@pytest.mark.parametrize('name', WARNINGS)
def test_warnings(name, write):
    raw = clean()
    fault, parts = WARNINGS[name]
    fault(raw)
    report = check_annotations(write(raw))
    assert report.ok and report.num_warnings == 1, report
    assert all(part in report.warnings[0] for part in parts), report.warnings


def test_a_crowd_may_lie_under_others(write):
    raw = clean()
    raw['annotations'][1] = annotation(1, 0, 1, 3) | {'iscrowd': 1}
    assert check_annotations(write(raw)).num_warnings == 0


def test_small_deviations_are_tolerated(write):
    raw = clean()
    raw['annotations'][2].update(occlude_rate=0.505)
    raw['annotations'][0].update(bbox=[0.5, 2, 4, 4.9])
    report = check_annotations(write(raw))
    assert (report.num_errors, report.num_warnings) == (0, 0)


def test_backslashes_in_names_of_frames_are_those_of_windows(write, frames):
    raw = clean()
    for image in raw['images']:
        image['file_name'] = image['file_name'].replace('/', '\\')
    assert check_annotations(write(raw), frames).ok
    cv2.imwrite(str(frames / 'v\\0.png'), np.zeros((1, 1, 3), np.uint8))
    # A file that has a backslash in its own name comes first.
    assert check_annotations(write(raw), frames).num_errors == 1


def test_frames_on_disk(write, frames):
    path = write(clean())
    (frames / 'v/0.png').rename(frames / 'v/0.bmp')
    assert check_annotations(path, frames).ok
    (frames / 'v/0.bmp').unlink()
    (frames / 'v/1.png').write_bytes(b'no image')
    report = check_annotations(path, frames)
    assert report.num_errors == 2
    assert "video 'v'" in report.errors[0] and 'no frame' in report.errors[0]
    assert '1.png is no readable image' in report.errors[1]
    for index in range(2):
        cv2.imwrite(str(frames / f'v/{index}.png'), np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    report = check_annotations(path, frames)
    assert report.num_errors == 2
    assert 'is 8 x 12 pixels, but its video is 12 x 8' in report.errors[0]


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_frames_that_are_cut_off(write, frames, suffix, run_tool):
    path = write(clean())
    whole = encode_image(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
                         suffix)
    (frames / 'v/1.png').unlink()
    (frames / f'v/1{suffix}').write_bytes(whole[:-40])
    report = check_annotations(path, frames)
    assert report.num_errors == 1
    assert "frame 1 ('v/1.png')" in report.errors[0]
    assert 'not an image or damaged' in report.errors[0]
    assert run_tool('convert', 'check', path, '--images', frames) == 1
    assert run_tool('convert', 'check', path, '--images', frames, '--quick') == 0


def test_frames_that_are_turned_by_a_tag(write, frames):
    """Their size is that which is shown, and one warning tells of all of them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for index in range(2):
        Image.new('RGB', (HEIGHT, WIDTH)).save(frames / f'v/{index}.png', exif=exif)
    report = check_annotations(write(clean()), frames)
    assert report.ok and report.num_warnings == 1
    assert '2 frames carry an EXIF orientation' in report.warnings[0]
    assert 'exiftool' in report.warnings[0]
    Image.new('RGB', (WIDTH, HEIGHT)).save(frames / 'v/1.png', exif=exif)
    report = check_annotations(write(clean()), frames)
    assert report.num_errors == 1
    assert 'is 8 x 12 pixels (as it is shown' in report.errors[0]
    assert 'stored: 12 x 8), but its video is 12 x 8' in report.errors[0]


def test_tool_prints_the_card_and_sets_the_exit_code(write, frames, capsys, run_tool):
    assert run_tool('convert', 'check', write(clean()), '--images', frames) == 0
    printed = capsys.readouterr().out
    assert 'Masks: amodal and visible' in printed and '| tracks | 2 |' in printed
    assert printed.rstrip().endswith('a.json: ok, 0 errors, 0 warnings')
    raw = clean()
    for entry in raw['annotations']:
        entry['iscrowd'] = 5
    raw['images'][0]['frame_id'] = 7
    assert run_tool('convert', 'check', write(raw), '--max-errors', 1) == 1
    printed = capsys.readouterr().out
    assert printed.startswith('error: ') and '... and 3 more errors' in printed
    assert 'videos 1, frames 2, objects 0, tracks 0' in printed  # of what is sound
    assert 'NOT ok, 4 errors, 1 warnings' in printed


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('density', [0.0, 0.02, 0.5, 1.0])
def test_runs_of_true_masks_pass(seed, density):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 90, 2)
    blocks = np.repeat(rng.random((1, *shape)) < density, rng.integers(1, 40), axis=1)
    check_runs(rle_ops.encode(blocks)[0])


@pytest.mark.parametrize('runs', [[40], [10, 20, 66, 1], [96, 1], [0, 97], [30, 30, 30, 30]])
def test_runs_of_another_size_are_refused(runs):
    height, width = sum(runs), 1
    counts = coco_mask.frPyObjects({'size': [height, width], 'counts': runs}, height, width)
    rle = {'size': [HEIGHT, WIDTH], 'counts': counts['counts'].decode()}
    with pytest.raises(AnnotationError, match=f'describes {sum(runs)} pixels.*8 x 12'):
        check_runs(rle)


@pytest.mark.parametrize('counts', ['P', 'oooooooooooo', '~', ' ', '5O', 'PPPPPPPP0'])
def test_damaged_strings_are_refused(counts):
    with pytest.raises(AnnotationError, match='encode the mask again'):
        check_runs({'size': [HEIGHT, WIDTH], 'counts': counts})


def test_every_damaged_character_of_a_mask_is_found_or_changes_pixels():
    """Against the truth of pycocotools: a string passes exactly if its runs fill the image."""
    pixels = np.random.default_rng(0).random((1, 9, 11)) < 0.4
    rle = rle_ops.encode(pixels)[0]
    for position in range(len(rle['counts'])):
        for symbol in '05@Oo':
            counts = rle['counts'][:position] + symbol + rle['counts'][position + 1:]
            changed = {'size': rle['size'], 'counts': counts}
            try:
                check_runs(changed)
            except AnnotationError:
                continue
            decoded = rle_ops.decode([changed], (9, 11))
            assert set(np.unique(decoded)) <= {0, 1}
            assert decoded.sum() == rle_ops.areas([changed])[0]
