"""Inference on a video gives what tools/test.py gives on its frames."""
from __future__ import annotations

import json
import threading
import weakref
from itertools import islice, zip_longest

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from tiny_run import tiny_config

from vatrack.apis import ConfigError, RunError, VideoInferencer, VideoStream, WeightsError, test
from vatrack.apis.device import choose_precision
from vatrack.files import AnnotationError, check_annotations, load_annotations, read_results
from vatrack.files.foreign.coco import import_coco
from vatrack.files.foreign.ytvis import import_ytvis
from vatrack.files.track_entry import track_to_json
from vatrack.models import Ending, TrackedDetector
from vatrack.structures import TrackRecord
from vatrack.structures.rle import decode
from vatrack.video import VideoError
from vatrack.video.source import read_image

test.__test__ = False


@pytest.fixture(scope='session')
def inferencer(trained_run) -> VideoInferencer:
    return VideoInferencer(trained_run)


@pytest.fixture(scope='session')
def frames(tiny_data) -> list[np.ndarray]:
    """The five frames of the first validation video."""
    video = load_annotations(tiny_data / 'val.json').videos[0]
    return [read_image(tiny_data / 'val' / frame.file_name) for frame in video.frames]


def plain(track: TrackRecord) -> dict:
    """A track without the ids that depend on the file."""
    return {key: value for key, value in track_to_json(track, 100).items()
            if key not in ('video_id', 'track_id')}


def test_equals_testing_on_the_same_frames(inferencer, trained_run, tiny_data, tmp_path):
    results = tmp_path / 'results.json'
    test(tiny_config(tiny_data, tmp_path), trained_run / 'epoch_2.pth', results)
    annotations = load_annotations(tiny_data / 'val.json')
    tested = read_results(results, annotations)
    assert inferencer.model.classes == tuple(annotations.categories.values())
    for video in annotations.videos:
        expected = [plain(track) for track in tested if track.video_id == video.id]
        assert expected
        files = [tiny_data / 'val' / frame.file_name for frame in video.frames]
        assert [plain(track) for track in inferencer(files).result().tracks] == expected


def test_frames_hold_what_the_tracks_hold(inferencer, frames):
    stream = inferencer(frames, fps=5)
    assert isinstance(stream, VideoStream)
    seen = list(stream)
    assert [(frame.index, frame.time) for frame in seen] == [(t, t / 5) for t in range(5)]
    assert all((frame.image == image).all() for frame, image in zip(seen, frames, strict=True))
    tracks = {track.track_id: track for track in stream.result().tracks}
    found = {(each.track_id, frame.index): each for frame in seen for each in frame.instances}
    assert found.keys() == {(track.track_id, t) for track in tracks.values() for t in track.frames}
    for (track_id, t), each in found.items():
        track, at = tracks[track_id], tracks[track_id].position(t)
        assert each.label + 1 == track.frame_category(t)
        assert each.category == inferencer.model.classes[each.label]
        assert each.score == track.scores[at]
        assert each.masks == {kind: masks[at] for kind, masks in track.masks.items()}
        assert each.boxes == {'amodal': track.bboxes[at]}


def test_batches_follow_each_other(trained_run, inferencer, frames):
    whole = inferencer(frames).result().tracks
    pairs = VideoInferencer(trained_run, batch_size=2)(frames).result().tracks
    assert [track.frames for track in pairs] == [track.frames for track in whole]
    for track, other in zip(pairs, whole, strict=True):
        assert track.scores == pytest.approx(other.scores, abs=1e-4)


def test_result_files_are_read_by_their_readers(inferencer, frames, tmp_path):
    result = inferencer(frames).result()
    path = result.to_json(tmp_path / 'out.json')
    assert path == tmp_path / 'out.annotations.json'
    annotations = load_annotations(path)
    assert not check_annotations(path).errors
    (video,) = annotations.videos
    assert (video.width, video.height, len(video.frames)) == (96, 64, 5)
    assert annotations.categories == dict(enumerate(inferencer.model.classes, start=1))
    assert read_results(tmp_path / 'out.json', annotations) == result.tracks
    for kind in result.kinds:
        result.to_coco(tmp_path / 'coco.json', kind)
        result.to_ytvis(tmp_path / 'ytvis.zip', kind)
        for read, file in ((import_coco, 'coco.json'), (import_ytvis, 'ytvis.zip')):
            found = read({kind: tmp_path / file}, annotations)
            assert [len(track.frames) for track in found] == [
                sum(1 for mask in track.masks[kind] if decode([mask], (64, 96)).any())
                if read is import_coco else len(track.frames) for track in result.tracks]
    result.to_coco(tmp_path / 'default.json')
    assert result.kinds[0] == 'amodal'


