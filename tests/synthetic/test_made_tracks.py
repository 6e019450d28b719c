from __future__ import annotations

import numpy as np
import pytest

from vatrack.files.annotation_entry import check_runs
from vatrack.files.result_file import check_tracks
from vatrack.structures import MASK_KINDS
from vatrack.structures.rle import areas, decode, encode
from vatrack.synthetic.made_tracks import SetSize, empty_videos, filled_videos, made_set

SIZE = SetSize(4, 9, 7, 3, 5, 60, 90, .5, MASK_KINDS)


def masks_of(annotations, tracks):
    return [mask for _, frame in annotations.frames for instance in frame.instances
            for mask in instance.masks.values()] + [
        mask for track in tracks for masks in track.masks.values() for mask in masks if mask]


def test_masks_are_canonical_run_lengths():
    masks = masks_of(*made_set(SIZE))
    assert len(masks) > 200
    for mask in masks:
        check_runs(mask)
    pixels = decode(masks, (60, 90))
    assert pixels.any(axis=(1, 2)).all()
    assert encode(pixels) == masks


def test_some_have_a_hole_and_visible_parts_are_smaller():
    annotations, _ = made_set(SIZE)
    instances = [each for _, frame in annotations.frames for each in frame.instances]
    both = [each for each in instances if len(each.masks) == 2]
    amodal, visible = (decode([each.masks[kind] for each in both], (60, 90))
                       for kind in MASK_KINDS)
    assert (visible <= amodal).all()
    assert 0 < (visible.sum((1, 2)) < amodal.sum((1, 2))).mean() < 1
    columns = np.diff(amodal, axis=1, prepend=0) == 1
    assert 0 < (columns.sum(axis=1) > 1).any(axis=1).mean() < 1


def test_sizes_are_as_asked():
    annotations, tracks = made_set(SIZE)
    assert annotations.categories == {k: f'class {k}' for k in range(1, 6)}
    assert len(annotations.videos) == 4
    assert len({len(video.frames) for video in annotations.videos}) > 1
    assert [len([track for track in tracks if track.video_id == video.id])
            for video in annotations.videos] == [7] * 4
    found = {(video.id, each.instance_id) for video in annotations.videos
             for frame in video.frames for each in frame.instances}
    assert len(found) <= 12
    check_tracks(tracks, annotations, 'made')
    ids = [each.id for _, frame in annotations.frames for each in frame.instances]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize('num_frames', [8, 10, 50])
def test_number_of_frames(num_frames):
    lengths = [len(video.frames) for video in empty_videos(SIZE, num_frames=num_frames)]
    assert sum(lengths) == num_frames
    assert min(lengths) >= 1


def test_videos_are_filled_one_by_one():
    videos = empty_videos(SIZE)
    tracks = filled_videos(videos, SIZE)
    assert next(tracks)
    assert any(frame.instances for frame in videos[0].frames)
    assert not any(frame.instances for frame in videos[1].frames)


def test_the_seed_decides():
    assert made_set(SIZE, 3) == made_set(SIZE, 3)
    assert made_set(SIZE, 3) != made_set(SIZE, 4)


def test_tracks_follow_objects_and_scores_tie():
    _, tracks = made_set(SetSize(3, 6, 60, 20, 1, 60, 90))
    scores = [track.score for track in tracks]
    assert len(set(scores)) < len(scores)
    assert areas([mask for track in tracks for mask in track.masks['amodal'] if mask]).all()


def test_partial_tracks_are_shorter():
    whole, partial = (sum(len(track.frames) for track in made_set(
        SetSize(3, 40, 20, 5, partial=share))[1]) for share in (0, 1))
    assert partial < .7 * whole
