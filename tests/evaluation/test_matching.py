"""The rules of matching, one by one, by hand."""
from __future__ import annotations

import pickle

import numpy as np
import pytest
from ap_scenes import Object, Scene, rectangle

from vatrack.evaluation.average_precision import PrecisionRecall, Samples, match, precision_curve
from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.protocols import PROTOCOLS

FP, TP, IGNORED = 'false positive', 'true positive', 'ignored'


def matched(iou, ignored, crowd=None):
    """States at IoU .5 and .75 in S strata, from ``ignored`` (S, G)."""
    iou, ignored = np.array(iou, float), np.array(ignored, bool)
    crowd = np.zeros(iou.shape[1], bool) if crowd is None else np.array(crowd, bool)
    detections, truths = np.nonzero(iou)
    bits = match(detections, truths, iou[detections, truths], ~ignored.T, crowd, len(iou))
    assert [each.shape for each in bits] == [(len(iou), len(ignored))] * 2
    assert not (bits[0] & bits[1]).any()
    names = np.array([FP, TP, IGNORED])
    return [[names[(true >> t & 1) + 2 * (ignored >> t & 1)].tolist() for t in (0, 5)]
            for true, ignored in zip(bits[0].T, bits[1].T, strict=True)]


def states(iou, ignored=None, crowd=None):
    """States at IoU .5 and .75 in one stratum."""
    ignored = np.zeros(np.shape(iou)[1], bool) if ignored is None else ignored
    found, = matched(iou, [ignored], crowd)
    return tuple(found)


def test_takes_the_best_overlap():
    assert states([[.9, .6], [.6, .6]])[0] == [TP, TP]
    assert states([[.9, .6], [.6, 0]])[0] == [TP, FP]


def test_of_equal_overlaps_takes_the_last():
    assert states([[.6, .6], [.6, 0]])[0] == [TP, TP]
    assert states([[.6, .6], [0, .6]])[0] == [TP, FP]


def test_truth_is_taken_once_unless_it_is_a_crowd():
    assert states([[.8], [.9]])[0] == [TP, FP]
    assert states([[.8], [.9]], [1], [1])[0] == [IGNORED, IGNORED]
    assert states([[.8], [.9]], [1], [0])[0] == [IGNORED, FP]


def test_prefers_truth_that_counts():
    assert states([[.6, .9]], [0, 1]) == ([TP], [IGNORED])
    assert states([[.9, .6]], [1, 0]) == ([TP], [IGNORED])


def test_threshold_itself_is_enough():
    assert states([[.5]]) == ([TP], [FP])
    assert states([[.75]]) == ([TP], [TP])
    assert states([[np.nextafter(.5, 0)]])[0] == [FP]


def test_strata_are_independent():
    found = matched([[.9, .6], [.9, 0]], [[0, 0], [1, 0]])
    assert [at_50 for at_50, _ in found] == [[TP, FP], [TP, IGNORED]]


def test_more_strata_than_fit_a_machine_word():
    """Each of 20 strata ignores one of three truths."""
    ignored = np.eye(3, dtype=bool)[np.arange(20) % 3]
    found = matched([[.9, .8, .7], [.9, .8, .7]], ignored)
    expected = [[TP, TP], [TP, TP], [TP, TP]]
    assert [at_50 for at_50, _ in found] == [expected[s % 3] for s in range(20)]
    # At .75 the third truth is no candidate, so whoever finds none of two takes the ignored one.
    at_75 = [[TP, IGNORED], [TP, IGNORED], [TP, TP]]
    assert [each for _, each in found] == [at_75[s % 3] for s in range(20)]


