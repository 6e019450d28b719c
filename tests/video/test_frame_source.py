from __future__ import annotations

from itertools import count, islice

import cv2
import numpy as np
import pytest
from made_videos import gradient, make_video

from vatrack.video import DEFAULT_FPS, FrameSource, VideoError, VideoFrame, open_frames
from vatrack.video.source import natural_key

FRAMES = [gradient(index) for index in range(4)]


@pytest.fixture
def folder(tmp_path):
    """Frames 0, 1, 2, 10 and things that are none."""
    root = tmp_path / 'walk'
    root.mkdir()
    for number, image in zip((10, 0, 2, 1), (FRAMES[3], FRAMES[0], FRAMES[2], FRAMES[1]),
                             strict=True):
        cv2.imwrite(str(root / f'f{number}.png'), image[..., ::-1])
    (root / 'notes.txt').write_text('')
    (root / '._f0.png').write_text('')
    return root


def images(source: FrameSource) -> list[np.ndarray]:
    return [frame.image for frame in source]


@pytest.mark.parametrize('pattern', ['', '*.png', 'f*'])
def test_folders_and_patterns_in_natural_order(folder, pattern):
    source = open_frames(str(folder / pattern) if pattern else folder, fps=5)
    assert (source.name, source.fps, source.num_frames) == ('walk', 5, 4)
    assert [source.file_name(t) for t in range(4)] == ['f0.png', 'f1.png', 'f2.png', 'f10.png']
    for _ in range(2):
        assert np.array_equal(images(source), FRAMES)
    assert [frame.time for frame in source] == [0, .2, .4, .6]


def test_patterns_over_folders(folder):
    other = folder.parent / 'run'
    other.mkdir()
    cv2.imwrite(str(other / 'f3.png'), FRAMES[3])
    source = open_frames(f'{folder.parent}/*/*.png')
    assert source.file_name(0) == 'run/f3.png'
    assert source.num_frames == 5


def test_one_image_is_a_video_of_one_frame(folder):
    assert np.array_equal(images(open_frames(folder / 'f2.png')), FRAMES[2:3])


@pytest.mark.parametrize('source', [
    FRAMES, tuple(FRAMES), np.stack(FRAMES),
    [VideoFrame(index, index / DEFAULT_FPS, image) for index, image in enumerate(FRAMES)]])
def test_lists_and_arrays(source):
    opened = open_frames(source)
    assert (opened.name, opened.fps, opened.num_frames) == ('frames', None, 4)
    for _ in range(2):
        assert np.array_equal(images(opened), FRAMES)
    assert [frame.time for frame in opened] == [t / DEFAULT_FPS for t in range(4)]
    assert opened.file_name(3) == '000003.jpg'


def test_a_list_of_image_files(folder):
    assert np.array_equal(images(open_frames([folder / 'f1.png', str(folder / 'f0.png')])),
                          [FRAMES[1], FRAMES[0]])


def test_a_camera_never_ends():
    source = open_frames((gradient(index) for index in count()), fps=30)
    assert (source.name, source.fps, source.num_frames) == ('stream', 30, None)
    assert [frame.index for frame in islice(source, 3)] == [0, 1, 2]
    assert len(images(open_frames((gradient(index) for index in count()), max_frames=5))) == 5


def test_frames_of_another_source_keep_their_times(tmp_path):
    path = make_video(tmp_path / 'film.mp4', FRAMES, rate=4)
    later = islice(open_frames(path), 2, None)
    assert [(frame.index, frame.time) for frame in open_frames(later)] == [(0, .5), (1, .75)]
    source = open_frames(path)
    assert open_frames(source) is source
    with pytest.raises(ValueError, match='open already'):
        open_frames(source, max_frames=1)


def test_the_limit_counts(tmp_path, folder):
    path = make_video(tmp_path / 'film.mp4', FRAMES)
    for given in (path, folder, FRAMES):
        source = open_frames(given, max_frames=2)
        assert source.num_frames == len(images(source)) == 2
        assert open_frames(given, max_frames=9).num_frames == 4


def test_no_frames_at_all():
    assert images(open_frames([])) == []
    assert images(open_frames(iter([]))) == []


def test_broken_times_are_mended():
    times = [0, .1, .1, 0, .5]
    frames = [VideoFrame(index, time, FRAMES[0]) for index, time in enumerate(times)]
    assert [frame.time for frame in open_frames(frames, fps=100)] == pytest.approx(
        [0, .1, .11, .12, .5])


@pytest.mark.parametrize(('second', 'message'), [
    (gradient(0, 48, 32), r'frame 1 is 32x48, but the video began with 64x48'),
    (gradient(0)[..., 0], r'frame 1 must be .*\(48, 64\) uint8'),
    (gradient(0) / 255, r'frame 1 must be .*float64'),
    (np.zeros((48, 64, 4), np.uint8), r'frame 1 must be .*\(48, 64, 4\)'),
    (None, 'frame 1 must be .*NoneType')])
def test_what_is_no_frame_is_named(second, message):
    with pytest.raises(VideoError, match=message):
        images(open_frames([gradient(0), second]))


def test_broken_folders_are_named(folder, tmp_path):
    with pytest.raises(VideoError, match='no such video file'):
        open_frames(tmp_path / 'none')
    with pytest.raises(VideoError, match='no file matches'):
        open_frames(str(tmp_path / '*.png'))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(VideoError, match='no image in this folder'):
        open_frames(tmp_path / 'empty')
    (folder / 'f1.png').write_bytes(b'')
    with pytest.raises(VideoError, match=r'f1\.png: not an image or damaged'):
        images(open_frames(folder))
    with pytest.raises(VideoError, match=r'notes\.txt: not an image'):
        images(open_frames(str(folder / 'n*')))
    with pytest.raises(VideoError, match=r'none\.png: no such image'):
        images(open_frames([folder / 'none.png']))
    cv2.imwrite(str(folder / 'f1.png'), np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(VideoError, match=r'frame 1 \(f1\.png\) is 5x5'):
        images(open_frames(folder))


@pytest.mark.parametrize('options', [{'fps': 0}, {'fps': -1}, {'max_frames': 0}])
def test_wrong_numbers_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        open_frames(FRAMES, **options)


def test_natural_order():
    names = ['b1', 'a10', 'a9', 'a', '2', '10', 'a09b', '1x']
    assert sorted(names, key=natural_key) == ['1x', '2', '10', 'a', 'a9', 'a09b', 'a10', 'b1']
