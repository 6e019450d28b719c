from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_sailvos import HEIGHT, WIDTH, make_sailvos
from PIL import Image

from vatrack.converters import ConversionError
from vatrack.converters.sailvos import detection as sailvos_detection
from vatrack.converters.sailvos.detection import (
    DetectionOptions,
    content_score,
    detect_shots,
    find_cuts,
)
from vatrack.converters.sailvos.source import SourceFrame, SourceVideo, read_source
from vatrack.files import AnnotationError

VIDEOS = {'train': {'ah_1_ext': [5, 9, 7], 'bs_2a_ext': [8], 'one': [1], 'two': [1, 1]}}


def detect(root: Path, cache: Path, workers: int = 1, **options) -> dict[str, list[str]]:
    """File names by shot."""
    videos = read_source(root / 'train.json').videos
    found = detect_shots(videos, root, cache, DetectionOptions(**options), workers)
    return {shot.name: [frame.base_name for frame in shot.frames]
            for of_video in found for shot in of_video}


def write_colours(folder: Path, colours: list[tuple[int, int, int]]) -> SourceVideo:
    """A video of plain frames."""
    folder.mkdir(parents=True)
    frames = []
    for t, colour in enumerate(colours):
        Image.new('RGB', (WIDTH, HEIGHT), colour).save(folder / f'{t:06d}.png')
        frames.append(SourceFrame(t, t, f'v/images/{t:06d}.bmp', f'{t:06d}'))
    return SourceVideo('v', (WIDTH, HEIGHT), frames)


def test_score_by_hand():
    before = np.zeros((2, 4, 3), np.uint8)
    after = before.copy()
    after[0, 0] = 179, 0, 8
    after[1] = 0, 10, 2
    assert content_score(before, after) == pytest.approx(
        (179 / 8 + 4 * 10 / 8 + (8 + 4 * 2) / 8) / 3)
    assert content_score(after, before) == content_score(before, after)
    assert content_score(after, after) == 0


@pytest.mark.parametrize('legacy', [False, True])
def test_score_agrees_with_the_definition(legacy):
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (2, 20, 30, 3), np.uint8)
    code = cv2.COLOR_BGR2HSV if legacy else cv2.COLOR_RGB2HSV
    hsv = [cv2.cvtColor(image, code) for image in rgb]
    difference = np.abs(hsv[0].astype(np.int64) - hsv[1])
    assert content_score(*hsv) == pytest.approx(difference.mean(axis=(0, 1)).mean(), abs=1e-9)


def scores(length: int, *cuts: int, score: float = 27.0) -> list[float]:
    return [score if t in cuts else 26.999 for t in range(1, length - 1)]


@pytest.mark.parametrize(('length', 'peaks', 'cuts'), [
    (30, [10, 20], [10, 20]),
    (30, [4], []),               # too close to the start
    (30, [5], [5]),
    (30, [10, 14], [10]),        # too close to the cut before
    (30, [10, 15], [10, 15]),
    (30, [10, 14, 18], [10, 18]),
    (30, [24], []),              # 29 - 24 is not more than 5
    (30, [23], [23]),
    (11, [5], []),
    (12, [5, 6], [5]),
    (1, [], []),
    (2, [], []),
    (3, [1], []),
])
def test_find_cuts(length, peaks, cuts):
    assert find_cuts(scores(length, *peaks)[:max(length - 2, 0)], DetectionOptions()) == cuts


def test_threshold_and_length():
    made = scores(30, 8, 11, 20, score=30.0)
    assert find_cuts(made, DetectionOptions(threshold=30.01)) == []
    assert find_cuts(made, DetectionOptions(threshold=30.0)) == [8, 20]
    assert find_cuts(made, DetectionOptions(min_length=3)) == [8, 11, 20]
    assert find_cuts(made, DetectionOptions(min_length=9)) == [11]


@pytest.mark.parametrize(('suffix', 'workers'), [('.bmp', 1), ('.png', 2)])
def test_known_cuts_are_found(suffix, workers, tmp_path):
    make_sailvos(tmp_path / 'raw', VIDEOS, suffix)
    found = detect(tmp_path / 'raw', tmp_path / 'cache', workers)
    assert {name: (files[0], files[-1], len(files)) for name, files in found.items()} == {
        'ah_1_ext__5': ('000003', '000007', 5), 'ah_1_ext__14': ('000008', '000016', 9),
        'ah_1_ext__20': ('000017', '000023', 7), 'bs_2a_ext__7': ('000003', '000010', 8),
        'one__0': ('000003', '000003', 1), 'two__1': ('000003', '000004', 2)}


