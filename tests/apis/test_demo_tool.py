"""tools/demo.py on a small video."""
from __future__ import annotations

import json
import signal

import av
import cv2
import numpy as np
import pytest
from scripts import load_tool

from vatrack.apis import FrameResult, VideoInferencer
from vatrack.files import load_annotations, read_results
from vatrack.video import VideoWriter, open_frames, read_video
from vatrack.video.source import read_image

TIMES = [0, .1, .2, .7, .8]


@pytest.fixture(scope='module')
def video(tiny_data, tmp_path_factory):
    """The first validation video as a file of uneven frame times."""
    path = tmp_path_factory.mktemp('demo') / 'street.mp4'
    first = load_annotations(tiny_data / 'val.json').videos[0]
    with VideoWriter(path, 5) as film:
        for time, frame in zip(TIMES, first.frames, strict=True):
            film.write(read_image(tiny_data / 'val' / frame.file_name), time)
    return path


@pytest.fixture
def demo(run_tool, trained_run):
    """Run the tool: video and options -> exit code."""
    return lambda video, *options: run_tool('demo', video, trained_run, *options)


def test_film_and_files(demo, video, trained_run, tmp_path, capsys):
    code = demo(video, '--out', tmp_path / 'film.mp4', '--json', tmp_path / 'tracks.json',
                '--coco', tmp_path / 'coco.json', '--ytvis', tmp_path / 'ytvis.zip',
                '--score-thr', 0)
    printed = capsys.readouterr().out
    assert code == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {'film.mp4', 'tracks.json', 'tracks.annotations.json', 'coco.amodal.json',
                       'coco.visible.json', 'ytvis.amodal.zip', 'ytvis.visible.zip'}
    assert all(str(tmp_path / name) in printed for name in written)
    assert '5 frames in' in printed
    stages = {line.split()[0] for line in printed.splitlines() if 'ms a frame' in line}
    assert stages == {'decode', 'prepare', 'wait', 'detector', 'track', 'draw', 'encode'}
    assert [frame.time for frame in open_frames(tmp_path / 'film.mp4')] == pytest.approx(TIMES)
    with av.open(str(tmp_path / 'film.mp4')) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
    tracks = read_results(tmp_path / 'tracks.json',
                          load_annotations(tmp_path / 'tracks.annotations.json'))
    assert tracks == VideoInferencer(trained_run)(video).result().tracks


def test_what_is_shown_can_be_chosen(demo, video, tmp_path):
    options = ['--score-thr', 0, '--max-frames', 2, '--out']
    assert demo(video, *options, tmp_path / 'boxes.mp4', '--show', 'boxes') == 0
    assert demo(video, *options, tmp_path / 'masks.mp4', '--show', 'visible', 'amodal') == 0
    boxes, masks = (list(read_video(tmp_path / f'{name}.mp4')) for name in ('boxes', 'masks'))
    assert len(boxes) == len(masks) == 2
    assert np.abs(boxes[0].astype(int) - masks[0]).max() > 40


def test_folders_have_the_rate_that_is_given(demo, tiny_data, tmp_path):
    first = load_annotations(tiny_data / 'val.json').videos[0].frames[0]
    folder = (tiny_data / 'val' / first.file_name).parent
    assert demo(folder, '--out', tmp_path / 'film.mp4', '--fps', 4, '--max-frames', 3) == 0
    assert [frame.time for frame in open_frames(tmp_path / 'film.mp4')] == [0, .25, .5]


def test_ctrl_c_keeps_what_is_done(demo, video, tmp_path, monkeypatch, capsys):
    draw = FrameResult.draw

    def interrupted(frame, *arguments):
        if frame.index == 2:
            signal.raise_signal(signal.SIGINT)
        return draw(frame, *arguments)

    monkeypatch.setattr(FrameResult, 'draw', interrupted)
    before = signal.getsignal(signal.SIGINT)
    code = demo(video, '--out', tmp_path / 'film.mp4', '--json', tmp_path / 'tracks.json',
                '--score-thr', 0)
    assert code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert 'stopped after 3 frames' in capsys.readouterr().out
    assert len(list(read_video(tmp_path / 'film.mp4'))) == 3
    annotations = load_annotations(tmp_path / 'tracks.annotations.json')
    assert len(annotations.videos[0].frames) == 3
    assert read_results(tmp_path / 'tracks.json', annotations)


def frames_of_widths(folder, *widths):
    folder.mkdir()
    for index, width in enumerate(widths):
        cv2.imwrite(str(folder / f'{index}.png'), np.zeros((64, width, 3), np.uint8))
    return folder


def test_a_damaged_video_is_one_error_and_keeps_what_is_done(demo, tmp_path, capsys):
    frames = frames_of_widths(tmp_path / 'frames', 96, 96, 80)
    assert demo(frames, '--out', tmp_path / 'film.mp4', '--json', tmp_path / 'tracks.json') == 1
    error = capsys.readouterr().err
    assert error.count('error:') == 1 and 'frame 2 (2.png) is 80x64' in error
    assert 'the frames before are written' in error
    assert len(list(read_video(tmp_path / 'film.mp4'))) == 2
    annotations = load_annotations(tmp_path / 'tracks.annotations.json')
    assert len(annotations.videos[0].frames) == 2
    read_results(tmp_path / 'tracks.json', annotations)


def test_without_a_good_frame_there_is_no_file(demo, tmp_path, capsys):
    frames = frames_of_widths(tmp_path / 'frames', 96)
    (frames / '0.png').write_bytes(b'no image')
    assert demo(frames, '--out', tmp_path / 'film.mp4', '--json', tmp_path / 'tracks.json') == 1
    assert '0.png: not an image or damaged' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['frames']


@pytest.mark.parametrize(('name', 'message'), [
    ('none.mp4', 'no such video file'), ('text.mp4', 'not a video'), ('none/*.png', 'no file')])
def test_unreadable_input_fails_before_the_model_is_built(
        demo, tmp_path, capsys, monkeypatch, name, message):
    monkeypatch.setattr(load_tool('demo'), 'VideoInferencer',
                        lambda *arguments: pytest.fail('builds the model first'))
    (tmp_path / 'text.mp4').write_text('none')
    assert demo(tmp_path / name, '--out', tmp_path / 'film.mp4') == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(('options', 'message'), [
    ((), 'nothing to do'), (('--out', 'film.mp4', '--show', 'boxen'), 'boxen')])
def test_wrong_options_are_refused(demo, video, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        demo(video, *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_the_input_is_not_overwritten(demo, video, capsys):
    with pytest.raises(SystemExit):
        demo(video, '--out', video)
    assert 'is the input' in capsys.readouterr().err
    assert demo(video, '--out', video.with_suffix('.avi')) == 1
    assert 'end the name in .mp4' in capsys.readouterr().err


def test_empty_results_are_files_too(demo, video, tmp_path):
    assert demo(video, '--json', tmp_path / 'tracks.json', '--score-thr', 1.1) == 0
    assert json.loads((tmp_path / 'tracks.json').read_text()) == []