def test_an_image_folder_names_its_frames(inferencer, tiny_data, frames):
    video = load_annotations(tiny_data / 'val.json').videos[0]
    folder = (tiny_data / 'val' / video.frames[0].file_name).parent
    result = inferencer(folder, max_frames=5).result()
    assert result.name == folder.name
    assert result.file_names == [frame.file_name.rpartition('/')[2] for frame in video.frames]
    assert result.tracks == inferencer(frames).result().tracks


def test_nothing_found_and_nothing_there(trained_run, inferencer, frames, tmp_path):
    blind = VideoInferencer(trained_run, score_thr=1.1)
    assert [frame.instances for frame in blind(frames)] == [[]] * 5
    result = blind(frames[:1]).result()
    assert result.tracks == [] and len(result.file_names) == 1
    result.to_json(tmp_path / 'out.json')
    for kind in ('amodal', 'visible'):
        result.to_coco(tmp_path / f'{kind}.json', kind)
        assert json.loads((tmp_path / f'{kind}.json').read_text()) == []
    empty = inferencer([])
    assert list(empty) == [] and empty.result().tracks == []
    with pytest.raises(AnnotationError, match='without a frame'):
        empty.result().to_json(tmp_path / 'empty.json')
    assert not (tmp_path / 'empty.json').exists()