@pytest.mark.parametrize('shape', [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_match(shape):
    expected = [FP] * shape[0]
    assert matched(np.zeros(shape), np.zeros((2, shape[1]))) == [[expected] * 2] * 2


def test_interpolated_precision():
    """TP, FP, ignored, TP of 4: precision 1 up to recall .25, 2/3 up to .5, then 0."""
    true_positives = np.array([1 << 3, 0, 0, 1 << 3], np.uint16)
    precision = precision_curve(true_positives, np.array([0, 0, 1 << 3, 0], np.uint16), 4)
    assert precision.shape == (10, 101)
    assert precision[3].tolist() == [1] * 26 + [2 / 3] * 25 + [0] * 50
    assert not precision[[*range(3), *range(4, 10)]].any()


def samples_of(scores, categories, areas, truths, pairs, ids=(1,), samples=None):
    """``truths`` are (category, area, occlusion, crowd), ``pairs`` (detection, truth, IoU)."""
    columns = [np.array(column) for column in zip(*truths, strict=True)]
    detections, partners, iou = (np.array(column) for column in zip(*pairs, strict=True))
    return Samples(np.array(ids), np.zeros(len(scores), int) if samples is None else
                   np.array(samples), np.array(scores, float), np.array(categories),
                   np.array(areas, float), columns[0], columns[1].astype(float),
                   columns[2].astype(float), columns[3].astype(bool), detections, partners, iou)


@pytest.mark.parametrize('name', PROTOCOLS)
def test_counts_the_truth_of_each_stratum(name):
    """All bounds of areas and of occlusions, just outside of them, and unknown."""
    strata = PROTOCOLS[name].strata
    areas = {bound + step for stratum in strata.values() for bound in stratum.area
             for step in (-1, 0, 1)}
    rates = {rate for stratum in strata.values() for bound in stratum.occlusion or ()
             for rate in (bound, np.nextafter(bound, -1), np.nextafter(bound, 2))}
    truths = [(1, area, rate, False) for area in sorted(areas) for rate in (*sorted(rates), np.nan)]
    collector = PrecisionRecall(strata.values(), [1], 100)
    collector.add(samples_of([.5], [1], [9], [*truths, (1, 9, 0, True)], [(0, 0, .1)]))
    areas, rates = np.array(truths, float)[:, 1:3].T
    assert collector.num_truth.tolist() == [
        [np.count_nonzero(~stratum.excludes(areas, rates)) for stratum in strata.values()]]


def test_most_detections_are_per_class_and_sample():
    """Two samples and two classes: the second best of each finds the truth."""
    truths = [(category, 9, 0, False) for _ in range(2) for category in (1, 2)]
    categories, samples = [1, 1, 2, 2] * 2, [0] * 4 + [1] * 4
    pairs = [(2 * i + 1, i, .9) for i in range(4)]
    collector = PrecisionRecall(PROTOCOLS['ytvis'].strata.values(), [1, 2], 2)
    collector.add(samples_of([.9, .8] * 4, categories, [9] * 8, truths, pairs, (7, 4), samples))
    assert collector.recall(1)[:, 0, 0].tolist() == [0, 0]
    assert collector.recall(2)[:, 0, 0].tolist() == [1, 1]
    # Of each class: two false positives of .9, then two true ones of .8.
    assert collector.precision(2)[:, 0, 0].tolist() == [[.5] * 101] * 2
    assert not collector.precision(1)[:, 0].any()


def random_samples(rng, ids, num_detections):
    """Two classes, scores with ties, some crowd."""
    truths = [(rng.integers(1, 3), 9, rng.random(), rng.random() < .2) for _ in range(6)]
    pairs = [(d, g, rng.uniform(.4, 1)) for d in range(num_detections)
             for g in np.flatnonzero(rng.random(6) < .4).tolist()]
    samples = np.sort(rng.integers(0, len(ids), num_detections))
    return samples_of(rng.integers(0, 5, num_detections) / 5, rng.integers(1, 3, num_detections),
                    [9] * num_detections, truths, pairs or [(0, 0, 0.)], ids, samples)


def test_samples_that_wait_are_matched_as_each_alone():
    """In parts and pickled or not, the curves are the same to the bit."""
    rng = np.random.default_rng(0)
    parts = [random_samples(rng, [10 * n + 3, 10 * n], 1 + n % 7) for n in range(90)]

    def collector():
        return PrecisionRecall(PROTOCOLS['sailvos'].strata.values(), [1, 2], 3)

    together, merged = collector(), collector()
    for samples in parts:
        alone = collector()
        together.add(samples)
        alone.add(samples)
        merged.merge(pickle.loads(pickle.dumps(alone)))
    assert together.num_truth.tolist() == merged.num_truth.tolist()
    for most in (1, 3):
        assert (together.precision(most) == merged.precision(most)).all()
        assert (together.recall(most) == merged.recall(most)).all()
    assert 0 < together.recall(3)[:, 0].max() < 1


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
