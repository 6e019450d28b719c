"""Chewing Gum: the statistics of its description, exact flow, and one row of the paper's table."""
from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vatrack.files import load_annotations
from vatrack.flow import DIRECTIONS, DISFlow, FlowFiles
from vatrack.structures.rle import decode
from vatrack.synthetic import ChewingGumConfig, ChewingGumVideo, make_chewing_gum
from vatrack.synthetic.chewing_gum import _RING, VARIANTS

CONFIG = ChewingGumConfig()
HARD = ChewingGumConfig(variant='hard')


@pytest.fixture(scope='module')
def videos() -> list[ChewingGumVideo]:
    return [make_chewing_gum(CONFIG, 'test', index) for index in range(200)]


def centres(mask: np.ndarray) -> np.ndarray:
    """Middle of the box of each frame's mask (T, H, W): (T, 2) x, y."""
    boxes = [cv2.boundingRect(each.astype(np.uint8)) for each in mask]
    return np.array([(x + (width - 1) / 2, y + (height - 1) / 2) for x, y, width, height in boxes])


def moved(mask: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A mask shifted by the one motion that all its pixels have."""
    motion = np.unique(field, axis=0)
    assert len(motion) == 1
    return np.roll(mask, motion[0, ::-1].astype(int), axis=(0, 1))


def test_ring_is_the_outline_of_opencvs_circle():
    outline = cv2.circle(np.zeros((17, 17), np.uint8), (8, 8), 8, 1)
    assert len(_RING) == 44
    assert {*map(tuple, _RING)} == {(x - 8, y - 8) for y, x in np.argwhere(outline).tolist()}
    angles = np.unwrap(np.arctan2(_RING[:, 1], _RING[:, 0]))
    assert (np.diff(angles) > 0).all()


def test_masks_have_the_statistics_of_the_description(videos):
    """The description states them for 200 videos, too: two standard errors between the two."""
    areas = np.array([video.full[:, 0].sum(axis=(1, 2)) for video in videos]).ravel()
    assert abs(areas.mean() - 153) < 4 and areas.min() >= 20 and areas.max() <= 197
    hidden, least = [], []
    for video in videos:
        low, high = video.order
        assert np.array_equal(video.visible[high], video.full[high])
        assert np.array_equal(video.visible[low], video.full[low] & ~video.full[high])
        hidden.append(1 - video.visible[low].sum(axis=(1, 2)) / video.full[low].sum(axis=(1, 2)))
        least.append(video.visible[low].sum(axis=(1, 2)).min())
    hidden = np.array(hidden)
    assert abs(hidden.mean() - 0.231) < 0.01 and abs((hidden == 0).mean() - 0.027) < 0.02
    found = np.quantile(hidden, [0.05, 0.25, 0.5, 0.75, 0.95])
    assert np.allclose(found, [0.03, 0.16, 0.24, 0.31, 0.40], atol=0.02)
    assert min(least) > 0
    assert 0.35 < np.mean([video.order[0] for video in videos]) < 0.65


def test_one_rests_and_one_runs_around_it(videos):
    starts = set()
    for video in videos[:40]:
        rests, runs = centres(video.full[0]), centres(video.full[1])
        assert (rests == rests[0]).all() and np.abs(rests[0] - (28, 25)).max() <= 4
        assert np.array_equal(video.full[1, 32:], video.full[1, :8])
        assert not np.array_equal(video.full[1, 16], video.full[1, 0])
        steps = np.diff(runs, axis=0)
        assert (np.abs(steps).sum(axis=1) == 2).all() and (steps == 0).any(axis=1).all()
        # Twice 8 steps to each side make the square of 16 pixels.
        assert np.array_equal(np.ptp(runs, axis=0), [16, 16])
        path = np.concatenate([[[0, 0]], np.cumsum(video.motion[2 if video.order[1] else 1], 0)])
        starts.add(tuple((-path.min(axis=0)).tolist()))
    assert starts == {(0, 0), (16, 0), (0, 16), (16, 16)}


@pytest.mark.parametrize('variant', VARIANTS)
def test_flow_moves_every_mask_and_picture_to_the_next(variant):
    for index in range(6):
        video = make_chewing_gum(ChewingGumConfig(variant=variant), 'test', index)
        forward, backward = map(video.flow, DIRECTIONS)
        assert forward.shape == backward.shape == (39, 50, 56, 2) and forward.dtype == np.float32
        for full, visible in zip(video.full, video.visible, strict=True):
            for t in range(39):
                if visible[t].any():
                    assert np.array_equal(moved(full[t], forward[t][visible[t]]), full[t + 1])
                if visible[t + 1].any():
                    assert np.array_equal(moved(full[t + 1], backward[t][visible[t + 1]]), full[t])
        for t in range(39):
            places = np.argwhere(np.ones((50, 56), bool))
            there = places + forward[t].reshape(-1, 2)[:, ::-1].astype(int)
            # Where the neighbour's own flow leads back, nothing was covered in between.
            back = there + backward[t][tuple(there.T)][:, ::-1].astype(int)
            same = (back == places).all(axis=1)
            assert same.mean() > 0.9
            assert np.array_equal(video.frames[t][tuple(places[same].T)],
                                  video.frames[t + 1][tuple(there[same].T)])


def test_every_pixel_of_the_lowest_polygon_is_seen_at_least_once(videos):
    hard = [make_chewing_gum(HARD, 'test', index) for index in range(40)]
    for video in videos[:60] + hard:
        low = video.order[0]
        path = np.concatenate([[[0, 0]], np.cumsum(video.motion[1], axis=0)])
        seen = [np.roll(visible, -shift[::-1], axis=(0, 1))
                for visible, shift in zip(video.visible[low], path, strict=True)]
        assert np.array_equal(np.any(seen, axis=0), video.full[low, 0])


def test_patch_is_glued_to_a_quadrant_of_the_lower_polygon_and_not_in_the_masks(videos):
    quadrants = set()
    for video in videos[:40]:
        low, high = video.order
        patch = video.owner == 2
        free = (patch & ~video.full[low]).any(axis=(1, 2))
        assert (video.motion[1] == video.motion[2]).all() and free.any()
        assert not (patch & video.full[high]).any() and patch.sum(axis=(1, 2)).max() <= 81
        t = int(patch.sum(axis=(1, 2)).argmax())
        if patch[t].sum() == 81:
            path = np.concatenate([[[0, 0]], np.cumsum(video.motion[1], axis=0)])
            start = np.array([28, 25]) if low == 0 else None
            if start is not None:
                quadrants.add(tuple((centres(patch)[t] - start - path[t]).tolist()))
    assert quadrants == {(-4, -4), (4, -4), (-4, 4), (4, 4)}


def test_randomness_comes_from_seed_split_and_index(videos):
    again = make_chewing_gum(CONFIG, 'test', 7)
    assert np.array_equal(again.frames, videos[7].frames)
    assert np.array_equal(again.full, videos[7].full)
    for other in (make_chewing_gum(replace(CONFIG, seed=1), 'test', 7),
                  make_chewing_gum(CONFIG, 'val', 7), make_chewing_gum(CONFIG, 'test', 8)):
        assert not np.array_equal(other.frames, again.frames)
    longer = make_chewing_gum(replace(CONFIG, num_frames=50), 'test', 7)
    assert np.array_equal(longer.frames[:40], again.frames)


def test_hard_variant():
    """More objects, and a patch that is one, covers, and comes by all quadrants."""
    counts, areas = set(), []
    for index in range(40):
        video = make_chewing_gum(HARD, 'test', index)
        counts.add(len(video.order))
        assert video.category_ids.tolist() == [1] * (len(video.order) - 1) + [2]
        assert video.order[1] == len(video.order) - 1
        for behind, before in enumerate(video.order):
            covers = np.logical_or.reduce(video.full[video.order[behind + 1:]], axis=0)
            assert np.array_equal(video.visible[before], video.full[before] & ~covers)
        assert (video.visible.sum(axis=0) <= 1).all() and (video.full[-1].sum((1, 2)) == 81).all()
        offsets = (centres(video.full[-1])
                   - np.concatenate([[[0, 0]], np.cumsum(video.motion[1], axis=0)]))
        assert len(np.unique(offsets, axis=0)) >= 16 and np.abs(np.diff(offsets, axis=0)).max() == 2
        areas += video.full[:-1, 0].sum(axis=(1, 2)).tolist()
    assert counts == {4, 5} and np.mean(areas) < 120


def hull(mask: np.ndarray) -> np.ndarray:
    """The filled hull of all contours of a mask."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(filled, [cv2.convexHull(np.concatenate(contours))], 1)
    return filled.astype(bool)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return ((first & second).sum() + 1e-6) / ((first | second).sum() + 1e-6)


def test_convex_hulls_score_as_in_the_paper(videos):
    """Row "Convex" of Table 1: .9264 full, .3182 occluded; .926 and .308 over 1,000 videos here.

    Hulls count where the other object is, the visible mask elsewhere; the first and last frame are
    left out. The standard errors of 60 videos are .002 and .014: three are allowed.
    """
    scores = []
    for video in videos[:60]:
        for each in range(2):
            for truth, visible, other in zip(video.full[each], video.visible[each],
                                             video.visible[1 - each], strict=True):
                completed = np.where(other, hull(visible), visible)
                scores.append((iou(completed, truth), iou(completed & other, truth & other)))
    full, occluded = np.reshape(scores, (-1, 40, 2))[:, 1:-1].mean(axis=(0, 1))
    assert abs(full - 0.926) < 0.006 and abs(occluded - 0.309) < 0.04


def test_dis_estimates_its_flow(videos):
    """Enlarged 4 times, DIS errs by 0.29 pixels on what is visible, as the description states."""
    errors = []
    for video in videos[:3]:
        forward = video.flow('forward')[:20]
        found = DISFlow()(video.frames[:20], video.frames[1:21])
        inside = video.visible[:, :20].any(axis=0)
        errors.append(np.linalg.norm(np.array(found) - forward, axis=3)[inside].mean())
    assert 0.1 < np.mean(errors) < 0.4


def test_dataset_on_disk(tmp_path, run_tool, capsys):
    argv = ('make_chewing_gum', tmp_path, '--train', 2, '--val', 0, '--test', 1, '--frames', 4,
            '--variant', 'hard', '--flow')
    assert run_tool(*argv) == 0
    assert 'made 2 videos, 8 frames' in capsys.readouterr().out
    assert not (tmp_path / 'val.json').exists()
    loaded = load_annotations(tmp_path / 'train.json')
    assert loaded.categories == {1: 'polygon', 2: 'patch'}
    files = FlowFiles(tmp_path / 'train/flow')
    for index, stored in enumerate(loaded.videos):
        video = make_chewing_gum(replace(HARD, num_frames=4), 'train', index)
        assert stored.name == video.name
        for t, frame in enumerate(stored.frames):
            image = cv2.imread(str(tmp_path / 'train' / frame.file_name))[..., ::-1]
            assert np.array_equal(image, video.frames[t])
            for kind, masks in (('amodal', video.full), ('visible', video.visible)):
                assert [each.instance_id for each in frame.instances] == [*range(len(masks))]
                read = decode([each.masks[kind] for each in frame.instances], (50, 56))
                assert np.array_equal(read, masks[:, t])
            for direction, has, at in (('forward', t < 3, t), ('backward', t > 0, t - 1)):
                assert (files.find(frame.file_name, direction) is not None) == has
                if has:
                    assert np.array_equal(files.read(frame.file_name, direction, (50, 56)),
                                          video.flow(direction)[at])
    assert run_tool(*argv) == 0 and 'kept' in capsys.readouterr().out
    assert run_tool(*argv[:-1]) == 1 and '--overwrite' in capsys.readouterr().err
    assert json.loads((tmp_path / 'train/synthetic.json').read_text())['options'] == {
        'version': 1, 'split': 'train', 'num_videos': 2, 'kind': 'chewing gum', 'num_frames': 4,
        'variant': 'hard', 'seed': 0, 'flow': True}
    assert run_tool(*argv[:3], -1) == 2


def test_wrong_options():
    with pytest.raises(ValueError, match='variant'):
        ChewingGumConfig(variant='easy')
    with pytest.raises(ValueError, match='num_frames'):
        ChewingGumConfig(0)
