"""Flow of whole datasets: layout, what is kept, what is refused."""
from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vatrack.apis.make_flow import FlowRecipe, FlowVideo, annotated_videos, make_flow, videos_in
from vatrack.files import write_image
from vatrack.flow import FlowError, FlowFiles
from vatrack.video import VideoError


def paint(path: Path, x: int, size: tuple[int, int] = (40, 60)) -> None:
    image = np.zeros((*size, 3), np.uint8)
    cv2.circle(image, (x, 20), 9, (90, 200, 120), -1)
    cv2.circle(image, (x - 3, 17), 3, (250, 20, 20), -1)
    write_image(path, image)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    for number, x in ((1, 20), (2, 22), (10, 24)):
        paint(tmp_path / f'frames/a/{number}.png', x)
    for number in range(70):
        paint(tmp_path / f'frames/b/images/{number}.png', 20 + number % 20)
    paint(tmp_path / 'frames/c/0.png', 20)
    return tmp_path / 'frames'


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def test_folder_of_videos(frames, tmp_path):
    """Frames in natural order; both directions; the same from two processes."""
    videos = videos_in(frames)
    assert [video.name for video in videos] == ['a', 'b/images', 'c']
    assert videos[0].file_names == ['a/1.png', 'a/2.png', 'a/10.png']
    done = []
    report = make_flow(videos, frames, tmp_path / 'flow', on_fields=done.append)
    assert report == (2 * (2 + 69), 0) and sum(done) == report.made
    files = FlowFiles(tmp_path / 'flow')
    assert files.find('a/10.png', 'forward') is None and files.find('a/1.png', 'backward') is None
    assert files.find('c/0.png', 'forward') is None
    for name, direction, shift in (('a/2.png', 'forward', 2), ('a/2.png', 'backward', -2)):
        field = files.read(name, direction, (40, 60))
        assert np.abs(field[17:24, 18:27] - (shift, 0)).mean() < 0.3
    assert make_flow(videos, frames, tmp_path / 'again', workers=2).made == report.made
    assert files_of(tmp_path / 'again') == files_of(tmp_path / 'flow')


def test_goes_on_where_it_was_broken_off(frames, tmp_path):
    videos, out = videos_in(frames)[:1], tmp_path / 'flow'
    make_flow(videos, frames, out)
    before = files_of(out)
    (out / 'forward/a/2.npz').unlink()
    stay = out / 'backward/a/2.npz'
    stay.write_bytes(b'kept')
    assert make_flow(videos, frames, out) == (1, 3)
    assert files_of(out) == before | {'backward/a/2.npz': b'kept'}


def test_annotated_videos(tiny_data, tmp_path, run_tool, capsys):
    ann, images = tiny_data / 'val.json', tiny_data / 'val'
    assert [len(video.file_names) for video in annotated_videos(ann)] == [5, 4, 3]
    argv = ('make_flow', images, '--ann', ann, '--out', tmp_path, '--preset', 'ultrafast',
            '--directions', 'forward', '--format', 'flo')
    assert run_tool(*argv) == 0
    assert '9 fields of 3 videos made, 0 kept' in capsys.readouterr().out
    assert len([*tmp_path.rglob('*.flo')]) == 9 and not (tmp_path / 'backward').exists()
    assert run_tool(*argv) == 0 and '0 fields of 3 videos made, 9 kept' in capsys.readouterr().out
    assert run_tool(*argv[:-6]) == 1
    assert 'made in another way' in capsys.readouterr().err
    assert json.loads((tmp_path / 'flow.json').read_text())['method'] == 'dis'


def test_wrong_options_are_refused(tmp_path, run_tool, capsys):
    for options in (('--method', 'raft'), ('--weights', 'x')):
        with pytest.raises(SystemExit):
            run_tool('make_flow', tmp_path, '--out', tmp_path / 'flow', *options)
    assert run_tool('make_flow', tmp_path, '--out', tmp_path / 'flow') == 1
    assert 'no image in this folder' in capsys.readouterr().err
    with pytest.raises(ValueError, match='upsampling'):
        make_flow([], tmp_path, tmp_path / 'flow', FlowRecipe(options={'upsampling': 0}))
    assert not (tmp_path / 'flow').exists()


def test_frames_that_do_not_fit(frames, tmp_path):
    out = tmp_path / 'flow'
    with pytest.raises(FlowError, match='flow of two frames'):
        make_flow([FlowVideo('a', ['a/1.png', 'a/1.jpg'])], frames, out)
    with pytest.raises(VideoError, match=r'11\.png: no such image'):
        make_flow([FlowVideo('a', ['a/1.png', 'a/11.png'])], frames, out)
    paint(frames / 'a/11.png', 20, (40, 64))
    with pytest.raises(FlowError, match=r'a/10\.png to a/11\.png: .*one size'):
        make_flow([FlowVideo('a', ['a/2.png', 'a/10.png', 'a/11.png'])], frames, out, workers=2)
    assert [path.name for path in out.rglob('*.npz')].count('2.npz') == 1
