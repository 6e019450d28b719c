"""One open video: what a model sees of it, and which frame gets what it gives."""
from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.structures import InstanceData

from vatrack.models import Ending, VideoModel, VideoSession

FRAMES = 7
PUSHES = [[FRAMES], [1] * FRAMES, [3, 4], [2, 2, 3]]


class Late(VideoModel):
    """Gives a frame its instances when ``held`` more have come: its number, read off its image."""

    def __init__(self, held: int = 0, clip_length: int | None = None) -> None:
        super().__init__()
        self.held, self.clip_length = held, clip_length
        self.clips: list[list[int]] = []

    def loss(self, inputs: torch.Tensor, data_samples: list) -> dict:
        raise AssertionError('nothing to learn')

    def begin(self) -> list[InstanceData]:
        return []

    def step(self, images: torch.Tensor, metas: list[dict],
             state: list[InstanceData]) -> list[InstanceData]:
        self.clips.append([meta['frame_id'] for meta in metas])
        state += [InstanceData(instances_id=image[0, 0, :1].long()) for image in images]
        ready = max(0, len(state) - self.held)
        done, state[:] = state[:ready], state[ready:]
        return done

    def finish(self, state: list[InstanceData]) -> Ending:
        return Ending(state, InstanceData(instances_id=torch.arange(3)))


def images(frames: list[DetDataSample]) -> torch.Tensor:
    return torch.stack([torch.full((3, 2, 2), float(frame.frame_id)) for frame in frames])


def samples(frame_ids: Sequence[int], video_id: int = 1) -> list[DetDataSample]:
    return [DetDataSample(metainfo=dict(video_id=video_id, frame_id=t, video_length=FRAMES))
            for t in frame_ids]


def push(session: VideoSession, frame_ids: Sequence[int], **meta: int) -> list[DetDataSample]:
    frames = samples(frame_ids, **meta)
    return session.push(images(frames), frames)


def outcomes(frames: list[DetDataSample]) -> list[tuple[int, int]]:
    """Number of each frame, and the one that its instances are of."""
    return [(frame.frame_id, int(frame.pred_track_instances.instances_id)) for frame in frames]


@pytest.mark.parametrize('sizes', PUSHES, ids=str)
@pytest.mark.parametrize('clip_length', [None, 1, 3])
@pytest.mark.parametrize('held', [0, 2, FRAMES])
def test_every_frame_gets_its_own(held, clip_length, sizes):
    """Whatever comes at a time; clips are of the model's length, the last one of what is left."""
    model = Late(held, clip_length)
    session, done, start = VideoSession(model), [], 0
    for size in sizes:
        done += push(session, range(start, start + size))
        start += size
        assert len(done) == max(0, sum(map(len, model.clips)) - held)
    rest, pred_tracks = session.close()
    assert outcomes(done + rest) == [(t, t) for t in range(FRAMES)]
    assert pred_tracks.instances_id.tolist() == [0, 1, 2]
    lengths = sizes if clip_length is None else [
        min(clip_length, FRAMES - t) for t in range(0, FRAMES, clip_length)]
    assert list(map(len, model.clips)) == lengths


@pytest.mark.parametrize(('first', 'second', 'message'), [
    ([0, 1], [3], r'frame 3 of video 1 follows frame 1 of video 1.*VideoSampler'),
    ([0, 1], [1], 'frame 1 of video 1 follows frame 1 of video 1'),
    ([0], [2, 1], 'frame 2 of video 1 follows frame 0 of video 1'),
    ([], [2], 'frame 2 of video 1 follows no other')])
def test_frames_out_of_order_are_refused(first, second, message):
    session = VideoSession(Late(clip_length=2))
    if first:
        push(session, first)
    with pytest.raises(ValueError, match=message):
        push(session, second)


def test_frames_of_another_video_are_refused():
    session = VideoSession(Late())
    push(session, [0])
    with pytest.raises(ValueError, match='frame 1 of video 2 follows frame 0 of video 1'):
        push(session, [1], video_id=2)


def test_nothing_follows_the_end():
    session = VideoSession(Late())
    push(session, [0])
    session.close()
    with pytest.raises(ValueError, match='was closed; begin another session'):
        push(session, [1])


def test_more_instances_than_frames_are_refused(monkeypatch):
    model = Late()
    monkeypatch.setattr(model, 'step', lambda *_: [InstanceData()] * 3)
    with pytest.raises(ValueError, match='Late gave instances of 3 frames, but only 2 wait'):
        push(VideoSession(model), [0, 1])


def test_frames_without_instances_are_refused(monkeypatch):
    model = Late(held=2)
    monkeypatch.setattr(model, 'finish', lambda _: Ending())
    session = VideoSession(model)
    push(session, [0, 1, 2])
    with pytest.raises(ValueError, match='Late ended the video with 2 frames that it gave no'):
        session.close()


def test_loops_get_frames_when_they_are_finished():
    """Batches of mmengine's loops, which may reach over the end of a video."""
    model, seen = Late(held=2), []
    frames = samples(range(FRAMES)) + samples(range(FRAMES), video_id=2)
    for start in range(0, 2 * FRAMES, 2):
        batch = frames[start:start + 2]
        clips = [TrackDataSample(video_data_samples=[frame]) for frame in batch]
        seen += [(out.video_id, outcomes(out.get('video_data_samples', [])), 'pred_tracks' in out)
                 for out in model.predict(images(batch)[:, None], clips)]
    assert [(video, [t for t, _ in done], ended) for video, done, ended in seen] == [
        (1, [], False), (1, [0, 1], False), (1, [2, 3], False),
        (1, [4, 5, 6], True), (2, [], False),
        (2, [0], False), (2, [1, 2], False), (2, [3, 4, 5, 6], True)]
    assert all(t == own for _, done, _ in seen for t, own in done)


def test_a_model_that_needs_the_end_gives_nothing_before_it():
    model = Late()
    model.delay = None
    with pytest.raises(ValueError, match='gave 1 frames before the end of the video'):
        push(VideoSession(model), [0])


def test_a_video_is_closed_once():
    session = VideoSession(Late())
    session.close()
    with pytest.raises(ValueError, match='was closed'):
        session.close()
