"""What is said to be wrong, on rectangles of 20x10 pixels in ten frames of 100x60."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from vatrack.browse.frame_errors import ERRORS, errors_by_threshold, thresholds
from vatrack.evaluation.similarity import compare_video
from vatrack.evaluation.truth import truth_tracks
from vatrack.structures import Frame, Instance, TrackRecord, Video
from vatrack.structures import rle as rle_codec

FRAMES = 10
FISH, CRAB = 1, 2


def box(left: int, width: int = 20) -> rle_codec.RLE:
    mask = np.zeros((1, 60, 100), np.uint8)
    mask[0, 20:30, left:left + width] = 1
    return rle_codec.encode(mask)[0]


def video(*objects: tuple[int, Iterable[int]], crowd: bool = False) -> Video:
    """Objects by their left side and the frames that they are in; all are fish."""
    frames = [Frame(t, t, f'{t}.png') for t in range(FRAMES)]
    for number, (left, times) in enumerate(objects):
        for t in times:
            frames[t].instances.append(
                Instance(100 * number + t, number, FISH, {'amodal': box(left)}, {}, iscrowd=crowd))
    return Video(1, 'v', 100, 60, frames)


def track(masks: dict[int, rle_codec.RLE], score: float = .9, category: int = FISH,
          categories: list[int | None] | None = None) -> TrackRecord:
    return TrackRecord(1, 1 + int(1000 * score), category, score, list(masks),
                       {'amodal': list(masks.values())}, category_ids=categories)


def still(left: int, times: Iterable[int] = range(FRAMES), **options: object) -> TrackRecord:
    return track(dict.fromkeys(times, box(left)), **options)


def levels(truth: Video, *tracks: TrackRecord, steps: tuple[float, ...] = (0.,)) -> list[dict]:
    truths = truth_tracks(truth, None, 'a.json')
    return errors_by_threshold(compare_video(truth, tracks, truths, 'amodal', 'amodal'), steps)


def errors(truth: Video, *tracks: TrackRecord) -> dict[str, list[list[int]]]:
    """Errors that occur."""
    found = levels(truth, *tracks)[0]['errors']
    assert list(found) == list(ERRORS)
    return {name: runs for name, runs in found.items() if runs}


EVERY = range(FRAMES)


def test_a_perfect_track_has_no_error():
    assert errors(video((5, EVERY)), still(5)) == {}
    assert levels(video((5, EVERY)), still(5))[0]['pairs'] == [[0, 0, 1.]]


def test_without_tracks_all_is_missed():
    assert errors(video((5, EVERY), (40, [3]))) == {'missed': [[0, 0, 10], [1, 3, 4]]}


def test_a_track_with_a_gap_misses_its_object_there():
    assert errors(video((5, EVERY)), still(5, [0, 1, 2, 6, 7, 8, 9])) == {'missed': [[0, 3, 6]]}


def test_a_track_on_no_object_is_unmatched():
    assert errors(video((5, EVERY)), still(5), still(60, [2, 3], score=.5)) == {
        'unmatched': [[1, 2, 4]]}


def test_the_second_track_on_an_object_is_a_duplicate():
    narrow = track(dict.fromkeys([4, 5], box(5, 16)), score=.95)
    assert errors(video((5, EVERY)), still(5), narrow) == {'duplicate': [[1, 4, 6]]}


def test_a_switch_is_where_another_track_takes_over():
    halves = still(5, range(4)), still(5, range(6, 10), score=.8)
    assert errors(video((5, EVERY)), *halves) == {'missed': [[0, 4, 6]], 'switch': [[0, 6, 7]]}


def test_a_track_that_comes_back_is_no_switch():
    assert errors(video((5, EVERY)), still(5, [0, 1, 8, 9])) == {'missed': [[0, 2, 8]]}


def test_masks_of_low_iou():
    masks = {t: box(5, 14 if t == 7 else 20) for t in EVERY}
    assert errors(video((5, EVERY)), track(masks)) == {'imprecise': [[0, 7, 8]]}


@pytest.mark.parametrize('categories, runs', [
    (None, [[0, 0, 10]]), ([FISH] * 4 + [CRAB] * 3 + [FISH] * 3, [[0, 4, 7]])])
def test_classes_are_those_of_the_frame(categories, runs):
    wrong = still(5, category=CRAB, categories=categories)
    assert errors(video((5, EVERY)), wrong) == {'class': runs}


def test_a_crowd_is_not_missed_and_tracks_on_it_are_not_unmatched():
    assert errors(video((5, EVERY), crowd=True)) == {}
    assert errors(video((5, EVERY), crowd=True), still(5)) == {}


def test_truth_without_a_pixel_keeps_the_rows_of_the_others():
    truth = video((5, [0]), (40, EVERY))
    truth.frames[0].instances[0].masks['amodal'] = box(5, 0)
    assert errors(truth) == {'missed': [[1, 0, 10]]}


def test_every_threshold_that_shows_other_tracks_has_errors_of_its_own():
    tracks = still(5, score=.3), still(60, score=.62)
    found = levels(video((5, EVERY)), *tracks, steps=(0, .2, .3, .35, .6, .65, 1))
    assert [level['from'] for level in found] == [0, .35, .65]
    assert [[name for name, runs in level['errors'].items() if runs] for level in found] == [
        ['unmatched'], ['missed', 'unmatched'], ['missed']]
    assert [level['pairs'] for level in found] == [[[0, 0, 1.]], [], []]


def test_thresholds_span_the_scores():
    assert thresholds(np.array([.2, .9]), [.33])[:8] == [0, .05, .1, .15, .2, .25, .3, .33]
    steps = thresholds(np.array([-3., 7]), [.6])
    assert (steps[0], steps[-1], .6 in steps) == (-3, 7, True)
    assert len(thresholds(np.zeros(0), [.3])) == 21
