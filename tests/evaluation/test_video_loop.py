"""The same numbers, to the bit, for any number of processes and any order of the videos."""
from __future__ import annotations

import multiprocessing
import os
import pickle
from functools import partial

import numpy as np
import pytest
from ap_scenes import random_scene

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.metric_names import METRICS, metric_makers
from vatrack.evaluation.protocols import PROTOCOLS
from vatrack.evaluation.video_loop import Plan, score_video, score_videos
from vatrack.files import AnnotationError

PROTOCOL = PROTOCOLS['sailvos-full']


@pytest.fixture(scope='module')
def scene():
    """Scores have one digit: ties within and between videos."""
    scene = random_scene(9)
    scores = [track.score for track in scene.tracks]
    assert len(set(scores)) < len(scores) / 2
    return scene


@pytest.fixture(scope='module')
def expected(scene):
    numbers = evaluate(scene.annotations(), scene.tracks, 'all', PROTOCOL)
    assert 0 < numbers['amodal/video/vAP'] < 1
    assert 0 < numbers['visible/image/AP'] < 1
    return numbers


@pytest.mark.parametrize('workers', [2, 4])
def test_any_number_of_processes(scene, expected, workers):
    assert evaluate(scene.annotations(), scene.tracks, 'all', PROTOCOL, workers=workers) == expected


@pytest.fixture
def spawned():
    """New processes inherit nothing, as on macOS and Windows."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method('spawn', force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.slow
def test_processes_that_inherit_nothing(scene, expected, spawned):
    assert evaluate(scene.annotations(), scene.tracks, 'all', PROTOCOL, workers=2) == expected


@pytest.mark.parametrize('order', [[3, 30, 11, 5, 2, 7], [2, 3, 5, 7, 11, 30]])
def test_any_order_of_videos_even_with_ties(scene, expected, order):
    assert evaluate(scene.annotations(order), scene.tracks, 'all', PROTOCOL) == expected


def test_any_order_of_the_tracks_of_different_videos(scene, expected):
    """Only the order within a video may matter."""
    by_video = sorted(scene.tracks, key=lambda track: -track.video_id)
    assert by_video != scene.tracks
    assert evaluate(scene.annotations(), by_video, 'all', PROTOCOL) == expected


def plan_for(annotations):
    makers = metric_makers(list(METRICS), PROTOCOL, sorted(annotations.categories))
    return Plan(makers, {'amodal': 'amodal'}, PROTOCOL.max_occlusion, annotations.path)


def test_what_travels_between_processes_survives_it(scene):
    """A process that starts from nothing gets and gives pickles."""
    annotations = scene.annotations()
    video = annotations.videos[0]
    tracks = [track for track in scene.tracks if track.video_id == video.id]
    job = partial(score_video, plan_for(annotations)), video, tracks
    function, *arguments = pickle.loads(pickle.dumps(job))
    found = pickle.loads(pickle.dumps(function(*arguments)))
    direct = score_video(plan_for(annotations), video, tracks)
    assert [metric.compute() for metric in found['amodal']] == [
        metric.compute() for metric in direct['amodal']]


def test_a_video_is_sent_alone(scene, monkeypatch):
    """A process gets the truth and the tracks of one video at a time, not of all."""
    sent = []

    class Pool:
        def __init__(self, workers, initializer):
            assert workers == 3
            assert callable(pickle.loads(pickle.dumps(initializer)))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return False

        def map(self, function, *columns):
            for job in zip(*columns, strict=True):
                sent.append(len(pickle.dumps((function, *job))))
                yield function(*job)

    monkeypatch.setattr('vatrack.evaluation.video_loop.process_pool', Pool)
    annotations = scene.annotations()
    tracks = {video.id: [track for track in scene.tracks if track.video_id == video.id]
              for video in annotations.videos}
    score_videos(plan_for(annotations), annotations.videos, tracks, workers=3)
    whole = len(pickle.dumps((annotations, scene.tracks)))
    assert len(sent) == len(annotations.videos)
    assert sum(sent) < 1.5 * whole


@pytest.mark.parametrize('workers', [1, 2])
def test_errors_of_a_process_are_ours(scene, workers):
    annotations = scene.annotations()
    frame = annotations.videos[1].frames[0]
    frame.instances.append(frame.instances[0])
    with pytest.raises(AnnotationError, match=r'made\.json: video 2 .* annotated twice'):
        evaluate(annotations, scene.tracks, workers=workers)


class Dying:
    """A metric whose process is gone in the midst of a video, as when memory runs out."""

    partial_truth = True

    def add(self, compared):
        if compared.video.id == 5:
            os._exit(9)

    def merge(self, other):
        pass


def test_a_process_that_dies_is_an_error(scene):
    annotations = scene.annotations()
    plan = Plan([Dying], {'amodal': 'amodal'}, None, annotations.path)
    with pytest.raises(ChildProcessError, match=r'one of the 2 processes .* died.*--workers 1'):
        score_videos(plan, annotations.videos, {}, workers=2)


def test_there_is_at_least_one_process(scene):
    with pytest.raises(ValueError, match='workers must be at least 1, got 0'):
        evaluate(scene.annotations(), scene.tracks, workers=0)


def test_no_video_at_all():
    empty = random_scene(9).annotations(order=[7])
    empty.videos.clear()
    numbers = evaluate(empty, [], ['AP', 'vAP'], workers=2)
    assert set(numbers.values()) == {-1}


def test_metrics_merge_in_parts(scene):
    """Each half on its own and then together is the whole."""
    annotations = scene.annotations()
    plan = plan_for(annotations)
    tracks = {video.id: [track for track in scene.tracks if track.video_id == video.id]
              for video in annotations.videos}
    halves = [score_videos(plan, part, tracks)['amodal']
              for part in (annotations.videos[:3], annotations.videos[3:])]
    whole = score_videos(plan, annotations.videos, tracks)['amodal']
    for first, second, total in zip(*halves, whole, strict=True):
        first.merge(second)
        assert list(first.compute()) == list(total.compute())
        np.testing.assert_allclose(list(first.compute().values()), list(total.compute().values()),
                                   rtol=0, atol=1e-12)
