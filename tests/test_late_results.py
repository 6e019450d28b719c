"""Results that come late, and classes known only at the end, on the way of every tool."""
from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripts import REPO
from tiny_run import test_tool, train_tool

from vatrack.apis import VideoInferencer
from vatrack.files import load_annotations, read_results
from vatrack.video import VideoError
from vatrack.video.source import read_image

sys.path.insert(0, str(REPO / 'tests/models'))
import made_models  # noqa: F401  (registers)

DELAYED, OFFLINE = 'model.type=DelayedDetector', 'model.type=OfflineDetector'
_numbers = count()


@pytest.fixture(scope='module')
def results(trained_run, tiny_data, tmp_path_factory):
    """Result file of the trained run, by changes of its config."""
    folder = tmp_path_factory.mktemp('late')

    def test(*options: str) -> Path:
        out = folder / f'{next(_numbers)}.json'
        config = trained_run / 'vatrack_qd_synthetic.py'
        assert test_tool(config, trained_run / 'epoch_2.pth', '--eval', 'AP', 'vAP', '--out', out,
                         '--work-dir', folder / 'test', '--show-dir', folder / out.stem,
                         '--cfg-options', f'experiment_name={out.stem}', *options) == 0
        return out
    return test


def test_frames_that_are_held_back_change_nothing(results):
    # In pairs, as the other takes them: batches of another size round otherwise.
    plain, late = results('test_dataloader.batch_size=2'), results(DELAYED)
    assert json.loads(plain.read_text()) == json.loads(late.read_text())
    assert (plain.parent / plain.stem / 'contact_sheet.png').read_bytes() == (
        late.parent / late.stem / 'contact_sheet.png').read_bytes()


def test_classes_and_scores_of_the_end_of_the_video(results, tiny_data):
    annotations = load_annotations(tiny_data / 'val.json')
    plain = read_results(results('model.type=TrackedDetector'), annotations)
    late = read_results(results(OFFLINE), annotations)
    for video in annotations.videos:
        before, after = ([track for track in tracks if track.video_id == video.id]
                         for tracks in (plain, late))
        # The first identity stands under two classes.
        assert len(after) == len(before) + 1
        assert after[-1].masks == after[0].masks and after[-1].frames == after[0].frames
        assert after[-1].category_id == 3 != after[0].category_id
        for one, other in zip(before, after, strict=False):
            assert one.frames == other.frames and one.masks == other.masks
            assert one.score != other.score and other.scores is None


def test_a_run_that_validates_late_draws_the_same_pictures(tiny_data, tmp_path):
    """The pictures of the hook, of a model that gives all frames at the end."""
    pictures = []
    for kind in ('TrackedDetector', 'OfflineDetector'):
        run = tmp_path / kind
        assert train_tool(tiny_data, run, options=(f'model.type={kind}',)) == 0
        pictures.append({path.name: cv2.imread(str(path))
                         for path in run.glob('*/vis_data/vis_image/*')})
    plain, late = pictures
    assert plain.keys() == late.keys() and len(plain) == 4
    assert all((plain[name] == late[name]).all() for name in plain)


@pytest.fixture(scope='module')
def frames(tiny_data) -> list[np.ndarray]:
    video = load_annotations(tiny_data / 'val.json').videos[0]
    return [read_image(tiny_data / 'val' / frame.file_name) for frame in video.frames]


@pytest.mark.parametrize('change', [DELAYED, OFFLINE])
def test_inference_pairs_late_results_with_their_frames(trained_run, frames, change):
    key, _, value = change.partition('=')
    plain = list(VideoInferencer(trained_run)(frames))
    late = list(VideoInferencer(trained_run, batch_size=2, cfg_options={key: value})(frames))
    assert [frame.index for frame in late] == list(range(len(frames)))
    for one, other, image in zip(plain, late, frames, strict=True):
        assert (other.image == image).all()
        assert [(each.track_id, each.masks) for each in one.instances] == [
            (each.track_id, each.masks) for each in other.instances]


def test_a_source_without_end_is_refused_for_a_model_that_needs_the_end(trained_run, frames):
    offline = VideoInferencer(trained_run, cfg_options={'model.type': 'OfflineDetector'})
    with pytest.raises(VideoError, match=r'may never end.*--cfg-options '
                                         r'model.type=TrackedDetector'):
        offline(iter(frames))
    assert len(list(offline(iter(frames), max_frames=3))) == 3
    assert len(list(VideoInferencer(trained_run)(iter(frames)))) == len(frames)


def test_a_video_that_is_stopped_gives_what_was_read(trained_run, frames):
    stream = VideoInferencer(trained_run, batch_size=1,
                             cfg_options={'model.type': 'DelayedDetector'})(frames)
    first = next(stream)
    stream.stop()
    rest = list(stream)
    assert [frame.index for frame in (first, *rest)] == list(range(len(rest) + 1))
    assert 4 <= len(rest) + 1 <= len(frames) and stream.result().tracks


def test_the_demo_of_a_model_that_needs_the_end(trained_run, tiny_data, run_tool, tmp_path):
    folder = next((tiny_data / 'val').rglob('*000000.*')).parent
    written = []
    for kind in ('TrackedDetector', 'OfflineDetector'):
        out = tmp_path / f'{kind}.json'
        assert run_tool('demo', folder, trained_run, '--json', out, '--out',
                        tmp_path / f'{kind}.mp4', '--score-thr', 0, '--cfg-options', f'model.type={kind}') == 0
        written.append([track['segmentations'] for track in json.loads(out.read_text())])
    plain, late = written
    assert late[:-1] == plain and late[-1] == plain[0]
    assert (tmp_path / 'OfflineDetector.mp4').stat().st_size
