"""The arithmetic of the repairs against masks that are really decoded, changed and compared."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from error_scenes import LENGTH, SIZE, random_scene

from vatrack.analysis.identity_repairs import repair_fragmentation, repair_switch
from vatrack.analysis.mask_repairs import TargetFrames, mask_repairs
from vatrack.analysis.video import ErrorVideo
from vatrack.evaluation.average_precision import match
from vatrack.evaluation.protocols import PROTOCOLS, MaxDetections
from vatrack.evaluation.similarity import compare_video
from vatrack.evaluation.truth import truth_tracks
from vatrack.structures import rle as rle_codec

PROTOCOL = PROTOCOLS['sailvos-full']


def error_videos(seeds=range(8)):
    for seed in seeds:
        scene = random_scene(seed)
        for video in scene.annotations().videos:
            tracks = [track for track in scene.tracks if track.video_id == video.id]
            truths = truth_tracks(video, None, 'scene.json')
            yield ErrorVideo.of(compare_video(video, tracks, truths, 'amodal', 'amodal'), PROTOCOL)


def volume(masks):
    """T RLEs or None -> (T, H, W) bool."""
    dense = np.zeros((LENGTH, *SIZE), bool)
    for t, mask in enumerate(masks):
        if mask:
            dense[t] = rle_codec.decode([mask], SIZE)[0]
    return dense


def volumes(video):
    """Dense tracks, and truths by kind."""
    tracks = [volume(track.spread(track.masks['amodal'], LENGTH))
              for track in video.compared.tracks]
    truths = [video.compared.truths[row] for row in video.rows]
    return tracks, {kind: [volume(truth.masks(kind)) for truth in truths]
                    for kind in ('amodal', 'visible')}


def volume_iou(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


def repaired(cause, mask, amodal, visible):
    """A mask (H, W) of a track that is on its object, repaired by definition."""
    return {'mask': amodal, 'mask-visible': mask | visible,
            'mask-occluded': mask | (amodal & ~visible), 'mask-outside': mask & amodal}[cause]


@pytest.mark.parametrize('cause', ['mask', 'mask-visible', 'mask-occluded', 'mask-outside'])
def test_masks_are_repaired_as_if_they_were_painted(cause):
    checked = 0
    for video in error_videos():
        tracks, truths = volumes(video)
        at = TargetFrames.of(video)
        found = mask_repairs(video, with_parts=True)[cause].tracks
        for row, (d, g) in enumerate(zip(at.rows, at.truths, strict=True)):
            painted = tracks[d].copy()
            for t in np.flatnonzero(at.on[row]):
                painted[t] = repaired(cause, painted[t], truths['amodal'][g][t],
                                      truths['visible'][g][t])
            assert found.iou[d, g] == pytest.approx(volume_iou(painted, truths['amodal'][g]))
            assert found.iou[d, g] >= video.tracks.iou[d, g]
            checked += found.iou[d, g] > video.tracks.iou[d, g]
        untouched = np.setdiff1d(np.arange(len(tracks)), at.rows)
        assert np.array_equal(found.iou[untouched], video.tracks.iou[untouched])
    assert checked > 10


def test_frames_are_repaired_as_if_they_were_painted():
    checked = 0
    for video in error_videos():
        tracks, truths = volumes(video)
        at = TargetFrames.of(video)
        found = mask_repairs(video, with_parts=False)['frames'].tracks
        for row, (d, g) in enumerate(zip(at.rows, at.truths, strict=True)):
            painted = tracks[d].copy()
            for t in np.flatnonzero(~at.on[row] & ~at.away[row]):
                followed = any(video.cover[other, t] == g for other in range(len(tracks)))
                painted[t] = False if followed else truths['amodal'][g][t]
            assert found.iou[d, g] == pytest.approx(volume_iou(painted, truths['amodal'][g]))
            checked += found.iou[d, g] > video.tracks.iou[d, g]
    assert checked > 10


def test_where_a_track_is():
    for video in error_videos():
        tracks, truths = volumes(video)
        crowd = video.truths.crowd
        last = np.full(len(tracks), -1)
        for t in range(LENGTH):
            for d, track in enumerate(tracks):
                iou = [0 if crowd[g] else volume_iou(track[t], truth[t])
                       for g, truth in enumerate(truths['amodal'])]
                expected = -1
                if max(iou) >= .5:
                    kept = last[d] >= 0 and iou[last[d]] >= .5
                    expected = last[d] = last[d] if kept else int(np.argmax(iou))
                assert video.cover[d, t] == expected


@pytest.mark.parametrize('repair', [repair_switch, repair_fragmentation])
def test_identities_are_repaired_without_new_masks(repair):
    """Every mask of the new tracks is one of an old track; vIoU and area follow from them."""
    changed = 0
    for video in error_videos(range(14)):
        result, touched = repair(video)
        tracks, _ = volumes(video)
        total = video.track_areas.sum()
        new = result.tracks
        lengths = np.array([track.any(axis=(1, 2)).sum() for track in tracks])
        assert len(new.scores) <= len(tracks) + len(video.rows)
        assert new.iou.shape == (len(new.scores), len(video.rows))
        assert set(new.scores) <= set(video.tracks.scores)
        # Untouched tracks are as they were.
        for d in np.flatnonzero(~touched & (lengths > 0)):
            same = (new.scores == video.tracks.scores[d]) & (new.areas == video.tracks.areas[d])
            assert (new.iou[same] == video.tracks.iou[d]).all(axis=1).any()
        assert (new.iou <= 1).all()
        assert (new.areas * LENGTH <= total).all()
        changed += touched.any()
        assert touched.any() == (result.count > 0)
    assert changed > 3


def test_joined_fragments_have_the_overlap_of_the_joined_masks():
    checked = 0
    for video in error_videos(range(20)):
        result, touched = repair_fragmentation(video)
        tracks, truths = volumes(video)
        for case in result.cases:
            g = case.truths[0]
            members = np.flatnonzero(touched & (video.cover == g).any(axis=1))
            painted = np.zeros_like(tracks[0])
            for t in range(LENGTH):
                here = [tracks[d][t] for d in members if tracks[d][t].any()]
                if here:
                    painted[t] = max(here, key=lambda m, t=t, g=g: volume_iou(
                        m, truths['amodal'][g][t]))
            assert case.repaired == pytest.approx(volume_iou(painted, truths['amodal'][g]))
            checked += 1
    assert checked > 2


def test_the_matching_at_half_is_that_of_vap():
    num_found = 0
    for video in error_videos(range(12)):
        sample = video.sample(video.tracks, video.truths)
        order = np.argsort(-video.tracks.scores, kind='stable')
        rank = np.argsort(order)
        keep = ((sample.pair_iou >= .5) & (sample.categories[sample.pair_detections]
                                          == sample.truth_categories[sample.pair_truths]))
        found, ignored = match(rank[sample.pair_detections[keep]], sample.pair_truths[keep],
                               sample.pair_iou[keep], video.truths.counted[:, None],
                               sample.truth_iscrowd, len(order))
        assert np.array_equal((found[rank, 0] & 1) > 0, video.found >= 0)
        assert np.array_equal((ignored[rank, 0] & 1) > 0, video.ignored)
        num_found += (video.found >= 0).sum()
    assert num_found > 20


def test_tracks_beyond_the_most_are_ignored():
    video = next(iter(error_videos([0])))
    small = ErrorVideo.of(video.compared, replace(PROTOCOL, video=MaxDetections(1, 1, (1,))))
    for category in (1, 2):
        assert (~small.ignored & (small.tracks.categories == category)).sum() <= 1
