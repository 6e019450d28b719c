"""The rules of matching, one by one, by hand."""
from __future__ import annotations

import numpy as np
import pytest
from ap_scenes import Object, Scene, rectangle

from vatrack.evaluation.average_precision import match, precision_recall
from vatrack.evaluation.evaluate import evaluate

MISSED, HIT, IGNORED = 0, 1, 2


def states(iou, ignored=None, crowd=None):
    """States at IoU .5 and .75 in one stratum."""
    iou = np.array(iou, float)
    none = np.zeros(iou.shape[1], bool)
    found = match(iou, none[None] if ignored is None else np.array([ignored], bool),
                  none if crowd is None else np.array(crowd, bool))
    assert found.shape == (1, 10, len(iou))
    return found[0, 0].tolist(), found[0, 5].tolist()


def test_takes_the_best_overlap():
    assert states([[.9, .6], [.6, .6]])[0] == [HIT, HIT]
    assert states([[.9, .6], [.6, 0]])[0] == [HIT, MISSED]


def test_of_equal_overlaps_takes_the_last():
    assert states([[.6, .6], [.6, 0]])[0] == [HIT, HIT]
    assert states([[.6, .6], [0, .6]])[0] == [HIT, MISSED]


def test_truth_is_taken_once_unless_it_is_a_crowd():
    assert states([[.8], [.9]])[0] == [HIT, MISSED]
    assert states([[.8], [.9]], [1], [1])[0] == [IGNORED, IGNORED]
    assert states([[.8], [.9]], [1], [0])[0] == [IGNORED, MISSED]


def test_prefers_truth_that_counts():
    assert states([[.6, .9]], [0, 1]) == ([HIT], [IGNORED])
    assert states([[.9, .6]], [1, 0]) == ([HIT], [IGNORED])


def test_threshold_itself_is_enough():
    assert states([[.5]]) == ([HIT], [MISSED])
    assert states([[.75]]) == ([HIT], [HIT])
    assert states([[np.nextafter(.5, 0)]])[0] == [MISSED]


def test_strata_are_independent():
    found = match(np.array([[.9, .6], [.9, 0]]), np.array([[0, 0], [1, 0]], bool),
                  np.zeros(2, bool))
    assert found[:, 0].tolist() == [[HIT, MISSED], [HIT, IGNORED]]


@pytest.mark.parametrize('shape', [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_match(shape):
    found = match(np.zeros(shape), np.zeros((2, shape[1]), bool), np.zeros(shape[1], bool))
    assert found.shape == (2, 10, shape[0])
    assert (found == MISSED).all()


def test_interpolated_precision():
    """Hit, miss, hit of 4: precision 1 up to recall .25, 2/3 up to .5, then 0."""
    precision, recall = precision_recall(np.array([[HIT, MISSED, IGNORED, HIT]]), 4)
    assert recall.tolist() == [.5]
    assert precision[0].tolist() == [1] * 26 + [2 / 3] * 25 + [0] * 50


@pytest.mark.parametrize('level', ['image/AR', 'video/vAR@100'])
@pytest.mark.parametrize('order', [(0, 1), (1, 0)])
def test_last_truth_is_the_one_of_the_highest_id(level, order):
    """A track over two objects alike takes the later; then the second track finds it taken.

    Instance ids order the objects of a video, annotation ids those of a frame.
    """
    size = (4, 8)
    left, right = (rectangle(size, 0, x, 4, 4)[None] for x in (0, 4))
    whole, scene = left + right, Scene(size, {1: 1})
    things = [Object(3, 1, {'amodal': left}, [0.]), Object(8, 1, {'amodal': right}, [0.])]
    scene.objects[1] = [things[i] for i in order]
    scene.predict(1, 1, .9, {'amodal': whole})
    scene.predict(1, 1, .8, {'amodal': right})
    later_is_right = level.startswith('video') or order == (0, 1)
    # At IoU .5 both tracks match, if at all; at the nine others only the second does.
    expected = (.5 + 9 * .5) / 10 if later_is_right else (1 + 9 * .5) / 10
    assert evaluate(scene.annotations(), scene.tracks)[f'amodal/{level}'] == pytest.approx(expected)
