"""The picture at the head of the README can be made from any results."""
from __future__ import annotations

import importlib.util
import json

import pytest
from PIL import Image
from scripts import REPO

SPEC = importlib.util.spec_from_file_location('moving_picture', REPO / 'docs/moving_picture.py')
moving_picture = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(moving_picture)


@pytest.fixture
def arguments(tiny_data, tmp_path) -> list[str]:
    annotations = json.loads((tiny_data / 'val.json').read_text())
    video = annotations['videos'][0]
    entry = next(each for each in annotations['annotations'] if each['video_id'] == video['id'])
    masks = [entry['amodal_mask']] * video['num_frames']
    (tmp_path / 'results.json').write_text(json.dumps([{
        'video_id': video['id'], 'track_id': 1, 'category_id': entry['category_id'], 'score': .9,
        'segmentations': masks, 'visible_segmentations': masks}]))
    return [str(each) for each in (
        tmp_path / 'results.json', '--ann', tiny_data / 'val.json', '--images', tiny_data / 'val',
        '--video', video['name'], '--out', tmp_path / 'film.webp', '--width', 96)]


def test_three_panels_in_every_frame(arguments, tmp_path):
    assert moving_picture.main(arguments) == 0
    with Image.open(tmp_path / 'film.webp') as film:
        assert film.n_frames == 5 and film.info['loop'] == 0
        assert film.width > 3 * 96


def test_wrong_video_is_named(arguments, capsys):
    arguments[arguments.index('--video') + 1] = 'nowhere'
    assert moving_picture.main(arguments) == 1
    assert "no video named ['nowhere']" in capsys.readouterr().err
