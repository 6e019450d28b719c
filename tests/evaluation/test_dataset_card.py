from __future__ import annotations

import numpy as np
import pytest
from ap_scenes import Object, Scene, rectangle

from vatrack.evaluation.dataset_card import dataset_card, format_card
from vatrack.files import load_annotations
from vatrack.structures import rle

SIZE = (128, 160)


@pytest.fixture
def annotations():
    """Two videos: a fish and a crab whose boxes overlap, then a crab alone, and a crowd."""
    scene = Scene(SIZE, {1: 3, 2: 1})
    fish = np.stack([rectangle(SIZE, 0, 0, 32, 32)] * 3)
    fish[2] = rectangle(SIZE, 0, 0, 31, 33)
    crab = np.stack([rectangle(SIZE, 0, 16, 96, 96)] * 3)
    crab[0] = 0
    large = rectangle(SIZE, 0, 0, 100, 100)[None]
    scene.objects[1] = [
        Object(0, 1, {'amodal': fish, 'visible': fish}, [0., .1, .26]),
        Object(1, 4, {'amodal': crab, 'visible': crab}, [None, .75, 1.])]
    scene.objects[2] = [Object(0, 4, {'amodal': large, 'visible': large}, [None]),
                        Object(1, 4, {'amodal': large, 'visible': large}, [0.], crowd=True)]
    annotations = scene.annotations()
    for _, frame in annotations.frames:
        for instance in frame.instances:
            instance.bboxes = {kind: tuple(rle.bboxes([mask])[0])
                               for kind, mask in instance.masks.items()}
    return annotations


def test_counts(annotations):
    card = dataset_card(annotations)
    assert (card.kind, card.box_kind, card.crowd) == ('amodal', 'visible', 1)
    assert card.video_lengths == [3, 1] and card.per_frame == [1, 2, 2, 1]
    assert sorted(card.track_lengths) == [1, 2, 3]
    assert card.classes.tracks == {'fish': 1, 'crab': 2, 'ship': 0, 'never there': 0}
    assert card.classes.objects == {'fish': 3, 'crab': 3, 'ship': 0, 'never there': 0}
    # 32 x 32 is no longer small, nor 96 x 96 medium; a track has the mean of its areas.
    assert card.sizes.objects == {'M': 2, 'S': 1, 'L': 3}
    assert card.sizes.tracks == {'S': 1, 'L': 2}
    assert card.occlusions.objects == {'0': 1, 'to 0.1': 1, 'to 0.5': 1, 'to 0.75': 1, '1': 1,
                                       'unknown': 1}
    # Fish: mean of .1 and .26; crab: of its one highest rate.
    assert card.occlusions.tracks == {'to 0.25': 1, '1': 1, 'unknown': 1}


def test_mbor_is_over_frames_not_over_videos(annotations):
    card = dataset_card(annotations)
    overlaps = [0, 16 * 32 / (32 * 32 + 96 * 96 - 16 * 32), 17 * 31 / (31 * 33 + 96 * 96 - 17 * 31)]
    assert card.bor == {'video1': pytest.approx(overlaps), 'video2': [0]}
    assert card.mbor == pytest.approx(sum(overlaps) / 4, abs=1e-12)


def test_markdown(annotations):
    text = format_card(dataset_card(annotations), top=1)
    lines = text.splitlines()
    for line in ('# made.json', '| frames | 4 |', '| tracks | 3 |', '| objects | 6 |',
                 '| frames per track | 1 | 2 | 2.0 | 3 |', '| fish | 1 | 33.3 | 3 | 50.0 |',
                 '| S | 1 | 33.3 | 1 | 16.7 |', '| unknown | 1 | 33.3 | 1 | 16.7 |',
                 '| video1 | 0.036 | 3 |'):
        assert line in lines, line
    assert 'mBOR of visible boxes (OVIS, Eq. 1): 0.027' in text
    assert 'video2' not in text


def test_file_without_any_object():
    text = format_card(dataset_card(Scene(SIZE, {1: 2}).annotations()))
    assert '| fish | 0 | n/a | 0 | n/a |' in text
    assert 'No frame has a visible box' in text


def test_tool(sailvos_sample, run_tool, capsys):
    assert run_tool('analyze', 'dataset', sailvos_sample) == 0
    out = capsys.readouterr().out
    annotations = load_annotations(sailvos_sample)
    assert f'| frames | {len(annotations.videos[0].frames)} |' in out
    assert '| objects | 163 |' in out


def test_tool_names_what_is_wrong(run_tool, tmp_path, capsys):
    assert run_tool('analyze', 'dataset', tmp_path / 'none.json') == 1
    assert capsys.readouterr().err.startswith('error: ')
