"""Tracks cut into windows, from truth and from results, whole and in stretches of time."""
from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from vatrack.datasets import LookRule, TrackChunkDataset, TrackClipDataset, stack_clips
from vatrack.datasets.object_windows import cut
from vatrack.files import (
    AnnotationError,
    ResultError,
    load_annotations,
    write_image,
    write_results,
)
from vatrack.flow import FlowError, FlowFiles, write_flow
from vatrack.structures import TrackRecord
from vatrack.structures.object_clips import ObjectClips
from vatrack.structures.rle import decode

SIZE = (64, 96)


@pytest.fixture(scope='module')
def data(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The validation videos with flow: u is the number of the frame, v one half."""
    root = tmp_path_factory.mktemp('tracks')
    shutil.copytree(tiny_data, root, dirs_exist_ok=True)
    files = FlowFiles(root / 'flow')
    for video in load_annotations(root / 'val.json').videos:
        for t, frame in enumerate(video.frames):
            field = np.full((*SIZE, 2), (t, .5), np.float32)
            if t + 1 < len(video.frames):
                write_flow(files.path(frame.file_name, 'forward'), field)
            if t:
                write_flow(files.path(frame.file_name, 'backward'), -field)
    return root


def options(root: Path, needs=('image', 'flow'), **more) -> dict:
    return dict(ann_file='val.json', data_root=f'{root}/', needs=needs,
                data_prefix=dict(img_path='val/', flow='flow/'), **more)


def in_frame(clip: ObjectClips, name: str, t: int) -> np.ndarray:
    """What a clip of one object holds, put back into its frame."""
    window = getattr(clip, name)[0, t].numpy()
    frame = np.zeros((*window.shape[:-2], *SIZE), window.dtype)
    x, y = (-clip.origins[0, t]).tolist()
    part = cut(window, np.array([x, y]), SIZE)
    frame[...] = part
    return frame


def test_windows_hold_what_the_annotations_say(data):
    chunk = TrackChunkDataset(**options(data))[0]
    video = load_annotations(data / 'val.json').videos[0]
    assert chunk.frames == range(len(video.frames)) and len(chunk.clips) >= 2
    for track, clip in zip(chunk.tracks, chunk.clips, strict=True):
        source = clip.sources[0]
        assert source.track_id == track.track_id and source.frame_size == SIZE
        for place, t in enumerate(source.frames):
            masks = {each.instance_id + 1: each.masks for each in video.frames[t].instances}
            own = masks.pop(track.track_id)
            expected = decode([own['visible']], SIZE)[0].astype(bool)
            assert (in_frame(clip, 'visible', place) == expected).all()
            others = sum(decode([m['visible']], SIZE)[0] for m in masks.values()) > 0
            x, y = clip.origins[0, place].tolist()
            window = slice(max(y, 0), y + clip.window_size[0]), slice(max(x, 0),
                                                                      x + clip.window_size[1])
            assert (in_frame(clip, 'others', place)[window] == others[window]).all()
            amodal = decode([own['amodal']], SIZE)[0].astype(bool)
            assert (in_frame(clip, 'amodal', place)[window] == amodal[window]).all()


def test_flow_of_the_ends_is_that_of_their_neighbours(data):
    clip = next(clip for clip in TrackChunkDataset(**options(data))[0].clips
                if clip.sources[0].frames == range(5))
    inside = [in_frame(clip, 'visible', t).any() for t in range(5)]
    assert all(inside)
    forward = [float(clip.forward[0, t, 0].max()) for t in range(5)]
    backward = [float(clip.backward[0, t, 0].min()) for t in range(5)]
    assert forward == [0, 1, 2, 3, 3] and backward == [-1, -1, -2, -3, -4]


def test_stretches_of_a_video_give_the_tracks_of_the_whole(data):
    whole = TrackChunkDataset(**options(data))[0]
    dataset = TrackChunkDataset(**options(data, chunk_length=2, context=1))
    assert dataset.video_starts.tolist() == [0, 3, 5, 7] and len(dataset) == 7
    joined: dict[int, TrackRecord] = {}
    for index in range(3):
        part = dataset[index]
        for track, clip in zip(part.tracks, part.clips, strict=True):
            known = joined.get(track.track_id)
            joined[track.track_id] = known.joined(track) if known else track
            frames = clip.sources[0].frames
            assert part.frames.start - 1 <= frames.start and frames.stop <= part.frames.stop + 1
    assert joined == {track.track_id: track for track in whole.tracks}


def test_clips_that_were_kept_are_those_that_are_cut(data):
    chunks = TrackChunkDataset(**options(data))
    direct = {clip.sources[0]: clip for index in range(len(chunks))
              for clip in chunks[index].clips if clip is not None}
    dataset = TrackClipDataset(**options(data, min_length=2, random_start=False))
    assert len(dataset) == sum(clip.num_frames >= 2 for clip in direct.values())
    for kept in (dataset[index] for index in range(len(dataset))):
        expected = direct[kept.sources[0]]
        for name in ('visible', 'others', 'amodal', 'image', 'forward', 'backward', 'origins',
                     'boxes', 'valid'):
            assert torch.equal(getattr(kept, name), getattr(expected, name)), name
    batch = stack_clips([dataset[0], dataset[1]])['clips']
    assert len(batch) == 2 and batch.valid.any(dim=1).all()


def test_a_clip_of_a_longer_track_is_a_run_of_its_frames(data):
    dataset = TrackClipDataset(**options(data, needs=(), clip_length=3, random_start=False))
    whole = TrackClipDataset(**options(data, needs=(), random_start=False))
    assert {dataset[i].num_frames for i in range(len(dataset))} == {3}
    for clip, long in ((dataset[i], whole[i]) for i in range(len(dataset))):
        start = clip.sources[0].frames.start - long.sources[0].frames.start
        assert start == (long.num_frames - 3) // 2
        assert torch.equal(clip.visible, long.visible[:, start:start + 3])


def test_tracks_of_a_result_file_are_taken_as_they_are(data, tmp_path):
    truth = load_annotations(data / 'val.json')
    given = TrackChunkDataset(**options(data, needs=()))
    records = [TrackRecord(t.video_id, number, t.category_id, .5 + .1 * (number % 3), t.frames,
                           {'visible': t.masks['visible']})
               for number, t in enumerate((t for i in range(3) for t in given[i].tracks), start=1)]
    path = tmp_path / 'results.json'
    write_results(path, records, truth)
    dataset = TrackChunkDataset(**options(data, needs=(), results=str(path)))
    chunk = dataset[0]
    assert [t.score for t in chunk.tracks] == [r.score for r in records if r.video_id == 1]
    for clip, expected in zip(chunk.clips, given[0].clips, strict=True):
        assert torch.equal(clip.visible, expected.visible)
        assert torch.equal(clip.others, expected.others) and clip.amodal is None
    bare = TrackChunkDataset(**options(data, needs=(), results=str(path), min_score=.65))[0]
    kept = [clip is not None for clip in bare.clips]
    assert kept == [t.score >= .65 for t in bare.tracks] and not all(kept)


@pytest.mark.parametrize(('change', 'error', 'message'), [
    (dict(data_prefix=dict(img_path='val/')), ValueError, 'flow is needed'),
    (dict(needs=('depth',)), ValueError, 'needs must be a list out of'),
    (dict(look=dict(enlarge=.5)), ValueError, 'enlarge must be at least 1'),
    (dict(chunk_length=0), ValueError, 'chunk_length must be positive'),
])
def test_wrong_options_are_refused(data, change, error, message):
    with pytest.raises(error, match=message):
        TrackChunkDataset(**options(data) | change)


def test_results_without_visible_masks_are_refused(data, tmp_path):
    truth = load_annotations(data / 'val.json')
    track = TrackChunkDataset(**options(data, needs=()))[0].tracks[0]
    path = tmp_path / 'amodal.json'
    write_results(path, [TrackRecord(1, 1, track.category_id, 1., track.frames,
                                     {'amodal': track.masks['amodal']})], truth)
    with pytest.raises(ResultError, match=r"amodal.json: its tracks have \['amodal'\] masks"):
        _ = TrackChunkDataset(**options(data, needs=(), results=str(path)))[0]


def test_a_missing_field_of_flow_is_named(data, tmp_path):
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    next((tmp_path / 'flow/forward').rglob('*0002.npz')).unlink()
    with pytest.raises(FlowError, match=r'no forward flow of frame .*0002.*tools/make_flow.py'):
        for chunk in (TrackChunkDataset(**options(tmp_path))[i] for i in range(3)):
            assert chunk.clips


def test_a_frame_of_another_size_is_named(data, tmp_path):
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    frame = next((tmp_path / 'val').rglob('*0001.png'))
    write_image(frame, np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(AnnotationError, match=r'0001.*the image is 40 x 30.*says 96 x 64'):
        dataset = TrackChunkDataset(**options(tmp_path, needs=('image',)))
        assert [dataset[i] for i in range(3)]


def test_tracks_too_short_to_learn_from_are_said(data):
    with pytest.raises(AnnotationError, match='no track has 30 frames'):
        TrackClipDataset(**options(data, min_length=30)).full_init()


def test_look_rule_between_sights_and_beyond_the_frame():
    rule = LookRule(enlarge=1.5, aspect=2.)
    visible = np.array([[10, 10, 20, 30], [np.nan] * 4, [20, 10, 30, 30]], float)
    boxes = rule.boxes(visible)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    assert np.allclose(width, 60) and np.allclose(height, 30)
    assert np.allclose((boxes[:, 0] + boxes[:, 2]) / 2, [15, 20, 25])
    origins, (h, w) = rule.windows(boxes, SIZE)
    assert (origins <= boxes[:, :2]).all()
    assert (origins + np.array([w, h]) >= boxes[:, 2:]).all()
    assert origins[0, 0] < 0
    with pytest.raises(ValueError, match='visible in no frame'):
        rule.boxes(np.full((2, 4), np.nan))


def test_look_rule_takes_the_largest_of_the_neighbours():
    visible = np.array([[0, 0, 4, 4], [0, 0, 10, 6], [0, 0, 4, 4], [0, 0, 4, 4]], float)
    boxes = LookRule(enlarge=1., neighbours=1).boxes(visible)
    assert (boxes[:, 2:] - boxes[:, :2]).tolist() == [[10, 6]] * 3 + [[4, 4]]


def test_look_rule_of_a_fixed_size_lies_on_whole_pixels():
    visible = np.array([[10, 10, 21, 30], [11, 12, 21, 30]], float)
    rule = LookRule(size=(32, 24))
    boxes = rule.boxes(visible)
    assert (boxes == boxes.round()).all()
    assert (boxes[:, 2:] - boxes[:, :2]).tolist() == [[32, 24]] * 2
    origins, size = rule.windows(boxes, SIZE)
    assert (origins <= boxes[:, :2]).all() and size == (25, 33)