def test_low_scores_are_left_out_everywhere(trained_run, inferencer, frames):
    scores = sorted(each.score for frame in inferencer(frames) for each in frame.instances)
    limit = scores[len(scores) // 2]
    stream = VideoInferencer(trained_run, score_thr=limit)(frames)
    assert sorted(each.score for frame in stream for each in frame.instances) == [
        score for score in scores if score >= limit]
    assert min(score for track in stream.result().tracks for score in track.scores) == limit


def test_a_camera_that_never_ends(inferencer, frames):
    def camera():
        while True:
            yield frames[0]

    with inferencer(camera(), fps=30, keep_tracks=False) as stream:
        for frame in islice(stream, 20):
            assert frame.image.shape == (64, 96, 3)
        assert frame.time == pytest.approx(19 / 30)
        with pytest.raises(ValueError, match='keep_tracks'):
            stream.result()
    assert not reading()
    assert list(stream) == []


def reading() -> list[str]:
    return [thread.name for thread in threading.enumerate() if 'read-ahead' in thread.name]


def test_closed_early_it_keeps_what_was_taken(inferencer, frames):
    stream = inferencer(frames)
    taken = list(islice(stream, 2))
    stream.close()
    result = stream.result()
    assert len(result.file_names) == 2
    assert {t for track in result.tracks for t in track.frames} == {
        frame.index for frame in taken if frame.instances}
    assert not reading()


def test_no_frame_outlives_its_batch(trained_run, frames):
    def camera():
        for _ in range(12):
            image = frames[0].copy()
            alive.append(weakref.ref(image))
            yield image
            del image

    alive: list[weakref.ref] = []
    for frame in VideoInferencer(trained_run, batch_size=2)(camera()):
        del frame
        # At most: two of this batch, two that wait, one that waits for a place.
        assert sum(reference() is not None for reference in alive) <= 6
    assert len(alive) == 12


def test_a_damaged_video_ends_in_an_error_after_its_frames(inferencer, frames):
    def broken():
        yield from frames[:3]
        raise VideoError('film.mp4: damaged')

    stream = inferencer(broken())
    seen = []
    with pytest.raises(VideoError, match='damaged'):
        seen.extend(stream)
    assert len(seen) == 3
    assert len(stream.result().file_names) == 3


def test_two_videos_in_turn_are_as_each_alone(trained_run, frames):
    inferencer = VideoInferencer(trained_run, batch_size=2)
    videos = [frames * 2, frames[::-1]]
    alone = [inferencer(video).result().tracks for video in videos]
    streams = [inferencer(video) for video in videos]
    assert len(list(zip_longest(*streams))) == 10
    assert [stream.result().tracks for stream in streams] == alone and alone[0] != alone[1]


class Late(TrackedDetector):
    """Holds all frames of a video back, and says at its end what two of the tracks are."""

    delay, live_switch = None, 'model.live=True'

    def begin(self) -> tuple:
        return super().begin(), []

    def step(self, images, metas, state) -> list:
        state[1].extend(super().step(images, metas, state[0]))
        return []

    def finish(self, state) -> Ending:
        return Ending(state[1], InstanceData(
            instances_id=torch.arange(2), labels=torch.tensor([3, 1]),
            scores=torch.tensor([.5, .25])))


@pytest.fixture
def late(trained_run) -> VideoInferencer:
    inferencer = VideoInferencer(trained_run)
    inferencer.model.video_model.__class__ = Late
    return inferencer


@pytest.mark.parametrize('source', [list, iter], ids=['read once more', 'kept'])
def test_results_that_come_at_the_end_are_with_their_frames(inferencer, late, frames, source):
    stream = late(source(frames), max_frames=5)
    for frame, other in zip(stream, inferencer(frames), strict=True):
        assert frame.index == other.index and (frame.image == other.image).all()
        assert frame.instances == other.instances
    assert [(track.track_id, track.category_id, track.score)
            for track in stream.result().tracks] == [(1, 4, .5), (2, 2, .25)]


def test_what_may_never_end_is_refused_if_results_come_at_the_end(late, frames):
    with pytest.raises(VideoError, match=r'may never end; make it live with --cfg-options '
                       r'model\.live=True, say how many frames to take .*--max-frames'):
        late(iter(frames))


def test_runs_are_found(trained_run, frames, tmp_path, monkeypatch):
    checkpoint = trained_run / 'epoch_1.pth'
    by_checkpoint = VideoInferencer(checkpoint=checkpoint)(frames[:2]).result().tracks
    by_config = VideoInferencer(next(trained_run.glob('*.py')), checkpoint)(frames[:2]).result()
    assert by_checkpoint == by_config.tracks
    with pytest.raises(RunError, match='no run'):
        VideoInferencer(tmp_path)
    with pytest.raises(WeightsError, match='another architecture'):
        VideoInferencer('vatrack_qd_synthetic', checkpoint)
    with pytest.raises(ConfigError, match=r'vatrack_qd_sintetic.*did you mean'):
        VideoInferencer('vatrack_qd_sintetic', checkpoint)


@pytest.mark.parametrize(('arguments', 'message'), [
    ({'device': 'gpu'}, "device 'gpu'"),
    ({'precision': 'int4'}, 'precision must be one of'),
    ({'precision': 'fp16', 'device': 'cpu'}, 'fp16 needs a CUDA GPU'),
    ({'batch_size': 0}, 'batch_size'),
    ({'cfg_options': {'model.trackr.x': 1}}, "no 'trackr'"),
    ({'cfg_options': {'test_dataloader.dataset.pipeline': []}}, 'with one LoadFrame, it has 0')])
def test_wrong_arguments_are_named(trained_run, arguments, message):
    with pytest.raises(ConfigError, match=message):
        VideoInferencer(trained_run, **arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_an_absent_gpu_is_named(trained_run):
    with pytest.raises(ConfigError, match="device 'cuda'"):
        VideoInferencer(trained_run, device='cuda')


@pytest.mark.parametrize(('capability', 'precision'), [
    ((6, 1), 'fp32'), ((7, 5), 'fp16'), ((8, 0), 'bf16'), ((9, 0), 'bf16')])
def test_precision_suits_the_gpu(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)
    assert choose_precision(None, torch.device('cuda')) == precision
    assert choose_precision(None, torch.device('cpu')) == 'fp32'


def test_classes_of_the_run_stand_in_for_those_of_the_config(trained_run, inferencer):
    bare = VideoInferencer(trained_run, cfg_options={
        'test_dataloader.dataset.metainfo': {'_delete_': True}})
    assert bare.model.classes == inferencer.model.classes


def test_bfloat16_gives_about_the_same(trained_run, inferencer, frames):
    half = VideoInferencer(trained_run, precision='bf16')(frames)
    assert half.result().tracks
    for frame in inferencer(frames):
        assert all(each.masks['amodal']['size'] == [64, 96] for each in frame.instances)


def test_stages_are_timed(inferencer, frames):
    stream = inferencer(frames)
    stream.result()
    seconds = stream.stopwatch.seconds
    assert set(seconds) == {'decode', 'prepare', 'wait', 'detector', 'track'}
    assert min(seconds.values()) >= 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('precision', ['fp32', 'bf16', 'fp16'])
def test_on_a_gpu(trained_run, inferencer, frames, precision):
    stream = VideoInferencer(trained_run, device='cuda', precision=precision)(frames, timing=True)
    found = [[each.score for each in frame.instances] for frame in stream]
    assert all(track.masks['amodal'] for track in stream.result().tracks)
    if precision == 'fp32':
        expected = [[each.score for each in frame.instances] for frame in inferencer(frames)]
        assert found == [pytest.approx(scores, abs=1e-2) for scores in expected]
