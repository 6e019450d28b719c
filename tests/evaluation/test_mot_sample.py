"""A published sequence with a real tracker's output: the values of TrackEval and motmetrics."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tracking_cases import TRACKEVAL_NAMES, trackeval_data

from vatrack.evaluation.box_similarity import box_overlap
from vatrack.evaluation.clear import count_clear
from vatrack.evaluation.hota import count_hota
from vatrack.evaluation.identity import count_identity
from vatrack.evaluation.tracked_frames import TrackedFrames

SAMPLE = Path(__file__).resolve().parents[2].parent / 'shared/data/mot_sample'


def read_mot(path):
    """Rows (frame, id from 0, x1, y1, x2, y2) of a MOTChallenge file."""
    rows = np.loadtxt(path, delimiter=',')[:, :6]
    rows[:, 1] = np.unique(rows[:, 1], return_inverse=True)[1]
    rows[:, 4:] += rows[:, 2:4]
    return rows


@pytest.fixture(scope='module')
def campus():
    """TUD-Campus, as rows and as frames."""
    if not SAMPLE.is_dir():
        pytest.skip(f'needs the MOT sample {SAMPLE}')
    truth, found = (read_mot(SAMPLE / f'TUD-Campus_{name}.txt') for name in ('gt', 'results'))
    truths, tracks, similarity = [], [], []
    for frame in np.unique(np.concatenate([truth[:, 0], found[:, 0]])):
        g, d = truth[truth[:, 0] == frame], found[found[:, 0] == frame]
        truths.append(g[:, 1].astype(np.int64))
        tracks.append(d[:, 1].astype(np.int64))
        similarity.append(box_overlap(d[:, 2:], g[:, 2:])[0].T)
    sizes = int(truth[:, 1].max()) + 1, int(found[:, 1].max()) + 1
    return TrackedFrames(truths, tracks, similarity, *sizes)


def test_values_of_trackeval(campus):
    metrics = pytest.importorskip('trackeval').metrics
    quiet = {'THRESHOLD': .5, 'PRINT_CONFIG': False}
    for oracle, count in ((metrics.HOTA(), count_hota), (metrics.CLEAR(quiet), count_clear),
                          (metrics.Identity(quiet), count_identity)):
        expected = oracle.eval_sequence(trackeval_data(campus))
        counts = count(campus)
        found = counts.scores() | counts.totals()
        for ours, theirs in TRACKEVAL_NAMES[type(counts)].items():
            assert found[ours] == pytest.approx(np.mean(expected[theirs]), abs=1e-12), ours


def test_idf1_of_motmetrics(campus):
    motmetrics = pytest.importorskip('motmetrics')
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for truths, tracks, similarity in zip(campus.truths, campus.tracks, campus.similarity,
                                          strict=True):
        accumulator.update(truths, tracks, np.where(similarity >= .5, 1 - similarity, np.nan))
    names = {'IDF1': 'idf1', 'IDR': 'idr', 'IDP': 'idp'}
    table = motmetrics.metrics.create().compute(accumulator, metrics=list(names.values()))
    found = count_identity(campus).scores()
    for ours, theirs in names.items():
        assert found[ours] == pytest.approx(float(table[theirs].iloc[0]), abs=1e-12)


def test_counts_stay_what_they_are(campus):
    """Held fixed, for an installation without the two oracles."""
    clear, identity = count_clear(campus), count_identity(campus).scores()
    assert {name: round(100 * value, 1) for name, value in identity.items()} == {
        'IDF1': 55.8, 'IDP': 73.0, 'IDR': 45.1}
    assert (clear.fn, clear.fp, clear.objects) == (150, 13, 8)
    assert (clear.mostly_tracked, clear.mostly_lost) == (1, 1)