def test_legacy_channels_make_a_difference(tmp_path):
    # Hue 179 and hue 1 are almost the same red, but 178 apart; swapped they are two blues.
    video = write_colours(tmp_path / 'raw/v/images', [(200, 0, 10)] * 6 + [(200, 10, 0)] * 7)
    for legacy, names in ((False, ['v__6', 'v__12']), (True, ['v__12'])):
        shots = detect_shots([video], tmp_path / 'raw', tmp_path / 'cache',
                             DetectionOptions(legacy_channels=legacy))
        assert [shot.name for shot in shots[0]] == names


def test_scores_are_kept_whatever_threshold_and_length(tmp_path, monkeypatch):
    make_sailvos(tmp_path / 'raw', VIDEOS)
    first = detect(tmp_path / 'raw', tmp_path / 'cache')
    assert sorted(path.name for path in (tmp_path / 'cache').iterdir()) == [
        'ah_1_ext.json', 'bs_2a_ext.json', 'one.json', 'two.json']
    record = json.loads((tmp_path / 'cache/ah_1_ext.json').read_text())
    assert len(record['scores']) == 19 and record['frames'][0] == '000003'

    monkeypatch.setattr(sailvos_detection, 'content_score', None)
    assert detect(tmp_path / 'raw', tmp_path / 'cache') == first
    assert len(detect(tmp_path / 'raw', tmp_path / 'cache', threshold=255.0)) == 4
    with pytest.raises(TypeError):  # other channels, other scores
        detect(tmp_path / 'raw', tmp_path / 'cache', legacy_channels=True)


def test_other_frames_are_scored_anew(tmp_path):
    make_sailvos(tmp_path / 'raw', {'train': {'v': [6, 8]}})
    detect(tmp_path / 'raw', tmp_path / 'cache')
    make_sailvos(tmp_path / 'more', {'train': {'v': [6, 8, 9]}})
    assert list(detect(tmp_path / 'more', tmp_path / 'cache')) == ['v__6', 'v__14', 'v__22']


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    make_sailvos(tmp_path / 'raw', VIDEOS)
    expected = detect(tmp_path / 'raw', tmp_path / 'whole')
    calls = []

    def counting(before, after, limit):
        calls.append(1)
        if len(calls) > limit:
            raise KeyboardInterrupt
        return content_score(before, after)

    monkeypatch.setattr(sailvos_detection, 'content_score', lambda *a: counting(*a, limit=23))
    with pytest.raises(KeyboardInterrupt):
        detect(tmp_path / 'raw', tmp_path / 'cache')
    assert [path.name for path in (tmp_path / 'cache').iterdir()] == ['ah_1_ext.json']
    calls.clear()
    monkeypatch.setattr(sailvos_detection, 'content_score', lambda *a: counting(*a, limit=99))
    assert detect(tmp_path / 'raw', tmp_path / 'cache') == expected
    assert len(calls) == 7 + 0 + 1  # of bs_2a_ext, one and two
    for path in (tmp_path / 'whole').iterdir():
        assert path.read_bytes() == (tmp_path / 'cache' / path.name).read_bytes()


def spoil_missing(path: Path) -> None:
    path.unlink()


def spoil_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def spoil_text(path: Path) -> None:
    path.write_text('no image')


def spoil_size(path: Path) -> None:
    Image.new('RGB', (WIDTH, HEIGHT + 1)).save(path)


@pytest.mark.parametrize('number', [3, 10, 23])
@pytest.mark.parametrize(('spoil', 'error', 'message'), [
    (spoil_missing, AnnotationError, "video 'ah_1_ext': no frame .*"),
    (spoil_cut, ConversionError, 'is no readable image .*damaged'),
    (spoil_text, ConversionError, 'is no readable image'),
    (spoil_size, ConversionError, r'has \(width, height\) \(48, 33\), but its annotations')])
def test_bad_frames_are_named(number, spoil, error, message, tmp_path):
    make_sailvos(tmp_path / 'raw', VIDEOS)
    name = f'ah_1_ext/images/{number:06d}.bmp'
    spoil(tmp_path / 'raw' / name)
    with pytest.raises(error, match=message) as caught:
        detect(tmp_path / 'raw', tmp_path / 'cache')
    assert name in str(caught.value) and 'ah_1_ext' in str(caught.value)
    assert not list((tmp_path / 'cache').glob('ah_1_ext*'))
