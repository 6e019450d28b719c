"""Selection of tracks: limits by hand, real-looking videos against plain numpy, the tool."""
from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scripts import load_tool

from vatrack.datasets.track_rules import TRACK_RULES, TrackRule, aligned_iou, select_tracks
from vatrack.files import (
    AnnotationError,
    AnnotationIndex,
    AnnotationWriter,
    load_annotations,
    read_selection,
)
from vatrack.structures import Instance, rle

SIZE = 100, 120
FISH = {1: 'fish', 2: 'crab'}


def box(y1, x1, y2, x2):
    mask = np.zeros(SIZE, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def write(path, videos):
    """Videos of frames of {instance id: (category, amodal, visible)}; masks may be None."""
    with AnnotationWriter(path, FISH) as writer:
        for number, frames in enumerate(videos):
            writer.add_video(f'v{number}', SIZE[1], SIZE[0])
            for t, objects in enumerate(frames):
                instances = []
                for instance_id, (category, amodal, visible) in objects.items():
                    masks = {'amodal': amodal, 'visible': visible}
                    instances.append(Instance(0, instance_id, category, {
                        kind: rle.encode(mask[None])[0] for kind, mask in masks.items()
                        if mask is not None}, {}))
                writer.add_frame(f'v{number}/{t}.png', instances)
    return AnnotationIndex.open(path)


def one(tmp_path, frames, rule=None, **options):
    """The run of the only object of a video; ``frames`` are (amodal, visible) or None."""
    index = write(tmp_path / 'a.json', [[{} if each is None else {7: (1, *each)}
                                         for each in frames]])
    selection = select_tracks(index, rule or TrackRule(**options))
    assert selection.num_tracks <= 1
    return next((track for *_, track in selection), None)


WHOLE = box(16, 16, 36, 37)  # 420 px


@pytest.mark.parametrize(('mask', 'valid'), [
    (WHOLE, True), (box(16, 16, 36, 36), False), (box(15, 16, 36, 37), False),
    (box(16, 15, 36, 37), False), (box(64, 16, 85, 37), True), (box(65, 16, 86, 37), False),
    (box(16, 80, 36, 105), True), (box(16, 80, 36, 106), False)])
def test_limits_of_area_and_border(tmp_path, mask, valid):
    """More than 400 px; rows and columns, inclusive, from 16 to the size less 16."""
    assert (one(tmp_path, [(mask, mask)]) is not None) == valid


def test_first_run_of_whole_then_of_visible_frames(tmp_path):
    small, hidden = box(40, 40, 44, 44), box(16, 16, 24, 24)
    good = WHOLE, WHOLE
    frames = [None, (small, small), (WHOLE, hidden), good, good, (WHOLE, hidden), good, None, good]
    found = one(tmp_path, frames)
    assert (found.video, found.first, found.last) == ('v0', 3, 4)
    assert one(tmp_path, frames, longer_than=1) is not None
    assert one(tmp_path, frames, longer_than=2) is None
    # 64 px are too few, 65 are not.
    assert one(tmp_path, frames, min_visible=63).last == 6


def test_occlusion_is_strictly_between_in_some_frame(tmp_path):
    frames = [(box(20, 20, 40, 50), box(20, 20, 40, x)) for x in (50, 47)]
    assert one(tmp_path, frames, occlusion=(.1, .7)) is None
    frames.append((box(20, 20, 40, 50), box(20, 20, 40, 46)))
    assert one(tmp_path, frames, occlusion=(.1, .7)).frames == range(3)
    frames = [(box(20, 20, 40, 50), box(20, 20, 40, 29))]
    assert one(tmp_path, frames, occlusion=(.1, .7)) is None


def test_change_of_the_visible_shape_over_the_lag(tmp_path):
    full = box(20, 20, 40, 50)
    moved = box(30, 40, 50, 70)
    same = [(full, full), (moved, moved)] * 4
    assert one(tmp_path, same, changed_below=.6) is None
    half = (full, box(20, 20, 40, 37))
    assert one(tmp_path, [*same, half], changed_below=.6) is not None
    # Undefined in the first frames of a run.
    assert one(tmp_path, [(full, full), half, half, half], changed_below=.6) is None
    assert one(tmp_path, [(full, full), half], changed_below=.6, lag=1) is not None


def test_aligned_iou_lays_crops_top_left():
    first, second = np.ones((4, 6), np.uint8), np.ones((5, 3), np.uint8)
    assert aligned_iou(first, second) == pytest.approx(12 / (24 + 15 - 12))
    assert aligned_iou(first, first) == 1


def test_hard_subsets(tmp_path):
    full = box(20, 20, 40, 60)
    # The right half is visible in no frame, all of the left one in the last.
    visible = [box(20, 30, 40, 40), box(20, 20, 40, 40), box(20, 20, 40, 40)]
    found = one(tmp_path, [(full, each) for each in visible], subsets=True, low_iou=.6)
    assert found.subsets['test1'] == (0, 1, 2)
    assert found.subsets['test2'] == (0, 1, 2)
    assert 'test3' not in found.subsets  # more than half is covered
    visible = [full, box(20, 20, 40, 44), full, box(20, 20, 40, 47)]
    found = one(tmp_path, [(full, each) for each in visible], subsets=True, low_iou=.62)
    assert found.subsets == {'test1': (1,), 'test3': (1, 2)}


def made_videos(seed):
    rng = np.random.default_rng(seed)
    videos = []
    for _ in range(4):
        sizes = rng.integers(18, 34, (5, 2))
        starts, steps = rng.integers(0, 60, (5, 2)), rng.integers(-3, 4, (5, 2))
        frames = []
        for t in range(30):
            taken, objects = np.zeros(SIZE, np.uint8), {}
            for k in range(5):
                y, x = starts[k] + steps[k] * t
                full = box(max(y, 0), max(x, 0), max(y + sizes[k, 0], 0), max(x + sizes[k, 1], 0))
                if full.any():
                    objects[3 * k] = (1 + k % 2, full, full & (1 - taken))
                taken |= full
            frames.append(objects)
        videos.append(frames)
    return videos


def plain_runs(frames, rule, wanted):
    """First and last frame by instance id."""
    runs = {}
    for k in sorted({k for objects in frames for k in objects}):
        valid, shown = [], []
        for objects in frames:
            category, full, visible = objects.get(k, (0, np.zeros(SIZE), np.zeros(SIZE)))
            y, x = np.nonzero(full) if full.any() else ([0], [0])
            valid.append(category in wanted and full.sum() > 400 and min(*y, *x) >= 16
                         and max(y) <= SIZE[0] - 16 and max(x) <= SIZE[1] - 16)
            shown.append(visible.sum() > 64)
        run = first_true(range(30), valid)
        run = first_true(run, [shown[t] for t in run])
        rates = [1 - frames[t][k][2].sum() / frames[t][k][1].sum() for t in run]
        ious = [plain_iou(frames[t][k][2], frames[t - 4][k][2]) for t in run[4:]]
        if len(run) > rule.longer_than and (
                not rule.occlusion or any(.1 < rate < .7 for rate in rates)) and (
                not rule.changed_below or any(iou < .6 for iou in ious)):
            runs[k] = run[0], run[-1]
    return runs


def first_true(frames, flags):
    found = []
    for frame, flag in zip(frames, flags, strict=True):
        if not flag and found:
            break
        found += [frame] * bool(flag)
    return found


def plain_iou(first, second):
    aligned = np.zeros((2, *SIZE), bool)
    for canvas, mask in zip(aligned, (first, second), strict=True):
        y, x = np.nonzero(mask)
        canvas[y - y.min(), x - x.min()] = True
    return (aligned[0] & aligned[1]).sum() / (aligned[0] | aligned[1]).sum()


@pytest.mark.parametrize('name', TRACK_RULES)
def test_equals_plain_numpy(tmp_path, name):
    rule = replace(TRACK_RULES[name], longer_than=8)
    videos = made_videos(5)
    index = write(tmp_path / 'a.json', videos)
    for categories, wanted in ((None, (1, 2)), (['crab'], (2,))):
        expected = {(number + 1, k): run for number, frames in enumerate(videos)
                    for k, run in plain_runs(frames, rule, wanted).items()}
        found = {(video_id, k): (track.first, track.last)
                 for video_id, k, track in select_tracks(index, rule, categories)}
        assert found == expected
        assert 0 < len(found) < 20


def test_objects_without_the_deciding_mask_and_unknown_classes(tmp_path):
    index = write(tmp_path / 'a.json', [[{7: (1, None, WHOLE)}]])
    with pytest.raises(AnnotationError, match=r'v0.*annotation 1 has no amodal mask.*--by visib'):
        select_tracks(index, TrackRule())
    assert select_tracks(index, TrackRule(by='visible')).num_tracks == 1
    with pytest.raises(AnnotationError, match=r"no classes \['whale'\], only \['fish', 'crab'\]"):
        select_tracks(index, TrackRule(), ['whale'])


def test_tool_writes_what_evaluation_reads(tmp_path, capsys):
    write(tmp_path / 'a.json', made_videos(5))
    tool, out = load_tool('select_tracks'), tmp_path / 'tracks.json'
    command = [str(tmp_path / 'a.json'), '--rule', 'savos-test', '--longer-than', '8', '--out',
               str(out)]
    assert tool.main(command) == 0
    selection = read_selection(out)
    counts = f'{selection.num_tracks} tracks, {selection.num_frames} frames'
    assert counts in capsys.readouterr().out
    selection.check(load_annotations(tmp_path / 'a.json'))
    assert json.loads(out.read_text())['options']['longer_than'] == 8
    assert tool.main([*command, '--without-species', 'fish']) == 0
    assert 'fish' not in capsys.readouterr().out
    assert read_selection(out).num_tracks < selection.num_tracks
    assert tool.main([*command, '--without-species', 'shark']) == 1
    assert "no classes ['shark']" in capsys.readouterr().err
