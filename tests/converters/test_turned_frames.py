"""Frames with an EXIF orientation: labels lie on them as they are shown, in every format."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripts import REPO

from vatrack.datasets.transforms import LoadFrame
from vatrack.files import load_annotations
from vatrack.structures.rle import decode

CASES = REPO.parent / 'shared/cases'
SHOWN = 12, 8  # height, width


def turned_frame(path: Path) -> None:
    """A frame whose upper left quarter is white as it is shown, stored lying on its side."""
    stored = np.zeros((*SHOWN[::-1], 3), np.uint8)
    stored[4:, :6] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stored).save(path, exif=exif)


def label_image(path: Path, size: tuple[int, int]) -> None:
    labels = np.zeros(size, np.uint8)
    labels[:size[0] // 2, :size[1] // 2] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def test_labels_lie_on_the_frame_that_is_trained_on(tmp_path, run_tool):
    root = tmp_path / 'raw'
    turned_frame(root / 'v/frames/0.png')
    label_image(root / 'v/visible/0.png', SHOWN)
    assert run_tool('convert', 'png-masks', root, '--class', 'car', '--out', tmp_path) == 0
    video, = load_annotations(tmp_path / 'train.json').videos
    assert (video.height, video.width) == SHOWN
    frame = LoadFrame().transform(dict(
        img_path=str(root / video.frames[0].file_name), video_name='v', frame_id=0,
        height=video.height, width=video.width))['img']
    mask, = decode([video.frames[0].instances[0].masks['visible']], SHOWN)
    assert np.array_equal(frame[..., 0] == 255, mask > 0)


def test_labels_of_the_stored_pixels_are_refused_and_the_tag_is_named(tmp_path, run_tool, capsys):
    root = tmp_path / 'raw'
    turned_frame(root / 'v/frames/0.png')
    label_image(root / 'v/visible/0.png', SHOWN[::-1])
    assert run_tool('convert', 'png-masks', root, '--class', 'car', '--out', tmp_path) == 1
    message = capsys.readouterr().err
    assert 'labels must be as large as the frames' in message
    assert 'EXIF orientation 6; stored: 12 x 8' in message and 'remove the tag' in message


def test_labelme_draws_on_the_shown_frame(tmp_path, run_tool):
    root = tmp_path / 'raw'
    turned_frame(root / 'v/0.png')
    shape = dict(label='car', group_id=1, shape_type='rectangle', points=[[0, 0], [4, 6]])
    (root / 'v/0.json').write_text(json.dumps(dict(
        imageHeight=SHOWN[0], imageWidth=SHOWN[1], imagePath='0.png', shapes=[shape])))
    assert run_tool('convert', 'labelme', root, '--out', tmp_path) == 0


@pytest.mark.parametrize(('case', 'code'), [
    ('exif6-native-upright', 0), ('exif6-native-stored', 1), ('exif2-native-stored', 0),
    ('exif3-native-stored', 0), ('exif3-native-upright', 0)])
def test_annotation_files_of_turned_frames(case, code, run_tool, capsys):
    if not (CASES / case).is_dir():
        pytest.skip(f'needs the small inputs {CASES}')
    assert run_tool('convert', 'check', CASES / case / 'train.json', '--images',
                    CASES / case / 'train') == code
    assert capsys.readouterr().out.count('3 frames carry an EXIF orientation') == 1


@pytest.mark.parametrize(('case', 'code'), [('exif6-labelme', 0), ('exif3-labelme', 0)])
def test_labelme_files_of_turned_frames(case, code, tmp_path, run_tool):
    if not (CASES / case).is_dir():
        pytest.skip(f'needs the small inputs {CASES}')
    assert run_tool('convert', 'labelme', CASES / case, '--out', tmp_path) == code
