"""What holds for every policy."""
from __future__ import annotations

import pytest
from tracker_input import Tracking, random_video

from vatrack.track import IoUTracker, MTTracker, NoAssociation, QDTracker, Tracker

POLICIES = [QDTracker(init_score_thr=.7, obj_score_thr=.5), MTTracker(), IoUTracker(),
            NoAssociation()]


def ids_of(video: Tracking, frames: list) -> list[list[int]]:
    return [video.track(frame, t).instances_id.tolist() for t, frame in enumerate(frames)]


@pytest.mark.parametrize('policy', POLICIES, ids=lambda policy: type(policy).__name__)
def test_videos_in_turn_are_as_each_alone(policy: Tracker):
    """All that a policy knows of a video is in the memory that it is handed."""
    videos = [random_video(seed, frames=20) for seed in (0, 1)]
    alone = [ids_of(Tracking(policy), frames) for frames in videos]
    open_videos = [Tracking(policy), Tracking(policy)]
    in_turn = [[], []]
    for t in range(20):
        for ids, video, frames in zip(in_turn, open_videos, videos, strict=True):
            ids.append(video.track(frames[t], t).instances_id.tolist())
    assert in_turn == alone and alone[0] != alone[1]
