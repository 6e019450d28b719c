from __future__ import annotations

import numpy as np
import pytest
from ap_scenes import to_rles
from pycocotools import mask as coco_mask

from vatrack.evaluation.similarity import mean_areas, video_similarity


def random_volumes(rng, count, length, size):
    """(N, T, H, W): random, empty, full and 1-pixel masks."""
    volumes = rng.random((count, length, *size)) < rng.random((count, length, 1, 1))
    volumes[rng.random((count, length)) < .3] = 0
    volumes[rng.random((count, length)) < .1] = 1
    single = rng.random((count, length)) < .2
    volumes[single] = 0
    volumes[single, rng.integers(size[0]), rng.integers(size[1])] = 1
    return volumes.astype(np.uint8)


@pytest.mark.parametrize('size', [(5, 7), (1, 9), (6, 1)])
def test_equals_dense_volumes_exactly(size):
    rng = np.random.default_rng(0)
    tracks, truths = random_volumes(rng, 9, 6, size), random_volumes(rng, 5, 6, size)
    ours = video_similarity([to_rles(v) for v in tracks], [to_rles(v) for v in truths], 6)
    inter = np.einsum('nthw,mthw->nmt', tracks.astype(int), truths.astype(int))
    union = tracks.sum((2, 3), int)[:, None] + truths.sum((2, 3), int) - inter
    for t, frame in enumerate(ours.frames):
        block = inter[np.ix_(frame.tracks, frame.truths)][..., t]
        np.testing.assert_array_equal(frame.intersections, block)
        np.testing.assert_array_equal(
            frame.iou, block / union[np.ix_(frame.tracks, frame.truths)][..., t])
    np.testing.assert_array_equal(ours.track_areas, tracks.sum((2, 3)))
    np.testing.assert_array_equal(ours.iou, inter.sum(2) / np.maximum(union.sum(2), 1))


def test_pairs_are_the_overlaps_of_all_frames():
    rng = np.random.default_rng(2)
    tracks, truths = random_volumes(rng, 7, 5, (4, 5)), random_volumes(rng, 6, 5, (4, 5))
    similarity = video_similarity([to_rles(v) for v in tracks], [to_rles(v) for v in truths], 5)
    table = np.zeros((5, 7, 6), np.int64)
    pairs, seen, true = similarity.pairs, similarity.tracks, similarity.truths
    frames = seen.frames[pairs.tracks]
    np.testing.assert_array_equal(frames, true.frames[pairs.truths])
    table[frames, seen.owners[pairs.tracks], true.owners[pairs.truths]] = pairs.intersections
    np.testing.assert_array_equal(
        table, np.einsum('nthw,mthw->tnm', tracks.astype(int), truths.astype(int)))
    assert pairs.intersections.all()
    union = seen.areas[pairs.tracks] + true.areas[pairs.truths] - pairs.intersections
    np.testing.assert_array_equal(pairs.iou, pairs.intersections / union)
    for appearances, volumes in ((seen, tracks), (true, truths)):
        areas = np.zeros((5, len(volumes)), np.int64)
        areas[appearances.frames, appearances.owners] = appearances.areas
        np.testing.assert_array_equal(areas, volumes.sum((2, 3)).T)
        assert appearances.areas.all()


def test_equals_concatenated_run_lengths():
    rng = np.random.default_rng(1)
    tracks, truths = random_volumes(rng, 8, 5, (6, 4)), random_volumes(rng, 8, 5, (6, 4))

    def wide(volumes):
        return [coco_mask.encode(np.asfortranarray(np.concatenate(list(v), axis=1)))
                for v in volumes]

    ours = video_similarity([to_rles(v) for v in tracks], [to_rles(v) for v in truths], 5)
    np.testing.assert_array_equal(ours.iou, coco_mask.iou(wide(tracks), wide(truths), [0] * 8))


def columns(height, width, start, stop):
    """RLE of the columns start..stop of an image, without its pixels."""
    runs = [start * height, (stop - start) * height, (width - stop) * height]
    mask = coco_mask.frPyObjects({'size': [height, width], 'counts': runs}, height, width)
    return {'size': mask['size'], 'counts': mask['counts'].decode()}


def test_more_pixels_than_32_bits_count():
    """400 frames of 16 Mpx: areas of a video pass 2^32; equals the video scaled down."""
    spans = [[(t % 3, 3 + t % 2) for t in range(400)], [(1, 4)] * 400]
    truth = [[(0, 4)] * 400]

    def build(scale):
        return video_similarity(
            *([[columns(4 * scale, 4 * scale, a * scale, b * scale) for a, b in row]
               for row in side] for side in (spans, truth)), 400)

    large, little = build(1000), build(1)
    assert large.truth_areas.sum() > 2**32
    np.testing.assert_array_equal(large.iou, little.iou)
    np.testing.assert_array_equal(large.track_areas, little.track_areas * 1000**2)


def test_more_masks_than_a_byte_counts():
    masks = [[columns(4, 300, i % 299, 300)] for i in range(600)]
    similarity = video_similarity(masks, masks[:2], 1)
    assert similarity.iou.shape == (600, 2)
    assert similarity.iou[299, 0] == 1
    assert similarity.track_areas[298, 0] == 8


@pytest.mark.parametrize(('tracks', 'truths'), [(0, 2), (2, 0), (0, 0)])
def test_one_side_missing(tracks, truths):
    mask = columns(4, 4, 0, 2)
    similarity = video_similarity([[mask]] * tracks, [[mask]] * truths, 1)
    assert similarity.iou.shape == similarity.frames[0].iou.shape == (tracks, truths)


def test_absent_everywhere_has_no_overlap():
    similarity = video_similarity([[None, None]], [[None, None]], 2)
    assert similarity.iou[0, 0] == 0
    assert mean_areas(similarity.track_areas)[0] == 0


def test_mean_area_leaves_out_absent_frames():
    np.testing.assert_array_equal(mean_areas(np.array([[4, 0, 8], [0, 0, 0]])), [6, 0])
